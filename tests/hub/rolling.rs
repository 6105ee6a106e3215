//! Nodes leave and come back while everybody goes on: restarted one after the other nobody notices, and of a node that is
//! killed the clients are live elsewhere soon.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all, select};
use reqwest::Method;
use serde_json::json;

use crate::support::calls::MESSAGES;
use crate::support::eventually::{eventually, patience, promised};
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::socket::Received;
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, caretaker, id};

async fn start(count: usize) -> (RedisServer, Vec<TestHub>, Hubs) {
    let redis = RedisServer::start().await;
    let settings = HubSettings::redis(&redis.url(), &new_prefix())
        .set("files.url", format!("file://{}", caretaker::new_dir("files-").display()))
        .set("server.drain_secs", 1)
        .set("server.linger_secs", 2);
    let nodes = join_all((0..count).map(|_| TestHub::start(settings.clone()))).await;
    let hubs = Hubs::new(Deployment::TwoNodes, &nodes);
    (redis, nodes, hubs)
}

/// Who sends calls to nodes that say they are ready, as a load balancer does.
struct Balancer {
    ready: RefCell<Vec<bool>>,
    turn: Cell<usize>,
    /// Answers of 500 and above, and connections that broke off under a call.
    failures: RefCell<Vec<String>>,
}

impl Balancer {
    fn new(nodes: usize) -> Self {
        Self { ready: RefCell::new(vec![true; nodes]), turn: Cell::default(), failures: RefCell::default() }
    }

    /// Asks all nodes again and again whether they are ready.
    async fn watch(&self, hubs: &Hubs) {
        let ask = async |node: usize| {
            let nobody = hubs.nobody().on_node(node);
            loop {
                let answer = nobody.call(Method::GET, "/health/ready").try_send().await;
                self.ready.borrow_mut()[node] = answer.is_ok_and(|answer| answer.status == 200);
                tokio::task::yield_now().await;
            }
        };
        join_all((0..hubs.nodes.len()).map(ask)).await;
    }

    /// The next node that is ready.
    async fn node(&self) -> usize {
        eventually("some node is ready", async || {
            let ready = self.ready.borrow();
            let turn = self.turn.replace(self.turn.get() + 1);
            (0..ready.len()).map(|n| (turn + n) % ready.len()).find(|node| ready[*node])
        })
        .await
    }

    /// Posts once, and once more only when nobody took the connection.
    async fn post(&self, agent: &Agent, chat: &str, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let call = agent.at(self.node().await).call(Method::POST, MESSAGES);
            match call.json(&json!({"chat_id": chat, "type": "normal", "text": words})).try_send().await {
                Ok(answer) if answer.status < 500 => return id(&answer.ok()),
                Ok(answer) => self.failures.borrow_mut().push(answer.to_string()),
                Err(error) if error.is_connect() => {}
                Err(error) => self.failures.borrow_mut().push(format!("{error:?}")),
            }
            assert!(begun.elapsed() < patience(), "{words} was not taken: {:?}", self.failures.borrow());
        }
    }
}

/// What is said when everything else has been said.
const THE_LAST: &str = "that is all";

/// Listens on whatever node is ready until the last word has come; the ids of all that came, and how often the
/// connection was closed by a node that left.
async fn follow(balancer: &Balancer, agent: &Agent, mut socket: Socket) -> (Vec<String>, usize) {
    let (mut heard, mut moves): (Vec<String>, usize) = (Vec::new(), 0);
    loop {
        match socket.receive().await {
            Received::Frame(frame) if frame["type"] == "chatmessage_created" => {
                heard.push(id(&frame["data"]));
                if frame["data"]["text"] == THE_LAST {
                    return (heard, moves);
                }
            }
            Received::Frame(frame) => {
                let mut chats = frame["chats"].as_object().into_iter().flatten();
                assert!(chats.all(|(_, state)| state["recovered"] == true), "{frame}");
            }
            Received::Closed(code, reason) => {
                assert_eq!(code, 1012, "{reason}");
                moves += 1;
                let positions = socket.positions.clone();
                socket = eventually("a node takes the client", async || {
                    let node = agent.at(balancer.node().await);
                    let url = format!("{}/v1.0/ws?token={}", node.next_node(), agent.token);
                    Socket::reach(&url, &agent.id).await
                })
                .await;
                // What was missed comes behind the answer; nothing of it is passed over.
                socket.resume(&[&agent.topic()], &positions).await;
            }
        }
    }
}

#[tokio::test]
async fn nodes_restarted_one_after_the_other_are_noticed_by_nobody() {
    const NODES: usize = 3;
    const WRITERS: usize = 6;
    let (_redis, mut nodes, hubs) = start(NODES).await;
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let (balancer, done) = (Balancer::new(NODES), Cell::new(false));
    let mut sockets = join_all((0..NODES).map(async |node| bob.at(node).listen().await)).await;
    // From here on every client knows where it stands.
    let first = alice.say(&chat, "first").await;
    for socket in &mut sockets {
        socket.events_until(|event| event["data"]["id"] == first["id"]).await;
    }
    let write = async |writer: usize| {
        let mut mine = Vec::new();
        while !done.get() {
            mine.push(balancer.post(&alice, &chat, &format!("{writer}-{}", mine.len())).await);
        }
        mine
    };
    let restart = async {
        for node in &mut nodes {
            node.stop().await;
            node.start_again().await;
            // The next one leaves when this one is given calls again, as a rollout waits for what is new to be ready.
            eventually("the balancer has seen all nodes", async || {
                balancer.ready.borrow().iter().all(|ready| *ready).then_some(())
            })
            .await;
        }
        done.set(true);
    };
    let talk = async {
        let (posted, ()) = join(join_all((0..WRITERS).map(write)), restart).await;
        (posted, balancer.post(&alice, &chat, THE_LAST).await)
    };
    let listen = join_all(sockets.into_iter().map(|socket| follow(&balancer, &bob, socket)));
    let all = Box::pin(join(talk, listen));
    let ((posted, last), heard) = match select(all, Box::pin(balancer.watch(&hubs))).await {
        futures_util::future::Either::Left((all, _)) => all,
        futures_util::future::Either::Right(_) => unreachable!("the balancer never ends"),
    };
    let failures = balancer.failures.into_inner();
    assert!(failures.is_empty(), "{} calls failed: {failures:?}", failures.len());
    let expected: Vec<_> = bob.messages_of(&chat).await.iter().rev().skip(1).map(id).collect();
    assert_eq!(expected.last(), Some(&last));
    let moves: usize = heard.iter().map(|(_, moves)| moves).sum();
    for (heard, _) in heard {
        assert_eq!(heard, expected, "nothing lost, repeated or in another order");
    }
    let count: usize = posted.iter().map(Vec::len).sum();
    assert_eq!(expected.len(), count + 1, "each is there once");
    assert!(moves >= NODES, "each node's client had to move");
    eprintln!("{count} messages while {NODES} nodes were restarted; clients moved {moves} times, no call failed");
}

#[tokio::test]
async fn clients_of_a_node_that_is_killed_are_live_elsewhere_soon() {
    const CLIENTS: usize = 200;
    /// The promise, at p99.
    const SOON: Duration = Duration::from_secs(2);
    let (_redis, mut nodes, hubs) = start(2).await;
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut sockets = join_all((0..CLIENTS).map(async |_| bob.at(0).listen().await)).await;
    let first = alice.at(0).say(&chat, "before").await;
    for socket in &mut sockets {
        socket.events_until(|event| event["data"]["id"] == first["id"]).await;
    }
    nodes[0].kill();
    let killed = Instant::now();
    let after = alice.at(1).say(&chat, "after the kill").await;
    let mut times = join_all(sockets.into_iter().map(async |mut socket| {
        while let Received::Frame(_) = socket.receive().await {}
        let mut back = bob.at(1).socket().await;
        back.subscribe_since(&[&bob.topic()], &socket.positions).await;
        assert_eq!(back.next_event().await["data"], after);
        killed.elapsed()
    }))
    .await;
    times.sort_unstable();
    let (median, p99) = (times[CLIENTS / 2], times[CLIENTS * 99 / 100]);
    eprintln!("{CLIENTS} clients live elsewhere {median:.2?} after the kill in the median, {p99:.2?} at p99");
    assert!(p99 < promised(SOON), "{p99:?}");
}

#[tokio::test]
async fn a_hub_that_leaves_answers_calls_and_ends_their_connections() {
    let settings = HubSettings::embedded().set("server.drain_secs", 0).set("server.linger_secs", 3);
    let mut hub = TestHub::start(settings).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    assert_eq!(alice.get_chat(&chat).await.headers.get("connection"), None, "as long as it stays, so do they");
    hub.signal("TERM");
    let nobody = Hubs::of(&hub).nobody();
    eventually("it is not ready any more", async || (nobody.get("/health/ready").await.status == 503).then_some(()))
        .await;
    for _ in 0..5 {
        alice.say(&chat, "still served").await;
        assert_eq!(alice.get_chat(&chat).await.header("connection"), "close");
    }
    assert!(hub.wait().await.status.success());
}
