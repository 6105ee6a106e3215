//! What belongs to a call can be found by it: the lines of its log, and its spans in a trace.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::eventually::eventually;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{HubSettings, Hubs, TestHub};

const MESSAGES: &str = "/v1.0/service_agents/talk_messages";

/// Also what its chat said, which lives on another thread and hears of the call by mail; and also where
/// nothing less than warnings is wanted.
#[tokio::test]
async fn a_line_that_a_chat_logs_names_the_call() {
    const WAIT: Duration = Duration::from_secs(1);
    let redis = RedisServer::start().await;
    let settings = HubSettings::redis(&redis.url(), &new_prefix())
        .set("store.wait_ms", WAIT.as_millis())
        .set("log.filter", "warn");
    let hub = TestHub::start(settings).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "before").await;
    // Reads go on, so that the call comes as far as its chat.
    let _: String = redis.command(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let body = json!({"chat_id": chat, "type": "normal", "text": "lost?"});
    let call = alice.call(Method::POST, MESSAGES).header("X-Request-Id", "look-for-me").json(&body);
    call.send().await.refused(503, "SERVICE_UNAVAILABLE");
    let line = eventually("the chat says what became of the commit", async || {
        hub.output().lines().find(|line| line.contains("outcome of a commit unknown")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("look-for-me") && line.contains(&alice.id), "{line}");
}

#[cfg(not(feature = "otel"))]
#[tokio::test]
async fn traces_need_a_build_that_can_send_them() {
    let ended = TestHub::refusal(HubSettings::embedded().set("log.otlp_url", "http://127.0.0.1:1/v1/traces")).await;
    assert!(ended.output.contains("log.otlp_url: needs a hub that was built with `--features otel`"), "{ended:?}");
}

#[cfg(feature = "otel")]
mod sent {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::support::deployment::Deployment;
    use crate::support::token::ADMIN_TOKEN;
    use crate::support::{id, text};

    /// A span, as a collector sees it.
    #[derive(Clone, Debug)]
    struct Span {
        trace: Vec<u8>,
        id: Vec<u8>,
        parent: Vec<u8>,
        name: String,
        /// Everything else that it says, as text in some order.
        says: String,
    }

    /// The fields of a protobuf message that have a length: their numbers and bytes.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..64).step_by(7) {
                let (first, rest) = bytes.split_first().expect("a whole number");
                *bytes = rest;
                value |= u64::from(first & 0x7f) << shift;
                if first & 0x80 == 0 {
                    break;
                }
            }
            value
        }
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let length = match tag & 7 {
                0 => {
                    varint(&mut bytes);
                    continue;
                }
                1 => 8,
                2 => usize::try_from(varint(&mut bytes)).expect("a length"),
                5 => 4,
                other => panic!("no such kind of field: {other}"),
            };
            let (field, rest) = bytes.split_at(length);
            bytes = rest;
            if tag & 7 == 2 {
                fields.push((tag >> 3, field));
            }
        }
        fields
    }

    fn inside(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
        fields(message).into_iter().filter(move |(n, _)| *n == number).map(|(_, field)| field)
    }

    /// The spans of an ExportTraceServiceRequest.
    fn spans(request: &[u8]) -> Vec<Span> {
        let scopes = inside(request, 1).flat_map(|resource| inside(resource, 2));
        let spans = scopes.flat_map(|scope| inside(scope, 2));
        let one = |span: &[u8], number| inside(span, number).next().unwrap_or_default().to_vec();
        spans
            .map(|span| Span {
                trace: one(span, 1),
                id: one(span, 2),
                parent: one(span, 4),
                name: String::from_utf8(one(span, 5)).expect("a name"),
                says: String::from_utf8_lossy(span).into_owned(),
            })
            .collect()
    }

    /// A collector on a free port, which takes everything and keeps the spans.
    struct Collector {
        url: String,
        spans: Arc<Mutex<Vec<Span>>>,
    }

    impl Collector {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("http://{}/v1/traces", listener.local_addr().expect("an address"));
            let spans = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&spans);
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(serve(client, Arc::clone(&kept)));
                }
            });
            Self { url, spans }
        }

        fn seen(&self) -> Vec<Span> {
            self.spans.lock().expect("not poisoned").clone()
        }
    }

    async fn serve(mut client: TcpStream, kept: Arc<Mutex<Vec<Span>>>) -> Option<()> {
        let mut bytes = Vec::new();
        loop {
            let head = loop {
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end + 4;
                }
                (client.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
            };
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            assert!(text.starts_with("post /v1/traces "), "{text}");
            let length: usize =
                text.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
            while bytes.len() < head + length {
                (client.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
            }
            kept.lock().expect("not poisoned").extend(spans(&bytes[head..head + length]));
            bytes.drain(..head + length);
            client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
        }
    }

    /// One trace holds the request, its chat, the append and the delivery, each below the one before.
    async fn a_post_is_one_trace(deployment: Deployment) {
        let collector = Collector::start().await;
        let hubs = deployment.start(|settings| settings.set("log.otlp_url", &collector.url)).await;
        let [alice, bob] = Hubs::of(&hubs[0]).agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        let mut bobs = bob.listen().await;
        let body = json!({"chat_id": chat, "type": "normal", "text": "what nobody else reads"});
        let posted =
            alice.call(Method::POST, MESSAGES).header("X-Request-Id", "trace-me").json(&body).send().await.ok();
        assert_eq!(text(&bobs.expect_event("chatmessage_created").await["data"], "id"), id(&posted));
        let spans = eventually("the spans of the call reach the collector", async || {
            let seen = collector.seen();
            let request = seen.iter().find(|span| span.name == "request" && span.says.contains("trace-me"))?;
            let spans: Vec<_> = seen.iter().filter(|span| span.trace == request.trace).cloned().collect();
            spans.iter().any(|span| span.name == "deliver").then_some(spans)
        })
        .await;
        let named = |name: &str, says: &str| {
            let found = spans.iter().find(|span| span.name == name && span.says.contains(says));
            found.unwrap_or_else(|| panic!("no {name} that says {says:?} in {spans:#?}"))
        };
        let (request, asked) = (named("request", MESSAGES), named("chat", ""));
        assert!(request.parent.is_empty() && request.says.contains(&alice.id) && request.says.contains("POST"));
        assert_eq!(asked.parent, request.id);
        assert_eq!(named("store", "commit").parent, asked.id);
        assert_eq!(named("deliver", "sockets").parent, asked.id);
        for span in collector.seen() {
            for secret in [ADMIN_TOKEN, "what nobody else reads", "Bearer", crate::support::people::PASSWORD] {
                assert!(!span.says.contains(secret), "{secret} in {span:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_post_is_one_trace_with_the_embedded_store() {
        a_post_is_one_trace(Deployment::Embedded).await;
    }

    #[tokio::test]
    async fn a_post_is_one_trace_with_redis() {
        a_post_is_one_trace(Deployment::Redis).await;
    }

    /// The hub does not care whether anybody takes its traces.
    #[tokio::test]
    async fn a_collector_that_is_away_costs_nobody_anything() {
        let settings = HubSettings::embedded().set("log.otlp_url", "http://127.0.0.1:1/v1/traces");
        let mut hub = TestHub::start(settings).await;
        let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
        let chat = alice.new_group(&[]).await;
        for n in 0..50 {
            alice.say(&chat, &format!("message {n}")).await;
        }
        assert!(hub.stop().await.status.success());
    }
}
