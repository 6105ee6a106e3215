//! Subscriptions: from a client's frame to being in force.
//!
//! A subscription is in force once every chat in its scope has said from where it is followed.
//! Until then its followers are held; then the answer goes out, and behind it, chat by chat, what
//! came after the client's cursors or meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::chat::following::Begin;
use crate::fanout::topic::{Scope, Topic};
use crate::model::{ChatId, ChatKey};
use crate::people::AuthError;
use crate::store::ChatList;
use crate::wire::frames::{AnswerFrame, ResumeState, encode};
use crate::wire::{ApiError, CloseCause, Reason};

use super::follower::{Opening, Pace, Session};
use super::switchboard::Switchboard;

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
        let named = read_since(since.as_ref())?;
        let _place = self.shared().admission.resume().await?;
        session.subscribing.set(true);
        let done = self.subscribe_now(session, topics, &named).await;
        session.subscribing.set(false);
        let chats = match done {
            Ok(chats) => chats,
            Err(error) => {
                self.release_held(session);
                self.take_up_noted(session);
                return Err(error);
            }
        };
        self.answer(session, "subscribed", id, since.map(|_| chats));
        self.release_held(session);
        self.take_up_noted(session);
        Ok(())
    }

    async fn subscribe_now(
        &self,
        session: &Rc<Session>,
        topics: &[String],
        named: &HashMap<ChatId, String>,
    ) -> Result<BTreeMap<uuid::Uuid, ResumeState>, ApiError> {
        // Once its news is heard, the credential is looked at: from then on its end is heard too.
        self.shared().ear.hear_customer(session.verified.caller.customer).await;
        let caller = match self.shared().people.verify_again(&session.verified).await {
            Ok(caller) => caller,
            Err(error) => {
                if matches!(error, AuthError::Invalid(_)) {
                    self.close(session, CloseCause::CredentialEnded);
                }
                return Err(error.into());
            }
        };
        let wanted = topics.iter().map(|topic| Topic::parse(topic, &caller)).collect::<Result<Vec<_>, _>>()?;
        let added = self.add_topics(session, &wanted)?;
        let done = self.come_into_force(session, &wanted, named).await;
        if done.is_err() {
            session.topics.borrow_mut().retain(|topic| !added.contains(topic));
            session.opening.borrow_mut().take();
            self.let_go_of_uncovered(session);
        }
        done
    }

    /// Ends topics, and answers if an answer is wanted.
    ///
    /// # Errors
    /// A topic that the socket could not hold in the first place.
    pub fn unsubscribe(&self, session: &Rc<Session>, topics: &[String], id: Option<String>) -> Result<(), ApiError> {
        for topic in topics {
            Topic::parse(topic, &session.verified.caller)?;
        }
        session.topics.borrow_mut().retain(|topic| !topics.iter().any(|ended| ended == topic.as_str()));
        self.let_go_of_uncovered(session);
        self.answer(session, "unsubscribed", id, None);
        Ok(())
    }

    /// Puts topics to the session's own; answers with those that are new.
    fn add_topics(&self, session: &Rc<Session>, wanted: &[Topic]) -> Result<Vec<Topic>, ApiError> {
        let mut topics = session.topics.borrow_mut();
        let mut added: Vec<Topic> = Vec::new();
        for topic in wanted {
            if !topics.contains(topic) && !added.contains(topic) {
                added.push(topic.clone());
            }
        }
        let most = self.shared().limits.topics_max;
        if topics.len() + added.len() > most {
            let text = format!("a connection holds at most {most} topics");
            return Err(ApiError::new(Reason::RateLimitExceeded, text));
        }
        topics.extend(added.iter().cloned());
        Ok(added)
    }

    /// Lets go of the chats that no topic covers any more.
    fn let_go_of_uncovered(&self, session: &Rc<Session>) {
        let follows: Vec<ChatKey> = session.follows.borrow().iter().copied().collect();
        let mut table = self.board.table.borrow_mut();
        for chat in follows {
            let Some(local) = table.chats.get_mut(&chat) else { continue };
            let id = local.id;
            let member = local.follower(session.key).is_some_and(|follower| follower.member);
            if (member && session.covers(id, false)) || session.covers(id, true) {
                continue;
            }
            local.drop_follower(session.key);
            session.follows.borrow_mut().remove(&chat);
            self.release(&mut table, chat);
        }
    }

    /// Chats that were in the news while the subscription was on its way.
    fn take_up_noted(&self, session: &Rc<Session>) {
        let noted = std::mem::take(&mut *session.noted.borrow_mut());
        for chat in noted {
            self.wish_unless_followed(session, chat);
        }
    }

    /// Has every chat in scope say from where it is followed.
    async fn come_into_force(
        &self,
        session: &Rc<Session>,
        topics: &[Topic],
        named: &HashMap<ChatId, String>,
    ) -> Result<BTreeMap<uuid::Uuid, ResumeState>, ApiError> {
        let mut chats: HashSet<ChatId> = self.scope(session, topics).await?;
        chats.extend(named.keys().filter(|chat| topics.iter().any(|topic| topic.covers(**chat))));
        let most = self.shared().limits.followed_chats_max;
        if chats.len() > most {
            let text = format!("a connection follows at most {most} chats");
            return Err(ApiError::new(Reason::RateLimitExceeded, text));
        }
        let chats: Vec<ChatId> = chats.into_iter().collect();
        let ticket = self.number();
        *session.opening.borrow_mut() = Some(Opening {
            ticket,
            outstanding: 0,
            chats: BTreeMap::new(),
            named: named.keys().copied().collect(),
            unavailable: false,
            settled: None,
        });
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
        if session.ended.get() {
            return Err(ended());
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
            let listed = self.listed(session, list).await?;
            chats.extend(listed.iter().copied().filter(|chat| topics.iter().any(|topic| topic.covers(*chat))));
        }
        Ok(chats)
    }

    /// Everything in a list, up to as much as a connection may follow and one more.
    pub(super) async fn listed(&self, session: &Rc<Session>, list: ChatList) -> Result<Arc<[ChatId]>, ApiError> {
        Ok(self.shared().lists.chats(session.verified.caller.customer, list).await?)
    }

    /// Lets held followers go on: live, or with what they have to catch up on.
    fn release_held(&self, session: &Rc<Session>) {
        let mut behind = Vec::new();
        {
            let follows: Vec<ChatKey> = session.follows.borrow().iter().copied().collect();
            let mut table = self.board.table.borrow_mut();
            for chat in follows {
                let Some(follower) = table.chats.get_mut(&chat).and_then(|local| local.follower(session.key)) else {
                    continue;
                };
                match follower.pace {
                    Pace::Held(true) => {
                        follower.pace = Pace::CatchingUp;
                        behind.push(chat);
                    }
                    Pace::Held(false) => follower.pace = Pace::Live,
                    Pace::Live | Pace::CatchingUp => {}
                }
            }
        }
        for chat in behind {
            self.catch_up(session, chat);
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
        if session.socket.push(frame) == crate::fanout::outbox::Verdict::Overflow {
            self.close(session, CloseCause::SlowConsumer);
        }
    }
}

/// Where the client says it stands.
fn read_since(since: Option<&HashMap<String, String>>) -> Result<HashMap<ChatId, String>, ApiError> {
    let wrong = || ApiError::argument("since must name chats by their id");
    let named = since.into_iter().flatten();
    named.map(|(chat, cursor)| Ok((ChatId::parse(chat).ok_or_else(wrong)?, cursor.clone()))).collect()
}

fn ended() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "the connection has ended")
}

fn unavailable() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "the store does not answer; try again")
}
