//! What a switchboard does for its sockets by itself: pings, silences, ended credentials, cuts,
//! and news of its customers. One timer for all sockets of a worker. News that was missed is made
//! up for by all sockets of a customer together, and by one walk at a time.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join;
use futures_util::{StreamExt, stream};

use crate::chat::following::Begin;
use crate::fanout::outbox::Verdict;
use crate::model::{AgentId, ChatId, CustomerId};
use crate::people::AuthError;
use crate::store::{ChatList, Notice};
use crate::wire::CloseCause;
use crate::wire::frames::{AGENT_STATUS_UPDATED, EventFrame, encode};

use super::follower::Session;
use super::switchboard::{Switchboard, TRY_AGAIN};

/// How often sockets are tended.
const TICK: Duration = Duration::from_secs(1);
/// How long a socket that is closed may take to write its close frame, and its peer to end its side.
pub(super) const CUT_AFTER: Duration = Duration::from_secs(2);
/// Sockets of a customer that look again at once. What they ask is read for all of them together.
const LOOKS_AT_ONCE: usize = 1024;

impl Switchboard {
    pub(super) async fn tend(self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = 0u64;
        loop {
            tick.tick().await;
            turn += 1;
            self.tend_sessions(turn);
            self.cut_closed();
            self.release_unfollowed();
        }
    }

    fn tend_sessions(&self, turn: u64) {
        let every = self.shared().ping.as_secs().max(1);
        let sessions: Vec<Rc<Session>> = self.board.table.borrow().sessions.values().cloned().collect();
        let (now, clock) = (Instant::now(), SystemTime::now());
        for session in sessions {
            if session.verified.expires.is_some_and(|end| end <= clock) {
                self.close(&session, CloseCause::CredentialEnded);
            } else if now.duration_since(session.heard.get()) >= self.shared().idle {
                self.close(&session, CloseCause::Idle);
            } else if (turn + session.key.0).is_multiple_of(every) {
                // Spread by the session's number, so that not all ping in one second.
                session.socket.ping();
            }
        }
    }

    fn cut_closed(&self) {
        let now = Instant::now();
        self.board.table.borrow_mut().cuts.retain(|(until, session)| {
            let late = *until <= now;
            if late && let Some(session) = session.upgrade() {
                session.socket.cut();
            }
            !late && session.strong_count() > 0
        });
    }

    fn release_unfollowed(&self) {
        let now = Instant::now();
        let mut table = self.board.table.borrow_mut();
        let unfollowed: Vec<_> = table
            .chats
            .iter()
            .filter(|(_, local)| local.followers.is_empty() && local.outstanding == 0 && local.kept_until <= now)
            .map(|(key, _)| *key)
            .collect();
        for chat in unfollowed {
            self.release(&mut table, chat);
        }
    }

    /// Closes every socket, each at its own moment within the time.
    pub(super) fn leave(&self, over: Duration) {
        let sessions: Vec<Rc<Session>> = self.board.table.borrow().sessions.values().cloned().collect();
        for session in sessions {
            let (switchboard, session) = (self.clone(), Rc::downgrade(&session));
            let moment = over.mul_f64(rand::random::<f64>());
            actix::spawn(async move {
                tokio::time::sleep(moment).await;
                if let Some(session) = session.upgrade() {
                    switchboard.close(&session, CloseCause::Restart);
                }
            });
        }
    }

    // ------------------------------------------------------------------------------------- news

    pub(super) fn noticed(&self, customer: CustomerId, notice: &Arc<Notice>) {
        match &**notice {
            Notice::Announced { chat, agents } => self.announced(customer, *chat, agents),
            Notice::AgentChanged { agent } => {
                let sessions = self.board.table.borrow().by_agent.get(agent).cloned().unwrap_or_default();
                for session in sessions {
                    let switchboard = self.clone();
                    actix::spawn(async move { switchboard.verify_again(&session).await });
                }
            }
            Notice::AgentStatus { json } => self.status_changed(customer, json),
        }
    }

    /// A chat may be about to concern these agents: it is heard before they come in.
    fn announced(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) {
        let concerned: Vec<Rc<Session>> = {
            let table = self.board.table.borrow();
            let members = agents.iter().filter_map(|agent| table.by_agent.get(agent)).flatten();
            let members = members.filter(|session| session.covers(chat, false)).cloned();
            let watchers = table.of_customer(customer).into_iter().filter(|session| session.covers(chat, true));
            members.chain(watchers).collect()
        };
        for session in concerned {
            self.wish_unless_followed(&session, chat);
        }
    }

    /// Has the chat say whether the session follows it. While the session subscribes, the
    /// subscription may be about to ask that, so it is only noted.
    pub(super) fn wish_unless_followed(&self, session: &Rc<Session>, chat: ChatId) {
        if session.ended.get() || session.follows.borrow().contains(&chat.key()) {
            return;
        }
        if session.subscribing.get() {
            let mut noted = session.noted.borrow_mut();
            if noted.len() < self.shared().limits.followed_chats_max {
                noted.insert(chat);
            }
            return;
        }
        self.wish(session, chat, None, Begin::Joining);
    }

    /// News was missed: every list is read again, and every credential looked at. All sockets of
    /// the customer ask at once, so that the last one waits no longer than the first. What is
    /// missed meanwhile begins another walk after this one, and never a second beside it.
    pub(super) fn missed(&self, customer: CustomerId) {
        // What was kept may be of a history whose numbers are given out again.
        self.shared().lists.forget(customer);
        if self.board.table.borrow_mut().looking.insert(customer, true).is_some() {
            return;
        }
        let switchboard = self.clone();
        actix::spawn(async move {
            while switchboard.looks_again(customer) {
                let sessions = switchboard.board.table.borrow().of_customer(customer);
                let look = async |session: Rc<Session>| {
                    join(switchboard.verify_again(&session), switchboard.look_up(&session)).await;
                };
                stream::iter(sessions).for_each_concurrent(LOOKS_AT_ONCE, look).await;
            }
        });
    }

    /// Whether a walk over the customer's sockets has to begin; if not, the last one has ended.
    fn looks_again(&self, customer: CustomerId) -> bool {
        let looking = &mut self.board.table.borrow_mut().looking;
        let again = looking.insert(customer, false) == Some(true);
        if !again {
            looking.remove(&customer);
        }
        again
    }

    /// Reads the session's lists again, for chats that it should follow and does not. Goes on
    /// until the store answers or the socket ends.
    async fn look_up(&self, session: &Rc<Session>) {
        while !session.ended.get() && !session.topics.borrow().is_empty() {
            let mut lists = vec![ChatList::Agent(session.agent())];
            if session.watches() {
                lists.push(ChatList::All);
            }
            let mut answered = true;
            for list in lists {
                match self.listed(session, list).await {
                    Ok(chats) => {
                        let watching = list == ChatList::All;
                        for chat in chats.iter().copied().filter(|chat| session.covers(*chat, watching)) {
                            self.wish_unless_followed(session, chat);
                        }
                    }
                    Err(_) => answered = false,
                }
            }
            if answered {
                return;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Looks at the session's credential again, until the store answers or the socket ends.
    async fn verify_again(&self, session: &Rc<Session>) {
        while !session.ended.get() {
            let lost = match self.shared().people.verify_again(&session.verified).await {
                Ok(caller) => session.watches() && !caller.permissions.manages_customer(),
                Err(AuthError::Invalid(_)) => true,
                Err(AuthError::Store(_)) => {
                    tokio::time::sleep(TRY_AGAIN).await;
                    continue;
                }
            };
            if lost {
                self.close(session, CloseCause::CredentialEnded);
            }
            return;
        }
    }

    fn status_changed(&self, customer: CustomerId, json: &str) {
        let Ok(data) = serde_json::from_str::<serde_json::Value>(json) else { return };
        let text = |field: &str| data.get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let Some(agent) = AgentId::parse(&text("id")) else { return };
        let timestamp = text("tm_update");
        let frame = encode(&EventFrame {
            r#type: AGENT_STATUS_UPDATED,
            data,
            chat_id: None,
            seq: None,
            cursor: None,
            timestamp,
        });
        let sessions = self.board.table.borrow().of_customer(customer);
        for session in sessions {
            let hears = session.topics.borrow().iter().any(|topic| topic.matches_status(agent));
            if hears && session.socket.push(frame.clone()) == Verdict::Overflow {
                self.close(&session, CloseCause::SlowConsumer);
            }
        }
    }
}
