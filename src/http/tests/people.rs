//! What people may do with each other and with themselves.

use super::*;
use crate::model::{AgentId, CustomerId};
use crate::people::Directory;
use crate::store::{Channel, Heard, Notice};

#[actix_web::test]
async fn agents_come_in_and_are_looked_after() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let Founded { customer, bob, bob_id, alice, alice_id } = hub.founded().await;

    let me = hub.fine("GET", "/v1.0/service_agents/me", &alice, Value::Null).await;
    assert_eq!((text(&me["id"]), text(&me["customer_id"])), (alice_id.clone(), customer.clone()));
    assert_eq!(
        (me["permission"].as_u64(), text(&me["status"]), text(&me["tm_delete"])),
        (Some(16), "offline".into(), String::new())
    );
    assert_eq!(me["tm_create"], me["tm_update"]);
    assert!(!me.to_string().contains("argon"), "{me}");
    assert_eq!(hub.fine("GET", "/v1.0/service_agents/customer", &alice, Value::Null).await["name"], "Demo");

    let twice = json!({"username": "ALICE@demo.test", "password": "x"});
    assert_eq!(hub.refused("POST", "/v1.0/agents", &bob, twice).await, reason(409, "AGENT_ALREADY_EXISTS"));
    let eve = json!({"username": "eve@demo.test", "password": "x"});
    assert_eq!(hub.refused("POST", "/v1.0/agents", &alice, eve.clone()).await, reason(403, "PERMISSION_DENIED"));
    let admin = json!({"username": "eve@demo.test", "password": "x", "permission": 33});
    assert_eq!(hub.refused("POST", "/v1.0/agents", &bob, admin).await, reason(400, "INVALID_ARGUMENT"));
    let elsewhere = json!({"customer_id": bob_id, "username": "eve@demo.test", "password": "x"});
    assert_eq!(hub.refused("POST", "/v1.0/agents", &bob, elsewhere.clone()).await, reason(403, "PERMISSION_DENIED"));
    assert_eq!(hub.refused("POST", "/v1.0/agents", ADMIN, elsewhere).await, reason(400, "INVALID_ARGUMENT"));
    assert_eq!(hub.refused("POST", "/v1.0/agents", ADMIN, eve).await, reason(400, "INVALID_ARGUMENT"));

    // A page at a time, newest first, nothing skipped.
    let first = hub.fine("GET", "/v1.0/agents?page_size=1", &alice, Value::Null).await;
    let token = text(&first["next_page_token"]).replace(' ', "%20");
    let path = format!("/v1.0/service_agents/agents?page_size=1&page_token={token}");
    let second = hub.fine("GET", &path, &alice, Value::Null).await;
    assert_eq!((text(&first["result"][0]["id"]), text(&second["result"][0]["id"])), (alice_id.clone(), bob_id.clone()));

    let path = format!("/v1.0/agents/{alice_id}");
    let renamed = hub.fine("PUT", &path, &bob, json!({"name": "Alice B", "permission": 64})).await;
    assert_eq!((text(&renamed["name"]), renamed["permission"].as_u64()), ("Alice B".into(), Some(64)));
    // Now a manager, by the same token: and still no admin's equal.
    let path = format!("/v1.0/agents/{bob_id}");
    assert_eq!(hub.refused("PUT", &path, &alice, json!({"name": "B"})).await, reason(403, "PERMISSION_DENIED"));
    assert_eq!(hub.refused("DELETE", &path, &alice, json!({})).await, reason(403, "PERMISSION_DENIED"));
    let path = format!("/v1.0/agents/{alice_id}");
    let raised = hub.refused("PUT", &path, &alice, json!({"permission": 96})).await;
    assert_eq!(raised, reason(403, "PERMISSION_DENIED"));

    hub.fine("PUT", "/v1.0/service_agents/me/password", &alice, json!({"password": "new"})).await;
    hub.login("alice@demo.test", "new").await;
    let old = hub.refused("POST", "/auth/login", "", json!({"username": "alice@demo.test", "password": "demo"})).await;
    assert_eq!(old, reason(401, "INVALID_CREDENTIALS"));
    let nobody = hub.refused("POST", "/auth/login", "", json!({"username": "x@y.z", "password": "demo"})).await;
    assert_eq!(nobody, reason(401, "INVALID_CREDENTIALS"));

    let key = text(&hub.fine("POST", "/v1.0/accesskeys", &alice, json!({})).await["token"]);
    let gone = hub.fine("DELETE", &format!("/v1.0/agents/{alice_id}"), &bob, Value::Null).await;
    assert_ne!(text(&gone["tm_delete"]), "");
    for credential in [&alice, &key] {
        let refused = hub.refused("GET", "/v1.0/service_agents/me", credential, json!({})).await;
        assert_eq!(refused, reason(401, "INVALID_CREDENTIALS"));
    }
    let path = format!("/v1.0/agents/{alice_id}");
    assert_eq!(hub.refused("DELETE", &path, &bob, json!({})).await, reason(404, "AGENT_NOT_FOUND"));
    assert_eq!(
        hub.fine("GET", "/v1.0/accesskeys", &bob, Value::Null).await,
        json!({"result": [], "next_page_token": ""})
    );
    // The address is free again.
    hub.fine("POST", "/v1.0/agents", &bob, json!({"username": "alice@demo.test", "password": "demo"})).await;
}

#[actix_web::test]
async fn an_access_key_acts_as_its_agent_until_it_is_revoked() {
    let home = home(|settings| settings.auth.keys_per_agent_max = 2);
    let app = app!(home);
    let hub = client!(app);
    let Founded { bob, alice, alice_id, .. } = hub.founded().await;

    let made = hub.fine("POST", "/v1.0/accesskeys", &alice, json!({"name": "ci", "detail": "d", "expire": 3600})).await;
    let (id, key) = (text(&made["id"]), text(&made["token"]));
    assert!(key.starts_with(&text(&made["token_prefix"])) && text(&made["tm_expire"]) > text(&made["tm_create"]));
    for path in ["/v1.0/service_agents/me?accesskey=", "/v1.0/service_agents/me?token="] {
        let me = hub.fine("GET", &format!("{path}{key}"), "", Value::Null).await;
        assert_eq!(text(&me["id"]), alice_id);
    }
    let path = format!("/v1.0/accesskeys/{id}");
    for reader in [&alice, &bob, &key] {
        let shown = hub.fine("GET", &path, reader, Value::Null).await;
        assert!(shown.get("token").is_none(), "shown once only");
        assert_eq!(hub.fine("GET", "/v1.0/accesskeys", reader, Value::Null).await["result"], json!([shown]));
    }
    let renamed = hub.fine("PUT", &path, &alice, json!({"name": "deploy"})).await;
    assert_eq!((text(&renamed["name"]), text(&renamed["detail"])), ("deploy".into(), "d".into()));

    let bobs = hub.fine("POST", "/v1.0/accesskeys", &bob, json!({})).await;
    let bobs_path = format!("/v1.0/accesskeys/{}", text(&bobs["id"]));
    assert_eq!(text(&bobs["tm_expire"]), "");
    assert_eq!(hub.refused("GET", &bobs_path, &alice, json!({})).await, reason(403, "PERMISSION_DENIED"));
    assert_eq!(hub.refused("DELETE", &bobs_path, &alice, json!({})).await, reason(403, "PERMISSION_DENIED"));

    for (body, said) in
        [(json!({"expire": -1}), 400), (json!({"expire": i64::MAX}), 400), (json!({}), 200), (json!({}), 409)]
    {
        assert_eq!(hub.send("POST", "/v1.0/accesskeys", &alice, Some(body)).await.0, said);
    }
    let revoked = hub.fine("DELETE", &path, &bob, Value::Null).await;
    assert_ne!(text(&revoked["tm_delete"]), "");
    assert_eq!(
        hub.refused("GET", "/v1.0/service_agents/me", &key, json!({})).await,
        reason(401, "INVALID_CREDENTIALS")
    );
    assert_eq!(hub.refused("DELETE", &path, &alice, json!({})).await, reason(404, "ACCESSKEY_NOT_FOUND"));
}

#[actix_web::test]
async fn everybody_of_the_customer_hears_of_a_status_and_nodes_of_an_agent_that_changed() {
    let mut home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let Founded { customer, bob, alice, alice_id, .. } = hub.founded().await;
    let id = CustomerId::parse(&customer).expect("an id");
    home.opened.store.link.watch(vec![Channel::Customer(id)]).await;
    let answer = hub.fine("PUT", "/v1.0/service_agents/me/status", &alice, json!({"status": "away"})).await;
    assert_eq!(answer["status"], "away");
    let wrong = hub.refused("PUT", "/v1.0/service_agents/me/status", &alice, json!({"status": "gone"})).await;
    assert_eq!(wrong, reason(400, "INVALID_ARGUMENT"));
    hub.fine("DELETE", &format!("/v1.0/agents/{alice_id}"), &bob, Value::Null).await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let next = tokio::time::timeout(SOON, home.opened.heard.recv()).await.expect("in time").expect("a link");
        if let Heard::Noticed { notice, .. } = next {
            heard.push(notice);
        }
    }
    match &heard[0] {
        Notice::AgentStatus { json } => {
            assert_eq!(serde_json::from_str::<Value>(json).expect("json"), answer);
        }
        other => panic!("{other:?}"),
    }
    let alice_id = AgentId::parse(&alice_id).expect("an id");
    assert_eq!(heard[1], Notice::AgentChanged { agent: alice_id });
}

#[actix_web::test]
async fn an_agent_known_by_its_token_is_taken_in_once_and_never_again_when_removed() {
    let home = home(|settings| settings.auth.directory = Directory::Claims);
    let app = app!(home);
    let hub = client!(app);
    let customer = uuid::Uuid::new_v4().to_string();
    let token = |permission: u64| {
        let id = uuid::Uuid::new_v4().to_string();
        let agent = json!({"id": id, "customer_id": customer, "permission": permission, "name": "Vera",
            "username": "vera@voip.test"});
        let claims = json!({"type": "agent", "agent": agent, "expire": "2999-01-01 00:00:00.000000"});
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        (id, jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token"))
    };
    let ((vera, vera_token), (boss, boss_token)) = (token(16), token(64));
    let me = || hub.get("/v1.0/service_agents/me", &vera_token);
    let (first, again) = futures_util::future::join(me(), me()).await;
    assert_eq!((first.0, &first), (200, &again));
    assert_eq!((text(&first.1["id"]), text(&first.1["name"])), (vera.clone(), "Vera".to_owned()));
    // The same address, another person: both are the provider's to name.
    assert_eq!(hub.get("/v1.0/service_agents/me", &boss_token).await.0, 200);
    let people = &home.state.people;
    let agent = |text: &str| AgentId::parse(text).expect("an id");
    let id = CustomerId::parse(&customer).expect("an id");
    let (stranger, both) = (AgentId::random(), hub.get("/v1.0/agents", &boss_token).await.1);
    assert_eq!(both["result"].as_array().map(Vec::len), Some(2), "{both}");
    assert_eq!(people.agents_exist(id, &[agent(&vera), stranger]).await.expect("an answer"), [true, true]);
    hub.fine("DELETE", &format!("/v1.0/agents/{vera}"), &boss_token, Value::Null).await;
    assert_eq!(me().await.0, 401);
    let there = people.agents_exist(id, &[agent(&vera), stranger, agent(&boss)]).await.expect("an answer");
    assert_eq!(there, [false, true, true]);
}
