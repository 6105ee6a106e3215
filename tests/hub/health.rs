//! What an operator sees: whether the hub lives, whether it is ready, what it counts, and which call was which.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::{CHATS, ME};
use crate::support::client::Credential;
use crate::support::eventually::eventually;
use crate::support::redis::{RedisServer, free_port, new_prefix};
use crate::support::{Client, HubSettings, Hubs, TestHub, random_id, token};

async fn status(caller: &Client, path: &str) -> u16 {
    caller.get(path).await.status
}

async fn a_running_hub_is_alive_and_ready(hubs: Hubs) {
    for node in 0..hubs.nodes.len() {
        let nobody = hubs.nobody().on_node(node);
        for path in ["/ping", "/health/live", "/health/ready"] {
            assert_eq!(status(&nobody, path).await, 200, "{path}");
        }
    }
}

async fn metrics_are_in_the_form_of_prometheus(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut bobs = bob.listen().await;
    alice.say(&chat, "counted").await;
    bobs.expect_event("chatmessage_created").await;
    let answer = hubs.nobody().get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain"), "{}", answer.header("content-type"));
    let text = String::from_utf8(answer.bytes).unwrap();
    let samples: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(!samples.is_empty());
    for sample in samples {
        let (name, value) = sample.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {sample}"));
        assert!(value.parse::<f64>().is_ok(), "not a number: {sample}");
        assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "not a name: {sample}");
        assert!(!sample.contains(&alice.id) && !sample.contains(&chat), "an id as a label grows without end: {sample}");
    }
}

async fn a_request_id_is_echoed_or_made(hubs: Hubs) {
    let nobody = hubs.nobody();
    let send = async |path: &str, id: &str| nobody.call(Method::GET, path).header("X-Request-Id", id).send().await;
    for path in ["/ping", ME, "/no/such/route", "/health/ready"] {
        for own in ["a", "req-1_B", &"x".repeat(64)] {
            assert_eq!(send(path, own).await.header("x-request-id"), own);
        }
        for unfit in ["", "two words", "ä", "semi;colon", &"x".repeat(65)] {
            let answer = send(path, unfit).await;
            let made =
                answer.header("x-request-id").strip_prefix("req_").unwrap_or_else(|| panic!("{unfit:?}: {answer}"));
            let base32 = |c: char| c.is_ascii_uppercase() || ('2'..='7').contains(&c);
            assert!(made.len() == 26 && made.chars().all(base32), "{made}");
        }
    }
    let ids = [nobody.get("/ping").await, nobody.get("/ping").await];
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
    let error = send(ME, "mine").await.refused(401, "AUTHENTICATION_REQUIRED");
    assert_eq!(error["request_id"], "mine");
}

async fn the_documents_are_served(hubs: Hubs) {
    let nobody = hubs.nobody();
    let openapi = nobody.get("/openapi.json").await.ok();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"), "{}", openapi["openapi"]);
    let asyncapi = nobody.get("/asyncapi.json").await.ok();
    assert!(asyncapi["asyncapi"].is_string());
    let docs = nobody.get("/docs").await;
    assert!([200, 301, 302, 303, 307, 308].contains(&docs.status), "{docs}");
}

/// Every call of contract sections 2, 4 and 6 is in the OpenAPI document.
#[tokio::test]
async fn the_openapi_document_names_every_call() {
    const CALLS: [(&str, &str); 33] = [
        ("/auth/login", "post"),
        ("/v1.0/auth/login", "post"),
        ("/auth/renew", "post"),
        ("/v1.0/auth/renew", "post"),
        ("/auth/logout", "post"),
        ("/v1.0/auth/logout", "post"),
        ("/", "get"),
        ("/client/{id}", "get"),
        ("/v1.0/accesskeys", "get post"),
        ("/v1.0/accesskeys/{id}", "get put delete"),
        ("/v1.0/agents", "get post"),
        ("/v1.0/agents/{id}", "get put delete"),
        ("/v1.0/customers", "get post"),
        ("/v1.0/service_agents/agents", "get"),
        ("/v1.0/service_agents/agents/{id}", "get"),
        ("/v1.0/service_agents/me", "get put"),
        ("/v1.0/service_agents/me/status", "put"),
        ("/v1.0/service_agents/me/password", "put"),
        ("/v1.0/service_agents/customer", "get"),
        ("/v1.0/service_agents/talk_chats", "get post"),
        ("/v1.0/service_agents/talk_channels", "get"),
        ("/v1.0/service_agents/talk_chats/{id}", "get put delete"),
        ("/v1.0/service_agents/talk_chats/{id}/join", "post"),
        ("/v1.0/service_agents/talk_chats/{id}/participants", "get post"),
        ("/v1.0/service_agents/talk_chats/{id}/participants/{id}", "delete"),
        ("/v1.0/service_agents/talk_messages", "get post"),
        ("/v1.0/service_agents/talk_messages/{id}", "get delete"),
        ("/v1.0/service_agents/talk_messages/{id}/reactions", "post delete"),
        ("/v1.0/service_agents/files", "get post"),
        ("/v1.0/service_agents/files/{id}", "get delete"),
        ("/v1.0/service_agents/files/{id}/file", "get"),
        ("/v1.0/ws", "get"),
        ("/v1.0/service_agents/ws", "get"),
    ];
    let hubs = crate::support::Deployment::Embedded.hubs().await;
    let document = hubs.nobody().get("/openapi.json").await.ok();
    let anonymous = |path: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{id}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in CALLS {
        let item = paths.iter().find(|(template, _)| anonymous(template) == path);
        let item = item.unwrap_or_else(|| panic!("{path} is not in /openapi.json")).1;
        for method in methods.split(' ') {
            assert!(item[method]["responses"].is_object(), "{method} {path} is not in /openapi.json");
        }
    }
}

#[tokio::test]
async fn a_hub_that_starts_without_its_redis_lives_says_so_and_waits_for_it() {
    let port = free_port();
    let settings = HubSettings::redis(&format!("redis://127.0.0.1:{port}"), &new_prefix()).set("store.wait_ms", 1000);
    let mut hub = TestHub::spawn(settings);
    hub.listens().await.unwrap();
    let address = format!("127.0.0.1:{port}");
    eventually("the log names the Redis that is waited for", async || hub.output().contains(&address).then_some(()))
        .await;
    let hubs = Hubs::of(&hub);
    assert_eq!(status(&hubs.nobody(), "/health/live").await, 200);
    assert_eq!(status(&hubs.nobody(), "/health/ready").await, 503);
    let call =
        hubs.nobody().presenting([Credential::Bearer(token::signed(&token::claims(&random_id(), &random_id(), 16)))]);
    // The answer is held to the contract: a 503 says when to come again.
    call.get(ME).await.refused(503, "SERVICE_UNAVAILABLE");
    let _redis = RedisServer::start_on(port).await;
    hub.comes_up().await.unwrap();
    Hubs::of(&hub).agents(["Alice"]).await;
}

#[tokio::test]
async fn while_redis_is_away_calls_are_refused_in_time_and_afterwards_served_again() {
    const WAIT: Duration = Duration::from_millis(1000);
    let mut redis = RedisServer::start().await;
    let settings = HubSettings::redis(&redis.url(), &new_prefix()).set("store.wait_ms", WAIT.as_millis());
    let hub = TestHub::start(settings).await;
    let hubs = Hubs::of(&hub);
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "before").await;
    redis.command::<()>(&["SAVE"]);
    redis.kill();
    eventually("the hub notices", async || (status(&hubs.nobody(), "/health/ready").await == 503).then_some(())).await;
    assert_eq!(status(&hubs.nobody(), "/health/live").await, 200);
    let body = json!({"chat_id": chat, "type": "normal", "text": "meanwhile"});
    for call in 0..3 {
        let start = Instant::now();
        alice.post_message(&body).await.refused(503, "SERVICE_UNAVAILABLE");
        assert!(start.elapsed() < WAIT * 2, "call {call} took {:?}", start.elapsed());
    }
    redis.start_again().await;
    eventually("the hub is ready again", async || (status(&hubs.nobody(), "/health/ready").await == 200).then_some(()))
        .await;
    let after = alice.say(&chat, "after").await;
    let texts: Vec<_> = alice.messages_of(&chat).await.iter().map(|m| m["text"].clone()).collect();
    assert_eq!(texts.first(), Some(&json!("after")), "{after}");
    assert_eq!(texts.last(), Some(&json!("before")));
}

#[tokio::test]
async fn a_draining_hub_is_not_ready_says_goodbye_and_leaves() {
    let mut hub = TestHub::start(HubSettings::embedded().set("server.drain_secs", 2)).await;
    let hubs = Hubs::of(&hub);
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let sockets = [alice.listen().await, bob.listen().await];
    hub.signal("TERM");
    let nobody = hubs.nobody();
    eventually("it is not ready any more", async || {
        let answer = nobody.call(Method::GET, "/health/ready").try_send().await;
        (!answer.is_ok_and(|answer| answer.status == 200)).then_some(())
    })
    .await;
    for mut socket in sockets {
        socket.expect_close(1012).await;
    }
    assert!(hub.wait().await.status.success());
}

#[tokio::test]
async fn a_second_sigterm_leaves_at_once() {
    let mut hub = TestHub::start(HubSettings::embedded().set("server.drain_secs", 600)).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let _socket = alice.listen().await;
    hub.signal("TERM");
    let nobody = Hubs::of(&hub).nobody();
    eventually("the first one is noticed", async || {
        let answer = nobody.call(Method::GET, "/health/ready").try_send().await;
        (!answer.is_ok_and(|answer| answer.status == 200)).then_some(())
    })
    .await;
    hub.signal("TERM");
    hub.wait().await;
}

#[tokio::test]
async fn what_was_acknowledged_before_a_drain_is_there_after_it() {
    let mut hub = TestHub::start(HubSettings::embedded().set("server.drain_secs", 0)).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let body = json!({"chat_id": chat, "type": "normal", "text": "in flight"});
    let posts = (0..200)
        .map(async |_| alice.call(Method::POST, "/v1.0/service_agents/talk_messages").json(&body).try_send().await);
    let (answers, _) = futures_util::future::join(futures_util::future::join_all(posts), hub.stop()).await;
    let mut acknowledged: Vec<_> = answers.into_iter().flatten().filter(|a| a.status == 200).map(|a| a.body).collect();
    acknowledged.sort_by_key(|message| std::cmp::Reverse(message["seq"].as_u64()));
    hub.start_again().await;
    let kept = alice.messages_of(&chat).await;
    assert!(acknowledged.iter().all(|message| kept.contains(message)), "{acknowledged:?}\nkept {kept:?}");
}

#[tokio::test]
async fn a_failed_call_is_found_in_the_log_by_its_request_id() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let path = format!("{CHATS}/{}", random_id());
    let answer = alice.call(Method::GET, &path).header("X-Request-Id", "look-for-me").send().await;
    let error: Value = answer.refused(404, "CHAT_NOT_FOUND");
    assert_eq!(error["request_id"], "look-for-me");
    eventually("the log names the call", async || hub.output().contains("look-for-me").then_some(())).await;
}

#[tokio::test]
async fn whoever_does_not_read_the_log_stops_no_call() {
    let mut hub = TestHub::start(HubSettings::embedded().set("log.lines_max", 64)).await;
    hub.stop().await;
    // From now on its stderr is a pipe that nobody reads; it takes 64 KiB.
    let path = hub.dir().join("stderr");
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut pipe = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    hub.start_again().await;
    let nobody = Hubs::of(&hub).nobody();
    let long = format!("/{}", "a".repeat(1000));
    eventually("lines are dropped, and all calls answered", async || {
        for _ in 0..100 {
            nobody.get(&long).await.refused(404, "ROUTE_NOT_FOUND");
        }
        (hub.metric("talk_log_lines_dropped_total").await > 0).then_some(())
    })
    .await;
    // Who reads again is told.
    let reader = std::thread::spawn(move || {
        let (mut read, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&read).contains("some were dropped") {
            let count = std::io::Read::read(&mut pipe, &mut piece).unwrap();
            read.extend_from_slice(&piece[..count]);
        }
    });
    eventually("the log says that some were dropped", async || reader.is_finished().then_some(())).await;
}

on_every_deployment!(
    a_running_hub_is_alive_and_ready,
    metrics_are_in_the_form_of_prometheus,
    a_request_id_is_echoed_or_made,
    the_documents_are_served,
);
