//! Nothing of one customer is visible to another: an id of theirs is answered like an id of nobody, and nothing changes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::{ACCESSKEYS, AGENTS, CHANNELS, CHATS, FILES, ME, MESSAGES};
use crate::support::openapi::fits;
use crate::support::{Agent, Answer, Hubs, id, random_id, rows, text};

/// Ids to call with: all of another customer, or all of nobody.
#[derive(Clone)]
struct Ids {
    chat: String,
    channel: String,
    participant: String,
    message: String,
    file: String,
    agent: String,
    key: String,
}

impl Ids {
    fn of_nobody() -> Self {
        Self {
            chat: random_id(),
            channel: random_id(),
            participant: random_id(),
            message: random_id(),
            file: random_id(),
            agent: random_id(),
            key: random_id(),
        }
    }

    /// One of each kind, made by `owner`.
    async fn of(owner: &Agent, friend: &Agent) -> Self {
        let chat = owner.new_group(&[friend]).await;
        let message = owner.say(&chat, "a secret").await;
        friend.add_reaction(&id(&message), "thumbsup").await.ok();
        Self {
            participant: id(&owner.participant(&chat, friend).await.unwrap()),
            channel: owner.new_channel("a secret channel", &[]).await,
            message: id(&message),
            file: id(&owner.new_file("secret.txt", "a secret file").await),
            agent: friend.id.clone(),
            key: id(&owner.create_accesskey(&json!({"name": "a secret key"})).await.ok()),
            chat,
        }
    }

    /// All calls that name one of these ids, from within a chat of the caller's own and on a message of it.
    fn calls(&self, own: &Ids) -> Vec<(Method, String, Value)> {
        let Self { chat, channel, participant, message, file, agent, key } = self;
        let owner = json!({"owner_type": "agent", "owner_id": agent});
        let post = |extra: Value| {
            let mut body = json!({"chat_id": own.chat, "type": "normal", "text": "hello"});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            body
        };
        let mut calls = Vec::new();
        let mut call = |method: Method, path: String, body: Value| calls.push((method, path, body));
        for chat in [chat, channel] {
            call(Method::GET, format!("{CHATS}/{chat}"), Value::Null);
            call(Method::PUT, format!("{CHATS}/{chat}"), json!({"name": "taken"}));
            call(Method::DELETE, format!("{CHATS}/{chat}"), Value::Null);
            call(Method::POST, format!("{CHATS}/{chat}/join"), Value::Null);
            call(Method::GET, format!("{CHATS}/{chat}/participants"), Value::Null);
            call(Method::POST, format!("{CHATS}/{chat}/participants"), owner.clone());
            call(
                Method::POST,
                format!("{CHATS}/{chat}/participants"),
                json!({"owner_type": "agent", "owner_id": own.agent}),
            );
            call(Method::DELETE, format!("{CHATS}/{chat}/participants/{participant}"), Value::Null);
            call(Method::GET, format!("{MESSAGES}?chat_id={chat}"), Value::Null);
            call(Method::POST, MESSAGES.to_owned(), post(json!({"chat_id": chat})));
        }
        call(Method::POST, format!("{CHATS}/{}/participants", own.chat), owner.clone());
        call(Method::DELETE, format!("{CHATS}/{}/participants/{participant}", own.chat), Value::Null);
        for kind in ["direct", "group", "talk"] {
            call(Method::POST, CHATS.to_owned(), json!({"type": kind, "participants": [owner]}));
        }
        call(Method::GET, format!("{MESSAGES}?chat_id={}&parent_id={message}", own.chat), Value::Null);
        call(Method::GET, format!("{MESSAGES}?parent_id={message}"), Value::Null);
        call(Method::GET, format!("{MESSAGES}/{message}"), Value::Null);
        call(Method::DELETE, format!("{MESSAGES}/{message}"), Value::Null);
        call(Method::POST, format!("{MESSAGES}/{message}/reactions"), json!({"emoji": "heart"}));
        call(Method::DELETE, format!("{MESSAGES}/{message}/reactions"), json!({"emoji": "thumbsup"}));
        call(Method::POST, MESSAGES.to_owned(), post(json!({"parent_id": message})));
        call(Method::POST, MESSAGES.to_owned(), post(json!({"medias": [{"type": "file", "file_id": file}]})));
        call(Method::GET, format!("{FILES}/{file}"), Value::Null);
        call(Method::GET, format!("{FILES}/{file}/file"), Value::Null);
        call(Method::DELETE, format!("{FILES}/{file}"), Value::Null);
        call(Method::GET, format!("{AGENTS}/{agent}"), Value::Null);
        call(Method::PUT, format!("{AGENTS}/{agent}"), json!({"name": "taken"}));
        call(Method::DELETE, format!("{AGENTS}/{agent}"), Value::Null);
        call(Method::GET, format!("/v1.0/service_agents/agents/{agent}"), Value::Null);
        call(Method::GET, format!("{ACCESSKEYS}/{key}"), Value::Null);
        call(Method::PUT, format!("{ACCESSKEYS}/{key}"), json!({"name": "taken"}));
        call(Method::DELETE, format!("{ACCESSKEYS}/{key}"), Value::Null);
        calls
    }
}

async fn send(agent: &Agent, (method, path, body): &(Method, String, Value)) -> Answer {
    let call = agent.call(method.clone(), path);
    if body.is_null() { call.send().await } else { call.json(body).send().await }
}

/// An error without what differs from call to call: its request id, and the ids that were called with.
fn told(answer: &Answer) -> (u16, String) {
    let mut error = answer.body["error"].clone();
    error["request_id"] = Value::Null;
    let error = error.to_string();
    let anonymous = error.split('"').map(|part| {
        let words = part.split(' ').map(|word| if uuid::Uuid::try_parse(word).is_ok() { "[id]" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    (answer.status, anonymous.collect::<Vec<_>>().join("\""))
}

/// All that `owner` and `friend` can see of theirs.
async fn view(owner: &Agent, friend: &Agent, ids: &Ids) -> Vec<Value> {
    let mut seen = Vec::new();
    for agent in [owner, friend] {
        for path in [CHATS, CHANNELS, MESSAGES, FILES, AGENTS, ACCESSKEYS, ME] {
            seen.push(agent.get(path).await.ok());
        }
        seen.push(agent.list_participants(&ids.chat).await.ok());
        seen.push(agent.list_participants(&ids.channel).await.ok());
    }
    seen
}

async fn every_call_with_foreign_ids_is_answered_as_with_ids_of_nobody(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let theirs = Ids::of(&alice, &bob).await;
    let before = view(&alice, &bob, &theirs).await;
    let mut bobs = bob.listen().await;

    let customer = hubs.customer().await;
    let friend = customer.agent("Friend").await;
    let mut leaks = Vec::new();
    for stranger in [customer.agent("Agent").await, customer.admin("Admin").await, customer.manager("Manager").await] {
        let own = Ids::of(&stranger, &friend).await;
        let nobodys = Ids::of_nobody();
        for (foreign, unknown) in theirs.calls(&own).iter().zip(nobodys.calls(&own)) {
            let (foreign, unknown) = (send(&stranger, foreign).await, send(&stranger, &unknown).await);
            if (foreign.status < 400 && !rows(&foreign.body).is_empty()) || told(&foreign) != told(&unknown) {
                leaks.push(format!("{} can tell {foreign}\n    from {unknown}", stranger.name));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    assert_eq!(view(&alice, &bob, &theirs).await, before);
    bobs.expect_nothing_before_a_marker(&alice, &theirs.chat).await;
}

async fn lists_hold_nothing_of_another_customer(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let theirs = Ids::of(&alice, &bob).await;
    let customer = hubs.customer().await;
    for stranger in [customer.agent("Agent").await, customer.admin("Admin").await, customer.manager("Manager").await] {
        for path in [CHATS, CHANNELS, MESSAGES, FILES, AGENTS, ACCESSKEYS, "/v1.0/service_agents/agents"] {
            for row in stranger.walk(path, &[], 100).await {
                assert_eq!(text(&row, "customer_id"), stranger.customer_id, "{path}: {row}");
            }
        }
        let found = stranger.list_channels(&[("name", "secret")]).await.ok();
        assert!(rows(&found).is_empty(), "{found}, and {} is theirs", theirs.channel);
    }
}

#[tokio::test]
async fn the_sweep_leaves_no_endpoint_out() {
    let hubs = crate::support::Deployment::Embedded.hubs().await;
    let document: Value =
        hubs.http.get(format!("{}/openapi.json", hubs.nodes[0])).send().await.unwrap().json().await.unwrap();
    let ids = Ids::of_nobody();
    let calls = ids.calls(&ids);
    for (template, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete"] {
            let swept = calls.iter().any(|(swept, path, _)| {
                swept.as_str().to_lowercase() == method && fits(template, path.split('?').next().unwrap())
            });
            // The files of pages are the same for everybody.
            let names_an_id = template.contains('{') && !template.ends_with("/{file}") && !item[method].is_null();
            assert!(swept || !names_an_id, "{method} {template} is not in the sweep");
        }
    }
}

on_every_deployment!(
    every_call_with_foreign_ids_is_answered_as_with_ids_of_nobody,
    lists_hold_nothing_of_another_customer,
);
