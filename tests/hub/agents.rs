//! Agents: who sees them, who makes and ends them, and what each may change of oneself.

use serde_json::{Value, json};

use crate::support::calls::{AGENTS, ME};
use crate::support::people::{ADMIN, AGENT, MANAGER, PASSWORD, new_username};
use crate::support::token::{claims, signed};
use crate::support::{Credential, Hubs, column, id, random_id, sorted, text};

const SERVICE_AGENTS: &str = "/v1.0/service_agents/agents";

/// No password, nor anything made from one, is in an answer.
fn assert_no_secret(resource: &Value) {
    let said = resource.to_string();
    for secret in ["password", "argon2", "hash", PASSWORD] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

fn a_body(name: &str) -> Value {
    json!({"username": new_username(name), "password": PASSWORD, "name": name})
}

async fn agents_see_the_agents_of_their_customer(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for path in [AGENTS, SERVICE_AGENTS] {
        let list = alice.get(path).await.ok();
        assert_no_secret(&list);
        assert_eq!(sorted(column(&list, "id")), sorted([alice.id.clone(), bob.id.clone()]), "{path}");
        let one = alice.get(&format!("{path}/{}", bob.id)).await.ok();
        assert_no_secret(&one);
        assert_eq!((text(&one, "id"), text(&one, "name")), (bob.id.as_str(), "Bob"));
        assert_eq!(
            (text(&one, "customer_id"), text(&one, "username")),
            (bob.customer_id.as_str(), bob.username.as_str())
        );
        assert_eq!(one["permission"], AGENT);
        for unknown in [random_id(), stranger.id.clone()] {
            alice.get(&format!("{path}/{unknown}")).await.refused(404, "AGENT_NOT_FOUND");
        }
        alice.get(&format!("{path}/not-a-uuid")).await.refused(400, "INVALID_ID");
    }
}

async fn admins_and_managers_make_change_and_end_agents(hubs: Hubs) {
    let customer = hubs.customer().await;
    let watcher = customer.agent("Watcher").await;
    for maker in [customer.admin("Admin").await, customer.manager("Manager").await] {
        let body = a_body("Dave");
        let made = maker.create_agent(&body).await.ok();
        assert_no_secret(&made);
        assert_eq!(text(&made, "customer_id"), customer.id);
        assert_eq!((&made["username"], &made["name"]), (&body["username"], &body["name"]));
        assert_eq!(made["permission"], AGENT, "an agent unless it is said otherwise");
        assert_eq!(watcher.get_agent(&id(&made)).await.ok(), made);
        hubs.nobody().login(text(&body, "username"), PASSWORD).await.ok();

        let changed = maker.update_agent(&id(&made), &json!({"name": "David", "detail": "of sales"})).await.ok();
        assert_eq!((text(&changed, "name"), text(&changed, "detail")), ("David", "of sales"));
        assert_eq!(watcher.get_agent(&id(&made)).await.ok(), changed);

        maker.delete_agent(&id(&made)).await.ok();
        assert!(!column(&watcher.get(AGENTS).await.ok(), "id").contains(&id(&made)));
        hubs.nobody().login(text(&body, "username"), PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
    }
}

async fn a_plain_agent_changes_nobody(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    alice.create_agent(&a_body("Dave")).await.refused(403, "PERMISSION_DENIED");
    for agent in [&bob, &alice] {
        alice.update_agent(&agent.id, &json!({"name": "Renamed"})).await.refused(403, "PERMISSION_DENIED");
        alice.delete_agent(&agent.id).await.refused(403, "PERMISSION_DENIED");
    }
    assert_eq!(text(&alice.get_agent(&bob.id).await.ok(), "name"), "Bob");
}

async fn the_record_counts_and_not_what_the_token_claims(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let token = signed(&claims(&alice.id, &alice.customer_id, ADMIN | MANAGER));
    let pretender = alice.with(Credential::Bearer(token));
    pretender.create_agent(&a_body("Dave")).await.refused(403, "PERMISSION_DENIED");
    assert_eq!(pretender.get(ME).await.ok()["permission"], AGENT);
}

async fn nobody_reaches_into_another_customer(hubs: Hubs) {
    let admin = hubs.customer().await.admin("Admin").await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let before = stranger.get(ME).await.ok();
    admin.get_agent(&stranger.id).await.refused(404, "AGENT_NOT_FOUND");
    admin.update_agent(&stranger.id, &json!({"name": "Renamed"})).await.refused(404, "AGENT_NOT_FOUND");
    admin.delete_agent(&stranger.id).await.refused(404, "AGENT_NOT_FOUND");
    let mut smuggled = a_body("Smuggled");
    smuggled["customer_id"] = json!(stranger.customer_id);
    let answer = admin.create_agent(&smuggled).await;
    if answer.status == 200 {
        assert_eq!(text(&answer.body, "customer_id"), admin.customer_id, "an admin's agents are of the own customer");
    }
    assert_eq!(column(&stranger.get(AGENTS).await.ok(), "id"), [stranger.id.clone()]);
    assert_eq!(stranger.get(ME).await.ok(), before);
}

async fn a_username_is_an_email_and_taken_once(hubs: Hubs) {
    let customer = hubs.customer().await;
    let admin = customer.admin("Admin").await;
    let body = a_body("Dave");
    admin.create_agent(&body).await.ok();
    admin.create_agent(&body).await.refused(409, "AGENT_ALREADY_EXISTS");
    let other = hubs.customer().await.admin("Other admin").await;
    other.create_agent(&body).await.refused(409, "AGENT_ALREADY_EXISTS");

    let valid = a_body("Eve");
    for (key, value) in [
        ("username", json!("not an e-mail")),
        ("username", json!("")),
        ("username", Value::Null),
        ("password", json!("")),
        ("password", Value::Null),
        ("name", json!("x".repeat(256))),
        ("detail", json!("x".repeat(2001))),
    ] {
        let mut body = valid.clone();
        body[key] = value;
        admin.create_agent(&body).await.invalid();
    }
    admin.create_agent(&valid).await.ok();
}

async fn an_agent_changes_oneself(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let me = alice.get(ME).await.ok();
    assert_no_secret(&me);
    assert_eq!((id(&me), text(&me, "name")), (alice.id.clone(), "Alice"));
    let changed = alice.put(ME, &json!({"name": "Alicia", "detail": "on the third floor"})).await.ok();
    assert_eq!((text(&changed, "name"), text(&changed, "detail")), ("Alicia", "on the third floor"));
    assert_eq!(alice.get(ME).await.ok(), changed);
    assert_eq!(bob.get_agent(&alice.id).await.ok(), changed);

    let chat = bob.new_group(&[]).await;
    bob.add_participant(&chat, &alice.id).await.ok();
    assert_eq!(text(&bob.messages_of(&chat).await[0], "text"), "Alicia joined the conversation.");
    for wrong in [json!({"name": "x".repeat(256)}), json!({"detail": "x".repeat(2001)}), json!({"name": 7})] {
        alice.put(ME, &wrong).await.invalid();
    }
    assert_eq!(alice.get(ME).await.ok(), changed);
}

async fn nobody_raises_ones_own_permission(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    alice.put(ME, &json!({"name": "Alice", "permission": ADMIN})).await;
    assert_eq!(alice.get(ME).await.ok()["permission"], AGENT);
}

async fn a_status_is_told_to_the_agents_of_the_customer(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let mut bobs = bob.listen().await;
    let mut strangers = stranger.listen().await;
    let path = format!("{ME}/status");
    for status in ["away", "busy", "offline", "ringing", "available"] {
        let changed = alice.put(&path, &json!({"status": status})).await.ok();
        assert_eq!(text(&changed, "status"), status);
        assert_eq!(text(&bob.get_agent(&alice.id).await.ok(), "status"), status);
        let event = bobs.expect_event("agent_status_updated").await;
        assert_eq!((text(&event["data"], "id"), text(&event["data"], "status")), (alice.id.as_str(), status));
        assert_no_secret(&event);
    }
    for wrong in [json!({"status": "asleep"}), json!({"status": ""}), json!({}), json!({"status": null})] {
        alice.put(&path, &wrong).await.invalid();
    }
    assert_eq!(text(&alice.get(ME).await.ok(), "status"), "available");
    let chat = stranger.new_group(&[]).await;
    strangers.expect_event("chat_created").await;
    strangers.expect_nothing_before_a_marker(&stranger, &chat).await;
}

async fn a_new_password_replaces_the_old_one(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let changed = alice.put(&format!("{ME}/password"), &json!({"password": "another one, as good"})).await.ok();
    assert_no_secret(&changed);
    for _ in 0..hubs.nodes.len() {
        hubs.nobody().login(&alice.username, PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        hubs.nobody().login(&alice.username, "another one, as good").await.ok();
    }
    for wrong in [json!({"password": ""}), json!({}), json!({"password": null})] {
        alice.put(&format!("{ME}/password"), &wrong).await.invalid();
    }
    hubs.nobody().login(&alice.username, "another one, as good").await.ok();
}

async fn an_agent_reads_the_own_customer(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let customer = alice.get("/v1.0/service_agents/customer").await.ok();
    assert_eq!((text(&customer, "id"), text(&customer, "name")), (alice.customer_id.as_str(), "Test customer"));
}

async fn a_deleted_agent_is_nobodys_new_member(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, leaver] = customer.agents(["Alice", "Leaver"]).await;
    let admin = customer.admin("Admin").await;
    let channel = alice.new_channel("open", &[&leaver]).await;
    admin.delete_agent(&leaver.id).await.ok();
    let body = |kind: &str| json!({"type": kind, "participants": [leaver.as_participant()]});
    for kind in ["direct", "group", "talk"] {
        alice.create_chat(&body(kind)).await.refused(404, "AGENT_NOT_FOUND");
    }
    for answer in [leaver.get(ME).await, leaver.get_chat(&channel).await] {
        answer.refused(401, "INVALID_CREDENTIALS");
    }
}

async fn the_admin_token_makes_customers_and_their_agents_and_nothing_else(hubs: Hubs) {
    let operator = hubs.operator();
    let made = operator.post("/v1.0/customers", &json!({"name": "Acme", "detail": "of the cartoons"})).await.ok();
    assert_eq!((text(&made, "name"), text(&made, "detail")), ("Acme", "of the cartoons"));
    assert_eq!(operator.walk("/v1.0/customers", &[], 100).await.iter().filter(|c| c["id"] == made["id"]).count(), 1);
    let by_query = operator.presenting([Credential::QueryToken(crate::support::token::ADMIN_TOKEN.to_owned())]);
    by_query.post("/v1.0/customers", &json!({"name": "By query"})).await.ok();

    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_channel("open", &[]).await;
    let refused = [
        operator.list_chats().await,
        operator.get_chat(&chat).await,
        operator.create_chat(&json!({"type": "group"})).await,
        operator.list_messages(&[]).await,
        operator.get(AGENTS).await,
        operator.get_agent(&alice.id).await,
        operator.delete_agent(&alice.id).await,
        operator.get(ME).await,
        operator.create_accesskey(&json!({"name": "key"})).await,
    ];
    for answer in refused {
        assert!([401, 403].contains(&answer.status), "{answer}");
    }
    for agent in [alice, hubs.customer().await.admin("Admin").await] {
        agent.post("/v1.0/customers", &json!({"name": "Mine"})).await.refused(403, "PERMISSION_DENIED");
        agent.get("/v1.0/customers").await.refused(403, "PERMISSION_DENIED");
    }
    operator.post("/v1.0/customers", &json!({})).await.invalid();
    let mut nowhere = a_body("Nowhere");
    operator.create_agent(&nowhere).await.invalid();
    nowhere["customer_id"] = json!(random_id());
    let answer = operator.create_agent(&nowhere).await;
    assert!([400, 404].contains(&answer.status), "{answer}");
}

on_every_deployment!(
    agents_see_the_agents_of_their_customer,
    admins_and_managers_make_change_and_end_agents,
    a_plain_agent_changes_nobody,
    the_record_counts_and_not_what_the_token_claims,
    nobody_reaches_into_another_customer,
    a_username_is_an_email_and_taken_once,
    an_agent_changes_oneself,
    nobody_raises_ones_own_permission,
    a_status_is_told_to_the_agents_of_the_customer,
    a_new_password_replaces_the_old_one,
    an_agent_reads_the_own_customer,
    a_deleted_agent_is_nobodys_new_member,
    the_admin_token_makes_customers_and_their_agents_and_nothing_else,
);
