//! Every client of every node loses its connection in one moment and comes back at once: each to what it missed and
//! nothing else, within the bounds of admission, and for few commands of Redis.
//!
//! `TALK_TEST_STORM_SOCKETS` sets how many clients there are: 2,000, or what the limit of open files permits. For more
//! than that, allow them some time with `TALK_TEST_PATIENCE_SECS`.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, stream};

use crate::support::eventually::eventually;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::socket::Position;
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, caretaker, text};

const NODES: usize = 2;
const AGENTS: usize = 16;
const CHATS: usize = 24;
/// Chats that each agent is in.
const CHATS_EACH: usize = 6;
/// Messages of each chat that everybody missed.
const MISSED: usize = 3;
/// Clients that come at once the first time.
const AT_FIRST: usize = 64;
const HANDSHAKES_MAX: u64 = 64;
const RESUMES_MAX: u64 = 32;

fn sockets() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let files: usize = files.and_then(|files| files.parse().ok()).unwrap_or(1024);
    let set = std::env::var("TALK_TEST_STORM_SOCKETS").ok().and_then(|count| count.parse().ok());
    // All clients are in this process.
    set.unwrap_or(2_000).min(files.saturating_sub(600))
}

/// How many commands Redis has done for anybody.
fn commands(redis: &RedisServer) -> u64 {
    let report: String = redis.command(&["INFO", "commandstats"]);
    let calls = report.lines().filter_map(|line| line.split_once(":calls=")?.1.split(',').next()?.parse::<u64>().ok());
    calls.sum()
}

struct Client {
    agent: Agent,
    chats: Vec<String>,
    positions: HashMap<String, Position>,
}

impl Client {
    /// Knocks until it is let in, resumes, and hears all that it missed; how often it was told to come again.
    async fn come_back(&mut self, heads: &HashMap<String, u64>) -> usize {
        let sent_away = Cell::new(0);
        let url = format!("{}/v1.0/ws?token={}", self.agent.next_node(), self.agent.token);
        let mut socket = eventually("it is let in", async || match Socket::try_open(&url, &[], &self.agent.id).await {
            Ok(socket) => Some(socket),
            Err(refused) => {
                assert_eq!(refused.status, 503, "{refused:?}");
                sent_away.set(sent_away.get() + 1);
                None
            }
        })
        .await;
        let answer = socket.subscribe_since(&[&self.agent.topic()], &self.positions).await;
        for chat in &self.chats {
            assert_eq!(answer["chats"][chat]["recovered"], true, "{answer}");
        }
        // The socket holds each event to its number: one that is missing or comes twice fails here.
        for _ in 0..self.chats.len() * MISSED {
            socket.next_event().await;
        }
        for chat in &self.chats {
            assert_eq!(socket.positions[chat].seq, heads[chat], "as far as the others");
        }
        sent_away.get()
    }
}

#[tokio::test]
async fn everybody_at_once_comes_back_to_what_it_missed_for_few_commands_of_redis() {
    let count = sockets();
    let redis = RedisServer::start().await;
    let settings = HubSettings::redis(&redis.url(), &new_prefix())
        .set("files.url", format!("file://{}", caretaker::new_dir("files-").display()))
        .set("limits.handshakes_max", HANDSHAKES_MAX)
        .set("limits.resumes_max", RESUMES_MAX)
        // All of them are one thread here, which may take its time between connecting and asking.
        .set("server.request_secs", 60)
        .set("limits.handshakes_wait_ms", 20_000)
        .set("limits.connections_max", count);
    let mut nodes = vec![TestHub::start(settings.clone()).await, TestHub::start(settings).await];
    let hubs = Hubs::new(Deployment::TwoNodes, &nodes);
    let customer = hubs.customer().await;
    let agents = join_all((0..AGENTS).map(async |n| customer.agent(&format!("Agent {n}")).await)).await;
    let mut chats: HashMap<String, Vec<String>> = HashMap::new();
    for n in 0..CHATS {
        // Those of each chat follow each other, so that all agents are in as many.
        let members: Vec<&Agent> =
            (0..AGENTS * CHATS_EACH / CHATS).map(|m| &agents[(n * AGENTS * CHATS_EACH / CHATS + m) % AGENTS]).collect();
        let chat = members[0].new_group(&members[1..]).await;
        for member in members {
            chats.entry(member.id.clone()).or_default().push(chat.clone());
        }
    }

    // They are there, and lose all nodes.
    let mut clients = Vec::new();
    let positions = join_all(agents.iter().map(async |agent| {
        // What a client knows of chats in which nothing has happened yet.
        let answer = agent.socket().await.subscribe_since(&[&agent.topic()], &HashMap::new()).await;
        let stands = |chat: &String| {
            let state = &answer["chats"][chat];
            let seq = state["seq"].as_u64().expect("its number");
            (chat.clone(), Position { seq, cursor: text(state, "cursor").to_owned() })
        };
        chats[&agent.id].iter().map(stands).collect::<HashMap<_, _>>()
    }))
    .await;
    for n in 0..count {
        let agent = &agents[n % AGENTS];
        let node = n / AGENTS % NODES;
        let positions = positions[n % AGENTS].clone();
        clients.push(Client { agent: agent.at(node), chats: chats[&agent.id].clone(), positions });
    }
    let open = async |client: &Client| {
        let mut socket = client.agent.socket().await;
        socket.subscribe(&[&client.agent.topic()]).await;
        socket
    };
    let sockets: Vec<Socket> = stream::iter(clients.iter().map(open)).buffer_unordered(AT_FIRST).collect().await;
    for node in &mut nodes {
        node.kill();
    }
    drop(sockets);
    for node in &mut nodes {
        node.start_again().await;
    }
    let mut heads = HashMap::new();
    for agent in &agents {
        for chat in &chats[&agent.id] {
            if !heads.contains_key(chat) {
                for n in 0..MISSED {
                    let said = agent.say(chat, &format!("missed {n}")).await;
                    heads.insert(chat.clone(), said["seq"].as_u64().expect("its number"));
                }
            }
        }
    }

    let (before, begun, back) = (commands(&redis), Instant::now(), Cell::new(false));
    let storm = async {
        let sent_away = join_all(clients.iter_mut().map(async |client| client.come_back(&heads).await)).await;
        back.set(true);
        sent_away.into_iter().sum::<usize>()
    };
    let (mut most, mut looks) = ([0; 4], 0);
    let watch = async {
        const GAUGES: [&str; 4] =
            ["talk_handshakes", "talk_resumes_under_way", "talk_handshakes_waiting", "talk_resumes_waiting"];
        while !back.get() {
            for node in &nodes {
                for (most, gauge) in most.iter_mut().zip(GAUGES) {
                    *most = (*most).max(node.metric(gauge).await);
                }
            }
            looks += 1;
        }
    };
    let (sent_away, ()) = join(storm, watch).await;
    let (took, asked) = (begun.elapsed(), commands(&redis) - before);
    let [handshakes, resumes, waiting_in, waiting] = most;
    eprintln!(
        "{count} clients back on {NODES} nodes after {took:.1?}; {asked} commands of Redis for {CHATS} chats of {AGENTS} \
         agents; at most {handshakes} handshakes and {resumes} resumes at once, {waiting_in} and {waiting} waiting, \
         {sent_away} times told to come again, over {looks} looks"
    );
    assert!(handshakes <= HANDSHAKES_MAX && resumes <= RESUMES_MAX, "the bounds hold");
    // The promise: so many for each chat and agent of a node, whoever asks, and so many in each second, which is how
    // long they take to come back.
    let fixed = NODES * (CHATS * 12 + AGENTS * 6);
    let per_second = NODES * (CHATS * 50 + 3 * 50);
    let budget = fixed as f64 + per_second as f64 * (took + Duration::from_secs(1)).as_secs_f64();
    assert!((asked as f64) < budget, "{asked} commands, {budget:.0} at most");
}
