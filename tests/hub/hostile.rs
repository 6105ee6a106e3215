//! Generated requests, well-formed, broken, oversized and hostile: none is answered with a 500, none ends the hub, and
//! none gives anything of another customer away. Every answer is held to the contract on the way.

use futures_util::StreamExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Agent, Answer, Deployment, Hubs, id};

/// For each of three deployments: together more than 100,000. Each round has an attacker and chats of its own, because
/// requests that are well-formed delete them.
const ROUNDS: usize = 35;
const REQUESTS_PER_ROUND: usize = 1_000;
const AT_ONCE: usize = 32;

/// In everything of the other customer; in no answer to anybody else.
const SECRET: &str = "UNDISCLOSED-3f9a";

const ROUTES: [(&str, &str); 38] = [
    ("GET", "/v1.0/service_agents/talk_chats"),
    ("POST", "/v1.0/service_agents/talk_chats"),
    ("GET", "/v1.0/service_agents/talk_channels"),
    ("GET", "/v1.0/service_agents/talk_chats/{id}"),
    ("PUT", "/v1.0/service_agents/talk_chats/{id}"),
    ("DELETE", "/v1.0/service_agents/talk_chats/{id}"),
    ("POST", "/v1.0/service_agents/talk_chats/{id}/join"),
    ("GET", "/v1.0/service_agents/talk_chats/{id}/participants"),
    ("POST", "/v1.0/service_agents/talk_chats/{id}/participants"),
    ("DELETE", "/v1.0/service_agents/talk_chats/{id}/participants/{id}"),
    ("GET", "/v1.0/service_agents/talk_messages"),
    ("POST", "/v1.0/service_agents/talk_messages"),
    ("POST", "/v1.0/service_agents/talk_messages"),
    ("POST", "/v1.0/service_agents/talk_messages"),
    ("GET", "/v1.0/service_agents/talk_messages/{id}"),
    ("DELETE", "/v1.0/service_agents/talk_messages/{id}"),
    ("POST", "/v1.0/service_agents/talk_messages/{id}/reactions"),
    ("DELETE", "/v1.0/service_agents/talk_messages/{id}/reactions"),
    ("GET", "/v1.0/service_agents/files"),
    ("POST", "/v1.0/service_agents/files"),
    ("GET", "/v1.0/service_agents/files/{id}"),
    ("GET", "/v1.0/service_agents/files/{id}/file"),
    ("DELETE", "/v1.0/service_agents/files/{id}"),
    ("GET", "/v1.0/agents"),
    ("POST", "/v1.0/agents"),
    ("GET", "/v1.0/agents/{id}"),
    ("PUT", "/v1.0/agents/{id}"),
    ("DELETE", "/v1.0/agents/{id}"),
    ("GET", "/v1.0/accesskeys"),
    ("POST", "/v1.0/accesskeys"),
    ("GET", "/v1.0/accesskeys/{id}"),
    ("PUT", "/v1.0/accesskeys/{id}"),
    ("DELETE", "/v1.0/accesskeys/{id}"),
    ("PUT", "/v1.0/service_agents/me"),
    ("PUT", "/v1.0/service_agents/me/status"),
    ("GET", "/v1.0/service_agents/customer"),
    ("GET", "/v1.0/customers"),
    ("GET", "/{id}/{id}"),
];

#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// Text nobody sends in good faith.
fn hostile_text() -> impl Strategy<Value = String> + Clone {
    let known = [
        "",
        " ",
        "null",
        "-1",
        "0",
        "1e999",
        "9223372036854775808",
        "../../etc/passwd",
        "%00",
        "' OR '1'='1",
        "*",
        "{}",
        "\u{0}",
        "\u{202e}\u{feff}",
        "agent_id:*",
        "<script>",
        "${jndi:x}",
        "\r\nX-Injected: 1",
        "2024-01-17 10:30:00.000000",
        "9999-12-31 23:59:59.999999",
        "2024-01-17 10:30:00.000000,00000000-0000-0000-0000-000000000000",
        "asc",
        "true",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "direct",
        "group",
        "talk",
        "normal",
    ];
    prop_oneof![
        4 => select(known.to_vec()).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => (select(vec!["x", "é", "👍", "\\"]), 0..3000usize).prop_map(|(letter, count)| letter.repeat(count)),
    ]
}

fn hostile_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        hostile_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let key = prop_oneof![
            select(vec!["type", "id", "text", "owner_id", "emoji"]).prop_map(str::to_owned),
            any::<String>()
        ];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key, inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A body that is right for some call, with these ids in it.
fn valid_body(ids: Vec<String>) -> impl Strategy<Value = Value> + Clone {
    (select(ids.clone()), select(ids), hostile_text(), 0..8u8).prop_map(|(one, other, text, kind)| match kind {
        0 => json!({"type": "group", "name": text, "participants": [{"owner_type": "agent", "owner_id": one}]}),
        1 => json!({"type": "direct", "participants": [{"owner_type": "agent", "owner_id": one}]}),
        2 => json!({"owner_type": "agent", "owner_id": one}),
        3 => json!({"chat_id": one, "type": "normal", "text": text}),
        4 => json!({"chat_id": one, "type": "normal", "text": text, "parent_id": other}),
        5 => json!({"chat_id": one, "type": "normal", "text": text, "medias": [{"type": "file", "file_id": other}]}),
        6 => json!({"emoji": text, "name": text, "detail": text, "status": text}),
        _ => json!({"username": text, "password": text, "name": text, "permission": 112, "customer_id": one}),
    })
}

fn body(ids: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let valid = valid_body(ids.clone()).prop_map(|body| body.to_string().into_bytes());
    let bent = (valid_body(ids), hostile_json(), any::<prop::sample::Index>()).prop_map(|(mut body, value, place)| {
        let fields = body.as_object_mut().unwrap();
        let key = fields.keys().nth(place.index(fields.len())).unwrap().clone();
        fields.insert(key, value);
        body.to_string().into_bytes()
    });
    let cut = (valid.clone(), any::<prop::sample::Index>())
        .prop_map(|(body, place)| body[..place.index(body.len())].to_vec());
    let oversized = (1..4usize).prop_map(|size| vec![b'['; size * 150 * 1024]);
    prop_oneof![
        400 => valid,
        400 => bent,
        100 => cut,
        100 => hostile_json().prop_map(|body| body.to_string().into_bytes()),
        60 => vec(any::<u8>(), 0..200),
        1 => oversized,
    ]
}

fn request(ids: Vec<String>) -> impl Strategy<Value = Request> {
    let segment = prop_oneof![8 => select(ids.clone()), 1 => hostile_text()];
    let names = ["page_size", "page_token", "order", "chat_id", "parent_id", "name", "emoji", "accesskey", "nothing"];
    let values = prop_oneof![hostile_text(), select(ids.clone())];
    let headers = ["Idempotency-Key", "Content-Type", "Range", "X-Request-Id", "Expect", "Cookie"];
    let query = vec((select(names.to_vec()), values), 0..3);
    let headers = vec((select(headers.to_vec()), hostile_text()), 0..2);
    (select(ROUTES.to_vec()), segment.clone(), segment, query, headers, body(ids)).prop_map(
        |((method, path), one, other, query, headers, body)| {
            let path = path.replacen("{id}", &encoded(&one), 1).replacen("{id}", &encoded(&other), 1);
            Request { method, path, query, headers, body }
        },
    )
}

fn encoded(segment: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    segment
        .bytes()
        .take(500)
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn send(agent: &Agent, request: &Request) -> Answer {
    let query: Vec<_> = request.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut call = agent.call(Method::from_bytes(request.method.as_bytes()).unwrap(), &request.path).query(&query);
    for (name, value) in &request.headers {
        if reqwest::header::HeaderValue::from_str(value).is_ok() {
            call = call.header(name, value);
        }
    }
    match request.method {
        "GET" => call.send().await,
        _ => call.raw_json(request.body.clone()).send().await,
    }
}

/// One of everything, with the secret in it; all ids.
async fn belongings(owner: &Agent, friend: &Agent, secret: &str) -> Vec<String> {
    let group = id(&owner.new_chat("group", secret, &[friend]).await);
    let channel = owner.new_channel(secret, &[]).await;
    let message = id(&owner.say(&group, secret).await);
    owner.add_reaction(&message, "thumbsup").await.ok();
    let participant = id(&owner.participant(&group, friend).await.unwrap());
    let file = id(&owner.new_file(&format!("{secret}.txt"), secret).await);
    let key = id(&owner.create_accesskey(&json!({"name": secret})).await.ok());
    vec![
        group,
        channel,
        message,
        participant,
        file,
        key,
        owner.id.clone(),
        friend.id.clone(),
        owner.customer_id.clone(),
    ]
}

async fn no_generated_request_breaks_the_hub_or_learns_a_secret(deployment: Deployment) {
    let running = deployment.start(|settings| settings.set("limits.idempotency_keys_per_hour", 1_000_000)).await;
    let hubs = Hubs::new(deployment, &running);
    let theirs = hubs.customer().await;
    let [owner, owners_friend] = theirs.agents([SECRET, SECRET]).await;
    let customer = hubs.customer().await;
    let secrets = belongings(&owner, &owners_friend, SECRET).await;
    let group = &secrets[0];
    let before = owner.messages_of(group).await;

    let mut runner = TestRunner::deterministic();
    let mut succeeded = 0;
    for _ in 0..ROUNDS {
        let [attacker, friend] = customer.agents(["Attacker", "Friend"]).await;
        let ids = [secrets.clone(), belongings(&attacker, &friend, "ordinary").await].concat();
        let requests = request(ids);
        let generated = (0..REQUESTS_PER_ROUND).map(|_| requests.new_tree(&mut runner).unwrap().current());
        let answers = futures_util::stream::iter(generated).map(async |request| {
            let answer = send(&attacker, &request).await;
            let said = String::from_utf8_lossy(&answer.bytes).into_owned() + &format!("{:?}", answer.headers);
            assert!(!said.contains(SECRET), "{request:?} learned a secret: {answer}");
            usize::from(answer.status == 200)
        });
        succeeded += answers.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.iter().sum::<usize>();
    }
    assert!(succeeded > ROUNDS * REQUESTS_PER_ROUND / 10, "only {succeeded} requests were taken seriously");

    assert_eq!(owner.messages_of(group).await, before);
    assert_eq!(owner.get_chat(group).await.ok()["member_count"], 2);
    for (node, hub) in running.iter().enumerate() {
        assert_eq!(hubs.nobody().on_node(node).get("/health/ready").await.status, 200);
        assert!(!hub.whole_output().await.contains("panicked"), "{}", hub.last_words());
    }
}

#[tokio::test]
async fn no_generated_request_breaks_the_embedded_hub_or_learns_a_secret() {
    no_generated_request_breaks_the_hub_or_learns_a_secret(Deployment::Embedded).await;
}

#[tokio::test]
async fn no_generated_request_breaks_a_hub_on_redis_or_learns_a_secret() {
    no_generated_request_breaks_the_hub_or_learns_a_secret(Deployment::Redis).await;
}

#[tokio::test]
async fn no_generated_request_breaks_one_of_two_nodes_or_learns_a_secret() {
    no_generated_request_breaks_the_hub_or_learns_a_secret(Deployment::TwoNodes).await;
}
