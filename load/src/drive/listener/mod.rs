//! All sockets of a run, on one thread with one poll.
//!
//! Orders come over a channel and are done between two polls; [`Listener`] is how others give them. Sockets that the
//! server closes come back by themselves, with their cursors, after the time that they are told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Poll, Token, Waker};
use tokio::sync::{Semaphore, oneshot};

use super::hall::Hall;
use crate::gauge::tally::Shared;

mod thread;
mod window;

const WAKE: Token = Token(usize::MAX);

/// A socket to open: whose, and to which node, by their places.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub agent: u32,
    pub node: u32,
    /// It has little room for what is not read: it will be stalled.
    pub narrow: bool,
}

/// How fast sockets come up.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Handshakes under way at once.
    pub at_once: usize,
    /// Begun per second; 0: as many as there can be.
    pub per_second: f64,
}

/// Somebody who does not have everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many pairs of socket and chat are behind.
    pub count: u64,
    /// The first of them, in words.
    pub first: Vec<String>,
}

enum Order {
    Open(Vec<Wanted>, Speed),
    /// So many sockets, from the first on, are not read any more.
    Stall(usize),
    /// So many sockets, from the last on, are cut and come back.
    Drop(usize, Speed),
    /// Permits are given back when everybody who is up has an event.
    Window(Arc<Semaphore>),
    /// Who has not heard these chats up to these numbers?
    Missing(Vec<(u32, u64)>, oneshot::Sender<Missing>),
    /// How many of those that are not read are closed or full?
    HeldUp(oneshot::Sender<usize>),
    Stop,
}

/// What can be seen of the listener at any time.
#[derive(Debug, Default)]
pub struct Seen {
    /// Sockets that are up, are read, and have everything that they missed.
    live: AtomicU64,
    /// Another try will not be answered otherwise.
    hopeless: AtomicBool,
    /// Why a socket did not come up, last.
    refusal: Mutex<Option<String>>,
}

/// The door to the thread. Dropping it ends the thread and cuts all sockets.
#[derive(Debug)]
pub struct Listener {
    orders: Sender<Order>,
    waker: Arc<Waker>,
    seen: Arc<Seen>,
    tally: Shared,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no poll or no thread.
    pub fn start(hall: Arc<Hall>) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (orders, receiver): (_, Receiver<Order>) = channel();
        let (seen, tally) = (Arc::<Seen>::default(), Shared::default());
        let thread = thread::Thread::new(hall, poll, receiver, Arc::clone(&seen), tally.clone());
        let thread = std::thread::Builder::new().name("listener".to_owned()).spawn(move || thread.run())?;
        Ok(Self { orders, waker, seen, tally, thread: Some(thread) })
    }

    /// What it counts.
    #[must_use]
    pub fn tally(&self) -> Shared {
        self.tally.clone()
    }

    /// Sockets that are up, are read, and have everything that they missed.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.seen.live.load(Ordering::Relaxed)
    }

    /// Opens these sockets, besides those that there are.
    pub fn open(&self, wanted: Vec<Wanted>, speed: Speed) {
        self.order(Order::Open(wanted, speed));
    }

    /// Reads these no more: so many from the first on.
    pub fn stall(&self, count: usize) {
        self.order(Order::Stall(count));
    }

    /// Cuts so many sockets, from the last on, at once, and has them come back.
    pub fn drop_some(&self, count: usize, speed: Speed) {
        self.order(Order::Drop(count, speed));
    }

    /// From now on a permit is given back for each message that everybody has who is up now and follows its chat.
    pub fn window(&self, permits: Arc<Semaphore>) {
        self.order(Order::Window(permits));
    }

    /// Who has not heard these chats up to these numbers; sockets that are not read are not asked.
    pub async fn missing(&self, newest: Vec<(u32, u64)>) -> Missing {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Missing(newest, answer));
        answered.await.unwrap_or(Missing { count: 1, first: vec!["nobody is listening any more".to_owned()] })
    }

    /// How many of the sockets that are not read are closed, or have no room for what they are sent.
    pub async fn held_up(&self) -> usize {
        let (answer, answered) = oneshot::channel();
        self.order(Order::HeldUp(answer));
        answered.await.unwrap_or_default()
    }

    /// Why a socket did not come up, last.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.seen.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many sockets are live, and says whether they are; not any longer when one is refused for good.
    pub async fn comes_up(&self, count: u64, within: Duration, mut look: impl FnMut(u64)) -> bool {
        let end = tokio::time::Instant::now() + within;
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while self.live() < count {
            ticks.tick().await;
            look(self.live());
            if tokio::time::Instant::now() > end || self.seen.hopeless.load(Ordering::Relaxed) {
                return false;
            }
        }
        true
    }

    fn order(&self, order: Order) {
        // A thread that has ended does nothing any more, which whoever waits for it notices.
        self.orders.send(order).ok();
        self.waker.wake().ok();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
