//! The one place where an event meets an outbox, and what sockets do that are behind.

use std::rc::Rc;
use std::sync::Arc;

use crate::chat::following::CatchUp;
use crate::fanout::desk::{Members, Outgoing, Replay, ReplayEnd, Turnover};
use crate::fanout::outbox::Verdict;
use crate::model::{AgentId, ChatId, ChatKey, Position};
use crate::sabotage::{Safeguard, off};
use crate::telemetry::metric;
use crate::wire::CloseCause;
use crate::wire::frames::TextFrame;

use super::follower::{LocalChat, Pace, Session};
use super::switchboard::{Switchboard, TRY_AGAIN};

impl Switchboard {
    /// Gives the next event of a chat to those who follow it.
    pub(super) fn event(&self, event: &Arc<Outgoing>) {
        let key = event.chat.key();
        let traced = !event.span.is_none();
        let span = if traced {
            tracing::debug_span!(parent: &event.span, "deliver", seq = event.seq, sockets = tracing::field::Empty)
        } else {
            tracing::Span::none()
        };
        let _within = span.enter();
        if let Turnover::Came(agents) = &event.turnover {
            self.came(event, agents);
        }
        let mut table = self.board.table.borrow_mut();
        let Some(local) = table.chats.get_mut(&key) else { return };
        let (mut heard, mut slow, mut behind) = (0u64, Vec::new(), Vec::new());
        for follower in &mut local.followers {
            match follower.pace {
                Pace::Live if event.seq == follower.last + 1 && follower.has_no_room_for(event) => {
                    follower.pace = Pace::CatchingUp;
                    behind.push(Rc::clone(&follower.session));
                }
                Pace::Live
                    if event.seq == follower.last + 1 || (event.seq > follower.last && off(Safeguard::Holes)) =>
                {
                    follower.last = event.seq;
                    heard += 1;
                    if follower.session.hear(event, follower.member) == Verdict::Overflow {
                        slow.push(Rc::clone(&follower.session));
                    }
                }
                Pace::Live if event.seq > follower.last => {
                    follower.pace = Pace::CatchingUp;
                    behind.push(Rc::clone(&follower.session));
                }
                Pace::Held(_) => follower.pace = Pace::Held(true),
                Pace::CatchingUp if follower.owe(event) == Verdict::Overflow => {
                    slow.push(Rc::clone(&follower.session));
                }
                Pace::Live | Pace::CatchingUp => {}
            }
        }
        if let Turnover::Went(agent) = event.turnover {
            went(local, agent);
            self.release(&mut table, key);
        }
        drop(table);
        metrics::counter!(metric::DELIVERIES).increment(heard);
        span.record("sockets", heard);
        self.close_all(slow, CloseCause::SlowConsumer);
        for session in behind {
            self.catch_up(&session, key);
        }
    }

    fn close_all(&self, sessions: Vec<Rc<Session>>, cause: CloseCause) {
        for session in sessions {
            self.close(&session, cause);
        }
    }

    /// Sockets of those who come in with this event follow the chat from it on.
    fn came(&self, event: &Outgoing, agents: &[AgentId]) {
        let (members, watchers) = {
            let mut table = self.board.table.borrow_mut();
            let Some(local) = table.chats.get_mut(&event.chat.key()) else { return };
            // Who watched as an outsider hears as a member from here on.
            for follower in &mut local.followers {
                follower.member |= agents.contains(&follower.session.agent());
            }
            let members: Vec<Rc<Session>> =
                agents.iter().filter_map(|agent| table.by_agent.get(agent)).flatten().cloned().collect();
            (members, if event.seq == 1 { table.of_customer(event.customer) } else { Vec::new() })
        };
        let sessions = members.iter().map(|session| (session, true)).chain(watchers.iter().map(|s| (s, false)));
        for (session, member) in sessions {
            let pace = if session.subscribing.get() { Pace::Held(true) } else { Pace::Live };
            self.add_follower(session, event.chat, event.seq - 1, pace, member);
        }
    }

    // ------------------------------------------------------------------------------ catching up

    /// Has the session catch up on the chat: now, or when those before it are done.
    pub(super) fn catch_up(&self, session: &Rc<Session>, chat: ChatKey) {
        let waits = session.catching_up.get() == Some(chat) || session.behind.borrow().contains(&chat);
        if !waits {
            session.behind.borrow_mut().push_back(chat);
        }
        self.go_on(session);
    }

    /// Asks for the next stretch of older events, if there is room for them.
    pub fn go_on(&self, session: &Rc<Session>) {
        if session.ended.get() || session.catching_up.get().is_some() {
            return;
        }
        let Some(room_bytes) = session.socket.room_for_older() else { return };
        let wish = loop {
            let Some(chat) = session.behind.borrow_mut().pop_front() else { return };
            let mut table = self.board.table.borrow_mut();
            let Some(local) = table.chats.get_mut(&chat) else { continue };
            let watches = session.covers(local.id, true);
            let Some(follower) = local.follower(session.key) else { continue };
            if follower.pace == Pace::CatchingUp {
                session.catching_up.set(Some(chat));
                let (session, agent) = (session.key, session.agent());
                break (
                    chat,
                    CatchUp { desk: self.board.desk, session, agent, watches, from: follower.last, room_bytes },
                );
            }
        };
        // Who has gone meanwhile is not kept, nor is its connection.
        let (switchboard, session) = (self.clone(), Rc::downgrade(session));
        actix::spawn(async move {
            let (chat, wish) = wish;
            let Ok(place) = switchboard.shared().admission.resume().await else { return };
            let Some(session) = session.upgrade().filter(|session| !session.ended.get()) else { return };
            session.place.replace(Some(place));
            if switchboard.shared().chats.tell(chat, wish).await.is_err() {
                switchboard.catch_up_later(&session, chat);
            }
        });
    }

    fn catch_up_later(&self, session: &Rc<Session>, chat: ChatKey) {
        session.place.take();
        let (switchboard, session) = (self.clone(), Rc::downgrade(session));
        actix::spawn(async move {
            tokio::time::sleep(TRY_AGAIN).await;
            let Some(session) = session.upgrade() else { return };
            session.catching_up.set(None);
            session.behind.borrow_mut().push_back(chat);
            switchboard.go_on(&session);
        });
    }

    pub(super) fn replay(&self, replay: &Replay) {
        let Some(session) = self.session(replay.session) else { return };
        if session.catching_up.get() != Some(replay.chat) {
            return;
        }
        if replay.end == ReplayEnd::Unavailable {
            return self.catch_up_later(&session, replay.chat);
        }
        session.place.take();
        session.catching_up.set(None);
        let end = self.give(&session, replay);
        match end {
            Some(ReplayEnd::More) => session.behind.borrow_mut().push_front(replay.chat),
            Some(ReplayEnd::Left) => {
                let mut table = self.board.table.borrow_mut();
                if let Some(local) = table.chats.get_mut(&replay.chat) {
                    local.drop_follower(session.key);
                }
                session.follows.borrow_mut().remove(&replay.chat);
                self.release(&mut table, replay.chat);
            }
            Some(ReplayEnd::Live | ReplayEnd::Unavailable) => {}
            None => self.close(&session, CloseCause::SlowConsumer),
        }
        self.go_on(&session);
    }

    /// Gives older events to a follower that waits for them. Answers with what comes next; `None`
    /// when they do not fit.
    fn give(&self, session: &Rc<Session>, replay: &Replay) -> Option<ReplayEnd> {
        let mut table = self.board.table.borrow_mut();
        let follower = table.chats.get_mut(&replay.chat).and_then(|local| local.follower(session.key));
        let Some(follower) = follower.filter(|follower| follower.pace == Pace::CatchingUp) else {
            return Some(ReplayEnd::Live);
        };
        if follower.last != replay.from {
            // Asked before it began anew somewhere else.
            return Some(ReplayEnd::More);
        }
        let mut heard = 0u64;
        for event in &replay.events {
            if event.seq != follower.last + 1 {
                continue;
            }
            follower.last = event.seq;
            heard += 1;
            if session.hear(event, follower.member) == Verdict::Overflow {
                return None;
            }
        }
        metrics::counter!(metric::DELIVERIES).increment(heard);
        if replay.end == ReplayEnd::Live {
            follower.pace = Pace::Live;
        }
        Some(replay.end)
    }

    // -------------------------------------------------------------------- when history is another

    /// The chat's history was rewritten: everybody who follows is told, and who is in it is looked
    /// at anew.
    pub(super) fn resync(&self, chat: ChatId, head: Position, frame: &TextFrame, members: &Members) {
        let mut slow = Vec::new();
        if let Some(local) = self.board.table.borrow_mut().chats.get_mut(&chat.key()) {
            for follower in &mut local.followers {
                (follower.last, follower.began) = (head.seq, head.seq);
                if !matches!(follower.pace, Pace::Held(_)) {
                    follower.pace = Pace::Live;
                }
                if follower.session.socket.push(frame.clone()) == Verdict::Overflow {
                    slow.push(Rc::clone(&follower.session));
                }
            }
        }
        self.close_all(slow, CloseCause::SlowConsumer);
        self.sort_out(chat, members);
    }

    /// So much has happened that it was not read one by one: everybody catches up.
    pub(super) fn leapt(&self, chat: ChatId, head: u64, members: &Members) {
        let mut behind = Vec::new();
        if let Some(local) = self.board.table.borrow_mut().chats.get_mut(&chat.key()) {
            for follower in &mut local.followers {
                match follower.pace {
                    Pace::Live if follower.last < head => {
                        follower.pace = Pace::CatchingUp;
                        behind.push(Rc::clone(&follower.session));
                    }
                    Pace::Held(_) => follower.pace = Pace::Held(true),
                    Pace::Live | Pace::CatchingUp => {}
                }
            }
        }
        for session in behind {
            self.catch_up(&session, chat.key());
        }
        self.sort_out(chat, members);
    }

    /// Lets go of those who are no members any more and hear no older events, and has those ask
    /// who are and do not follow.
    fn sort_out(&self, chat: ChatId, members: &Members) {
        let missing: Vec<Rc<Session>> = {
            let mut table = self.board.table.borrow_mut();
            let Some(local) = table.chats.get_mut(&chat.key()) else { return };
            local.keep_followers(|follower| {
                follower.member = members.contains(&follower.session.agent());
                follower.member || follower.pace != Pace::Live || follower.session.covers(chat, true)
            });
            let here = members.iter().filter_map(|agent| table.by_agent.get(agent)).flatten();
            here.filter(|session| session.covers(chat, false)).cloned().collect()
        };
        for session in missing {
            self.wish_unless_followed(&session, chat);
        }
    }

    /// Nobody says any more what happens in the chat: who follows it comes back and resumes.
    pub(super) fn lost(&self, chat: ChatKey) {
        let lost = self.board.table.borrow_mut().chats.remove(&chat);
        let sessions = lost.map(|local| local.followers.into_iter().map(|follower| follower.session).collect());
        self.close_all(sessions.unwrap_or_default(), CloseCause::Internal);
    }
}

/// Who has left hears nothing more, unless a topic of the customer's lets it hear every chat. One
/// that is behind still gets its removal; the chat ends that.
fn went(local: &mut LocalChat, agent: AgentId) {
    let id = local.id;
    local.keep_followers(|follower| {
        if follower.session.agent() != agent || follower.pace != Pace::Live {
            return true;
        }
        follower.member = false;
        follower.session.covers(id, true)
    });
}
