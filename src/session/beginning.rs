//! From where on a socket hears a chat.

use std::rc::Rc;
use std::time::Instant;

use crate::model::{ChatId, ChatKey, Position};
use crate::wire::CloseCause;
use crate::wire::frames::LostReason;

use super::follower::{Follower, Pace, Session};
use super::switchboard::{KEPT, Switchboard};

impl Switchboard {
    /// Has the session follow the chat after event `from`, held until the answer is out. Answers
    /// with why events are lost that the client asked for.
    pub(super) fn begin(
        &self,
        session: &Rc<Session>,
        chat: ChatId,
        from: u64,
        head: Position,
        lost: Option<LostReason>,
        member: bool,
    ) -> Option<LostReason> {
        if self.add_follower(session, chat, from, Pace::Held(from < head.seq), member) {
            return lost;
        }
        // It follows already, from `began` on.
        let mut table = self.board.table.borrow_mut();
        let follower = table.chats.get_mut(&chat.key()).and_then(|local| local.follower(session.key))?;
        follower.member |= member;
        if matches!(follower.pace, Pace::Held(_)) && follower.last == follower.began && from > follower.last {
            // It came in meanwhile, was given nothing yet, and the answer says where it stands.
            (follower.began, follower.last) = (from, from);
        }
        if from >= follower.began {
            return lost;
        }
        if follower.last > follower.began {
            // Later events were given on this connection: the older ones cannot come behind them.
            return Some(LostReason::Trimmed);
        }
        (follower.last, follower.began, follower.pace) = (from, from, Pace::Held(true));
        lost
    }

    /// Hears a chat for a while although nobody follows: somebody may be about to come in.
    pub(super) fn keep(&self, chat: ChatKey) {
        if let Some(local) = self.board.table.borrow_mut().chats.get_mut(&chat) {
            local.kept_until = Instant::now() + KEPT;
        }
    }

    /// Has the session hear the chat after event `last`; `false` if it does already, or cannot.
    pub(super) fn add_follower(
        &self,
        session: &Rc<Session>,
        chat: ChatId,
        last: u64,
        pace: Pace,
        member: bool,
    ) -> bool {
        let mut table = self.board.table.borrow_mut();
        let Some(local) = table.chats.get_mut(&chat.key()) else { return false };
        let covered = (member && session.covers(chat, false)) || session.covers(chat, true);
        if session.ended.get() || !covered || local.follower(session.key).is_some() {
            return false;
        }
        if session.follows.borrow().len() >= self.shared().limits.followed_chats_max {
            drop(table);
            tracing::warn!(request_id = session.request_id, "follows more chats than a connection may");
            self.close(session, CloseCause::Policy);
            return false;
        }
        local.followers.push(Follower { session: Rc::clone(session), last, began: last, pace, member });
        session.follows.borrow_mut().insert(chat.key());
        true
    }
}
