//! Every reason for a refusal, with its whole body: what a client has to understand when a call fails.

use reqwest::Method;
use serde_json::json;

use crate::support::calls::{CHATS, ME, MESSAGES};
use crate::support::people::new_username;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, Answer, Credential, Deployment, HubSettings, Hubs, TestHub, id, random_id};

/// An answer as a client sees it, with ids replaced.
fn shown(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    body["error"]["request_id"] = json!("[request id]");
    let body = body.to_string();
    let words = body.split_inclusive([' ', '"']).map(|word| {
        let id = word.get(..36).filter(|id| uuid::Uuid::try_parse(id).is_ok());
        id.map_or(word.to_owned(), |id| word.replace(id, "[id]"))
    });
    format!("{} {}", answer.status, words.collect::<String>())
}

async fn alice_and_bob() -> (Hubs, Agent, Agent) {
    let hubs = Deployment::Embedded.hubs().await;
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    (hubs, alice, bob)
}

#[tokio::test]
async fn authentication_required() {
    let (hubs, ..) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&hubs.nobody().get(ME).await),
        @r#"401 {"error":{"message":"a token or an access key is required","reason":"AUTHENTICATION_REQUIRED","request_id":"[request id]","status":"UNAUTHENTICATED"}}"#
    );
}

#[tokio::test]
async fn invalid_credentials() {
    let (hubs, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&hubs.nobody().login(&alice.username, "wrong").await),
        @r#"401 {"error":{"message":"username or password is wrong","reason":"INVALID_CREDENTIALS","request_id":"[request id]","status":"UNAUTHENTICATED"}}"#
    );
    let bad = alice.with(Credential::Bearer("bad".to_owned()));
    insta::assert_snapshot!(
        shown(&bad.get(ME).await),
        @r#"401 {"error":{"message":"the credential is wrong, has ended, or was revoked","reason":"INVALID_CREDENTIALS","request_id":"[request id]","status":"UNAUTHENTICATED"}}"#
    );
}

#[tokio::test]
async fn permission_denied() {
    let (_, alice, bob) = alice_and_bob().await;
    let chat = alice.new_group(&[]).await;
    insta::assert_snapshot!(
        shown(&bob.get_chat(&chat).await),
        @r#"403 {"error":{"message":"only members of the chat may do this","reason":"PERMISSION_DENIED","request_id":"[request id]","status":"PERMISSION_DENIED"}}"#
    );
    insta::assert_snapshot!(
        shown(&bob.delete_agent(&alice.id).await),
        @r#"403 {"error":{"message":"only an admin or a manager may look after agents","reason":"PERMISSION_DENIED","request_id":"[request id]","status":"PERMISSION_DENIED"}}"#
    );
}

#[tokio::test]
async fn invalid_json_body() {
    let (_, alice, _) = alice_and_bob().await;
    let send = async |body: &'static str| alice.call(Method::POST, CHATS).raw_json(body).send().await;
    insta::assert_snapshot!(
        shown(&send("{\"type\":").await),
        @r#"400 {"error":{"message":"type: EOF while parsing a value at line 1 column 8","reason":"INVALID_JSON_BODY","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    insta::assert_snapshot!(
        shown(&send("[]").await),
        @r#"400 {"error":{"message":"the body must be a JSON object","reason":"INVALID_JSON_BODY","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    insta::assert_snapshot!(
        shown(&send("{\"type\": 7}").await),
        @r#"400 {"error":{"message":"type: invalid type: integer `7`, expected a string at line 1 column 10","reason":"INVALID_JSON_BODY","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
}

#[tokio::test]
async fn invalid_id() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.get_chat("17").await),
        @r#"400 {"error":{"message":"the id in the path must be a UUID","reason":"INVALID_ID","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
}

#[tokio::test]
async fn invalid_argument() {
    let (_, alice, _) = alice_and_bob().await;
    let chat = alice.new_group(&[]).await;
    insta::assert_snapshot!(
        shown(&alice.create_chat(&json!({"type": "secret"})).await),
        @r#"400 {"error":{"message":"type must be direct, group or talk","reason":"INVALID_ARGUMENT","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    insta::assert_snapshot!(
        shown(&alice.create_chat(&json!({"type": "group", "name": "x".repeat(256)})).await),
        @r#"400 {"error":{"message":"name must have at most 255 characters","reason":"INVALID_ARGUMENT","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    insta::assert_snapshot!(
        shown(&alice.update_chat(&chat, &json!({})).await),
        @r#"400 {"error":{"message":"name or detail is required","reason":"INVALID_ARGUMENT","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    let message = |text: &str| json!({"chat_id": chat, "type": "normal", "text": text});
    insta::assert_snapshot!(
        shown(&alice.post_message(&message("")).await),
        @r#"400 {"error":{"message":"text or medias is required","reason":"INVALID_ARGUMENT","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    insta::assert_snapshot!(
        shown(&alice.post_message(&message(&"x".repeat(16 * 1024 + 1))).await),
        @r#"400 {"error":{"message":"text must have at most 16384 bytes","reason":"INVALID_ARGUMENT","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    let mut reply = message("a reply");
    reply["parent_id"] = json!(random_id());
    insta::assert_snapshot!(
        shown(&alice.post_message(&reply).await),
        @r#"400 {"error":{"message":"parent_id is not a message of this chat","reason":"INVALID_ARGUMENT","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
}

#[tokio::test]
async fn invalid_request_parameter() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.list_messages(&[("page_size", "ten")]).await),
        @r#"400 {"error":{"message":"page_size must be a number","reason":"INVALID_REQUEST_PARAMETER","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
    insta::assert_snapshot!(
        shown(&alice.list_messages(&[("page_token", "yesterday")]).await),
        @r#"400 {"error":{"message":"page_token must be a next_page_token or a timestamp","reason":"INVALID_REQUEST_PARAMETER","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
}

#[tokio::test]
async fn route_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.get("/v1.0/service_agents/talk_rooms").await),
        @r#"404 {"error":{"message":"there is no such path, or not with this method","reason":"ROUTE_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
    insta::assert_snapshot!(
        shown(&alice.call(Method::PATCH, CHATS).send().await),
        @r#"404 {"error":{"message":"there is no such path, or not with this method","reason":"ROUTE_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn chat_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.get_chat(&random_id()).await),
        @r#"404 {"error":{"message":"no such chat","reason":"CHAT_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn talk_message_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.get_message(&random_id()).await),
        @r#"404 {"error":{"message":"no such message","reason":"TALK_MESSAGE_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn participant_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    let chat = alice.new_group(&[]).await;
    insta::assert_snapshot!(
        shown(&alice.remove_participant(&chat, &random_id()).await),
        @r#"404 {"error":{"message":"no such participant in this chat","reason":"PARTICIPANT_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn agent_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    let chat = alice.new_group(&[]).await;
    insta::assert_snapshot!(
        shown(&alice.add_participant(&chat, &random_id()).await),
        @r#"404 {"error":{"message":"owner_id: no agent [id]","reason":"AGENT_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn file_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.get_file(&random_id()).await),
        @r#"404 {"error":{"message":"no such file","reason":"FILE_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn accesskey_not_found() {
    let (_, alice, _) = alice_and_bob().await;
    insta::assert_snapshot!(
        shown(&alice.get_accesskey(&random_id()).await),
        @r#"404 {"error":{"message":"no such access key","reason":"ACCESSKEY_NOT_FOUND","request_id":"[request id]","status":"NOT_FOUND"}}"#
    );
}

#[tokio::test]
async fn state_invalid() {
    let (_, alice, bob) = alice_and_bob().await;
    let direct = alice.new_direct(&bob).await;
    let member = id(&alice.participant(&direct, &bob).await.unwrap());
    insta::assert_snapshot!(
        shown(&alice.remove_participant(&direct, &member).await),
        @r#"409 {"error":{"message":"a direct chat keeps its two members","reason":"STATE_INVALID","request_id":"[request id]","status":"FAILED_PRECONDITION"}}"#
    );
    alice.delete_chat(&direct).await.ok();
    let body = json!({"chat_id": direct, "type": "normal", "text": "too late"});
    insta::assert_snapshot!(
        shown(&alice.post_message(&body).await),
        @r#"409 {"error":{"message":"the chat is deleted","reason":"STATE_INVALID","request_id":"[request id]","status":"FAILED_PRECONDITION"}}"#
    );
}

#[tokio::test]
async fn agent_already_exists() {
    let hubs = Deployment::Embedded.hubs().await;
    let admin = hubs.customer().await.admin("Admin").await;
    let body = json!({"username": new_username("twice"), "password": "a password", "name": "Twice"});
    admin.create_agent(&body).await.ok();
    let answer = shown(&admin.create_agent(&body).await);
    insta::assert_snapshot!(
        answer.replace(body["username"].as_str().unwrap(), "[username]"),
        @r#"409 {"error":{"message":"an agent with this username exists","reason":"AGENT_ALREADY_EXISTS","request_id":"[request id]","status":"ALREADY_EXISTS"}}"#
    );
}

#[tokio::test]
async fn idempotency_key_reused() {
    let (_, alice, _) = alice_and_bob().await;
    let send = async |name: &str| {
        let body = json!({"type": "group", "name": name});
        alice.call(Method::POST, CHATS).header("Idempotency-Key", "key").json(&body).send().await
    };
    send("one").await.ok();
    insta::assert_snapshot!(
        shown(&send("two").await),
        @r#"409 {"error":{"message":"this Idempotency-Key was used with another call","reason":"IDEMPOTENCY_KEY_REUSED","request_id":"[request id]","status":"FAILED_PRECONDITION"}}"#
    );
}

#[tokio::test]
async fn rate_limit_exceeded() {
    let hub = TestHub::start(HubSettings::embedded().set("limits.agent_per_second", 1)).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let calls = futures_util::future::join_all((0..20).map(async |_| alice.get(ME).await)).await;
    let refused = calls.iter().find(|answer| answer.status != 200).expect("a call too many");
    insta::assert_snapshot!(
        shown(refused),
        @r#"429 {"error":{"message":"too many calls; try again later","reason":"RATE_LIMIT_EXCEEDED","request_id":"[request id]","status":"RESOURCE_EXHAUSTED"}}"#
    );
}

#[tokio::test]
async fn payload_too_large() {
    let (_, alice, _) = alice_and_bob().await;
    let body = json!({"chat_id": random_id(), "type": "normal", "text": "x".repeat(300 * 1024)});
    insta::assert_snapshot!(
        shown(&alice.post(MESSAGES, &body).await),
        @r#"400 {"error":{"message":"the body must have at most 262144 bytes","reason":"PAYLOAD_TOO_LARGE","request_id":"[request id]","status":"INVALID_ARGUMENT"}}"#
    );
}

#[tokio::test]
async fn service_unavailable() {
    let mut redis = RedisServer::start().await;
    let settings = HubSettings::redis(&redis.url(), &new_prefix()).set("store.wait_ms", 200);
    let hub = TestHub::start(settings).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    redis.kill();
    let body = json!({"chat_id": chat, "type": "normal", "text": "into the void"});
    insta::assert_snapshot!(
        shown(&alice.post_message(&body).await),
        @r#"503 {"error":{"message":"the store does not answer; try again","reason":"SERVICE_UNAVAILABLE","request_id":"[request id]","status":"UNAVAILABLE"}}"#
    );
}

async fn a_broken_body_is_the_callers_fault(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let deep = format!("{{\"type\":{}", "[".repeat(100_000));
    let bodies: [Vec<u8>; 12] = [
        b"".to_vec(),
        b"null".to_vec(),
        b"\"text\"".to_vec(),
        b"{'type': 'group'}".to_vec(),
        b"{\"type\": \"group\"} trailing".to_vec(),
        b"{\"type\": \"\xff\xfe\"}".to_vec(),
        b"{\"type\": \"\\ud800\"}".to_vec(),
        b"{\"type\": {\"$gt\": \"\"}}".to_vec(),
        b"{\"participants\": \"all\", \"type\": \"group\"}".to_vec(),
        b"{\"participants\": [null], \"type\": \"group\"}".to_vec(),
        b"\x00\x01\x02".to_vec(),
        deep.into_bytes(),
    ];
    let paths =
        [CHATS.to_owned(), MESSAGES.to_owned(), format!("{CHATS}/{chat}/participants"), "/auth/login".to_owned()];
    for path in &paths {
        for body in &bodies {
            let answer = alice.call(Method::POST, path).raw_json(body.clone()).send().await;
            let what = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(answer.status, 400, "{what}: {answer}");
        }
    }
    assert_eq!(alice.list_chats().await.ok()["result"].as_array().unwrap().len(), 1);
}

async fn an_unknown_route_or_method_is_not_found(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let wrong = [
        (Method::GET, "/nothing"),
        (Method::GET, "/client/nothing.js"),
        (Method::POST, "/"),
        (Method::GET, "/v1.0"),
        (Method::GET, "/v2.0/service_agents/talk_chats"),
        (Method::PUT, CHATS),
        (Method::DELETE, MESSAGES),
        (Method::POST, ME),
        (Method::GET, "/auth/login"),
    ];
    for (method, path) in wrong {
        for caller in [(*alice).clone(), hubs.nobody()] {
            let answer = caller.call(method.clone(), path).send().await;
            answer.refused(404, "ROUTE_NOT_FOUND");
        }
    }
}

on_every_deployment!(a_broken_body_is_the_callers_fault, an_unknown_route_or_method_is_not_found);
