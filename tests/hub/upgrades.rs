//! From HTTP to a socket: which requests become one, what comes right behind them, and that a refusal can be read.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::eventually::in_time;
use crate::support::raw::{TEXT, exchange, frame};
use crate::support::{Agent, Hubs};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n")
}

fn to_socket(agent: &Agent, headers: &str) -> String {
    request(&format!("/v1.0/ws?token={}", agent.token), headers)
}

async fn connect(agent: &Agent) -> TcpStream {
    let node = agent.next_node();
    TcpStream::connect(node.trim_start_matches("http://")).await.expect("the hub takes the connection")
}

/// Reads until this is in what came.
async fn read_until(stream: &mut TcpStream, words: &str) -> String {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&bytes).contains(words) {
        let read = in_time("more comes", stream.read(&mut piece)).await.expect("the connection stays");
        assert!(read > 0, "hung up after {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn frames_that_come_in_one_piece_with_the_request_are_heard(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let subscribe = format!(r#"{{"type":"subscribe","topics":["{}"],"id":"at once"}}"#, alice.topic());
    let words = [to_socket(&alice, UPGRADE).into_bytes(), frame(0x80 | TEXT, subscribe.as_bytes())].concat();
    let mut stream = connect(&alice).await;
    stream.write_all(&words).await.expect("the hub takes it");
    let answer = read_until(&mut stream, "at once").await;
    assert!(answer.starts_with("HTTP/1.1 101") && answer.contains("subscribed"), "{answer}");
}

async fn a_request_with_a_body_becomes_no_socket(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let words = to_socket(&alice, &format!("{UPGRADE}Transfer-Encoding: chunked\r\n"));
    let answer = exchange(alice.next_node(), words.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
}

async fn a_refused_upgrade_is_answered_and_its_connection_ends(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let mut stream = connect(&alice).await;
    stream.write_all(request("/v1.0/ws?token=wrong", UPGRADE).as_bytes()).await.expect("the hub takes it");
    let mut answer = Vec::new();
    in_time("the hub hangs up by itself", stream.read_to_end(&mut answer)).await.expect("an end, not a reset");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("UNAUTHENTICATED"), "{answer}");
}

async fn a_wish_to_upgrade_changes_nothing_at_other_addresses(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let own = format!("/v1.0/service_agents/me?token={}", alice.token);
    for (path, status) in [("/health/live", "200"), (&own, "200"), ("/nowhere", "404"), ("/openapi.json", "200")] {
        let answer = exchange(alice.next_node(), request(path, UPGRADE).as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
}

async fn who_is_refused_before_the_body_was_read_can_read_why(hubs: Hubs) {
    const BYTES: usize = 4 * 1024 * 1024;
    let [alice] = hubs.agents(["Alice"]).await;
    let mut stream = connect(&alice).await;
    let head = format!(
        "POST /v1.0/service_agents/talk_messages HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer wrong\r\n\
         Content-Type: application/json\r\nContent-Length: {BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the hub takes the head");
    // The rest comes when the answer is on its way already, and is more than anybody's buffers.
    let (mut reads, mut writes) = stream.split();
    let written = async {
        // The hub is free to end this side at any byte.
        writes.write_all(&vec![b'x'; BYTES]).await.ok();
    };
    let mut answer = Vec::new();
    let read = async {
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains("UNAUTHENTICATED") {
            let read = reads.read(&mut piece).await.expect("an answer, not a reset");
            assert!(read > 0, "hung up after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
    };
    in_time("the refusal is read", async { tokio::join!(written, read) }).await;
}

on_every_deployment!(
    frames_that_come_in_one_piece_with_the_request_are_heard,
    a_request_with_a_body_becomes_no_socket,
    a_refused_upgrade_is_answered_and_its_connection_ends,
    a_wish_to_upgrade_changes_nothing_at_other_addresses,
    who_is_refused_before_the_body_was_read_can_read_why,
);
