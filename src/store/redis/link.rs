//! The link: the node's one subscriber connection, by which it hears what others wrote.
//!
//! Two tasks keep it. The keeper connects, subscribes to all that is watched, says so, and from
//! then on subscribes what is asked for and probes the connection. The reader hands on what
//! arrives. Redis delivers at most once: whatever happens to the connection, what came between
//! its end and [`Heard::Again`] is not known, and the log has it.
//!
//! Bounded at each step: `heard_max` commits and notices wait for the hub, `link_queue_max`
//! between connection and reader. When both are full the hub is too slow for its subscriptions:
//! the connection is given up, which is told like any other loss, and memory stays as it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Msg, PushInfo, PushKind, RedisError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::body::{Body, decoded};
use super::ear::{Change, Ear};
use super::envelope;
use super::keys::Keys;
use super::lanes::{Again, Ask, Way, tells};
use crate::model::{ChatKey, CustomerId};
use crate::store::{Channel, Heard, Link, Notice, Result};
use crate::telemetry::metric;

/// Bounds of the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Messages between the connection and the reader.
    pub(crate) queue_max: usize,
    /// Names in one SUBSCRIBE: a longer one would keep Redis from everybody else.
    pub(crate) subscribe_max: usize,
    pub(crate) connect: Duration,
    /// An answer that takes longer ends the connection.
    pub(crate) wait: Duration,
    /// The connection is probed this often.
    pub(crate) beat: Duration,
    pub(crate) backoff: Backoff,
}

#[async_trait]
impl Link for Body {
    async fn watch(&self, channels: Vec<Channel>) {
        self.ear.watch(channels).await;
    }

    fn unwatch(&self, channels: Vec<Channel>) {
        self.ear.unwatch(channels);
    }

    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()> {
        let mut call = self.scripts.notify.call(&[&self.keys.notices(customer)]);
        call.arg(envelope::notice(&notice));
        // Twice is fine: a notice asks its hearers to look again.
        let way = Way::Write(customer.0.as_u64_pair().1);
        self.lanes.ask(way, Again::Fine, Ask::Script(&self.scripts.notify, call)).await?;
        Ok(())
    }

    async fn notices(&self, customer: CustomerId) -> Result<u64> {
        let mut cmd = redis::cmd("GET");
        cmd.arg(self.keys.notices(customer));
        let number: Option<u64> = decoded(self.lanes.ask(Way::Read, Again::Fine, Ask::Command(cmd)).await?)?;
        Ok(number.unwrap_or(0))
    }

    async fn tell_heads(&self, heads: &[(ChatKey, u64)]) -> Result<()> {
        let mut cmd = redis::cmd("PUBLISH");
        cmd.arg(self.keys.heads()).arg(envelope::heads(heads));
        self.lanes.ask(Way::Write(0), Again::Fine, Ask::Command(cmd)).await?;
        Ok(())
    }

    async fn healthy(&self) -> bool {
        self.ear.is_up() && self.lanes.answer().await
    }
}

/// Keeps the link for as long as the runtime lives and somebody listens.
pub(crate) struct Keeper {
    pub(crate) ear: Arc<Ear>,
    /// Speaks RESP3, by which pushes and answers share a connection.
    pub(crate) client: Client,
    pub(crate) keys: Keys,
    pub(crate) heard: mpsc::Sender<Heard>,
    pub(crate) bounds: Bounds,
}

/// Why a connection ended.
#[derive(Debug)]
enum Loss {
    Lost(String),
    Lagging,
    /// Nobody listens any more.
    Deaf,
}

impl From<RedisError> for Loss {
    fn from(error: RedisError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// One connection of the link, and what it has subscribed.
struct Wire {
    connection: MultiplexedConnection,
    subscribed: HashSet<Channel>,
    lost: Arc<Lost>,
}

/// How the connection's own task tells that it is at its end.
#[derive(Default)]
struct Lost {
    closed: AtomicBool,
    lagging: AtomicBool,
    told: Notify,
}

impl Keeper {
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.connection().await {
                Ok((wire, pushes)) => {
                    let (up, when_up) = oneshot::channel();
                    let reader = tokio::spawn(read(pushes, when_up, self.heard.clone(), self.keys.clone()));
                    let loss = self.serve(wire, up, &mut failures).await;
                    let was_up = self.ear.down();
                    // The connection is gone with its wire; what it brought is handed on first.
                    let _ = reader.await;
                    metrics::gauge!(metric::LINK_UP).set(0.0);
                    match loss {
                        Loss::Deaf => return,
                        Loss::Lagging => {
                            tracing::warn!("link to redis given up: the hub does not keep up with it");
                            metrics::counter!(metric::LINK_LOSSES, "reason" => "lagging").increment(1);
                        }
                        Loss::Lost(error) => {
                            if was_up || tells(failures) {
                                tracing::warn!(failures, error, "link to redis lost");
                            }
                            metrics::counter!(metric::LINK_LOSSES, "reason" => "lost").increment(1);
                        }
                    }
                }
                Err(error) if tells(failures) => tracing::warn!(failures, %error, "no link to redis"),
                Err(_) => {}
            }
            failures += 1;
            sleep(self.bounds.backoff.jittered(failures)).await;
        }
    }

    async fn connection(&self) -> std::result::Result<(Wire, mpsc::Receiver<Msg>), RedisError> {
        let (queue, pushes) = mpsc::channel(self.bounds.queue_max);
        let lost = Arc::new(Lost::default());
        let told = Arc::clone(&lost);
        let push = move |info: PushInfo| -> std::result::Result<(), ()> {
            take(info, &queue, &told);
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.bounds.connect))
            .set_response_timeout(Some(self.bounds.wait))
            .set_push_sender(push);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok((Wire { connection, subscribed: HashSet::new(), lost }, pushes))
    }

    /// Subscribes, says that the link is up, and keeps it so; returns when it is not.
    async fn serve(&self, mut wire: Wire, up: oneshot::Sender<Vec<Channel>>, failures: &mut u32) -> Loss {
        match self.begin(&mut wire).await {
            Ok(()) => {}
            Err(loss) => return loss,
        }
        tracing::info!(channels = wire.subscribed.len(), "link to redis is up");
        *failures = 0;
        metrics::gauge!(metric::LINK_UP).set(1.0);
        self.ear.rise();
        // The reader says so, in order with what it hears.
        if up.send(wire.subscribed.iter().copied().collect()).is_err() {
            return Loss::Deaf;
        }
        loop {
            let step = tokio::select! {
                () = self.ear.changed() => self.follow(&mut wire).await,
                () = wire.lost.told.notified() => Ok(()),
                () = sleep(self.bounds.beat) => self.probe(&mut wire).await,
                () = self.heard.closed() => Err(Loss::Deaf),
            };
            if let Err(loss) = step.and_then(|()| wire.lost.verdict()) {
                return loss;
            }
        }
    }

    /// Subscribes all that is watched, also what is asked for meanwhile.
    async fn begin(&self, wire: &mut Wire) -> std::result::Result<(), Loss> {
        wire.connection.subscribe(self.keys.heads()).await?;
        loop {
            let missing = self.ear.missing(&wire.subscribed);
            if missing.is_empty() {
                return Ok(());
            }
            self.subscribe(wire, &missing).await?;
        }
    }

    /// Brings into force what was watched and unwatched since the last look.
    async fn follow(&self, wire: &mut Wire) -> std::result::Result<(), Loss> {
        let Change { more, fewer, waiting } = self.ear.change();
        let more: Vec<Channel> = more.into_iter().filter(|channel| !wire.subscribed.contains(channel)).collect();
        self.subscribe(wire, &more).await?;
        for done in waiting {
            // Whoever no longer waits does not mind.
            let _ = done.send(());
        }
        let fewer: Vec<Channel> = fewer.into_iter().filter(|channel| wire.subscribed.remove(channel)).collect();
        for chunk in fewer.chunks(self.bounds.subscribe_max) {
            let names: Vec<String> = chunk.iter().map(|channel| self.keys.channel(*channel)).collect();
            wire.connection.unsubscribe(names).await?;
        }
        Ok(())
    }

    async fn subscribe(&self, wire: &mut Wire, channels: &[Channel]) -> std::result::Result<(), Loss> {
        for chunk in channels.chunks(self.bounds.subscribe_max) {
            let names: Vec<String> = chunk.iter().map(|channel| self.keys.channel(*channel)).collect();
            wire.connection.subscribe(names).await?;
            wire.subscribed.extend(chunk);
        }
        Ok(())
    }

    async fn probe(&self, wire: &mut Wire) -> std::result::Result<(), Loss> {
        match timeout(self.bounds.wait, wire.connection.req_packed_command(&redis::cmd("PING"))).await {
            Ok(answer) => answer.map(drop).map_err(Loss::from),
            Err(_) => Err(Loss::Lost("no answer to a probe".to_owned())),
        }
    }
}

impl Lost {
    fn verdict(&self) -> std::result::Result<(), Loss> {
        if self.lagging.load(Ordering::Acquire) {
            Err(Loss::Lagging)
        } else if self.closed.load(Ordering::Acquire) {
            Err(Loss::Lost("connection closed".to_owned()))
        } else {
            Ok(())
        }
    }
}

/// Takes a push off the connection. Runs in the connection's task, so it never waits.
fn take(info: PushInfo, queue: &mpsc::Sender<Msg>, lost: &Lost) {
    if info.kind == PushKind::Disconnection {
        lost.closed.store(true, Ordering::Release);
        lost.told.notify_one();
        return;
    }
    let Some(message) = Msg::from_push_info(info) else { return };
    // After the first that found no room none is taken: what is handed on has no hole.
    if lost.lagging.load(Ordering::Acquire) {
        return;
    }
    if let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(message) {
        lost.lagging.store(true, Ordering::Release);
        lost.told.notify_one();
    }
}

/// Hands on what arrives, from the moment the link is up until its connection is gone.
async fn read(
    mut pushes: mpsc::Receiver<Msg>,
    mut when_up: oneshot::Receiver<Vec<Channel>>,
    heard: mpsc::Sender<Heard>,
    keys: Keys,
) {
    let again = loop {
        // Before `Again` nothing is said: whoever hears it reads the log, and that has it.
        tokio::select! {
            biased;
            up = &mut when_up => match up {
                Ok(channels) => break channels,
                Err(_) => return,
            },
            push = pushes.recv() => if push.is_none() { return },
        }
    };
    if heard.send(Heard::Again(again)).await.is_err() {
        return;
    }
    while let Some(message) = pushes.recv().await {
        metrics::gauge!(metric::LINK_WAITING).set(pushes.len() as f64);
        let Some(news) = understood(&keys, &message) else { continue };
        if heard.send(news).await.is_err() {
            return;
        }
    }
}

fn understood(keys: &Keys, message: &Msg) -> Option<Heard> {
    let name = message.get_channel_name();
    let payload = message.get_payload_bytes();
    if name == keys.heads() {
        let heads = envelope::read_heads(payload);
        return heads.inspect_err(|error| tracing::error!(%error, "beacon not understood")).ok().map(Heard::Heads);
    }
    let news = match keys.read_channel(name.as_bytes())? {
        Channel::Chat(chat) => envelope::read_commit(payload).map(|arrivals| Heard::Arrived(chat, arrivals)),
        Channel::Customer(customer) => {
            envelope::read_notice(payload).map(|(number, notice)| Heard::Noticed { customer, number, notice })
        }
    };
    // A newer hub may say what this one does not understand. The numbers then show a gap, and
    // whoever reads the log is told what is wrong.
    news.inspect_err(|error| tracing::error!(channel = name, %error, "message of the link not understood")).ok()
}
