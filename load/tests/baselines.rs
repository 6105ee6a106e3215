//! Each baseline does what it is said to do: everybody gets every frame, the log holds the records, the entries are in the
//! streams. How fast is not asked here.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use talk_load::baseline::{self, Baseline, Error, Options, Running, raw_log};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const SUBSCRIBERS: usize = 20;
const EVENTS: u64 = 500;

/// Long enough for any of these, installing packages included.
const PATIENCE: Duration = Duration::from_secs(240);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

async fn socket(running: &Running, path: &str) -> Socket {
    let url = format!("{}{path}", running.url.replacen("http", "ws", 1));
    tokio_tungstenite::connect_async(url).await.expect("a WebSocket").0
}

async fn text(socket: &mut Socket) -> String {
    let message = socket.next().await.expect("not closed").expect("a message");
    message.into_text().expect("a text").to_string()
}

/// `None` where Node is missing: the row is left out, and so is the test.
fn unless_missing(started: baseline::Result<Running>) -> Option<Running> {
    match started {
        Ok(running) => Some(running),
        Err(Error::Missing { program, hint }) => {
            eprintln!("left out: {program} is not here; {hint}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

async fn every_subscriber_of_a_bare_server_gets_every_frame(baseline: Baseline) {
    let Some(running) = unless_missing(baseline::start(baseline, &Options::default()).await) else { return };
    let mut subscribers = Vec::new();
    for _ in 0..SUBSCRIBERS {
        subscribers.push(socket(&running, "subscribe").await);
    }
    let mut publisher = socket(&running, "publish").await;
    let readers = subscribers.into_iter().map(|mut subscriber| {
        tokio::spawn(async move {
            for seq in 0..EVENTS {
                assert_eq!(text(&mut subscriber).await, event(seq));
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for seq in 0..EVENTS {
        publisher.feed(Message::text(event(seq))).await.expect("taken");
    }
    publisher.flush().await.expect("sent");
    for reader in readers {
        reader.await.expect("every frame, in order");
    }
    assert!(running.pid() > 0 && running.version.split(' ').count() >= 2, "{}", running.version);
}

/// All lengths that a frame announces in another way, or nearly so.
fn event(seq: u64) -> String {
    let text = "é".repeat([3, 40, 60, 90, 5_000][usize::try_from(seq % 5).expect("small")]);
    format!(r#"{{"seq":{seq},"text":"{text}"}}"#)
}

#[tokio::test]
async fn the_write_loop_writes_every_frame_to_every_subscriber() {
    in_time(every_subscriber_of_a_bare_server_gets_every_frame(Baseline::WriteLoop)).await;
}

#[tokio::test]
async fn node_ws_sends_every_frame_to_every_subscriber() {
    in_time(every_subscriber_of_a_bare_server_gets_every_frame(Baseline::NodeWs)).await;
}

/// Connects to engine.io and to the namespace, as any client does.
async fn io_socket(running: &Running, role: &str) -> (Socket, String) {
    let mut socket = socket(running, &format!("socket.io/?EIO=4&transport=websocket&role={role}")).await;
    assert!(text(&mut socket).await.starts_with("0{"), "engine.io opens");
    socket.send(Message::text("40")).await.expect("sent");
    let connected = text(&mut socket).await;
    (socket, connected)
}

#[tokio::test]
async fn socket_io_emits_every_event_and_can_give_back_what_was_missed() {
    in_time(async {
        let Some(running) = unless_missing(baseline::start(Baseline::SocketIo, &Options::default()).await) else {
            return;
        };
        let mut subscribers = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let (subscriber, connected) = io_socket(&running, "subscriber").await;
            assert!(connected.contains(r#""pid":"#), "connection state recovery is on: {connected}");
            subscribers.push(subscriber);
        }
        let (mut publisher, _) = io_socket(&running, "publisher").await;
        for seq in 0..EVENTS {
            publisher.send(Message::text(format!(r#"42["publish",{}]"#, event(seq)))).await.expect("sent");
        }
        for subscriber in &mut subscribers {
            for seq in 0..EVENTS {
                let got = text(subscriber).await;
                // What follows the event is its place in the stream, from which a client goes on.
                assert!(got.starts_with(&format!(r#"42["event",{},""#, event(seq))), "{got}");
            }
        }
        let redis = running.redis().expect("a Redis of its own");
        let kept: u64 = redis.ask(&["XLEN", "socket.io"]).await.expect("a length");
        assert!(kept >= EVENTS, "{kept} of {EVENTS} went through the stream");
    })
    .await;
}

#[tokio::test]
async fn the_static_page_has_the_bytes_that_were_ordered() {
    let options = Options { page_bytes: 12_345, ..Options::default() };
    let running = baseline::start(Baseline::StaticPage, &options).await.expect("a page");
    let answer = reqwest::get(format!("{}any/path?at=all", running.url)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.expect("a body").len(), 12_345);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_raw_log_holds_what_it_answered() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { dir: dir.path().to_owned(), lasting: Duration::from_millis(300), ..Options::default() };
    // It compares the file with the answers itself, and fails if they differ.
    let rate = in_time(baseline::measure(Baseline::RawLog, &options)).await.expect("a rate");
    assert!(rate.operations >= 64 && rate.p50 > 0 && rate.p50 <= rate.p99, "{rate:?}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0, "nothing is left");
}

#[test]
fn a_log_that_lacks_a_record_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    let record = |writer: u32, number: u64| [&writer.to_le_bytes()[..], &number.to_le_bytes(), b"xxxx"].concat();
    std::fs::write(&path, [record(0, 0), record(1, 0), record(0, 1)].concat()).expect("written");
    assert_eq!(raw_log::read_back(&path, 16).expect("whole"), [(0, 2), (1, 1)].into());
    std::fs::write(&path, [record(0, 0), record(0, 2)].concat()).expect("written");
    raw_log::read_back(&path, 16).expect_err("one is missing");
    std::fs::write(&path, &record(0, 0)[..10]).expect("written");
    raw_log::read_back(&path, 16).expect_err("the last is torn");
}

async fn xadd_counts_what_is_in_the_streams(pipeline: usize) {
    let options = Options { pipeline, lasting: Duration::from_millis(200), ..Options::default() };
    // It counts the entries itself, and fails if they are not what was answered.
    match in_time(baseline::measure(Baseline::RedisXadd, &options)).await {
        Ok(rate) => assert!(rate.operations >= 40_000 && rate.per_second() > 0.0 && rate.p99 > 0, "{rate:?}"),
        Err(Error::Missing { program, hint }) => eprintln!("left out: {program} is not here; {hint}"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn pipelined_entries_are_in_the_streams() {
    xadd_counts_what_is_in_the_streams(16).await;
}

#[tokio::test]
async fn entries_added_one_by_one_are_in_the_streams() {
    xadd_counts_what_is_in_the_streams(1).await;
}

#[tokio::test]
async fn a_measure_is_not_started_and_a_server_measures_nothing() {
    for baseline in Baseline::ALL {
        assert_eq!(baseline.name().parse::<Baseline>().expect("its own name"), baseline);
        let refused = match baseline.is_server() {
            true => baseline::measure(baseline, &Options::default()).await.err(),
            false => baseline::start(baseline, &Options::default()).await.err(),
        };
        assert!(matches!(refused, Some(Error::Unexpected(_))), "{baseline}: {refused:?}");
    }
}
