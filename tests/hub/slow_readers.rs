//! Sockets that stop reading: they cost the hub a bounded amount of memory, they are ended soon, and the others neither
//! lose anything nor wait for them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::MESSAGES;
use crate::support::eventually::eventually;
use crate::support::raw::{PING, PONG, RawSocket, TEXT};
use crate::support::socket::Position;
use crate::support::{Agent, HubSettings, Hubs, TestHub};

const STALLED: usize = 50;
const READERS: usize = 10;
/// 640 messages of 16 KiB to ten readers: 100 MiB and more.
const COUNT: usize = 640;
const TEXT_BYTES: usize = 16 * 1024;
/// What may wait for one connection: `limits.outbox_bytes_max`, as it is by default.
const OUTBOX_BYTES: u64 = 1024 * 1024;
/// What the memory of a process may move by for other reasons, such as what its allocator keeps for reuse. Without any
/// bound the stalled sockets would take ten times the outboxes and the noise together.
const NOISE_BYTES: u64 = 24 * 1024 * 1024;
/// What the kernel takes for one connection that is not read: the largest send buffer of a default Linux, and the small
/// receive buffer. Beyond this and the outbox a stalled socket has passed the limit.
const KERNEL_BYTES: usize = 4 * 1024 * 1024 + 256 * 1024;
/// How soon a socket that passed the limit must be gone.
const SOON: Duration = Duration::from_secs(10);

/// One load on one hub.
struct Load<'a> {
    hub: &'a TestHub,
    writer: Agent,
    chat: String,
    readers: Vec<RawSocket>,
}

/// How a load went.
struct Went {
    /// How long each message took from its posting until all readers had it, the median.
    median: Duration,
    /// The most memory the hub had meanwhile, beyond what it had before.
    grown: u64,
    /// How long the last of the stalled sockets was there after all had been sent more than can wait for them.
    outstayed: Duration,
}

impl<'a> Load<'a> {
    async fn new(hub: &'a TestHub) -> (Self, Agent) {
        let [writer, reader, stalled] = Hubs::of(hub).agents(["Writer", "Reader", "Stalled"]).await;
        let chat = writer.new_group(&[&reader, &stalled]).await;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let mut socket = RawSocket::open(&reader).await;
            socket.subscribe(&reader).await;
            readers.push(socket);
        }
        (Self { hub, writer, chat, readers }, stalled)
    }

    /// Posts so many messages, one after the other, each when all readers have the one before, and watches the sockets with
    /// these ports, which read nothing.
    async fn run(mut self, count: usize, stalled: &HashSet<u16>) -> Went {
        let before = self.hub.resident_bytes();
        let (mut times, mut most) = (Vec::new(), before);
        let (mut passed, mut there) = (Instant::now(), Instant::now());
        for number in 0..count {
            let mark = format!("#{number}#");
            let text = format!("{mark:x<TEXT_BYTES$}");
            let begun = Instant::now();
            post(&self.writer, &self.chat, &text).await;
            join_all(self.readers.iter_mut().map(|reader| hears(reader, &mark))).await;
            times.push(begun.elapsed());
            most = most.max(self.hub.resident_bytes());
            if number * TEXT_BYTES <= KERNEL_BYTES + OUTBOX_BYTES as usize {
                passed = Instant::now();
            }
            if established(self.hub, stalled) > 0 {
                there = Instant::now();
            }
        }
        eventually("the stalled sockets are gone", async || {
            let gone = established(self.hub, stalled) == 0;
            there = if gone { there } else { Instant::now() };
            gone.then_some(())
        })
        .await;
        times.sort_unstable();
        let outstayed = there.saturating_duration_since(passed);
        Went { median: times[times.len() / 2], grown: most - before, outstayed }
    }
}

/// Posts without the contract's checks of the answer, which would take longer than the hub does.
async fn post(writer: &Agent, chat: &str, text: &str) {
    let call = writer.call(Method::POST, MESSAGES).json(&json!({"chat_id": chat, "type": "normal", "text": text}));
    let answer = call.try_send().await.expect("the hub answers");
    assert_eq!(answer.status, 200, "{answer}");
}

/// The next event is this message: nothing is lost, nothing comes twice.
async fn hears(reader: &mut RawSocket, mark: &str) {
    loop {
        let frame = reader.next().await.expect("whoever reads stays connected");
        if frame.opcode == PING {
            reader.send(PONG, &frame.payload).await.expect("whoever reads stays connected");
        } else if frame.opcode == TEXT {
            let head = String::from_utf8_lossy(&frame.payload[..frame.payload.len().min(1024)]);
            return assert!(head.contains(mark), "instead of {mark} came {head}");
        }
    }
}

/// How many of these client ports have an established connection, as the kernel sees it from the hub's side.
fn established(hub: &TestHub, ports: &HashSet<u16>) -> usize {
    let server: u16 = hub.base().rsplit(':').next().and_then(|port| port.parse().ok()).expect("the port of the hub");
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap_or_default(), 16).ok();
    let is_one = |line: &&str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let &[_, local, remote, state, ..] = columns.as_slice() else { return false };
        state == "01" && port(local) == Some(server) && port(remote).is_some_and(|port| ports.contains(&port))
    };
    table.lines().skip(1).filter(is_one).count()
}

#[tokio::test]
async fn sockets_that_stop_reading_are_ended_and_cost_nobody_else_anything() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    // This also warms up what any load needs.
    let before = Load::new(&hub).await.0.run(COUNT / 4, &HashSet::new()).await;

    let (load, agent) = Load::new(&hub).await;
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let mut socket = RawSocket::open_with(&agent, Some(4096)).await;
        socket.subscribe(&agent).await;
        stalled.push(socket);
    }
    let ports: HashSet<_> = stalled.iter().map(RawSocket::port).collect();
    assert_eq!(established(&hub, &ports), STALLED, "all are there and read nothing from now on");
    let went = load.run(COUNT, &ports).await;
    let after = Load::new(&hub).await.0.run(COUNT / 4, &HashSet::new()).await;
    let healthy = before.median.max(after.median);

    eprintln!(
        "{STALLED} stalled sockets took {} KiB, the last was there {:?} after the limit; a message took \
         {:?}, without them {:?}",
        went.grown / 1024,
        went.outstayed,
        went.median,
        healthy
    );
    assert!(went.outstayed <= SOON, "the last was there {:?} after the limit", went.outstayed);
    let bound = STALLED as u64 * OUTBOX_BYTES + NOISE_BYTES;
    assert!(went.grown <= bound, "memory grew by {} bytes, more than {bound}", went.grown);
    assert!(went.median <= healthy * 2, "{:?} instead of {healthy:?}", went.median);
}

/// A client that reads again after it was ended finds an unbroken beginning, and the reason if that could be sent.
#[tokio::test]
async fn what_a_slow_reader_was_sent_is_an_unbroken_beginning() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let [writer, reader] = Hubs::of(&hub).agents(["Writer", "Reader"]).await;
    let chat = writer.new_group(&[&reader]).await;
    let mut slow = RawSocket::open_with(&reader, Some(4096)).await;
    slow.subscribe(&reader).await;
    let text = "x".repeat(TEXT_BYTES);
    for _ in 0..COUNT {
        post(&writer, &chat, &text).await;
    }
    let mut last = 1;
    while let Some(frame) = slow.next().await {
        if let Some(code) = frame.close_code() {
            assert_eq!(code, 4008);
        } else if frame.opcode == TEXT {
            let event: Value = serde_json::from_slice(&frame.payload).expect("an event");
            assert_eq!(event["seq"], last + 1);
            last += 1;
        }
    }
    assert!(last < COUNT * 3 / 4, "it was ended for being slow");
}

/// What a client missed may be more than may wait for its connection: it is sent as fast as the client reads.
async fn what_was_missed_may_be_more_than_can_wait(hubs: Hubs) {
    let [writer, reader] = hubs.agents(["Writer", "Reader"]).await;
    let chat = writer.new_group(&[&reader]).await;
    let shown = writer.get_chat(&chat).await.ok();
    let start = Position { seq: 1, cursor: crate::support::text(&shown, "cursor").to_owned() };
    let text = "x".repeat(TEXT_BYTES);
    // From memory and from the log: a hub remembers fewer.
    for _ in 0..400 {
        post(&writer, &chat, &text).await;
    }
    let mut socket = reader.socket().await;
    let answer = socket.subscribe_since(&[&reader.topic()], &HashMap::from([(chat.clone(), start)])).await;
    assert_eq!(answer["chats"][&chat]["recovered"], json!(true), "{answer}");
    let missed = socket.events_until(|event| event["seq"] == answer["chats"][&chat]["seq"]).await;
    assert_eq!(missed.len(), 400);
}

on_every_deployment!(what_was_missed_may_be_more_than_can_wait);
