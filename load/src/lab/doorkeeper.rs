//! The doorkeeper: has comers come and go, removes each leaver once, and renames chats. The only one who does, so that
//! the last acknowledged call decides who must be a member in the end.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::dice::{Dice, hash};
use super::fleet::{API, Agent, Caller, Fleet, Settled};
use super::people::{People, Room, id};
use super::phase::{Phase, Watch, sleep_until};
use super::record::{Book, Call, Deed, Line};

/// Where a visitor stands in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Out,
    In(Uuid),
    /// Nobody said whether the last call took effect; the visitor is left alone.
    Unknown,
}

/// What it is made of.
pub struct Doorkeeper {
    fleet: Fleet,
    people: People,
    caller: Caller,
    book: Book,
    stands: BTreeMap<(u16, Uuid), Stand>,
    count: u64,
}

impl Doorkeeper {
    /// At the doors of all chats.
    #[must_use]
    pub fn new(fleet: &Fleet, people: &People, seed: u64, book: Book) -> Self {
        let caller = Caller::new(people.auditor.clone(), Dice::of(seed, "doorkeeper"));
        let mut stands = BTreeMap::new();
        for room in &people.rooms {
            for (agent, record) in &room.records {
                stands.insert((room.chat.c, *agent), Stand::In(*record));
            }
        }
        Self { fleet: fleet.clone(), people: people.clone(), caller, book, stands, count: 0 }
    }

    /// Does something every so often until the load ends. Leavers go at moments spread over `whole`.
    ///
    /// # Errors
    /// Its part of the record could not be written.
    pub async fn run(mut self, every: Duration, whole: Duration, mut phase: Watch) -> io::Result<()> {
        let mut leaving = self.leaving(whole);
        let begin = self.fleet.clock.now();
        while !sleep_until(&mut phase, Phase::Settle, every).await {
            let now = self.fleet.clock.now() - begin;
            if let Some((_, room, agent)) = leaving.pop_if(|(at, ..)| *at <= now) {
                self.go(&room, &agent).await;
                continue;
            }
            let Some(room) = self.caller.dice.pick(&self.people.rooms).cloned() else { break };
            if self.caller.dice.percent(10) {
                self.rename(&room).await;
            } else if let Some(agent) = self.caller.dice.pick(&room.comers).and_then(|n| self.people.agents.get(*n)) {
                let agent = agent.clone();
                match self.stand(&room, &agent) {
                    Stand::In(_) => self.go(&room, &agent).await,
                    Stand::Out => self.come(&room, &agent).await,
                    Stand::Unknown => {}
                }
            }
        }
        self.caller.note(&mut self.book);
        self.book.close()
    }

    /// Who leaves for good, the first one last.
    fn leaving(&mut self, whole: Duration) -> Vec<(u64, Room, Agent)> {
        let until = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        let mut all = Vec::new();
        for room in &self.people.rooms {
            for agent in room.leavers.iter().filter_map(|place| self.people.agents.get(*place)) {
                all.push((self.caller.dice.between(until / 10, until * 9 / 10), room.clone(), agent.clone()));
            }
        }
        all.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        all
    }

    fn stand(&self, room: &Room, agent: &Agent) -> Stand {
        self.stands.get(&(room.chat.c, agent.id)).copied().unwrap_or(Stand::Out)
    }

    async fn come(&mut self, room: &Room, agent: &Agent) {
        self.count += 1;
        let key = format!("door-{}", self.count);
        let path = format!("{API}/talk_chats/{}", room.chat.id);
        let settled = if room.open && self.caller.dice.percent(50) {
            let join = format!("{path}/join");
            self.as_the_agent(agent, Method::POST, &join, Some(&key)).await
        } else {
            let (path, body) = (format!("{path}/participants"), json!({"owner_type": "agent", "owner_id": agent.id}));
            self.fleet.settle(&mut self.caller, Method::POST, &path, Some(&key), Some(&body)).await
        };
        let record = id(&settled.body).ok().filter(|_| settled.status == 200);
        let stand = match record {
            Some(record) => Stand::In(record),
            None if settled.status == 0 => Stand::Unknown,
            None => Stand::Out,
        };
        self.stands.insert((room.chat.c, agent.id), stand);
        self.note(&settled, room, Deed::Add, &key, record, Some(agent.id), 0);
    }

    async fn go(&mut self, room: &Room, agent: &Agent) {
        let Stand::In(record) = self.stand(room, agent) else { return };
        let path = format!("{API}/talk_chats/{}/participants/{record}", room.chat.id);
        let mut settled = if self.caller.dice.percent(50) {
            self.as_the_agent(agent, Method::DELETE, &path, None).await
        } else {
            self.fleet.settle(&mut self.caller, Method::DELETE, &path, None, None).await
        };
        // Gone already, or who asks is no member any more: an earlier try did it and its answer was lost.
        if settled.unsure && [403, 404].contains(&settled.status) {
            settled.status = 200;
        }
        let stand = if settled.status == 0 { Stand::Unknown } else { Stand::Out };
        self.stands.insert((room.chat.c, agent.id), stand);
        self.note(&settled, room, Deed::Remove, "", Some(record), Some(agent.id), 0);
    }

    async fn rename(&mut self, room: &Room) {
        self.count += 1;
        let name = format!("chat {} as of {}", room.chat.c, self.count);
        let path = format!("{API}/talk_chats/{}", room.chat.id);
        let settled = self.fleet.settle(&mut self.caller, Method::PUT, &path, None, Some(&json!({"name": name}))).await;
        self.note(&settled, room, Deed::Rename, "", None, None, hash(name.as_bytes()));
    }

    /// The agent itself asks.
    async fn as_the_agent(&mut self, agent: &Agent, method: Method, path: &str, key: Option<&str>) -> Settled {
        let own = std::mem::replace(&mut self.caller.agent, agent.clone());
        let settled = self.fleet.settle(&mut self.caller, method, path, key, None).await;
        self.caller.agent = own;
        settled
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one line")]
    fn note(
        &mut self,
        settled: &Settled,
        room: &Room,
        deed: Deed,
        key: &str,
        id: Option<Uuid>,
        who: Option<Uuid>,
        f: u64,
    ) {
        let Settled { sent, done, status, tries, unsure, .. } = *settled;
        let (c, key) = (room.chat.c, key.to_owned());
        self.book.note(&Line::Call(Call { t: sent, done, c, deed, key, status, tries, unsure, id, who, f }));
    }
}
