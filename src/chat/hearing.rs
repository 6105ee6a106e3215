//! What a chat hears: events, that events may have been missed, and how far others say they wrote.

use std::sync::atomic::Ordering;

use actix::{AsyncContext, Context, Handler};

use crate::fanout::ear::{Arrived, Reconnected, Told};
use crate::sabotage::{Safeguard, off};

use super::actor::{ChatActor, GAP_PATIENCE};

/// Whether this hub, sabotaged for a test, does not look after what it may have missed.
pub(super) fn blind() -> bool {
    off(Safeguard::Resubscribe) || off(Safeguard::Holes)
}

impl ChatActor {
    /// Looks if what a beacon told of has still not come. A chat that nobody follows need not know.
    fn doubt(&mut self, ctx: &mut Context<Self>) {
        if std::mem::take(&mut self.told) > self.head_seq() && !self.desks.is_empty() {
            self.suspicious = true;
            self.look(ctx);
        }
    }
}

impl Handler<Arrived> for ChatActor {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, ctx: &mut Self::Context) {
        self.take(arrived.0, false, ctx);
        if self.behind.swap(false, Ordering::AcqRel) {
            self.suspicious = true;
            self.look(ctx);
        }
    }
}

impl Handler<Reconnected> for ChatActor {
    type Result = ();

    fn handle(&mut self, _: Reconnected, ctx: &mut Self::Context) {
        if blind() {
            return;
        }
        self.suspicious = true;
        self.look(ctx);
    }
}

impl Handler<Told> for ChatActor {
    type Result = ();

    fn handle(&mut self, Told(newest): Told, ctx: &mut Self::Context) {
        if newest <= self.head_seq() || self.desks.is_empty() || blind() {
            return;
        }
        // Beacon and event come by ways of their own: the event may be about to arrive.
        if self.told == 0 {
            ctx.run_later(GAP_PATIENCE, Self::doubt);
        }
        self.told = self.told.max(newest);
    }
}
