//! The link to one server: a subscriber connection, by which the node hears what others wrote.
//!
//! Two tasks keep it. The keeper connects, subscribes to all that is watched there, says
//! [`Heard::Again`], and from then on subscribes what is asked for and probes the connection as
//! soon as it is silent, because one that broke without a word would be deaf for as long as nobody
//! asks. The reader hands on what arrives. Redis delivers at most once: whatever happens to the connection,
//! what came while it was away is not known, and the log has it.
//!
//! Bounded at each step: `heard_max` commits and notices wait for the hub, `link_queue_max`
//! between connection and reader. When both are full the hub is too slow for its subscriptions:
//! the connection is given up, which is told like any other loss, and memory stays as it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{ConnectionInfo, Msg, ProtocolVersion};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::backoff::Backoff;
use super::body::{Body, decoded};
use super::doubts::Doubt;
use super::ear::{Change, Ear, Waiter};
use super::envelope;
use super::hearing::Hearing;
use super::keys::Keys;
use super::lanes::{Ask, tells};
use super::servers::{Again, Way};
use super::wire::{Loss, Refused, Wire};
use crate::model::CustomerId;
use crate::sabotage::{Safeguard, off};
use crate::store::{Channel, Head, Heard, Link, Notice, Result};
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
    /// After this without a word the connection is probed; see [`Bounds::silence`].
    pub(crate) probe: Duration,
    pub(crate) backoff: Backoff,
}

/// Probes' times for which an answer may be due and nothing at all come.
pub(crate) const SILENT_MAX: u32 = 3;

impl Bounds {
    /// For how long nothing may come while an answer is due. A lost link is the loss of all that is
    /// said meanwhile until it is known, so this is short; what takes longer is answered anew.
    pub(crate) fn silence(&self) -> Duration {
        self.probe * SILENT_MAX
    }
}

/// How long to leave a channel alone that the server did not take.
const REFUSED: Duration = Duration::from_millis(50);
/// Slots whose new server is taken over at once from what refusals say; the map is looked at for more.
const MOVED_MAX: usize = 8;

#[async_trait]
impl Link for Body {
    async fn watch(&self, channels: Vec<Channel>) {
        self.hearing.watch(channels).await;
    }

    fn unwatch(&self, channels: Vec<Channel>) {
        self.hearing.unwatch(&channels);
    }

    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()> {
        let key = self.keys.notices(customer);
        let mut call = self.scripts.notify.call(&[&key]);
        call.arg(envelope::notice(&notice));
        // Twice is fine: a notice asks its hearers to look again.
        self.servers.ask(Way::write(&key), Again::Fine, Ask::Script(&self.scripts.notify, call)).await?;
        Ok(())
    }

    async fn notices(&self, customer: CustomerId) -> Result<u64> {
        let key = self.keys.notices(customer);
        let mut cmd = redis::cmd("GET");
        cmd.arg(&key);
        let number: Option<u64> = decoded(self.servers.ask(Way::read(&key), Again::Fine, Ask::Command(cmd)).await?)?;
        Ok(number.unwrap_or(0))
    }

    async fn tell_heads(&self, heads: &[Head]) -> Result<()> {
        let channel = self.keys.channel(Channel::Heads);
        let mut cmd = redis::cmd(self.scripts.publish());
        cmd.arg(&channel).arg(envelope::heads(heads));
        self.servers.ask(Way::read(&channel), Again::Fine, Ask::Command(cmd)).await?;
        Ok(())
    }

    async fn healthy(&self) -> bool {
        // A link that falls meanwhile is the answer: what hangs is then often all the rest too.
        tokio::select! {
            biased;
            () = self.hearing.fallen() => false,
            answer = self.servers.answer() => answer,
        }
    }
}

/// Keeps the link to one server, until it is aborted or nobody listens any more.
pub(crate) struct Keeper {
    pub(crate) ear: Arc<Ear>,
    /// The server's.
    pub(crate) host: String,
    pub(crate) info: ConnectionInfo,
    pub(crate) hearing: Arc<Hearing>,
}

impl Keeper {
    pub(crate) async fn run(self) {
        // By RESP3 pushes and answers share a connection.
        let redis = self.info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = self.info.clone().set_redis_settings(redis);
        let mut failures = 0;
        loop {
            match Wire::connect(&info, self.hearing.sharded, self.hearing.bounds).await {
                Ok((wire, pushes)) => {
                    let (up, when_up) = oneshot::channel();
                    let (heard, keys) = (self.hearing.heard.clone(), self.hearing.keys.clone());
                    let reader = tokio::spawn(read(pushes, when_up, heard, keys));
                    let loss = self.serve(wire, up, &mut failures).await;
                    let was_up = self.ear.down();
                    self.hearing.changed();
                    // The connection is gone with its wire; what it brought is handed on first.
                    let _ = reader.await;
                    if was_up {
                        tracing::warn!("event link down; events are read from the log when it is back");
                    }
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
            self.doubt();
            failures += 1;
            sleep(self.hearing.bounds.backoff.jittered(failures)).await;
        }
    }

    fn doubt(&self) {
        self.hearing.doubts.tell(Doubt::Stale);
    }

    /// Subscribes, says that all is heard again, and keeps it so; returns when it is not.
    async fn serve(&self, mut wire: Wire, up: oneshot::Sender<Vec<Channel>>, failures: &mut u32) -> Loss {
        if let Err(loss) = self.begin(&mut wire, *failures > 0).await {
            return loss;
        }
        tracing::info!(channels = wire.subscribed.len(), "link to redis is up");
        *failures = 0;
        self.hearing.changed();
        // The reader says so, in order with what it hears.
        if up.send(for_the_hub(wire.subscribed.iter())).is_err() {
            return Loss::Deaf;
        }
        let mut probes = interval(self.hearing.bounds.probe);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                () = self.ear.changed() => self.follow(&mut wire).await,
                () = wire.told() => self.taken(&mut wire),
                _ = probes.tick() => wire.probe().await,
                () = self.hearing.heard.closed() => Err(Loss::Deaf),
            };
            if let Err(loss) = step.and_then(|()| wire.verdict()) {
                return loss;
            }
        }
    }

    /// Subscribes all that is watched, also what is asked for meanwhile.
    async fn begin(&self, wire: &mut Wire, again: bool) -> std::result::Result<(), Loss> {
        loop {
            let missing = self.ear.missing(&wire.subscribed);
            if missing.is_empty() {
                return Ok(());
            }
            if again && off(Safeguard::Resubscribe) {
                wire.subscribed.extend(&missing);
                continue;
            }
            if !self.elsewhere(wire.subscribe(&missing, &self.hearing.keys).await?).is_empty() {
                // The map will say so, and take them away from here.
                sleep(REFUSED).await;
                wire.verdict()?;
            }
        }
    }

    /// These are another server's now: has the map told.
    fn elsewhere(&self, refused: Vec<Refused>) -> Vec<Channel> {
        let mut moved: HashMap<u16, &str> = HashMap::new();
        for (slot, to) in refused.iter().filter_map(|one| one.moved.as_ref()) {
            if moved.len() < MOVED_MAX {
                moved.insert(*slot, to);
            }
        }
        for (slot, to) in moved {
            self.hearing.doubts.tell(Doubt::Moved { slot, to: to.to_owned(), said_by: self.host.clone() });
        }
        if !refused.is_empty() {
            self.doubt();
        }
        refused.into_iter().map(|one| one.channel).collect()
    }

    /// Brings into force what was watched and unwatched since the last look.
    async fn follow(&self, wire: &mut Wire) -> std::result::Result<(), Loss> {
        let Change { more, fewer, mut adopted, waiting } = self.ear.change();
        let more: Vec<Channel> = more.into_iter().filter(|channel| !wire.subscribed.contains(channel)).collect();
        let refused = self.elsewhere(wire.subscribe(&more, &self.hearing.keys).await?);
        let among: HashSet<Channel> = refused.iter().copied().collect();
        let (held, free): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiter| waiter.waits_for(&among));
        free.into_iter().for_each(Waiter::done);
        if !refused.is_empty() {
            let later: Vec<Channel> = refused.iter().copied().filter(|channel| adopted.remove(channel)).collect();
            sleep(REFUSED).await;
            self.ear.put_back(&refused, &later, held);
        }
        let again = for_the_hub(adopted.iter());
        if !again.is_empty() && self.hearing.heard.send(Heard::Again(again)).await.is_err() {
            return Err(Loss::Deaf);
        }
        let fewer: Vec<Channel> = fewer.into_iter().filter(|channel| wire.subscribed.remove(channel)).collect();
        wire.unsubscribe(&fewer, &self.hearing.keys).await
    }

    /// The server has unsubscribed channels by itself: their slots have moved.
    fn taken(&self, wire: &mut Wire) -> std::result::Result<(), Loss> {
        let taken = wire.taken(&self.hearing.keys);
        if !taken.is_empty() {
            self.doubt();
            self.ear.adopt_again(&taken);
        }
        Ok(())
    }
}

/// Where chats stand is told again and again: that some of it was missed is no news.
fn for_the_hub<'a>(channels: impl Iterator<Item = &'a Channel>) -> Vec<Channel> {
    channels.copied().filter(|channel| *channel != Channel::Heads).collect()
}

/// Hands on what arrives, from the moment the link is up until its connection is gone.
async fn read(
    mut pushes: mpsc::Receiver<Msg>,
    when_up: oneshot::Receiver<Vec<Channel>>,
    heard: mpsc::Sender<Heard>,
    keys: Keys,
) {
    let mut when_up = when_up;
    let channels = loop {
        // Before that nothing is said: whoever hears `Again` reads the log, and that has it.
        tokio::select! {
            biased;
            up = &mut when_up => match up {
                Ok(channels) => break channels,
                Err(_) => return,
            },
            push = pushes.recv() => if push.is_none() { return },
        }
    };
    if heard.send(Heard::Again(channels)).await.is_err() {
        return;
    }
    let mut waiting = Waiting(0);
    while let Some(message) = pushes.recv().await {
        waiting.are(pushes.len());
        let Some(news) = understood(&keys, &message) else { continue };
        if heard.send(news).await.is_err() {
            return;
        }
    }
}

/// This link's part of the messages that wait for the hub; there can be several links.
struct Waiting(usize);

impl Waiting {
    fn are(&mut self, count: usize) {
        let before = std::mem::replace(&mut self.0, count);
        metrics::gauge!(metric::LINK_WAITING).increment(count as f64 - before as f64);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.are(0);
    }
}

fn understood(keys: &Keys, message: &Msg) -> Option<Heard> {
    let name = message.get_channel_name();
    let payload = message.get_payload_bytes();
    let news = match keys.read_channel(name.as_bytes())? {
        Channel::Chat(chat) => envelope::read_commit(payload).map(|arrivals| Heard::Arrived(chat, arrivals)),
        Channel::Customer(customer) => {
            envelope::read_notice(payload).map(|(number, notice)| Heard::Noticed { customer, number, notice })
        }
        Channel::Heads => envelope::read_heads(payload).map(Heard::Heads),
    };
    // A newer hub may say what this one does not understand. The numbers then show a gap, and
    // whoever reads the log is told what is wrong.
    news.inspect_err(|error| tracing::error!(channel = name, %error, "message of the link not understood")).ok()
}
