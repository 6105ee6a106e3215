//! Every command goes through here: to the server that has its slot, over one of that server's
//! lanes, and to another one when the slot has moved or the server has changed.
//!
//! A call ends within `wait_ms`. It waits while no server of its slot is known or reachable, while
//! the slot is on its way to another server, and while Redis refuses for a reason that passes. What
//! was sent on a connection that broke is sent again only if its caller said that twice is as good
//! as once. What is asked of a server that is replaced meanwhile counts as sent on such a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use redis::{RedisError, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::Backoff;
use super::doubts::{Doubt, Doubts};
use super::lanes::{Ask, Done, Fate, Lane, Open, fate};
use super::node::Node;
use super::slots::{Map, slot};
use crate::store::{Result, StoreError};
use crate::telemetry::metric;

/// How long a server that has left the map may take to answer what it was asked before.
const PARTING: Duration = Duration::from_millis(200);

/// Where a call goes: which slot, and over which of its server's lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) slot: u16,
    pub(crate) writes: bool,
}

impl Way {
    /// A read of this key and what shares its slot.
    pub(crate) fn read(key: &str) -> Self {
        Self { slot: slot(key), writes: false }
    }

    /// A write to this key and what shares its slot. It counts as done at the durability that is
    /// set; all writes to one slot go over one lane, in order.
    pub(crate) fn write(key: &str) -> Self {
        Self { slot: slot(key), writes: true }
    }
}

/// What may be done when it is not known whether a call has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Happening twice is as good as once.
    Fine,
    /// The caller must be told.
    Never,
}

/// The servers, for everybody to share.
#[derive(Clone)]
pub(crate) struct Servers {
    map: watch::Receiver<Arc<Map>>,
    /// Goes up to true once the data there is known to be ours.
    pub(crate) admitted: watch::Receiver<bool>,
    doubts: Doubts,
    pub(crate) wait: Duration,
    refused: Backoff,
    turn: Arc<AtomicUsize>,
}

/// The newest connection that this call found broken.
#[derive(Default)]
struct Broken {
    node: u64,
    generation: u64,
}

impl Servers {
    pub(crate) fn new(
        map: watch::Receiver<Arc<Map>>,
        admitted: watch::Receiver<bool>,
        doubts: Doubts,
        wait: Duration,
        refused: Backoff,
    ) -> Self {
        Self { map, admitted, doubts, wait, refused, turn: Arc::default() }
    }

    /// Asks, and waits for the answer for at most `wait_ms`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there was no answer, Redis would not do it, or a write is
    /// made but not at the durability that is set.
    pub(crate) async fn ask(&self, way: Way, again: Again, ask: Ask<'_>) -> Result<Value> {
        let deadline = Instant::now() + self.wait;
        let mut admitted = self.admitted.clone();
        if !*admitted.borrow() {
            let known = timeout_at(deadline, admitted.wait_for(|known| *known)).await;
            if !matches!(known, Ok(Ok(_))) {
                return Err(StoreError::Unavailable("no connection to redis yet".to_owned()));
            }
        }
        self.ask_unadmitted(way, again, ask, deadline).await
    }

    /// The same, also before the data is known to be ours.
    pub(crate) async fn ask_unadmitted(
        &self,
        way: Way,
        again: Again,
        ask: Ask<'_>,
        deadline: Instant,
    ) -> Result<Value> {
        let (mut broken, mut refusals) = (Broken::default(), 0);
        loop {
            let Ok(found) = timeout_at(deadline, self.lane(way, &broken)).await else {
                self.doubts.tell(Doubt::Stale);
                return Err(StoreError::Unavailable("no connection to redis".to_owned()));
            };
            let (node, open) = found?;
            let lane = self.pick(&node, way);
            let sent = Instant::now();
            let answer = tokio::select! {
                biased;
                answer = timeout_at(deadline, open.send(&ask, way.writes)) => answer,
                gone = self.left(node.id) => Ok(Err(gone)),
            };
            let error = match answer {
                Ok(Ok(Done::Kept(value))) => return Ok(value),
                Ok(Ok(Done::Short(why))) => {
                    metrics::counter!(metric::DURABILITY_MISSES).increment(1);
                    return Err(StoreError::Unavailable(why));
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    // A call that came late gives no verdict on the connection.
                    if sent.elapsed() * 2 > self.wait {
                        lane.broke(open.generation);
                        self.doubts.tell(Doubt::Stale);
                    }
                    return Err(StoreError::Unavailable("no answer from redis in time".to_owned()));
                }
            };
            match fate(&error) {
                Fate::Refused(reason) => {
                    metrics::counter!(metric::STORE_REDIRECTS, "reason" => reason).increment(1);
                    match error.redirect_node() {
                        Some((to, slot)) if reason == "moved" => {
                            self.doubts.tell(Doubt::Moved { slot, to: to.to_owned(), said_by: node.place.0.clone() });
                        }
                        _ => self.doubts.tell(Doubt::Stale),
                    }
                    if reason == "readonly" {
                        lane.broke(open.generation);
                        broken = Broken { node: node.id, generation: open.generation };
                    }
                    refusals += 1;
                    let wait = self.refused.jittered(refusals);
                    if Instant::now() + wait >= deadline {
                        return Err(StoreError::Unavailable(error.to_string()));
                    }
                    self.map_changes(wait).await;
                }
                Fate::Unknown => {
                    lane.broke(open.generation);
                    self.doubts.tell(Doubt::Stale);
                    broken = Broken { node: node.id, generation: open.generation };
                    if again == Again::Never {
                        return Err(StoreError::Unavailable(format!("connection to redis lost: {error}")));
                    }
                }
                Fate::Final(error) => return Err(error),
            }
        }
    }

    /// Returns once this server has left the map and has had [`PARTING`] for its last answers. One
    /// that was replaced because it hangs gives none, and another one may have it all by then.
    async fn left(&self, node: u64) -> RedisError {
        let mut map = self.map.clone();
        let gone = map.wait_for(|map| !map.nodes.iter().any(|known| known.id == node)).await.is_ok();
        if !gone {
            // The store ends: whoever asks has a deadline.
            return std::future::pending().await;
        }
        sleep(PARTING).await;
        RedisError::from(std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the server was replaced"))
    }

    /// Returns once the map has changed, or the time is over.
    async fn map_changes(&self, within: Duration) {
        let mut map = self.map.clone();
        map.mark_unchanged();
        tokio::select! {
            _ = map.changed() => {}
            () = sleep(within) => {}
        }
    }

    fn pick<'node>(&self, node: &'node Node, way: Way) -> &'node Lane {
        if way.writes {
            &node.writes[usize::from(way.slot) % node.writes.len()]
        } else {
            &node.reads[self.turn.fetch_add(1, Ordering::Relaxed) % node.reads.len()]
        }
    }

    /// An open connection to the server of the slot, newer than the one that was broken; waits for
    /// it, and goes where the map says when that changes meanwhile.
    async fn lane(&self, way: Way, broken: &Broken) -> Result<(Arc<Node>, Open)> {
        let closed = || StoreError::Unavailable("the store was closed".to_owned());
        let mut map = self.map.clone();
        loop {
            let node = map.borrow_and_update().node(way.slot).cloned();
            let Some(node) = node else {
                map.changed().await.map_err(|_| closed())?;
                continue;
            };
            let than = if node.id == broken.node { broken.generation } else { 0 };
            tokio::select! {
                biased;
                open = self.pick(&node, way).open(than) => {
                    let open = open?;
                    return Ok((node, open));
                }
                changed = map.changed() => changed.map_err(|_| closed())?,
            }
        }
    }

    /// Whether every slot has a server, and all servers answer in time. Reads are asked; of writes it
    /// is enough that their lanes are open: an answer there would wait behind the durability of others.
    pub(crate) async fn answer(&self) -> bool {
        let map = Arc::clone(&self.map.borrow());
        if !map.is_whole() || !*self.admitted.borrow() {
            return false;
        }
        let answers = map.nodes.iter().map(|node| async {
            let open = join_all(node.writes.iter().map(Lane::opened));
            let (open, answers) = join(open, join_all(node.reads.iter().take(1).map(Lane::answers))).await;
            open.into_iter().chain(answers).all(|well| well)
        });
        let all = async { join_all(answers).await.into_iter().all(|answers| answers) };
        tokio::time::timeout(self.wait, all).await.unwrap_or(false)
    }
}
