//! Subscriptions: from a client's frame to being in force.
//!
//! A subscription is in force once every chat in its scope has said from where it is followed.
//! Until then its followers are held; then the answer goes out, and behind it, chat by chat, what
//! came after the client's cursors or meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::chat::following::Begin;
use crate::fanout::topic::{Scope, Topic};
use crate::model::ChatId;
use crate::store::{Around, ChatList};
use crate::wire::frames::{AnswerFrame, ResumeState, encode};
use crate::wire::{ApiError, Reason};

use super::follower::{Opening, Pace, Session};
use super::switchboard::Switchboard;

/// Rows of an index read at once.
const ROWS: usize = 1000;
/// Chats asked at once for one subscription.
const AT_ONCE: usize = 64;
/// How long a subscription may take to be in force, above what the store may take.
const GRACE: Duration = Duration::from_secs(10);

impl Switchboard {
    /// Subscribes a socket, and answers it if it wants an answer.
    ///
    /// # Errors
    /// A topic that is refused, a chat id that is none, too many topics or chats, or a store that
    /// does not answer. Then nothing has changed.
    pub async fn subscribe(
        &self,
        session: &Rc<Session>,
        topics: &[String],
        id: Option<String>,
        since: Option<HashMap<String, String>>,
    ) -> Result<(), ApiError> {
        let caller = &session.verified.caller;
        let wanted = topics.iter().map(|topic| Topic::parse(topic, caller)).collect::<Result<Vec<_>, _>>()?;
        let resumes = since.is_some();
        let since = since.unwrap_or_default();
        let named = since.into_iter().map(|(chat, cursor)| {
            let wrong = || ApiError::argument("since must name chats by their id");
            Ok((ChatId::parse(&chat).ok_or_else(wrong)?, cursor))
        });
        let named: HashMap<ChatId, String> = named.collect::<Result<_, ApiError>>()?;
        let added = self.add_topics(session, wanted)?;
        if added.first {
            self.shared().ear.watch_customer(caller.customer).await;
        }
        match self.come_into_force(session, &added.topics, &named).await {
            Ok(chats) => {
                self.in_force(session, "subscribed", id, resumes.then_some(chats));
                Ok(())
            }
            Err(error) => {
                self.take_back(session, &added.topics);
                Err(error)
            }
        }
    }

    /// Ends topics, and answers if an answer is wanted.
    ///
    /// # Errors
    /// A topic that the socket could not hold in the first place.
    pub fn unsubscribe(&self, session: &Rc<Session>, topics: &[String], id: Option<String>) -> Result<(), ApiError> {
        for topic in topics {
            Topic::parse(topic, &session.verified.caller)?;
        }
        let had = !session.topics.borrow().is_empty();
        session.topics.borrow_mut().retain(|topic| !topics.iter().any(|ended| ended == topic.as_str()));
        self.topics_ended(session, had);
        self.answer(session, "unsubscribed", id, None);
        Ok(())
    }

    /// Puts new topics to the session's own.
    fn add_topics(&self, session: &Rc<Session>, wanted: Vec<Topic>) -> Result<Added, ApiError> {
        let mut topics = session.topics.borrow_mut();
        let first = topics.is_empty();
        let mut added: Vec<Topic> = Vec::new();
        for topic in wanted {
            if !topics.contains(&topic) && !added.contains(&topic) {
                added.push(topic);
            }
        }
        let most = self.shared().limits.topics_max;
        if topics.len() + added.len() > most {
            let text = format!("a connection holds at most {most} topics");
            return Err(ApiError::new(Reason::RateLimitExceeded, text));
        }
        topics.extend(added.iter().cloned());
        Ok(Added { topics: added, first: first && !topics.is_empty() })
    }

    fn take_back(&self, session: &Rc<Session>, added: &[Topic]) {
        let had = !session.topics.borrow().is_empty();
        session.topics.borrow_mut().retain(|topic| !added.contains(topic));
        session.opening.borrow_mut().take();
        self.topics_ended(session, had);
        self.release_held(session);
    }

    /// Lets go of the chats that no topic covers any more.
    fn topics_ended(&self, session: &Rc<Session>, had: bool) {
        let follows = session.follows.borrow().clone();
        let mut table = self.board.table.borrow_mut();
        for chat in follows {
            let Some(local) = table.chats.get_mut(&chat) else { continue };
            if !session.covers(local.id, false) && !session.covers(local.id, true) {
                local.drop_follower(session.key);
                session.follows.borrow_mut().retain(|other| *other != chat);
                self.release(&mut table, chat);
            }
        }
        drop(table);
        if had && session.topics.borrow().is_empty() && !session.ended.get() {
            self.shared().ear.unwatch_customer(session.verified.caller.customer);
        }
    }

    /// Has every chat in scope say from where it is followed.
    async fn come_into_force(
        &self,
        session: &Rc<Session>,
        added: &[Topic],
        named: &HashMap<ChatId, String>,
    ) -> Result<BTreeMap<uuid::Uuid, ResumeState>, ApiError> {
        let mut chats: HashSet<ChatId> = self.scope(session, added).await?;
        let covered = |chat: &&ChatId| session.covers(**chat, false) || session.covers(**chat, true);
        chats.extend(named.keys().filter(covered));
        let most = self.shared().limits.followed_chats_max;
        if chats.len() > most {
            let text = format!("a connection follows at most {most} chats");
            return Err(ApiError::new(Reason::RateLimitExceeded, text));
        }
        let chats: Vec<ChatId> = chats.into_iter().collect();
        let ticket = self.number();
        *session.opening.borrow_mut() =
            Some(Opening { ticket, outstanding: 0, chats: BTreeMap::new(), unavailable: false, settled: None });
        for some in chats.chunks(AT_ONCE) {
            self.follow_some(session, ticket, some, named).await?;
        }
        let opening = session.opening.borrow_mut().take().ok_or_else(ended)?;
        // Held followers stay held until the answer is out.
        if opening.unavailable {
            return Err(unavailable());
        }
        Ok(opening.chats)
    }

    async fn follow_some(
        &self,
        session: &Rc<Session>,
        ticket: u64,
        chats: &[ChatId],
        named: &HashMap<ChatId, String>,
    ) -> Result<(), ApiError> {
        let (settled, all_said) = oneshot::channel();
        if let Some(opening) = session.opening.borrow_mut().as_mut() {
            opening.outstanding = chats.len();
            opening.settled = Some(settled);
        }
        for chat in chats {
            let begin = named.get(chat).map_or(Begin::Now, |cursor| Begin::Since(cursor.clone()));
            self.wish(session, *chat, Some(ticket), begin);
        }
        let wait = self.shared().chats.deps().wait * 2 + GRACE;
        match tokio::time::timeout(wait, all_said).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(ended()),
            Err(_) => Err(unavailable()),
        }
    }

    /// The chats that these topics may let the session hear, from the indexes.
    async fn scope(&self, session: &Rc<Session>, topics: &[Topic]) -> Result<HashSet<ChatId>, ApiError> {
        let mut chats = HashSet::new();
        let mut lists: Vec<ChatList> = topics
            .iter()
            .map(|topic| match topic.scope {
                Scope::Agent(agent) => ChatList::Agent(agent),
                Scope::Customer(_) => ChatList::All,
            })
            .collect();
        lists.dedup();
        for list in lists {
            for chat in self.listed(session, list).await? {
                if topics.iter().any(|topic| topic.covers(chat)) {
                    chats.insert(chat);
                }
            }
        }
        Ok(chats)
    }

    /// Everything in a list, up to as much as a connection may follow and one more.
    pub(super) async fn listed(&self, session: &Rc<Session>, list: ChatList) -> Result<Vec<ChatId>, ApiError> {
        let customer = session.verified.caller.customer;
        let index = &self.shared().chats.deps().store.index;
        let (mut chats, mut around) = (Vec::new(), Around::Newest);
        while chats.len() <= self.shared().limits.followed_chats_max {
            let rows = index.chats(customer, list, around, ROWS).await?;
            let Some((at, id)) = rows.last() else { break };
            around = Around::Before(*at, id.0);
            chats.extend(rows.into_iter().map(|(_, id)| id));
        }
        Ok(chats)
    }

    /// Sends the answer, and behind it what the session has to catch up on.
    fn in_force(
        &self,
        session: &Rc<Session>,
        kind: &'static str,
        id: Option<String>,
        chats: Option<BTreeMap<uuid::Uuid, ResumeState>>,
    ) {
        self.answer(session, kind, id, chats);
        self.release_held(session);
    }

    fn release_held(&self, session: &Rc<Session>) {
        let mut behind = Vec::new();
        {
            let follows = session.follows.borrow().clone();
            let mut table = self.board.table.borrow_mut();
            for chat in follows {
                let Some(follower) = table.chats.get_mut(&chat).and_then(|local| local.follower(session.key)) else {
                    continue;
                };
                match follower.pace {
                    Pace::Held(true) => {
                        follower.pace = Pace::CatchingUp;
                        behind.push((chat, follower.last));
                    }
                    Pace::Held(false) => follower.pace = Pace::Live,
                    Pace::Live | Pace::CatchingUp => {}
                }
            }
        }
        for (chat, last) in behind {
            self.ask_for_more(session, chat, last);
        }
    }

    fn answer(
        &self,
        session: &Rc<Session>,
        kind: &'static str,
        id: Option<String>,
        chats: Option<BTreeMap<uuid::Uuid, ResumeState>>,
    ) {
        if id.is_none() && chats.is_none() {
            return;
        }
        let topics = session.topics.borrow().iter().map(|topic| topic.as_str().to_owned()).collect();
        let frame = encode(&AnswerFrame { r#type: kind, id, topics, chats });
        if session.outbox.push(frame) == crate::fanout::outbox::Verdict::Overflow {
            self.close(session, crate::wire::CloseCause::SlowConsumer);
        }
    }
}

struct Added {
    topics: Vec<Topic>,
    /// Whether the session held none before.
    first: bool,
}

fn ended() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "the connection has ended")
}

fn unavailable() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "the store does not answer; try again")
}
