//! Heads: which chats were written to through this node lately, and where they stand.
//!
//! What is published can get lost, and the last event before a silence is followed by none that
//! would show the gap. So whoever writes says a little later, a few times, how far it came. One
//! beacon tells of all chats at once: what it costs grows with the nodes, and not with chats that
//! nobody writes to, nor with sockets.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::ChatKey;
use crate::store::{HEADS_MAX, Link};

/// How often is told what was written, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two beacons. Zero: there are none.
    pub every: Duration,
    /// Beacons that tell of one commit.
    pub times: u32,
    /// Chats that wait to be told of; beyond it the oldest fall out.
    pub chats_max: usize,
}

/// The chats that were written to lately. Cheap to clone.
#[derive(Clone)]
pub struct Heads {
    pace: Pace,
    lately: Arc<Mutex<Lately>>,
}

#[derive(Default)]
struct Lately {
    chats: HashMap<ChatKey, Head>,
    /// The same in the order in which they were written to last.
    order: BTreeMap<u64, ChatKey>,
    turn: u64,
}

#[derive(Clone, Copy)]
struct Head {
    newest: u64,
    /// Beacons that still have to tell of it.
    left: u32,
    turn: u64,
}

impl From<&crate::settings::Chat> for Pace {
    fn from(settings: &crate::settings::Chat) -> Self {
        Self {
            every: Duration::from_millis(settings.beacon_ms),
            times: settings.beacon_times,
            chats_max: settings.beacon_chats_max,
        }
    }
}

impl Heads {
    /// Nothing was written yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, lately: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chat was written to, up to this number.
    pub fn written(&self, chat: ChatKey, newest: u64) {
        if self.pace.every.is_zero() {
            return;
        }
        let mut lately = self.lock();
        lately.turn += 1;
        let turn = lately.turn;
        let before = lately.chats.get(&chat).copied();
        if let Some(before) = before {
            lately.order.remove(&before.turn);
        }
        let newest = before.map_or(newest, |before| before.newest.max(newest));
        lately.chats.insert(chat, Head { newest, left: self.pace.times, turn });
        lately.order.insert(turn, chat);
        if lately.chats.len() > self.pace.chats_max
            && let Some((_, oldest)) = lately.order.pop_first()
        {
            lately.chats.remove(&oldest);
        }
    }

    /// What the next beacon tells.
    fn waiting(&self) -> Vec<(ChatKey, u64)> {
        self.lock().chats.iter().map(|(chat, head)| (*chat, head.newest)).collect()
    }

    /// These were told once more.
    fn told(&self, heads: &[(ChatKey, u64)]) {
        let mut lately = self.lock();
        for (chat, newest) in heads {
            let Some(head) = lately.chats.get_mut(chat) else { continue };
            // What came since is told as often as anything else.
            if head.newest == *newest {
                head.left = head.left.saturating_sub(1);
                if head.left == 0 {
                    let turn = head.turn;
                    lately.chats.remove(chat);
                    lately.order.remove(&turn);
                }
            }
        }
        if lately.chats.is_empty() {
            // A burst that is over gives its memory back.
            lately.chats = HashMap::new();
        }
    }

    /// Tells all nodes for as long as this one runs. A beacon that cannot be sent does not count.
    pub async fn tell(self, link: Arc<dyn Link>) {
        if self.pace.every.is_zero() {
            return;
        }
        let mut tick = tokio::time::interval(self.pace.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            for heads in self.waiting().chunks(HEADS_MAX) {
                if link.tell_heads(heads).await.is_err() {
                    break;
                }
                self.told(heads);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(times: u32, chats_max: usize) -> Heads {
        Heads::new(Pace { every: Duration::from_millis(1), times, chats_max })
    }

    #[test]
    fn each_commit_is_told_so_many_times_and_then_no_more() {
        let heads = heads(3, 10);
        heads.written(ChatKey(1), 7);
        for _ in 0..2 {
            let told = heads.waiting();
            assert_eq!(told, [(ChatKey(1), 7)]);
            heads.told(&told);
        }
        heads.written(ChatKey(1), 8);
        heads.written(ChatKey(1), 6);
        for _ in 0..3 {
            let told = heads.waiting();
            assert_eq!(told, [(ChatKey(1), 8)], "told anew, and never an older number");
            heads.told(&told);
        }
        assert!(heads.waiting().is_empty());
        assert!(heads.lock().order.is_empty());
    }

    #[test]
    fn a_commit_during_a_beacon_is_not_counted_as_told() {
        let heads = heads(1, 10);
        heads.written(ChatKey(1), 7);
        let told = heads.waiting();
        heads.written(ChatKey(1), 8);
        heads.told(&told);
        assert_eq!(heads.waiting(), [(ChatKey(1), 8)]);
    }

    #[test]
    fn beyond_the_limit_the_oldest_fall_out() {
        let heads = heads(5, 2);
        for (chat, newest) in [(1, 1), (2, 1), (1, 2), (3, 1)] {
            heads.written(ChatKey(chat), newest);
        }
        let mut waiting = heads.waiting();
        waiting.sort_unstable();
        assert_eq!(waiting, [(ChatKey(1), 2), (ChatKey(3), 1)]);
        assert_eq!(heads.lock().order.len(), 2);
    }

    #[test]
    fn without_beacons_nothing_is_kept() {
        let heads = Heads::new(Pace { every: Duration::ZERO, times: 5, chats_max: 10 });
        heads.written(ChatKey(1), 1);
        assert!(heads.waiting().is_empty());
    }
}
