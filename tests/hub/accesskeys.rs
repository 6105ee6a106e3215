//! Access keys: shown once, acting as the agent who made them, dead as soon as they are revoked.

use serde_json::{Value, json};

use crate::support::calls::{ACCESSKEYS, ME};
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, Credential, HubSettings, Hubs, TestHub, column, id, random_id, text};

/// The full key in the answer that shows it: `vb_` and 32 base64url characters.
pub(crate) fn full_key(made: &Value) -> String {
    let is_key = |value: &&str| {
        let tail = value.strip_prefix("vb_").unwrap_or_default();
        tail.len() == 32 && tail.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let mut values = made.as_object().unwrap().values().filter_map(Value::as_str);
    values.find(is_key).unwrap_or_else(|| panic!("no key in {made}")).to_owned()
}

/// A new key of `agent`: its id and the key itself.
async fn new_key(agent: &Agent) -> (String, String) {
    let made = agent.create_accesskey(&json!({"name": "a key", "detail": "for a test"})).await.ok();
    (id(&made), full_key(&made))
}

async fn a_key_works_wherever_a_credential_is_taken_and_acts_as_its_maker(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let (_, key) = new_key(&alice).await;
    for way in Credential::every_way(&key) {
        let bearer = alice.with(way.clone());
        assert_eq!(id(&bearer.get(ME).await.ok()), alice.id, "{way:?}");
        let chat = bearer.new_group(&[]).await;
        assert_eq!(text(&bearer.say(&chat, "by key").await, "owner_id"), alice.id);
    }
}

async fn the_full_key_is_shown_once(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let (key_id, key) = new_key(&alice).await;
    let path = format!("{ACCESSKEYS}/{key_id}");
    let shown = [
        alice.get(&path).await.ok(),
        alice.get(ACCESSKEYS).await.ok(),
        alice.put(&path, &json!({"name": "renamed", "detail": "changed"})).await.ok(),
        alice.get(&path).await.ok(),
    ];
    for answer in &shown {
        assert!(!answer.to_string().contains(&key), "{answer}");
    }
    assert_eq!((text(&shown[3], "name"), text(&shown[3], "detail")), ("renamed", "changed"));
    assert_eq!(column(&shown[1], "id"), [key_id]);
}

async fn a_revoked_key_stops_at_once_on_every_node(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let (key_id, key) = new_key(&alice).await;
    let (_, other_key) = new_key(&alice).await;
    for node in 0..hubs.nodes.len() {
        alice.at(node).with(Credential::QueryKey(key.clone())).get(ME).await.ok();
    }
    alice.delete_accesskey(&key_id).await.ok();
    for way in Credential::every_way(&key) {
        for _ in 0..hubs.nodes.len() {
            alice.with(way.clone()).get(ME).await.refused(401, "INVALID_CREDENTIALS");
        }
    }
    alice.with(Credential::Bearer(other_key)).get(ME).await.ok();
    alice.get_accesskey(&key_id).await.refused(404, "ACCESSKEY_NOT_FOUND");
    alice.delete_accesskey(&key_id).await.refused(404, "ACCESSKEY_NOT_FOUND");
    assert!(!column(&alice.get(ACCESSKEYS).await.ok(), "id").contains(&key_id));
}

async fn a_revoked_key_closes_the_sockets_it_opened(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let (key_id, key) = new_key(&alice).await;
    let mut sockets = Vec::new();
    for node in 0..hubs.nodes.len() {
        sockets.push(alice.at(node).with(Credential::QueryToken(key.clone())).listen().await);
    }
    alice.delete_accesskey(&key_id).await.ok();
    for mut socket in sockets {
        socket.expect_close(4001).await;
    }
}

async fn agents_manage_their_own_keys_and_admins_those_of_the_customer(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let (alices, key) = new_key(&alice).await;
    let path = format!("{ACCESSKEYS}/{alices}");

    assert!(column(&bob.get(ACCESSKEYS).await.ok(), "id").is_empty());
    let change = json!({"name": "taken over"});
    for answer in [bob.get(&path).await, bob.put(&path, &change).await, bob.delete(&path).await] {
        assert!([403, 404].contains(&answer.status), "{answer}");
    }
    for answer in [stranger.get(&path).await, stranger.put(&path, &change).await, stranger.delete(&path).await] {
        answer.refused(404, "ACCESSKEY_NOT_FOUND");
    }
    assert_eq!(text(&alice.get(&path).await.ok(), "name"), "a key");
    alice.with(Credential::Bearer(key.clone())).get(ME).await.ok();

    for manager in [customer.admin("Admin").await, customer.manager("Manager").await] {
        assert!(column(&manager.get(ACCESSKEYS).await.ok(), "id").contains(&alices));
        let renamed = manager.put(&path, &json!({"name": format!("seen by {}", manager.name)})).await.ok();
        assert_eq!(alice.get(&path).await.ok(), renamed);
    }
    let admin = customer.admin("Another admin").await;
    admin.delete_accesskey(&alices).await.ok();
    alice.with(Credential::Bearer(key)).get(ME).await.refused(401, "INVALID_CREDENTIALS");
    alice.get_accesskey(&random_id()).await.refused(404, "ACCESSKEY_NOT_FOUND");
    alice.get_accesskey("not-a-uuid").await.refused(400, "INVALID_ID");
}

async fn a_key_dies_with_its_agent(hubs: Hubs) {
    let customer = hubs.customer().await;
    let leaver = customer.agent("Leaver").await;
    let admin = customer.admin("Admin").await;
    let (_, key) = new_key(&leaver).await;
    let bearer = leaver.with(Credential::Bearer(key));
    bearer.get(ME).await.ok();
    admin.delete_agent(&leaver.id).await.ok();
    bearer.get(ME).await.refused(401, "INVALID_CREDENTIALS");
}

/// All bytes below a directory.
fn bytes_below(dir: &std::path::Path) -> Vec<u8> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { bytes_below(&path) } else { std::fs::read(path).unwrap() }).collect()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn the_embedded_store_keeps_no_key_and_no_password() {
    let mut hub = TestHub::start(HubSettings::embedded()).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let (key_id, key) = new_key(&alice).await;
    alice.with(Credential::Bearer(key.clone())).get(ME).await.ok();
    hub.stop().await;
    let kept = bytes_below(&hub.dir().join("store"));
    assert!(contains(&kept, "Alice"), "the search finds what is there");
    assert!(!contains(&kept, &key[3..]), "key {key_id}");
    assert!(!contains(&kept, crate::support::people::PASSWORD));
}

#[tokio::test]
async fn redis_keeps_no_key_and_no_password() {
    let redis = RedisServer::start().await;
    redis.command::<()>(&["CONFIG", "SET", "rdbcompression", "no"]);
    let hub = TestHub::start(HubSettings::redis(&redis.url(), &new_prefix())).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let (_, key) = new_key(&alice).await;
    alice.with(Credential::Bearer(key.clone())).get(ME).await.ok();
    redis.command::<()>(&["SAVE"]);
    let kept = bytes_below(redis.dir());
    assert!(contains(&kept, "Alice"), "the search finds what is there");
    assert!(!contains(&kept, &key[3..]));
    assert!(!contains(&kept, crate::support::people::PASSWORD));
}

on_every_deployment!(
    a_key_works_wherever_a_credential_is_taken_and_acts_as_its_maker,
    the_full_key_is_shown_once,
    a_revoked_key_stops_at_once_on_every_node,
    a_revoked_key_closes_the_sockets_it_opened,
    agents_manage_their_own_keys_and_admins_those_of_the_customer,
    a_key_dies_with_its_agent,
);
