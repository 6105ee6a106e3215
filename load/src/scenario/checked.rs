//! Which values make sense. What does not is refused before anything is started, with the knob's name.

use super::{Arrivals, Error, Scenario, Until};
use crate::client::event::STAMP_BYTES;

/// Seconds that anything in a scenario may take: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The most of anything that is counted.
const COUNT_MAX: usize = 10_000_000;

impl Scenario {
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |key, problem: &str| Err(Error::Value { key, problem: problem.to_owned() });
        for (key, value, least) in [
            ("people", self.people, 1),
            ("chats", self.chats, 1),
            ("members", self.members, 1),
            ("connect_at_once", self.connect_at_once, 1),
            ("senders", self.senders, 1),
            ("window", self.window, 1),
            ("waiting_max", self.waiting_max, 1),
            ("page_size", self.page_size, 1),
            ("reactions_per_message", self.reactions_per_message, 1),
            ("text_bytes", self.text_bytes, STAMP_BYTES),
            ("connections", self.connections, 0),
            ("stored_messages", self.stored_messages, 0),
            ("restarts", self.restarts, 0),
            ("sends", self.sends as usize, 0),
            ("reactions", self.reactions as usize, 0),
            ("history", self.history as usize, 0),
        ] {
            if value < least || value > COUNT_MAX {
                return Err(Error::Value { key, problem: format!("must be from {least} to {COUNT_MAX}") });
            }
        }
        for (key, value, most) in [
            ("connect_per_second", self.connect_per_second, 1e6),
            ("connect_seconds", self.connect_seconds, SECONDS_MAX),
            ("rate", self.rate, 1e6),
            ("think_ms", self.think_ms, SECONDS_MAX * 1e3),
            ("stalled_percent", self.stalled_percent, 100.0),
            ("dropped_percent", self.dropped_percent, 100.0),
            ("drop_after_seconds", self.drop_after_seconds, SECONDS_MAX),
            ("warm_up_seconds", self.warm_up_seconds, SECONDS_MAX),
            ("seconds", self.seconds, SECONDS_MAX),
            ("settle_seconds", self.settle_seconds, SECONDS_MAX),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Value { key, problem: format!("must be from 0 to {most}") });
            }
        }
        if self.members > self.people {
            return wrong("members", "there are not so many people");
        }
        if self.arrivals == Arrivals::Rate && self.rate <= 0.0 {
            return wrong("rate", "must be above 0, or arrivals = \"none\"");
        }
        if self.arrivals != Arrivals::None && self.sends + self.reactions + self.history == 0 {
            return wrong("sends", "nothing is to be done: sends, reactions or history must be above 0");
        }
        if self.reactions > 0 && self.stored_messages == 0 {
            return wrong("reactions", "needs stored_messages to react to");
        }
        if self.seconds < 0.1 && self.restarts == 0 {
            return wrong("seconds", "must be at least 0.1");
        }
        if self.waits_for_nobody() {
            return wrong("window_until", "a chat has no subscriber to wait for: acknowledged, or more connections");
        }
        if self.dropped_percent > 0.0 && self.drop_after_seconds > self.seconds {
            return wrong("drop_after_seconds", "is after the end");
        }
        Ok(())
    }

    /// Whether a place in the window would never be free again. Sockets are those of the first agents, and those that
    /// are not read are the first of them.
    fn waits_for_nobody(&self) -> bool {
        let waits = self.arrivals == Arrivals::Window && self.window_until == Until::Delivered && self.connections > 0;
        let heard = |member: usize| (self.stalled()..self.connections).contains(&member);
        let all = self.connections >= self.people && self.stalled() == 0;
        waits && !all && (0..self.chats).any(|chat| !self.members_of(chat).any(heard))
    }
}
