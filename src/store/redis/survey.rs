//! The survey: keeps the map of the servers true.
//!
//! It looks at the start, every `survey_ms`, and at once when somebody doubts the map: a server
//! was lost, refused, or said that a slot is another's, or a sentinel told of a new primary. What
//! is asked is asked of several: the newest configuration decides, or most of them do, so that one
//! that was cut off from the others does not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::address::{Address, Place, Topology, place};
use super::doubts::{Doubt, Doubts};
use super::durability::Level;
use super::greeting::{Greeting, Told};
use super::hearing::Hearing;
use super::lanes::{Bounds, tells};
use super::node::Node;
use super::slots::Map;
use crate::store::{Result, StoreError};
use crate::telemetry::metric;

/// Between two looks at least, however much is doubted.
const PAUSE: Duration = Duration::from_millis(100);
/// How much longer than most of the asked servers the others may take.
const LATE: Duration = Duration::from_millis(200);
/// Servers that are asked for the map at most.
const ASKED_MAX: usize = 16;
/// Servers of one cluster at most.
const NODES_MAX: usize = 1_000;

/// First and last slot, and where they are.
type Ranges = Vec<(u16, u16, Place)>;

/// Keeps the map for as long as the runtime lives.
pub(crate) struct Survey {
    pub(crate) address: Address,
    pub(crate) bounds: Bounds,
    pub(crate) level: Level,
    /// Between two looks.
    pub(crate) every: Duration,
    pub(crate) map: watch::Sender<Arc<Map>>,
    pub(crate) doubted: mpsc::Receiver<Doubt>,
    /// For the lanes of the servers that are found.
    pub(crate) doubts: Doubts,
    pub(crate) admitted: watch::Receiver<bool>,
    pub(crate) fatal: mpsc::Sender<StoreError>,
    pub(crate) hearing: Arc<Hearing>,
    /// Connections for asking, by server.
    pub(crate) asking: HashMap<Place, MultiplexedConnection>,
}

impl Survey {
    pub(crate) async fn run(mut self) {
        if matches!(self.address.topology, Topology::Sentinel { .. }) {
            for sentinel in &self.address.named {
                tokio::spawn(listen(self.address.of_sentinel(sentinel), self.bounds, self.doubts.clone()));
            }
        }
        let mut failures = 0;
        loop {
            let looked = Instant::now();
            match self.look().await {
                Ok(map) => {
                    failures = 0;
                    self.publish(map);
                }
                Err(error) => {
                    failures += 1;
                    if tells(failures) {
                        tracing::warn!(failures, %error, "looking for the servers of redis");
                    }
                }
            }
            self.pause(looked).await;
        }
    }

    /// Until the next look is due: at once after a doubt, but not too often.
    async fn pause(&mut self, looked: Instant) {
        let due = looked + self.every;
        let mut until = due;
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                doubt = self.doubted.recv() => match doubt {
                    Some(Doubt::Moved { slot, to, said_by }) => {
                        self.moved(slot, &to, &said_by);
                        until = until.min(looked + PAUSE);
                    }
                    // A single server is where it is.
                    Some(Doubt::Stale) if self.address.topology == Topology::One => {}
                    Some(Doubt::Stale) => until = until.min(looked + PAUSE),
                    None => return std::future::pending().await,
                },
            }
        }
    }

    async fn look(&mut self) -> Result<Map> {
        match self.address.topology.clone() {
            Topology::One => {
                let place = self.address.named[0].clone();
                Ok(Map::one(self.node(&place)?))
            }
            Topology::Sentinel { primary } => {
                let place = self.ask_sentinels(&primary).await?;
                Ok(Map::one(self.node(&place)?))
            }
            Topology::Cluster => {
                let ranges = self.ask_cluster().await?;
                Ok(Map::cut(&self.nodes(&ranges)?))
            }
        }
    }

    /// The servers of these ranges: one for each place, in however many pieces its slots are.
    fn nodes(&self, ranges: &Ranges) -> Result<Vec<(u16, u16, Arc<Node>)>> {
        let places: HashSet<&Place> = ranges.iter().map(|(.., place)| place).collect();
        if places.len() > NODES_MAX {
            return Err(StoreError::Unavailable(format!("more than {NODES_MAX} servers")));
        }
        let nodes = places.into_iter().map(|place| Ok((place, self.node(place)?)));
        let nodes = nodes.collect::<Result<HashMap<_, _>>>()?;
        let found = |(first, last, place): &(u16, u16, Place)| Some((*first, *last, Arc::clone(nodes.get(place)?)));
        Ok(ranges.iter().filter_map(found).collect())
    }

    /// The server there, as it is known, or begun anew.
    fn node(&self, place: &Place) -> Result<Arc<Node>> {
        let map = self.map.borrow();
        if let Some(known) = map.nodes.iter().find(|node| node.place == *place) {
            return Ok(Arc::clone(known));
        }
        let greeting = Greeting {
            server: format!("{}:{}", place.0, place.1),
            level: self.level,
            doubts: self.doubts.clone(),
            admitted: self.admitted.clone(),
            fatal: self.fatal.clone(),
            told: Told::default(),
        };
        Node::start(place.clone(), self.address.of(place), greeting, self.bounds)
    }

    /// A server said that a slot is another's now. The next look confirms it.
    fn moved(&self, slot: u16, to: &str, said_by: &str) {
        // Without a host it is the one of whoever said so.
        let to = if to.starts_with(':') { format!("{said_by}{to}") } else { to.to_owned() };
        let Some(place) = place(&to, 0) else { return };
        let map = Arc::clone(&self.map.borrow());
        let has_room = map.nodes.len() < NODES_MAX || map.nodes.iter().any(|node| node.place == place);
        if map.node(slot).is_some_and(|node| node.place == place) || !has_room {
            return;
        }
        match self.node(&place) {
            Ok(node) => self.publish(map.with(slot, &node)),
            Err(error) => tracing::warn!(%error, "slot moved to a server that cannot be used"),
        }
    }

    fn publish(&self, map: Map) {
        let before = Arc::clone(&self.map.borrow());
        if map.same_as(&before) {
            return;
        }
        let gone = before.nodes.iter().filter(|node| !map.nodes.iter().any(|kept| kept.id == node.id)).count();
        if gone > 0 {
            metrics::counter!(metric::STORE_FAILOVERS).increment(gone as u64);
        }
        let names: Vec<String> = map.nodes.iter().map(|node| format!("{}:{}", node.place.0, node.place.1)).collect();
        metrics::gauge!(metric::STORE_SERVERS).set(names.len() as f64);
        if gone > 0 || before.nodes.len() != map.nodes.len() {
            tracing::info!(servers = names.join(","), "servers of redis");
        }
        let map = Arc::new(map);
        // First the ear: who commits at a new server is then heard there, or told that it was not.
        self.hearing.rehome(&map);
        self.map.send_replace(map);
    }

    /// The primary of the newest configuration: a sentinel that was cut off has an older one, and
    /// the one that leads a failover is the first to have a newer one.
    async fn ask_sentinels(&mut self, primary: &str) -> Result<Place> {
        let ask = |what: &str| redis::cmd("SENTINEL").arg(what).arg(primary).to_owned();
        let sentinels = self.address.named.clone();
        let answers = self.ask_all(&sentinels, &[ask("MASTER"), ask("GET-MASTER-ADDR-BY-NAME")], true).await;
        if answers.is_empty() {
            return Err(StoreError::Unavailable(format!("no sentinel answers that knows a primary named {primary}")));
        }
        let named = answers.into_iter().filter_map(|(_, mut answers)| {
            let place: Place = redis::from_redis_value(answers.pop()?).ok()?;
            let state: HashMap<String, String> = redis::from_redis_value(answers.pop()?).ok()?;
            Some((state.get("config-epoch")?.parse::<u64>().ok()?, place))
        });
        let named: Vec<(u64, Place)> = named.collect();
        let newest = named.iter().map(|(epoch, _)| *epoch).max();
        let places = named.into_iter().filter(|(epoch, _)| Some(*epoch) == newest).map(|(_, place)| place);
        most(places).ok_or_else(|| StoreError::Unavailable(format!("no sentinel says where {primary} is")))
    }

    async fn ask_cluster(&mut self) -> Result<Ranges> {
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("SLOTS");
        let known: Vec<Place> = self.map.borrow().nodes.iter().map(|node| node.place.clone()).collect();
        let mut members: Vec<Place> = known;
        for named in &self.address.named {
            if !members.contains(named) {
                members.push(named.clone());
            }
        }
        members.truncate(ASKED_MAX);
        let answers = self.ask_all(&members, &[cmd], false).await;
        let asked = members.len();
        let views = answers.into_iter().filter_map(|(place, mut answer)| read_slots(&place, answer.pop()?));
        most(views).ok_or_else(|| StoreError::Unavailable(format!("none of {asked} servers knows the cluster")))
    }

    /// Asks all of them at once, each within the time that a connection may take; see [`gather`].
    async fn ask_all(
        &mut self,
        places: &[Place],
        commands: &[redis::Cmd],
        sentinels: bool,
    ) -> Vec<(Place, Vec<Value>)> {
        let limit = self.bounds.connect;
        let asked: FuturesUnordered<_> = places
            .iter()
            .map(|place| {
                let open = self.asking.get(place).cloned();
                let info = if sentinels { self.address.of_sentinel(place) } else { self.address.of(place) };
                async move {
                    let answer = timeout(limit, async {
                        let mut connection = match open {
                            Some(connection) => connection,
                            None => {
                                let config = AsyncConnectionConfig::new()
                                    .set_connection_timeout(Some(limit))
                                    .set_response_timeout(Some(limit));
                                Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await?
                            }
                        };
                        let mut answers = Vec::with_capacity(commands.len());
                        for command in commands {
                            answers.push(connection.req_packed_command(command).await?.extract_error()?);
                        }
                        Ok::<_, redis::RedisError>((connection, answers))
                    });
                    let (connection, answers) = answer.await.ok()?.ok()?;
                    Some((place.clone(), connection, answers))
                }
            })
            .collect();
        let mut answers = Vec::new();
        // Whoever failed or was late is asked on another connection the next time.
        self.asking.clear();
        for (place, connection, answer) in gather(asked).await {
            self.asking.insert(place.clone(), connection);
            answers.push((place, answer));
        }
        answers
    }
}

/// What those who are asked say. Once most of them have spoken, the others have [`LATE`] more: one
/// that hangs must not make the change of a server late that it is often the reason for.
async fn gather<T>(mut asked: FuturesUnordered<impl Future<Output = Option<T>>>) -> Vec<T> {
    let half = asked.len() / 2;
    let (mut said, mut until) = (Vec::new(), None);
    loop {
        let next = match until {
            Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
            None => asked.next().await,
        };
        let Some(one) = next else { return said };
        said.extend(one);
        if said.len() > half && until.is_none() {
            until = Some(Instant::now() + LATE);
        }
    }
}

/// Listens to a sentinel for a change of the primary, so that it is not only noticed at the next look.
async fn listen(info: redis::ConnectionInfo, bounds: Bounds, doubts: Doubts) {
    let mut failures = 0;
    loop {
        failures += 1;
        if let Ok(client) = Client::open(info.clone())
            && let Ok(Ok(mut link)) = timeout(bounds.connect, client.get_async_pubsub()).await
            && link.subscribe(&["+promoted-slave", "+switch-master"]).await.is_ok()
        {
            failures = 1;
            let mut news = link.on_message();
            while news.next().await.is_some() {
                doubts.tell(Doubt::Stale);
            }
        }
        sleep(bounds.backoff.jittered(failures)).await;
    }
}

/// What most of them say; of two that are said equally often the first.
fn most<T: PartialEq>(said: impl Iterator<Item = T>) -> Option<T> {
    let mut counted: Vec<(T, usize)> = Vec::new();
    for one in said {
        match counted.iter_mut().find(|(known, _)| *known == one) {
            Some((_, count)) => *count += 1,
            None => counted.push((one, 1)),
        }
    }
    let most = counted.iter().map(|(_, count)| *count).max()?;
    counted.into_iter().find(|(_, count)| *count == most).map(|(one, _)| one)
}

/// The answer to CLUSTER SLOTS; `None` for one that names no server.
fn read_slots(said_by: &Place, answer: Value) -> Option<Ranges> {
    let Value::Array(rows) = answer else { return None };
    let mut ranges = Ranges::new();
    for row in rows {
        let Value::Array(mut row) = row else { return None };
        if row.len() < 3 {
            return None;
        }
        let Value::Array(primary) = row.swap_remove(2) else { return None };
        let mut primary = primary.into_iter();
        let host: Option<String> = redis::from_redis_value(primary.next()?).ok()?;
        let port: u16 = redis::from_redis_value(primary.next()?).ok()?;
        let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| said_by.0.clone());
        let mut ends = row.into_iter();
        let first: u16 = redis::from_redis_value(ends.next()?).ok()?;
        let last: u16 = redis::from_redis_value(ends.next()?).ok()?;
        ranges.push((first, last, (host, port)));
    }
    ranges.sort_unstable_by_key(|(first, ..)| *first);
    (!ranges.is_empty()).then_some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn the_answer_of_a_cluster_is_read_with_what_it_leaves_out() {
        let primary = |host: Value, port| Value::Array(vec![host, Value::Int(port), bulk("id")]);
        let row = |first, last, primary| Value::Array(vec![Value::Int(first), Value::Int(last), primary]);
        let answer = Value::Array(vec![
            row(8_192, 16_383, primary(Value::Nil, 7002)),
            row(0, 8_191, primary(bulk("10.0.0.1"), 7001)),
        ]);
        let said_by = ("10.0.0.9".to_owned(), 7000);
        let expected = vec![(0, 8_191, ("10.0.0.1".to_owned(), 7001)), (8_192, 16_383, ("10.0.0.9".to_owned(), 7002))];
        assert_eq!(read_slots(&said_by, answer), Some(expected));
        assert_eq!(read_slots(&said_by, Value::Array(Vec::new())), None, "a server that knows nothing has no say");
        assert_eq!(read_slots(&said_by, Value::Nil), None);
    }

    #[tokio::test]
    async fn whoever_hangs_is_not_waited_for_once_most_have_spoken() {
        // A minute stands for a server that hangs; the others speak at once.
        let asked = |said: &[Option<u8>]| -> FuturesUnordered<_> {
            let one = |said: &Option<u8>| {
                let said = *said;
                async move {
                    if said.is_none() {
                        sleep(Duration::from_secs(60)).await;
                    }
                    said
                }
            };
            said.iter().map(one).collect()
        };
        let begun = Instant::now();
        assert_eq!(gather(asked(&[Some(1), None, Some(1)])).await, [1, 1]);
        assert!(begun.elapsed() >= LATE && begun.elapsed() < Duration::from_secs(30));
        assert_eq!(gather(asked(&[])).await, [0; 0]);
        let few = timeout(LATE * 3, gather(asked(&[Some(1), None, None]))).await;
        assert!(few.is_err(), "one of three alone does not decide");
    }

    #[test]
    fn most_of_them_decide() {
        assert_eq!(most([1, 2, 2].into_iter()), Some(2));
        assert_eq!(most([3, 1].into_iter()), Some(3));
        assert_eq!(most(std::iter::empty::<u8>()), None);
    }
}
