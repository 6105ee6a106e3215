//! Settings: where they come from, what wins, and that a wrong one stops the start and is named.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use crate::support::calls::{AGENTS, CHATS, ME};
use crate::support::hub::{BINARY, Ended};
use crate::support::people::{ADMIN, AGENT};
use crate::support::{Answer, Credential, HubSettings, Hubs, TestHub, column, id, rows, sorted, text};

/// A settings file with this content, gone with the returned directory.
fn settings_file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hub.toml");
    std::fs::write(&file, content).unwrap();
    (dir, file)
}

fn assert_names(ended: &Ended, words: &[&str]) {
    assert!(!ended.status.success());
    for word in words {
        assert!(ended.output.contains(word), "`{word}` is not in: {}", ended.output);
    }
}

#[tokio::test]
async fn a_hub_that_cannot_start_ends_though_nobody_reads_why() {
    let (_unread, mut stderr) = std::io::pipe().unwrap();
    // So much fits into it.
    stderr.write_all(&[b'.'; 64 * 1024]).unwrap();
    let mut command = Command::new(BINARY);
    command.env("TALK__SERVER__COLOUR", "blue").stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    let mut hub = command.kill_on_drop(true).spawn().unwrap();
    let status = tokio::time::timeout(Duration::from_secs(30), hub.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn an_unknown_key_stops_the_start_and_is_named() {
    let ended = TestHub::refusal(HubSettings::embedded().set("server.colour", "blue")).await;
    assert_names(&ended, &["server.colour"]);
    let ended = TestHub::refusal(HubSettings::embedded().set("cellar.wine", "red")).await;
    assert_names(&ended, &["cellar"]);
    let (_dir, file) = settings_file("[limits]\npatience = 7\n");
    let settings = HubSettings::embedded().arg("--config").arg(file.display().to_string());
    assert_names(&TestHub::refusal(settings).await, &["limits.patience"]);
}

#[tokio::test]
async fn a_bad_value_stops_the_start_and_is_named() {
    for (key, value) in [
        ("store.kind", "paper"),
        ("store.wait_ms", "soon"),
        ("store.wait_ms", "-1"),
        ("server.bind", "nowhere"),
        ("limits.agent_per_second", "many"),
        ("server.drain_secs", "1.5x"),
        ("auth.directory", "telephone"),
    ] {
        let ended = TestHub::refusal(HubSettings::embedded().set(key, value)).await;
        assert_names(&ended, &[key]);
    }
    let (_dir, file) = settings_file("[store]\nwait_ms = \"soon\"\n");
    let settings = HubSettings::embedded().arg("--config").arg(file.display().to_string());
    assert_names(&TestHub::refusal(settings).await, &["store.wait_ms"]);
}

#[tokio::test]
async fn a_settings_file_that_cannot_be_read_stops_the_start() {
    let settings = HubSettings::embedded().arg("--config").arg("/nowhere/hub.toml");
    assert_names(&TestHub::refusal(settings).await, &["/nowhere/hub.toml"]);
    let (_dir, file) = settings_file("this is not TOML");
    let settings = HubSettings::embedded().arg("--config").arg(file.display().to_string());
    assert_names(&TestHub::refusal(settings).await, &["hub.toml"]);
}

#[tokio::test]
async fn the_file_wins_over_the_defaults_and_the_environment_over_the_file() {
    let throttled = async |settings: HubSettings| {
        let hub = TestHub::start(settings).await;
        let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
        let calls = futures_util::future::join_all((0..20).map(async |_| alice.get(ME).await)).await;
        calls.iter().any(|answer: &Answer| answer.status == 429)
    };
    let (_dir, file) = settings_file("[limits]\nagent_per_second = 1\n");
    let with_file = HubSettings::embedded().arg("--config").arg(file.display().to_string());
    assert!(throttled(with_file.clone().unset("limits.agent_per_second")).await, "20 calls at 1 a second");
    assert!(!throttled(with_file.set("limits.agent_per_second", 0)).await);
    assert!(!throttled(HubSettings::embedded().unset("limits.agent_per_second")).await, "20 calls at 50 a second");
}

#[tokio::test]
async fn a_hub_starts_with_nothing_set_but_a_free_port() {
    let mut hub = TestHub::start(HubSettings::bare().set("server.bind", "127.0.0.1:0")).await;
    assert_eq!(Hubs::of(&hub).nobody().get("/ping").await.status, 200);
    assert!(hub.stop().await.status.success());
}

/// `config/base.toml` is where an operator looks: every key has a sentence above it.
#[test]
fn every_key_of_the_base_settings_is_explained() {
    let base = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/base.toml")).unwrap();
    let mut explained = false;
    let mut keys = 0;
    for line in base.lines().map(str::trim) {
        match line {
            comment if comment.starts_with('#') => explained = true,
            "" => explained = false,
            table if table.starts_with('[') => explained = false,
            key => {
                assert!(explained, "no sentence above `{key}`");
                (explained, keys) = (false, keys + 1);
            }
        }
    }
    assert!(keys > 10, "only {keys} keys");
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused_with_a_clear_message() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let dir = hub.dir().join("store").display().to_string();
    let ended = TestHub::refusal(HubSettings::embedded().set("store.dir", &dir)).await;
    assert_names(&ended, &[&dir]);
    Hubs::of(&hub).agents(["Alice"]).await;
}

/// The tokens that the demo prints.
fn printed_tokens(hub: &TestHub) -> Vec<String> {
    let output = hub.output();
    let part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let words =
        output.split(|c: char| !part(c)).filter(|word| word.starts_with("eyJ") && word.matches('.').count() == 2);
    let mut tokens: Vec<_> = words.map(str::to_owned).collect();
    tokens.dedup();
    tokens
}

#[tokio::test]
async fn the_demo_prints_tokens_of_three_agents_who_can_talk_at_once() {
    let mut hub = TestHub::start(HubSettings::embedded().arg("--demo")).await;
    let hubs = Hubs::of(&hub);
    let tokens = printed_tokens(&hub);
    assert_eq!(tokens.len(), 3, "{}", hub.output());
    let caller = |token: &String| hubs.nobody().presenting([Credential::QueryToken(token.clone())]);
    let mut usernames = Vec::new();
    for token in &tokens {
        let me = caller(token).get(ME).await.ok();
        let bob = text(&me, "username") == "bob@demo.test";
        assert_eq!(me["permission"].as_u64().unwrap() & ADMIN != 0, bob, "{me}");
        usernames.push(text(&me, "username").to_owned());
    }
    assert_eq!(sorted(usernames.clone()), ["alice@demo.test", "bob@demo.test", "carol@demo.test"]);
    let chats = caller(&tokens[0]).get(CHATS).await.ok();
    assert_eq!(chats["result"], json!([]), "nobody has talked yet");
    let agents = caller(&tokens[0]).get(AGENTS).await.ok();
    let everyone: Vec<_> =
        column(&agents, "id").iter().map(|id| json!({"owner_type": "agent", "owner_id": id})).collect();
    let chat = caller(&tokens[0]).create_chat(&json!({"type": "group", "participants": everyone})).await.ok();
    assert_eq!(chat["member_count"], 3);
    caller(&tokens[1]).say(&id(&chat), "it works").await;
    let customer = caller(&tokens[2]).get("/v1.0/service_agents/customer").await.ok();
    assert_eq!(text(&customer, "name"), "Demo");
    for username in &usernames {
        hubs.nobody().login(username, "demo").await.ok();
    }

    hub.stop().await;
    hub.start_again().await;
    let agents = caller(&printed_tokens(&hub).first().unwrap_or(&tokens[0]).clone()).get(AGENTS).await.ok();
    assert_eq!(rows(&agents).len(), 3, "a second start makes nobody again");
}

#[tokio::test]
async fn the_people_of_a_demo_talk_once_for_who_comes_by_a_browser_and_not_where_somebody_has_talked() {
    let mut hub = TestHub::start(HubSettings::embedded().arg("--demo")).await;
    let come = async |hubs: &Hubs| hubs.nobody().post("/console/demo.json", &json!({})).await.ok();
    let count = async |hubs: &Hubs, token: &String| {
        let caller = hubs.nobody().presenting([Credential::QueryToken(token.clone())]);
        caller.get(CHATS).await.ok()["result"].as_array().expect("chats").len()
    };
    let (hubs, alice) = (Hubs::of(&hub), printed_tokens(&hub).remove(0));
    assert_eq!(count(&hubs, &alice).await, 0);
    let (one, other) = tokio::join!(come(&hubs), come(&hubs));
    assert_eq!((one["people"].as_array().map(Vec::len), &other), (Some(3), &one));
    let talked = count(&hubs, &alice).await;
    assert!(talked > 2);
    hub.stop().await;
    hub.start_again().await;
    come(&Hubs::of(&hub)).await;
    assert_eq!(count(&Hubs::of(&hub), &alice).await, talked);

    let hub = TestHub::start(HubSettings::embedded().arg("--demo")).await;
    let (hubs, alice) = (Hubs::of(&hub), printed_tokens(&hub).remove(0));
    let caller = hubs.nobody().presenting([Credential::QueryToken(alice.clone())]);
    caller.create_chat(&json!({"type": "group", "name": "mine"})).await.ok();
    come(&hubs).await;
    assert_eq!(count(&hubs, &alice).await, 1);
}

#[tokio::test]
async fn the_demo_is_refused_on_any_address_but_loopback() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let settings = HubSettings::embedded().set("server.bind", address).arg("--demo");
        assert_names(&TestHub::refusal(settings).await, &["demo"]);
    }
}

#[tokio::test]
async fn hubs_with_different_prefixes_share_nothing() {
    let url = crate::support::redis::shared_url().await;
    let one = TestHub::start(HubSettings::redis(&url, &crate::support::redis::new_prefix())).await;
    let other = TestHub::start(HubSettings::redis(&url, &crate::support::redis::new_prefix())).await;
    let [alice] = Hubs::of(&one).agents(["Alice"]).await;
    assert_eq!(alice.get(ME).await.ok()["permission"], AGENT);
    let elsewhere = Hubs::of(&other).nobody().presenting([Credential::Bearer(alice.token.clone())]);
    elsewhere.get(ME).await.refused(401, "INVALID_CREDENTIALS");
    Hubs::of(&other)
        .nobody()
        .login(&alice.username, crate::support::people::PASSWORD)
        .await
        .refused(401, "INVALID_CREDENTIALS");
}
