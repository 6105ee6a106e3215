//! More than a hundred thousand hostile WebSocket frames, and HTTP that is none: no fault of the hub's own, no panic, no
//! end of the process, and never a byte of another customer.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::support::luck::Luck;
use crate::support::raw::{BINARY, CLOSE, PING, PONG, RawSocket, TEXT, exchange, frame};
use crate::support::{Agent, Hubs, TestHub, text};

/// For each of three deployments: together more than 100,000 frames.
const FRAMES: usize = 34_000;
/// Likewise, exchanges of bytes that are hardly HTTP.
const EXCHANGES: usize = 1_000;
const AT_ONCE: usize = 8;
const BATCH: usize = 25;

/// In everything of the other customer; in nothing that anybody else is sent.
const MARKER: &str = "UNDISCLOSED-b8d1";

/// The other customer, with a marker in all it has.
struct Victim {
    agents: [Agent; 2],
    chats: [String; 2],
    /// Words an attacker might know: ids, topics, cursors.
    known: Vec<String>,
}

impl Victim {
    async fn new(hubs: &Hubs) -> Self {
        let agents = hubs.agents([&format!("{MARKER} Vic"), &format!("{MARKER} Tim")]).await;
        let [vic, tim] = &agents;
        let mut known =
            vec![vic.id.clone(), tim.id.clone(), vic.customer_id.clone(), vic.topic(), vic.customer_topic()];
        let mut chats = [String::new(), String::new()];
        for (chat, kind) in chats.iter_mut().zip(["group", "talk"]) {
            let made = vic.new_chat(kind, MARKER, &[tim]).await;
            *chat = text(&made, "id").to_owned();
            let message = vic.say(chat, MARKER).await;
            tim.add_reaction(text(&message, "id"), MARKER).await.ok();
            known.push(text(&vic.get_chat(chat).await.ok(), "cursor").to_owned());
            known.extend([chat.clone(), vic.chat_topic(chat), text(&message, "id").to_owned()]);
        }
        Self { agents, chats, known }
    }

    /// Goes on writing, so that whoever hears too much has something to hear.
    async fn write(&self, over: &Cell<bool>) {
        let mut n = 0;
        while !over.get() {
            self.agents[n % 2].say(&self.chats[n % 2], MARKER).await;
            n += 1;
        }
    }
}

/// The makings of one attacker's frames.
struct Attacker<'a> {
    me: &'a Agent,
    chat: String,
    cursor: String,
    victim: &'a Victim,
    luck: StdRng,
}

impl Attacker<'_> {
    /// Whether something with this chance happens.
    fn chance(&mut self, of_a_thousand: u32) -> bool {
        self.luck.random_ratio(of_a_thousand, 1000)
    }

    fn word(&mut self) -> String {
        let long = self.luck.random_range(0..3000);
        match self.luck.random_range(0..12) {
            0..4 => self.victim.known.choose(&mut self.luck).expect("words").clone(),
            4 => self.me.topic(),
            5 => self.me.chat_topic(&self.chat),
            6 => self.me.customer_topic(),
            7 => "*".repeat(long % 70),
            8 => "agent_id:".to_owned() + &"💥\u{0}\u{202e}".repeat(long % 50),
            9 => "x".repeat(long),
            10 => format!("{}:{}", self.victim.known[0], self.me.id),
            _ => format!("customer_id:{}:chat:{}*", self.me.customer_id, self.victim.chats[0]),
        }
    }

    fn topics(&mut self) -> Value {
        let count = if self.chance(20) { 300 } else { self.luck.random_range(0..4) };
        (0..count).map(|_| json!(self.word())).collect()
    }

    fn good(&mut self) -> Value {
        let kind = if self.chance(300) { "unsubscribe" } else { "subscribe" };
        let topic = if self.chance(500) { self.me.topic() } else { self.me.chat_topic(&self.chat) };
        let mut good = json!({"type": kind, "topics": [topic]});
        if self.chance(500) {
            good["id"] = json!("some-id");
        }
        if self.chance(200) {
            good["since"] = json!({&self.chat: self.cursor});
        }
        good
    }

    /// Has the form of a frame, and asks for what is not the attacker's.
    fn greedy(&mut self) -> Value {
        let mut since = json!({});
        for _ in 0..self.luck.random_range(0..3) {
            let (chat, cursor) = (self.word(), self.word());
            since[chat] = json!(cursor);
        }
        since[&self.victim.chats[0]] = json!(self.victim.known.choose(&mut self.luck));
        json!({"type": "subscribe", "topics": self.topics(), "since": since, "id": self.word()})
    }

    /// JSON with a field of the wrong kind.
    fn twisted(&mut self) -> Value {
        let mut frame = if self.chance(500) { self.good() } else { self.greedy() };
        let field = ["type", "topics", "id", "since", "else"][self.luck.random_range(0..5)];
        let value = match self.luck.random_range(0..8) {
            0 => Value::Null,
            1 => json!(-1.5e300),
            2 => json!(u64::MAX),
            3 => json!([[[{}]]]),
            4 => json!({"": {"": ""}}),
            5 => json!(self.word()),
            6 => json!([self.word(), 7, null]),
            _ => json!(true),
        };
        frame[field] = value;
        frame
    }

    /// Text that is not even JSON, or JSON of the kind that parsers die of.
    fn broken(&mut self) -> Vec<u8> {
        let depth = self.luck.random_range(1..20_000);
        let good = self.good().to_string();
        match self.luck.random_range(0..9) {
            0 => "[".repeat(depth).into_bytes(),
            1 => "{\"a\":".repeat(depth).into_bytes(),
            2 => good.as_bytes()[..good.len() / 2].to_vec(),
            3 => format!("\u{feff}{good}").into_bytes(),
            4 => good.replace("subscribe", "\\ud800").into_bytes(),
            5 => format!("{good}{good}").into_bytes(),
            6 => format!("{{\"type\":\"subscribe\",\"type\":\"{}\",\"topics\":1e999}}", "\\u0000").into_bytes(),
            7 => vec![b' '; depth],
            _ => {
                let mut bytes = good.into_bytes();
                let at = self.luck.random_range(0..bytes.len());
                bytes[at] = self.luck.random_range(0x20..0x7f);
                bytes
            }
        }
    }

    /// Bytes after which a connection has no future.
    fn fatal(&mut self) -> Vec<u8> {
        let some: Vec<u8> = (0..self.luck.random_range(0..200)).map(|_| self.luck.random()).collect();
        let opcode = self.luck.random_range(0..16);
        match self.luck.random_range(0..10) {
            0 => frame(0x80 | BINARY, &some),
            1 => frame(0x80 | TEXT, &[0xff, 0xfe, 0x80]),
            2 => frame(0x80 | TEXT, &vec![b'x'; self.luck.random_range(65_537..200_000)]),
            3 => frame(0x80, &some),
            4 => frame(self.luck.random_range(0..=255), &some),
            5 => frame(CLOSE, &some),
            6 => frame(0x80 | CLOSE, &some[..some.len().min(self.luck.random_range(0..125))]),
            7 => frame(0x80 | PING, &[0; 126]),
            8 => vec![0x80 | opcode, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            _ => some,
        }
    }

    fn next(&mut self) -> Vec<u8> {
        let text = |value: Value| frame(0x80 | TEXT, value.to_string().as_bytes());
        match self.luck.random_range(0..1000) {
            0..450 => text(self.good()),
            450..640 => text(self.greedy()),
            640..820 => text(self.twisted()),
            820..940 => frame(0x80 | TEXT, &self.broken()),
            940..980 => frame(0x80 | PING, b"are you there"),
            980..992 => frame(0x80 | PONG, b""),
            _ => self.fatal(),
        }
    }

    /// Sends frames over connection after connection until its share is sent, and reads all that comes back.
    async fn attack(&mut self) {
        let mut sent = 0;
        while sent < FRAMES / AT_ONCE {
            let mut socket = RawSocket::open(self.me).await;
            loop {
                let bytes: Vec<u8> = (0..BATCH).flat_map(|_| self.next()).collect();
                sent += BATCH;
                let marker = format!(r#"{{"type":"subscribe","topics":["{}"],"id":"next batch"}}"#, self.me.topic());
                let written = socket.send_bytes(&bytes).await.is_ok();
                if !written || socket.send(TEXT, marker.as_bytes()).await.is_err() || !survives(&mut socket).await {
                    break;
                }
            }
        }
    }
}

/// Reads until the hub has come to the end of a batch; false if it ended the connection before.
async fn survives(socket: &mut RawSocket) -> bool {
    while let Some(frame) = socket.next().await {
        let text = String::from_utf8_lossy(&frame.payload);
        assert!(!text.contains(MARKER), "the attacker was sent {text}");
        assert!(!text.contains("\"INTERNAL\""), "a fault of the hub's own: {text}");
        assert_ne!(frame.close_code(), Some(1011), "a fault of the hub's own");
        if frame.opcode == CLOSE {
            return false;
        }
        if frame.opcode == TEXT && text.contains("\"next batch\"") {
            return true;
        }
    }
    false
}

/// What all of it must leave behind: a hub that serves, and said nothing of a panic.
async fn unharmed(own: &[TestHub], hubs: &Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    for (node, hub) in own.iter().enumerate() {
        let mut bobs = bob.at(node).listen().await;
        bobs.expect_nothing_before_a_marker(&alice.at(node), &chat).await;
        let said = hub.whole_output().await;
        let panicked: Vec<_> = said.lines().filter(|line| line.contains("panicked")).collect();
        assert_eq!(panicked, [""; 0]);
    }
}

async fn hostile_frames_do_no_harm_and_learn_nothing(hubs: Hubs) {
    let own = hubs.deployment.start(|settings| settings).await;
    let hubs = Hubs::new(hubs.deployment, &own);
    let luck = Luck::new();
    let victim = Victim::new(&hubs).await;
    let customer = hubs.customer().await;
    let mut attackers = Vec::new();
    let mallories = [customer.agent("Mallory").await, customer.admin("Mallory").await];
    for n in 0..AT_ONCE {
        let me = &mallories[n % 2];
        let chat = me.new_group(&[]).await;
        me.say(&chat, "of the attacker's own").await;
        let cursor = text(&me.get_chat(&chat).await.ok(), "cursor").to_owned();
        attackers.push(Attacker { me, chat, cursor, victim: &victim, luck: luck.of(n) });
    }
    let over = Cell::new(false);
    let attacks = async {
        join_all(attackers.iter_mut().map(Attacker::attack)).await;
        over.set(true);
    };
    join(attacks, victim.write(&over)).await;
    unharmed(&own, &hubs).await;
}

/// A request that is right, to be spoiled.
fn request(agent: &Agent, victim: &Victim, luck: &mut StdRng) -> Vec<u8> {
    let id = victim.known.choose(luck).expect("words");
    let (method, path) = *[
        ("GET", "/v1.0/service_agents/talk_chats"),
        ("GET", "/v1.0/service_agents/talk_chats/{id}"),
        ("POST", "/v1.0/service_agents/talk_messages"),
        ("GET", "/v1.0/service_agents/talk_messages?chat_id={id}"),
        ("POST", "/v1.0/service_agents/files"),
        ("GET", "/v1.0/ws"),
        ("POST", "/auth/login"),
        ("PUT", "/v1.0/service_agents/me"),
    ]
    .choose(luck)
    .expect("routes");
    let body = format!(r#"{{"chat_id":"{id}","type":"normal","text":"hello","username":"a@b.test","password":"x"}}"#);
    format!(
        "{method} {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        path.replace("{id}", id),
        agent.token,
        body.len()
    )
    .into_bytes()
}

/// Spoils it in one of the ways that parsers, proxies and routers are known to stumble over.
fn spoil(mut request: Vec<u8>, luck: &mut StdRng) -> Vec<u8> {
    let at = luck.random_range(0..request.len());
    let swap =
        |request: &[u8], from: &str, to: &str| String::from_utf8_lossy(request).replacen(from, to, 1).into_bytes();
    match luck.random_range(0..20) {
        0 => request.truncate(at),
        1 => request[at] = luck.random(),
        2 => drop(request.remove(at)),
        3 => request.insert(at, 0),
        4 => drop(request.splice(at..at, (0..100).map(|_| luck.random()).collect::<Vec<u8>>())),
        5 => request = swap(&request, "Content-Length: ", "Content-Length: 99999999999999999999"),
        6 => request = swap(&request, "Content-Length: ", "Content-Length: -"),
        7 => request = swap(&request, "\r\n\r\n", "\r\nContent-Length: 3\r\n\r\n"),
        8 => request = swap(&request, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
        9 => request = swap(&request, "\r\n\r\n", "\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhel"),
        10 => request = swap(&request, "\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "y".repeat(200_000))),
        11 => request = swap(&request, "\r\n\r\n", &format!("{}\r\n\r\n", "\r\nA: b".repeat(500))),
        12 => request = swap(&request, "/v1.0/", "/v1.0/%2e%2e/%00/%ff/%zz/"),
        13 => request = swap(&request, " HTTP/1.1", &format!("?{}=%ff&page_token=%00 HTTP/1.1", "q".repeat(70_000))),
        14 => request = swap(&request, "HTTP/1.1", "HTTP/9.9"),
        15 => request = swap(&request, "\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"),
        16 => request = swap(&request, "application/json", "multipart/form-data; boundary=\"\r\n\0"),
        17 => request = swap(&request, "Host: localhost", "Host: [::1\r\nHost: \u{fffd}\r\nCookie: token=;;=;\0"),
        18 => {
            let upgrade = "\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 7\r\n\r\n";
            request = swap(&request, "\r\n\r\n", upgrade);
        }
        _ => request = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), request].concat(),
    }
    request
}

async fn what_is_hardly_http_does_no_harm_and_learns_nothing(hubs: Hubs) {
    let own = hubs.deployment.start(|settings| settings).await;
    let hubs = Hubs::new(hubs.deployment, &own);
    let luck = Luck::new();
    let victim = Victim::new(&hubs).await;
    let [mallory] = hubs.agents(["Mallory"]).await;
    let send = async |attacker: usize| {
        let mut luck = luck.of(attacker);
        for _ in 0..EXCHANGES / AT_ONCE {
            let bytes = spoil(request(&mallory, &victim, &mut luck), &mut luck);
            let answer = exchange(mallory.next_node(), &bytes).await;
            let text = String::from_utf8_lossy(&answer);
            let sent = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]);
            assert!(!text.contains("HTTP/1.1 500") && !text.contains("\"INTERNAL\""), "{sent:?} was answered {text}");
            assert!(!text.contains(MARKER), "{sent:?} was answered {text}");
        }
    };
    join_all((0..AT_ONCE).map(send)).await;
    unharmed(&own, &hubs).await;
}

on_every_deployment!(hostile_frames_do_no_harm_and_learn_nothing, what_is_hardly_http_does_no_harm_and_learns_nothing);
