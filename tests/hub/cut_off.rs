//! The promise of the event stream, whole: clients cut off a thousand times at random, while others write, end with the
//! same copy as clients never cut, and both with what REST says.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::future::{join_all, join3};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::luck::Luck;
use crate::support::replica::{Replica, assert_same, truth};
use crate::support::{Agent, Answer, Hubs, Socket, id};

/// Agents whose sockets are cut; each has a second socket that is not.
const VISITORS: usize = 20;
/// Cuts of each visitor's socket.
const CUTS: usize = 50;
/// Agents who write, and who are members of everything.
const STAFF: usize = 4;
/// What is written between two cuts, on average, so that no cut falls into silence.
const WRITES_PER_CUT: usize = 2;
/// A socket lives for less than this before it is cut.
const LONGEST_LIFE: Duration = Duration::from_millis(40);

/// What the staff writes about. No borrow of it is held over an await.
struct World {
    staff: Vec<Agent>,
    visitors: Vec<Agent>,
    /// Everybody is in it, and nobody leaves.
    lobby: String,
    chats: RefCell<Vec<String>>,
    /// Chat, message, author.
    messages: RefCell<Vec<(String, String, usize)>>,
    /// Writes that may still be made.
    permits: Semaphore,
    over: Cell<bool>,
}

impl World {
    async fn new(hubs: &Hubs) -> Self {
        let customer = hubs.customer().await;
        let staff = join_all((0..STAFF).map(|n| customer.agent(["Ann", "Ben", "Cid", "Dot"][n]))).await;
        let visitors = join_all((0..VISITORS).map(|_| customer.agent("Visitor"))).await;
        let everybody: Vec<_> = staff.iter().chain(&visitors).collect();
        let lobby = staff[0].new_group(&everybody).await;
        let mut chats = vec![lobby.clone()];
        for n in 0..5 {
            let members: Vec<_> = staff.iter().chain(visitors.iter().skip(n).step_by(5)).collect();
            chats.push(if n % 2 == 0 {
                staff[0].new_group(&members).await
            } else {
                staff[0].new_channel("A channel", &members).await
            });
        }
        let permits = Semaphore::new(20);
        let (chats, messages, over) = (RefCell::new(chats), RefCell::default(), Cell::new(false));
        Self { staff, visitors, lobby, chats, messages, permits, over }
    }

    /// A chat other than the lobby.
    fn some_chat(&self, luck: &mut StdRng) -> String {
        let chats = self.chats.borrow();
        chats[1..].choose(luck).unwrap_or(&chats[0]).clone()
    }

    fn some_message(&self, luck: &mut StdRng) -> Option<(String, String, usize)> {
        let messages = self.messages.borrow();
        // Most of what is done, is done to what is new.
        let from = if luck.random_bool(0.8) { messages.len().saturating_sub(20) } else { 0 };
        messages[from..].choose(luck).cloned()
    }

    /// One member of the staff writes, at random, for as long as there are permits.
    async fn write(&self, author: usize, mut luck: StdRng) {
        while !self.over.get() {
            self.permits.acquire().await.expect("the permits stay").forget();
            self.write_one(author, &mut luck).await;
        }
    }

    async fn write_one(&self, author: usize, luck: &mut StdRng) {
        let me = &self.staff[author];
        let emoji = ["thumbsup", "heart", "🎉"][luck.random_range(0..3)];
        match luck.random_range(0..100) {
            0..40 => {
                let chat = if luck.random_bool(0.3) { self.lobby.clone() } else { self.some_chat(luck) };
                self.post(author, json!({"chat_id": chat, "type": "normal", "text": "chatter"})).await;
            }
            40..55 => {
                if let Some((chat, parent, _)) = self.some_message(luck) {
                    let reply = json!({"chat_id": chat, "type": "normal", "text": "reply", "parent_id": parent});
                    self.post(author, reply).await;
                }
            }
            55..68 => {
                if let Some((_, message, _)) = self.some_message(luck) {
                    done_or_too_late(me.add_reaction(&message, emoji).await);
                }
            }
            68..75 => {
                if let Some((_, message, _)) = self.some_message(luck) {
                    done_or_too_late(me.remove_reaction(&message, emoji).await);
                }
            }
            75..83 => {
                if let Some((_, message, by)) = self.some_message(luck) {
                    done_or_too_late(self.staff[by].delete_message(&message).await);
                }
            }
            83..90 => {
                let visitor = self.visitors.choose(luck).expect("visitors");
                done_or_too_late(me.add_participant(&self.some_chat(luck), &visitor.id).await);
            }
            90..95 => self.remove_a_visitor(me, luck).await,
            95..97 => {
                let name = format!("renamed {}", luck.random::<u16>());
                done_or_too_late(me.update_chat(&self.some_chat(luck), &json!({"name": name})).await);
            }
            97 => self.visit_a_channel(luck).await,
            98 => self.open_a_chat(me, luck).await,
            _ => self.delete_a_chat(me, luck).await,
        }
    }

    async fn post(&self, author: usize, message: Value) {
        let answer = self.staff[author].post_message(&message).await;
        if let Some(message) = done_or_too_late(answer) {
            let chat = crate::support::text(&message, "chat_id").to_owned();
            self.messages.borrow_mut().push((chat, id(&message), author));
        }
    }

    async fn remove_a_visitor(&self, me: &Agent, luck: &mut StdRng) {
        let chat = self.some_chat(luck);
        let visitor = self.visitors.choose(luck).expect("visitors");
        if chat != self.lobby
            && let Some(participant) = me.participant(&chat, visitor).await
        {
            done_or_too_late(me.remove_participant(&chat, &id(&participant)).await);
        }
    }

    async fn visit_a_channel(&self, luck: &mut StdRng) {
        let visitor = self.visitors.choose(luck).expect("visitors");
        let chat = self.some_chat(luck);
        let answer = visitor.join(&chat).await;
        // A group cannot be joined.
        if answer.status != 400 {
            done_or_too_late(answer);
        }
    }

    async fn open_a_chat(&self, me: &Agent, luck: &mut StdRng) {
        let staff = self.staff.iter();
        let members: Vec<_> = staff.chain(self.visitors.iter().filter(|_| luck.random_bool(0.3))).collect();
        let chat = me.new_group(&members).await;
        self.chats.borrow_mut().push(chat);
    }

    async fn delete_a_chat(&self, me: &Agent, luck: &mut StdRng) {
        let chat = self.some_chat(luck);
        if self.chats.borrow().len() > 4 {
            self.chats.borrow_mut().retain(|kept| *kept != chat);
            done_or_too_late(me.delete_chat(&chat).await);
        }
    }
}

/// The resource, or nothing when somebody else was faster: the chat or the message is deleted, the participant gone.
fn done_or_too_late(answer: Answer) -> Option<Value> {
    match answer.status {
        404 | 409 => None,
        _ => Some(answer.ok()),
    }
}

/// Cuts this visitor's socket again and again, each time coming back on some node from where the copy stands.
async fn cut_again_and_again(replica: &mut Replica, world: &World, mut luck: StdRng) {
    for _ in 0..CUTS {
        let agent = replica.agent().at(luck.random_range(0..2));
        let mut socket = agent.socket().await;
        let life = LONGEST_LIFE.mul_f64(luck.random());
        let live = async {
            replica.resume(&mut socket).await;
            loop {
                let event = socket.next_event().await;
                replica.apply(&event).await;
            }
        };
        // Wherever it is by then: asking, reading the replay, fetching, hearing an event.
        let cut: Result<(), _> = tokio::time::timeout(life, live).await;
        cut.expect_err("a socket lives until it is cut");
        drop(socket);
        world.permits.add_permits(WRITES_PER_CUT);
    }
}

/// The same agent on a socket that is never cut, for as long as there is writing.
async fn stay(replica: &mut Replica, socket: &mut Socket, world: &World) {
    while !world.over.get() {
        let event = socket.next_event().await;
        replica.apply(&event).await;
    }
}

/// Everybody is silent: the copy comes to where REST is, and is the same.
async fn settle(what: &str, mut replica: Replica, socket: Option<Socket>) -> Replica {
    let (state, heads) = truth(replica.agent()).await;
    let mut socket = match socket {
        Some(socket) => socket,
        None => {
            let mut socket = replica.agent().socket().await;
            replica.resume(&mut socket).await;
            socket
        }
    };
    while !replica.has_reached(&heads) {
        let event = socket.next_event().await;
        replica.apply(&event).await;
    }
    assert_same(what, &replica.state(), &state);
    replica
}

async fn a_client_cut_off_at_random_ends_where_one_never_cut_does(hubs: Hubs) {
    let luck = Luck::new();
    let world = World::new(&hubs).await;
    let mut cut: Vec<_> = world.visitors.iter().map(Replica::new).collect();
    let mut steady = Vec::new();
    for visitor in &world.visitors {
        let (mut replica, mut socket) = (Replica::new(visitor), visitor.socket().await);
        replica.resume(&mut socket).await;
        steady.push((replica, socket));
    }

    let cuts = async {
        let cutting = cut.iter_mut().enumerate();
        join_all(cutting.map(|(n, replica)| cut_again_and_again(replica, &world, luck.of(n)))).await;
        world.over.set(true);
        world.permits.add_permits(STAFF);
        // Whoever waits for an event gets one more.
        world.staff[0].say(&world.lobby, "that is all").await;
    };
    let writers = join_all((0..STAFF).map(|n| world.write(n, luck.of(1000 + n))));
    let stays = join_all(steady.iter_mut().map(|(replica, socket)| stay(replica, socket, &world)));
    join3(cuts, writers, stays).await;

    let steady = steady.into_iter().map(|(replica, socket)| settle("a client never cut", replica, Some(socket)));
    let steady = join_all(steady).await;
    let cut = join_all(cut.into_iter().map(|replica| settle("a client cut off", replica, None))).await;
    for (cut, steady) in cut.iter().zip(&steady) {
        assert_same("the two of one agent", &cut.state(), &steady.state());
        assert_eq!(cut.not_recovered, 0, "nothing was away for so long, or lost");
    }
}

on_every_deployment!(a_client_cut_off_at_random_ends_where_one_never_cut_does);
