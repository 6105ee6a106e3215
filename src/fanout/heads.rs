//! Heads: which chats were written to through this node lately, of which customers it gave notice,
//! and where they stand.
//!
//! What is published can get lost, and the last event before a silence is followed by none that
//! would show the gap. So whoever writes says a little later, a few times, how far it came. One
//! beacon tells of everything at once: what it costs grows with the nodes, and not with chats that
//! nobody writes to, nor with sockets. Whoever hears it compares numbers, and asks the store nothing
//! unless it is behind.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::model::{ChatKey, CustomerId};
use crate::store::{HEADS_MAX, Head, Link};

/// Customers whose notices' number is asked for at once.
const ASKED_AT_ONCE: usize = 64;

/// How often is told what was written, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two beacons. Zero: there are none.
    pub every: Duration,
    /// Beacons that tell of one commit, or of one notice.
    pub times: u32,
    /// Chats that wait to be told of, and customers likewise; beyond it the oldest fall out.
    pub chats_max: usize,
}

/// What was written to lately. Cheap to clone.
#[derive(Clone)]
pub struct Heads {
    pace: Pace,
    lately: Arc<Mutex<Lately>>,
}

#[derive(Default)]
struct Lately {
    chats: Waiting<ChatKey>,
    customers: Waiting<CustomerId>,
    /// Customers who were given notice, and it is not known yet where their notices stand.
    noticed: HashSet<CustomerId>,
}

/// What waits to be told of.
struct Waiting<K> {
    heads: HashMap<K, Standing>,
    /// The same in the order in which they were written to last.
    order: BTreeMap<u64, K>,
    turn: u64,
}

#[derive(Clone, Copy)]
struct Standing {
    newest: u64,
    /// Beacons that still have to tell of it.
    left: u32,
    turn: u64,
}

impl<K> Default for Waiting<K> {
    fn default() -> Self {
        Self { heads: HashMap::new(), order: BTreeMap::new(), turn: 0 }
    }
}

impl<K: Copy + Eq + Hash> Waiting<K> {
    /// It was written to, up to this number.
    fn written(&mut self, key: K, newest: u64, pace: Pace) {
        self.turn += 1;
        let turn = self.turn;
        let before = self.heads.get(&key).copied();
        if let Some(before) = before {
            self.order.remove(&before.turn);
        }
        let newest = before.map_or(newest, |before| before.newest.max(newest));
        self.heads.insert(key, Standing { newest, left: pace.times, turn });
        self.order.insert(turn, key);
        if self.heads.len() > pace.chats_max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.heads.remove(&oldest);
        }
    }

    /// This was told once more.
    fn told(&mut self, key: K, newest: u64) {
        let Some(standing) = self.heads.get_mut(&key) else { return };
        // What came since is told as often as anything else.
        if standing.newest == newest {
            standing.left = standing.left.saturating_sub(1);
            if standing.left == 0 {
                let turn = standing.turn;
                self.heads.remove(&key);
                self.order.remove(&turn);
            }
        }
        if self.heads.is_empty() {
            // A burst that is over gives its memory back.
            self.heads = HashMap::new();
        }
    }
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
        if !self.pace.every.is_zero() {
            self.lock().chats.written(chat, newest, self.pace);
        }
    }

    /// The customer was given notice, or may have been. Beyond as many as may wait, those who come
    /// last are left out until there is room.
    pub fn noticed(&self, customer: CustomerId) {
        if self.pace.every.is_zero() {
            return;
        }
        let mut lately = self.lock();
        if lately.noticed.len() < self.pace.chats_max {
            lately.noticed.insert(customer);
        }
    }

    /// Asks where the notices stand of those who were given some. One who cannot be asked now is
    /// asked before the next beacon.
    async fn ask(&self, link: &Arc<dyn Link>) {
        loop {
            let some: Vec<CustomerId> = self.lock().noticed.iter().copied().take(ASKED_AT_ONCE).collect();
            if some.is_empty() {
                return;
            }
            // Taken out first: one who is given notice meanwhile is asked again.
            some.iter().for_each(|customer| _ = self.lock().noticed.remove(customer));
            let numbers = join_all(some.iter().map(|customer| link.notices(*customer))).await;
            let mut failed = false;
            for (customer, number) in some.into_iter().zip(numbers) {
                match number {
                    Ok(number) => self.lock().customers.written(customer, number, self.pace),
                    Err(_) => {
                        failed = true;
                        self.noticed(customer);
                    }
                }
            }
            if failed {
                return;
            }
        }
    }

    /// What the next beacon tells.
    fn waiting(&self) -> Vec<Head> {
        let lately = self.lock();
        let customers = lately.customers.heads.iter().map(|(customer, at)| Head::Customer(*customer, at.newest));
        customers.chain(lately.chats.heads.iter().map(|(chat, at)| Head::Chat(*chat, at.newest))).collect()
    }

    /// These were told once more.
    fn told(&self, heads: &[Head]) {
        let mut lately = self.lock();
        for head in heads {
            match head {
                Head::Chat(chat, newest) => lately.chats.told(*chat, *newest),
                Head::Customer(customer, newest) => lately.customers.told(*customer, *newest),
            }
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
            self.ask(&link).await;
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
            assert_eq!(told, [Head::Chat(ChatKey(1), 7)]);
            heads.told(&told);
        }
        heads.written(ChatKey(1), 8);
        heads.written(ChatKey(1), 6);
        for _ in 0..3 {
            let told = heads.waiting();
            assert_eq!(told, [Head::Chat(ChatKey(1), 8)], "told anew, and never an older number");
            heads.told(&told);
        }
        assert!(heads.waiting().is_empty());
        assert!(heads.lock().chats.order.is_empty());
    }

    #[test]
    fn a_commit_during_a_beacon_is_not_counted_as_told() {
        let heads = heads(1, 10);
        heads.written(ChatKey(1), 7);
        let told = heads.waiting();
        heads.written(ChatKey(1), 8);
        heads.told(&told);
        assert_eq!(heads.waiting(), [Head::Chat(ChatKey(1), 8)]);
    }

    #[test]
    fn beyond_the_limit_the_oldest_fall_out() {
        let heads = heads(5, 2);
        for (chat, newest) in [(1, 1), (2, 1), (1, 2), (3, 1)] {
            heads.written(ChatKey(chat), newest);
        }
        let waiting = heads.waiting();
        assert_eq!(waiting.len(), 2);
        assert!([(1, 2), (3, 1)].iter().all(|(chat, at)| waiting.contains(&Head::Chat(ChatKey(*chat), *at))));
        assert_eq!(heads.lock().chats.order.len(), 2);
    }

    #[test]
    fn without_beacons_nothing_is_kept() {
        let heads = Heads::new(Pace { every: Duration::ZERO, times: 5, chats_max: 10 });
        heads.written(ChatKey(1), 1);
        heads.noticed(CustomerId::from_bytes([1; 16]));
        assert!(heads.waiting().is_empty() && heads.lock().noticed.is_empty());
    }
}
