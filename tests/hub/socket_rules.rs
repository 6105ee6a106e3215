//! Sockets: who may open one, what may be sent, and when the hub ends it and with which code.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::accesskeys::full_key;
use crate::support::eventually::eventually;
use crate::support::raw::{self, PING, PONG, RawSocket, TEXT};
use crate::support::socket::Received;
use crate::support::token::{claims, signed, signed_with};
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, id, text};

const PATHS: [&str; 2] = ["/v1.0/ws", "/v1.0/service_agents/ws"];

/// An access key of this agent: its id and the key.
async fn new_key(agent: &Agent) -> (String, String) {
    let made = agent.create_accesskey(&json!({"name": "a key"})).await.ok();
    (id(&made), full_key(&made))
}

/// Opens a socket with this in the query and in the headers.
async fn open(agent: &Agent, query: &str, headers: &[(&str, &str)]) -> Socket {
    let url = format!("{}/v1.0/ws?{query}", agent.next_node());
    let opened = Socket::try_open(&url, headers, &agent.id).await;
    opened.unwrap_or_else(|refused| panic!("{query} {headers:?} was refused: {refused:?}"))
}

async fn every_way_to_present_a_credential_opens_a_socket(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let (_, key) = new_key(&alice).await;
    let token = &alice.token;
    let ways = [
        (format!("token={token}"), None),
        (String::new(), Some(("authorization", format!("Bearer {token}")))),
        (String::new(), Some(("cookie", format!("token={token}")))),
        (format!("accesskey={key}"), None),
        (String::new(), Some(("cookie", format!("accesskey={key}")))),
        (format!("token={key}"), None),
        (String::new(), Some(("authorization", format!("Bearer {key}")))),
    ];
    for (query, header) in &ways {
        let headers: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for path in PATHS {
            let url = format!("{}{path}?{query}", alice.next_node());
            let mut socket = Socket::try_open(&url, &headers, &alice.id).await.expect("the upgrade");
            socket.subscribe(&[&alice.topic()]).await;
            socket.expect_nothing_before_a_marker(&alice, &chat).await;
        }
    }
}

async fn without_a_right_credential_there_is_no_upgrade(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, gone] = customer.agents(["Alice", "Gone"]).await;
    let admin = customer.admin("Admin").await;
    let mut expired = claims(&alice.id, &alice.customer_id, 16);
    expired["exp"] = json!(1_700_000_000);
    let mut endless = claims(&alice.id, &alice.customer_id, 16);
    endless.as_object_mut().unwrap().remove("exp");
    admin.delete_agent(&gone.id).await.ok();
    let wrong = [
        "nonsense".to_owned(),
        gone.token.clone(),
        format!("{}x", alice.token),
        signed(&expired),
        signed(&endless),
        signed(&claims(&crate::support::random_id(), &alice.customer_id, 16)),
        signed_with("another secret of at least thirty-two characters", &claims(&alice.id, &alice.customer_id, 16)),
        "vb_0123456789abcdefghijklmnopqrstuv".to_owned(),
    ];
    for path in PATHS {
        let mut refusals = vec![(String::new(), "AUTHENTICATION_REQUIRED")];
        refusals.extend(wrong.iter().map(|token| (format!("?token={token}"), "INVALID_CREDENTIALS")));
        for (query, reason) in refusals {
            let url = format!("{}{path}{query}", alice.next_node());
            let Err(refused) = Socket::try_open(&url, &[], "nobody").await else { panic!("{query} opened a socket") };
            assert_eq!(refused.status, 401, "{query}: {refused:?}");
            let error = &refused.body["error"];
            assert_eq!((text(error, "status"), text(error, "reason")), ("UNAUTHENTICATED", reason), "{query}");
            assert!(!text(error, "request_id").is_empty() && !text(error, "message").is_empty(), "{error}");
        }
    }
}

/// Frames that no hub should take, and why.
fn wrong_frames(agent: &Agent) -> Vec<(String, &'static str)> {
    let topic = agent.topic();
    let texts = ["", "no JSON", "{\"type\":\"subscribe\"", "[1,2", "\u{0}"];
    let mut wrong: Vec<_> = texts.map(|text| (text.to_owned(), "INVALID_JSON_BODY")).into();
    let long = "x".repeat(65);
    let frames = [
        json!({}),
        json!({"type": "dance"}),
        json!({"type": 7, "topics": [topic]}),
        json!({"topics": [topic]}),
        json!({"type": "subscribe"}),
        json!({"type": "subscribe", "topics": topic}),
        json!({"type": "subscribe", "topics": [7]}),
        json!({"type": "subscribe", "topics": [topic], "id": 7}),
        json!({"type": "subscribe", "topics": [topic], "id": long}),
        json!({"type": "subscribe", "topics": [topic], "since": "yesterday"}),
        json!({"type": "subscribe", "topics": [topic], "since": {"a": 7}}),
    ];
    wrong.extend(frames.map(|frame| (frame.to_string(), "INVALID_ARGUMENT")));
    wrong
}

async fn a_wrong_frame_is_answered_with_an_error_and_the_connection_stays(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let mut socket = alice.listen().await;
    for (frame, reason) in wrong_frames(&alice) {
        socket.send_wrong(frame.clone()).await;
        let error = socket.expect_error(reason).await["error"].clone();
        assert_eq!((text(&error, "status"), error["request_id"].is_string()), ("INVALID_ARGUMENT", true), "{frame}");
        assert!(!text(&error, "message").is_empty(), "{frame}: {error}");
        // A good frame in between starts the count of wrong ones anew.
        socket.subscribe(&[&alice.topic()]).await;
    }
    // An error carries the id of its frame.
    socket.ask_wrong(json!({"type": "dance"})).await;
    socket.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn the_fifth_wrong_frame_in_a_row_ends_the_connection(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut socket = alice.socket().await;
    for _ in 0..3 {
        for _ in 0..4 {
            socket.send_wrong("wrong").await;
            socket.expect_error("INVALID_JSON_BODY").await;
        }
        socket.subscribe(&[&alice.topic()]).await;
    }
    for _ in 0..5 {
        socket.send_wrong("wrong").await;
    }
    let mut errors = 0;
    loop {
        match socket.receive().await {
            Received::Frame(frame) => {
                assert_eq!(frame["type"], "error", "{frame}");
                errors += 1;
            }
            Received::Closed(code, _) => break assert_eq!(code, 1008),
        }
    }
    assert!((4..=5).contains(&errors), "{errors} errors before the end");
}

async fn a_binary_frame_ends_the_connection(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut socket = alice.listen().await;
    socket.send_raw(Message::binary(json!({"type": "subscribe", "topics": [alice.topic()]}).to_string())).await;
    socket.expect_close(1003).await;
}

async fn a_frame_of_64_kib_is_taken_and_a_larger_one_ends_the_connection(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let frame = |bytes: usize| {
        let mut frame = json!({"type": "subscribe", "topics": [alice.topic()], "id": "large", "padding": ""});
        let padding = "x".repeat(bytes - frame.to_string().len());
        frame["padding"] = json!(padding);
        frame.to_string()
    };
    let mut socket = alice.socket().await;
    socket.send_raw(Message::text(frame(64 * 1024))).await;
    let Received::Frame(answer) = socket.receive().await else { panic!("a frame of 64 KiB ended the connection") };
    assert_eq!((text(&answer, "type"), text(&answer, "id")), ("subscribed", "large"));
    socket.send_raw(Message::text(frame(64 * 1024 + 1))).await;
    socket.expect_close(1009).await;

    // In pieces a frame is the same, and no smaller.
    let pieces = |text: &str| {
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        [raw::frame(TEXT, first), raw::frame(0x80 | PING, b""), raw::frame(0x80, second)].concat()
    };
    let mut socket = RawSocket::open(&alice).await;
    socket.send_bytes(&pieces(&frame(64 * 1024))).await.expect("the hub takes it");
    while socket.next().await.expect("an answer").opcode != TEXT {}
    socket.send_bytes(&pieces(&frame(64 * 1024 + 1))).await.ok();
    assert_eq!(socket.closed().await, Some(1009));
}

async fn a_frame_announced_too_large_is_not_taken_in(hubs: Hubs) {
    const MEBIBYTE: usize = 1024 * 1024;
    let (own, hubs) = own_hub(hubs.deployment, &[]).await;
    let [alice] = hubs.agents(["Alice"]).await;
    let mut socket = RawSocket::open(&alice.at(0)).await;
    let before = own[0].resident_bytes();
    let mut header = vec![0x80 | TEXT, 0xff];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([1, 2, 3, 4]);
    socket.send_bytes(&header).await.expect("the hub takes a header");
    let mut sent = 0;
    while sent < 64 && socket.send_bytes(&vec![b'x'; MEBIBYTE]).await.is_ok() {
        sent += 1;
    }
    let grown = own[0].resident_bytes().saturating_sub(before) as usize;
    assert!(grown < 16 * MEBIBYTE, "the hub took in {grown} bytes of a frame that it will never accept");
    // Not for being idle: that takes a minute.
    assert!(matches!(socket.closed().await, None | Some(1009)));
}

/// A hub of its own for a test, with these settings changed.
async fn own_hub(deployment: Deployment, changes: &[(&str, &str)]) -> (Vec<TestHub>, Hubs) {
    let change = |settings| changes.iter().fold(settings, |s: HubSettings, (key, value)| s.set(key, value));
    let hubs = deployment.start(change).await;
    let addresses = Hubs::new(deployment, &hubs);
    (hubs, addresses)
}

async fn the_hub_pings_and_ends_only_the_connection_that_is_silent(hubs: Hubs) {
    let (_own, hubs) = own_hub(hubs.deployment, &[("server.ping_secs", "1"), ("server.idle_secs", "3")]).await;
    let [alice] = hubs.agents(["Alice"]).await;
    let mut alive = RawSocket::open(&alice).await;
    let mut silent = RawSocket::open(&alice).await;
    let begun = Instant::now();
    // Five pings answered are longer than the limit for silence.
    for _ in 0..5 {
        let ping = alive.next().await.expect("whoever answers stays");
        assert_eq!(ping.opcode, PING);
        alive.send(PONG, &ping.payload).await.expect("whoever answers stays");
    }
    silent.closed().await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "closed after {:?}", begun.elapsed());
    alive.subscribe(&alice).await;
}

async fn a_connection_ends_when_its_token_does(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut brief = claims(&alice.id, &alice.customer_id, 16);
    brief["exp"] = json!(chrono::Utc::now().timestamp() + 2);
    let mut stays = alice.listen().await;
    let mut ends = open(&alice, &format!("token={}", signed(&brief)), &[]).await;
    ends.subscribe(&[&alice.topic()]).await;
    let begun = Instant::now();
    ends.expect_close(4001).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    alice.new_group(&[]).await;
    stays.expect_event("chat_created").await;
}

async fn a_revoked_key_ends_its_connections_and_no_others(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let ((first, first_key), (_, second_key)) = (new_key(&alice).await, new_key(&alice).await);
    let mut by_first = Vec::new();
    for _ in 0..2 {
        by_first.push(open(&alice, &format!("accesskey={first_key}"), &[]).await);
    }
    by_first[0].subscribe(&[&alice.topic()]).await;
    let mut by_second = open(&alice, &format!("accesskey={second_key}"), &[]).await;
    by_second.subscribe(&[&alice.topic()]).await;
    let mut by_token = alice.listen().await;
    alice.delete_accesskey(&first).await.ok();
    for socket in &mut by_first {
        socket.expect_close(4001).await;
    }
    alice.new_group(&[]).await;
    for socket in [&mut by_second, &mut by_token] {
        socket.expect_event("chat_created").await;
    }
}

async fn a_deleted_agents_connections_end(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let admin = customer.admin("Admin").await;
    let chat = alice.new_group(&[&bob]).await;
    let (_, key) = new_key(&bob).await;
    let mut alices = alice.listen().await;
    let mut bobs = [bob.listen().await, bob.socket().await, open(&bob, &format!("accesskey={key}"), &[]).await];
    admin.delete_agent(&bob.id).await.ok();
    for socket in &mut bobs {
        socket.expect_close(4001).await;
    }
    let marker = alice.say(&chat, "still here").await;
    alices.events_until(|event| event["data"]["id"] == marker["id"]).await;
}

async fn a_cookie_opens_a_socket_from_a_listed_origin_only(hubs: Hubs) {
    let listed = "https://app.example.test";
    let (_own, hubs) = own_hub(hubs.deployment, &[("auth.allowed_origins", listed)]).await;
    let [alice] = hubs.agents(["Alice"]).await;
    let (_, key) = new_key(&alice).await;
    let cookies = [format!("token={}", alice.token), format!("accesskey={key}")];
    let foreign =
        ["https://evil.example.test", "https://app.example.test.evil.test", "http://app.example.test", "null"];
    for cookie in &cookies {
        open(&alice, "", &[("cookie", cookie), ("origin", listed)]).await;
        for origin in foreign {
            let url = format!("{}/v1.0/ws", alice.next_node());
            let refused = Socket::try_open(&url, &[("cookie", cookie), ("origin", origin)], &alice.id).await;
            let Err(refused) = refused else { panic!("a cookie opened a socket from {origin}") };
            assert_eq!((refused.status, text(&refused.body["error"], "reason")), (403, "PERMISSION_DENIED"));
        }
    }
    // Whoever holds the credential itself is no browser that was tricked.
    open(&alice, &format!("token={}", alice.token), &[("origin", foreign[0])]).await;
}

async fn readiness(http: &reqwest::Client, node: &str) -> Option<u16> {
    http.get(format!("{node}/health/ready")).send().await.ok().map(|answer| answer.status().as_u16())
}

async fn a_hub_that_is_told_to_leave_says_so_and_sends_its_clients_away(hubs: Hubs) {
    let (mut own, hubs) = own_hub(hubs.deployment, &[("server.drain_secs", "3")]).await;
    let [alice] = hubs.agents(["Alice"]).await;
    let here = alice.at(0);
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(here.listen().await);
    }
    own[0].signal("TERM");
    let status = eventually("it is not ready", async || {
        let status = readiness(&hubs.http, own[0].base()).await;
        (status != Some(200)).then_some(status)
    })
    .await;
    assert_eq!(status, Some(503), "it still answers while sockets are open");
    let url = format!("{}/v1.0/ws?token={}", own[0].base(), alice.token);
    let refused = tokio_tungstenite::connect_async(url.replacen("http", "ws", 1)).await;
    assert!(refused.is_err(), "a hub that leaves takes no new socket");
    for socket in &mut sockets {
        socket.expect_close(1012).await;
    }
    let ended = own[0].wait().await;
    assert!(ended.status.success(), "it left with {}", ended.status);
    if let [_, other] = own.as_slice() {
        assert_eq!(readiness(&hubs.http, other.base()).await, Some(200), "the other node stays");
    }
}

on_every_deployment!(
    every_way_to_present_a_credential_opens_a_socket,
    without_a_right_credential_there_is_no_upgrade,
    a_wrong_frame_is_answered_with_an_error_and_the_connection_stays,
    the_fifth_wrong_frame_in_a_row_ends_the_connection,
    a_binary_frame_ends_the_connection,
    a_frame_of_64_kib_is_taken_and_a_larger_one_ends_the_connection,
    a_frame_announced_too_large_is_not_taken_in,
    the_hub_pings_and_ends_only_the_connection_that_is_silent,
    a_connection_ends_when_its_token_does,
    a_revoked_key_ends_its_connections_and_no_others,
    a_deleted_agents_connections_end,
    a_cookie_opens_a_socket_from_a_listed_origin_only,
    a_hub_that_is_told_to_leave_says_so_and_sends_its_clients_away,
);
