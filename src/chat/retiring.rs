//! When a chat leaves memory: nobody has used it for a while, or there is no such chat.

use std::time::Instant;

use actix::{ActorContext, Context};

use super::actor::ChatActor;

impl ChatActor {
    fn is_busy(&self) -> bool {
        !self.desks.is_empty() || self.looking || !self.waiting.is_empty() || !self.turns.is_empty()
    }

    /// Asked now and then.
    pub(super) fn retire_if_idle(&mut self, ctx: &mut Context<Self>) {
        // Whoever takes its page from the shelf uses it, too.
        if self.shelf.was_used() {
            self.used = Instant::now();
        }
        if !self.is_busy() && self.used.elapsed() >= self.deps.idle && self.chats.release(self.key) {
            ctx.stop();
        }
    }

    /// A chat that there is not is not kept in memory: anybody can ask for any number of those.
    pub(super) fn retire_if_nothing(&mut self, ctx: &mut Context<Self>) {
        if self.room.is_none() && !self.is_busy() && self.chats.release(self.key) {
            ctx.stop();
        }
    }
}
