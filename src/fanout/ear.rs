//! The node's one ear at the link: takes what is heard and hands it on. It waits for nothing but room
//! at a worker's desk, which workers make without waiting for a socket.
//!
//! A chat that wants its events hands in its own recipient, held here and never cloned, so that
//! its bound is real. When it is full the event is left out and the chat is told that it is
//! behind: it reads the log. Customers are watched while somebody here belongs to them; their
//! notices are numbered, and a number that is missing makes everybody concerned look again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Recipient;
use tokio::sync::mpsc;

use crate::model::{ChatKey, CustomerId};
use crate::store::{Arrival, Channel, Head, Heard, Link, Notice};

use super::desk::{Delivery, Desks};

/// How long notices that a beacon tells of may be on their way, before they are missed.
const NOTICE_PATIENCE: Duration = Duration::from_millis(40);

/// Events of a chat, as one commit made them.
#[derive(actix::Message, Debug)]
#[rtype(result = "()")]
pub struct Arrived(pub Vec<Arrival>);

/// The link was away: what was said meanwhile is not known.
#[derive(actix::Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Reconnected;

/// A node has committed to the chat up to this number.
#[derive(actix::Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Told(pub u64);

/// What a chat hands in to be told.
pub struct ChatEar {
    pub arrived: Recipient<Arrived>,
    pub reconnected: Recipient<Reconnected>,
    pub told: Recipient<Told>,
    /// Number of the newest event that the chat knows: it is not told what it knows.
    pub newest: Arc<AtomicU64>,
    /// Set when something could not be handed over; the chat reads the log and clears it.
    pub behind: Arc<AtomicBool>,
}

#[derive(Default)]
struct Watched {
    chats: HashMap<ChatKey, ChatEar>,
    customers: HashMap<CustomerId, WatchedCustomer>,
}

struct WatchedCustomer {
    /// How many sockets of this node belong to the customer.
    sockets: usize,
    /// The newest notice heard; `None` until it is known where they stand.
    heard: Option<u64>,
    /// The newest number at the last beacon. By the next one it must have been heard.
    due: u64,
}

impl WatchedCustomer {
    /// Whether this notice was not heard, although it is known where they stood.
    fn lacks(&self, number: u64) -> bool {
        self.heard.is_some_and(|heard| heard < number)
    }
}

/// The ear. Cheap to clone.
#[derive(Clone)]
pub struct Ear {
    watched: Arc<Mutex<Watched>>,
    link: Arc<dyn Link>,
    desks: Desks,
}

impl Ear {
    /// An ear at this link that hands notices to these desks.
    #[must_use]
    pub fn new(link: Arc<dyn Link>, desks: Desks) -> Self {
        Self { watched: Arc::default(), link, desks }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the chat every event from now on. In force when it returns.
    pub async fn watch_chat(&self, chat: ChatKey, ear: ChatEar) {
        self.lock().chats.insert(chat, ear);
        self.link.watch(vec![Channel::Chat(chat)]).await;
    }

    /// The chat that handed in this flag has left the node's memory. Another actor of the same
    /// chat, which may have begun by now, goes on hearing.
    pub fn unwatch_chat(&self, chat: ChatKey, behind: &Arc<AtomicBool>) {
        let mut watched = self.lock();
        if watched.chats.get(&chat).is_some_and(|ear| Arc::ptr_eq(&ear.behind, behind)) {
            watched.chats.remove(&chat);
            // Under the lock, so that it cannot overtake a watch that came after it.
            self.link.unwatch(vec![Channel::Chat(chat)]);
        }
    }

    /// A socket of this customer is here. Its notices are heard from some time soon on.
    pub fn enter(&self, customer: CustomerId) {
        let mut watched = self.lock();
        let new = WatchedCustomer { sockets: 0, heard: None, due: 0 };
        let entry = watched.customers.entry(customer).or_insert(new);
        entry.sockets += 1;
        if entry.sockets == 1 {
            let ear = self.clone();
            actix::spawn(async move { ear.hear_customer(customer).await });
        }
    }

    /// Returns once the notices of a customer, of whom a socket is here, are heard.
    pub async fn hear_customer(&self, customer: CustomerId) {
        let known = |watched: &Watched| watched.customers.get(&customer).is_none_or(|entry| entry.heard.is_some());
        if known(&self.lock()) {
            return;
        }
        self.link.watch(vec![Channel::Customer(customer)]).await;
        if let Ok(number) = self.link.notices(customer).await
            && let Some(entry) = self.lock().customers.get_mut(&customer)
        {
            entry.heard = Some(entry.heard.map_or(number, |heard| heard.max(number)));
        }
    }

    /// A socket of this customer has left.
    pub fn exit(&self, customer: CustomerId) {
        let mut watched = self.lock();
        if let Some(entry) = watched.customers.get_mut(&customer) {
            entry.sockets = entry.sockets.saturating_sub(1);
            if entry.sockets == 0 {
                watched.customers.remove(&customer);
                // Under the lock, so that it cannot overtake a watch that came after it.
                self.link.unwatch(vec![Channel::Customer(customer)]);
            }
        }
    }

    /// Listens until the store is closed. Every `beacon` it compares where the notices stand, so
    /// that one lost before a silence is noticed too.
    pub async fn listen(self, mut heard: mpsc::Receiver<Heard>, beacon: Duration) {
        let mut tick = tokio::time::interval(beacon);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                said = heard.recv() => match said {
                    Some(said) => self.take(said).await,
                    None => return,
                },
                _ = tick.tick() => {
                    // Apart, so that a store that is slow to answer does not hold up the link.
                    let ear = self.clone();
                    actix::spawn(async move { ear.compare_notices().await });
                }
            }
        }
    }

    async fn take(&self, heard: Heard) {
        match heard {
            Heard::Arrived(chat, arrivals) => self.hand_over(chat, arrivals),
            Heard::Noticed { customer, number, notice } => self.noticed(customer, number, notice).await,
            Heard::Again(channels) => self.heard_again(&channels).await,
            Heard::Heads(heads) => self.told(&heads),
        }
    }

    fn hand_over(&self, chat: ChatKey, arrivals: Vec<Arrival>) {
        let watched = self.lock();
        if let Some(ear) = watched.chats.get(&chat)
            && ear.arrived.try_send(Arrived(arrivals)).is_err()
        {
            ear.behind.store(true, Ordering::Release);
        }
    }

    async fn noticed(&self, customer: CustomerId, number: u64, notice: Notice) {
        let missed = {
            let mut watched = self.lock();
            let Some(entry) = watched.customers.get_mut(&customer) else { return };
            // A number that was passed already is given out again by a store that lost writes, and
            // says where the notices stand now.
            entry.heard.replace(number).is_none_or(|before| number != before + 1)
        };
        let notice = Arc::new(notice);
        for desk in self.desks.all() {
            self.desks.hand_in(desk, Delivery::Noticed { customer, notice: Arc::clone(&notice) }).await;
        }
        if missed {
            self.missed(customer).await;
        }
    }

    async fn missed(&self, customer: CustomerId) {
        for desk in self.desks.all() {
            self.desks.hand_in(desk, Delivery::Missed { customer }).await;
        }
    }

    /// Has those look whose channels were away, and nobody else.
    async fn heard_again(&self, channels: &[Channel]) {
        let mut customers = Vec::new();
        {
            let mut watched = self.lock();
            for channel in channels {
                match channel {
                    Channel::Chat(chat) => {
                        if let Some(ear) = watched.chats.get(chat)
                            && ear.reconnected.try_send(Reconnected).is_err()
                        {
                            ear.behind.store(true, Ordering::Release);
                        }
                    }
                    Channel::Customer(customer) => {
                        if let Some(entry) = watched.customers.get_mut(customer) {
                            // They may stand lower now: the next look at the numbers takes what it finds.
                            entry.due = u64::MAX;
                            customers.push(*customer);
                        }
                    }
                    // A beacon that was missed is followed by another.
                    Channel::Heads => {}
                }
            }
        }
        for customer in customers {
            self.missed(customer).await;
        }
    }

    /// Tells those chats that do not know as much, and looks after customers of whom fewer notices
    /// were heard.
    fn told(&self, heads: &[Head]) {
        let mut behind = Vec::new();
        {
            let watched = self.lock();
            for head in heads {
                match head {
                    Head::Chat(chat, newest) => {
                        if let Some(ear) = watched.chats.get(chat)
                            && ear.newest.load(Ordering::Acquire) < *newest
                            && ear.told.try_send(Told(*newest)).is_err()
                        {
                            ear.behind.store(true, Ordering::Release);
                        }
                    }
                    Head::Customer(customer, newest) => {
                        if watched.customers.get(customer).is_some_and(|entry| entry.lacks(*newest)) {
                            behind.push((*customer, *newest));
                        }
                    }
                }
            }
        }
        if !behind.is_empty() {
            let ear = self.clone();
            actix::spawn(async move {
                tokio::time::sleep(NOTICE_PATIENCE).await;
                ear.miss_what_has_not_come(behind).await;
            });
        }
    }

    async fn miss_what_has_not_come(&self, told: Vec<(CustomerId, u64)>) {
        for (customer, newest) in told {
            let missed = match self.lock().customers.get_mut(&customer) {
                Some(entry) if entry.lacks(newest) => {
                    entry.heard = Some(newest);
                    true
                }
                Some(_) | None => false,
            };
            if missed {
                self.missed(customer).await;
            }
        }
    }

    async fn compare_notices(&self) {
        let customers: Vec<CustomerId> = self.lock().customers.keys().copied().collect();
        for customer in customers {
            let Ok(number) = self.link.notices(customer).await else { return };
            let missed = {
                let mut watched = self.lock();
                let Some(entry) = watched.customers.get_mut(&customer) else { continue };
                // One that is only just on its way is not missed.
                let behind = entry.heard.is_none_or(|heard| heard < entry.due) || number < entry.due;
                entry.due = number;
                if behind {
                    entry.heard = Some(number);
                }
                behind
            };
            if missed {
                self.missed(customer).await;
            }
        }
    }
}
