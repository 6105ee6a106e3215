//! What each kind of fault does to the stage, from its beginning to its own end.

use std::time::Duration;

use tokio::time::sleep;

use super::fleet::Fleet;
use super::plan::{Kind, Lane, Planned};
use super::record::{Book, Fault as Done, Line};
use super::stage::{PUBSUB_LIMIT, Stage, ms};
use crate::rig::proxy::{Fault, Peer, Pushes, Toward};
use crate::rig::topology::Failover;
use crate::rig::{Error, Result};

/// Bytes of output after which a subscriber is cut off while buffers are tiny.
const TINY: [&str; 4] = ["CONFIG", "SET", "client-output-buffer-limit", "pubsub 2kb 2kb 0"];
/// How long a fault may take to be done and got over. What it leaves behind is mended at the end.
const FAULT_WITHIN: Duration = Duration::from_secs(60);
/// Slots that one fault moves at most.
const SLOTS_MOVED_MAX: usize = 3;

/// Does the faults of one lane, each at its time or as soon as the one before has ended, none that would begin after
/// `until_ms`. What could not be done is written down as that.
pub async fn play(stage: &Stage, fleet: &Fleet, planned: &[Planned], lane: Lane, until_ms: u64, book: &mut Book) {
    let begin = tokio::time::Instant::now();
    for planned in planned.iter().filter(|planned| planned.kind.lane() == lane) {
        tokio::time::sleep_until(begin + ms(planned.at_ms)).await;
        if begin.elapsed() > ms(until_ms) {
            return;
        }
        let t = fleet.clock.now();
        let failed = match tokio::time::timeout(FAULT_WITHIN, stage.does(planned)).await {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done after {FAULT_WITHIN:?}"),
        };
        let node = (lane == Lane::Hub).then(|| u8::try_from(stage.hub_place(planned)).unwrap_or(u8::MAX));
        let kind = planned.kind.name().to_owned();
        book.note(&Line::Fault(Done { t, ended: fleet.clock.now(), kind, node, failed }));
        book.flush();
    }
}

impl Stage {
    fn hub_place(&self, planned: &Planned) -> usize {
        place(planned.target, self.hubs.len())
    }

    async fn does(&self, planned: &Planned) -> Result<()> {
        match planned.kind.lane() {
            Lane::Hub => self.to_a_hub(planned).await,
            Lane::Redis => self.to_redis(planned).await,
            Lane::Link => self.to_links(planned).await,
        }
    }

    async fn to_a_hub(&self, planned: &Planned) -> Result<()> {
        let place = self.hub_place(planned);
        let hub = self.hubs.get(place).ok_or_else(|| Error::Unexpected("no hubs".to_owned()))?;
        match planned.kind {
            Kind::HubKill => {
                hub.kill()?;
                sleep(ms(planned.lasting_ms)).await;
                hub.start_again().await
            }
            Kind::HubDrain => {
                hub.stop().await?;
                hub.start_again().await
            }
            _ => {
                hub.freeze()?;
                sleep(ms(planned.lasting_ms)).await;
                hub.thaw()
            }
        }
    }

    async fn to_redis(&self, planned: &Planned) -> Result<()> {
        match planned.kind {
            Kind::RedisKill => {
                let member = place(planned.target, self.redis.members().len());
                self.redis.server(member)?.kill()?;
                sleep(ms(planned.lasting_ms)).await;
                self.redis.revive(member).await?;
            }
            Kind::RedisStop => {
                let server = self.redis.server(place(planned.target, self.redis.members().len()))?;
                server.freeze()?;
                sleep(ms(planned.lasting_ms)).await;
                server.thaw()?;
            }
            Kind::ClientPause => {
                self.redis.pause(ms(planned.lasting_ms)).await?;
                sleep(ms(planned.lasting_ms)).await;
            }
            Kind::TinyBuffers => {
                self.limit_buffers(&TINY).await?;
                sleep(ms(planned.lasting_ms)).await;
                self.limit_buffers(&PUBSUB_LIMIT).await?;
            }
            Kind::Reshard => self.reshard(planned).await?,
            Kind::FailoverAsked => self.fail_over(planned, Failover::Asked).await?,
            Kind::FailoverForced => self.fail_over(planned, Failover::Forced).await?,
            Kind::FailoverCut => {
                self.redis.lose_replication()?;
                sleep(ms(planned.lasting_ms)).await;
                let done = self.fail_over(planned, Failover::Killed).await;
                self.redis.set(&[Peer::Replica], Fault::default())?;
                done?;
            }
            _ => self.fail_over(planned, Failover::Killed).await?,
        }
        self.redis.wait_healthy().await
    }

    async fn limit_buffers(&self, words: &[&str]) -> Result<()> {
        for member in self.redis.members() {
            member.server().ask::<String>(words).await?;
        }
        Ok(())
    }

    /// A primary goes, another comes, and the one that went comes back as a replica.
    async fn fail_over(&self, planned: &Planned, how: Failover) -> Result<()> {
        let primaries = self.redis.primaries().await?;
        let primary = *primaries.get(place(planned.target, primaries.len())).ok_or_else(nobody)?;
        self.redis.failover(primary, how).await?;
        self.redis.set(&[Peer::Replica], Fault::default())?;
        if !self.redis.server(primary)?.is_running() {
            self.redis.revive(primary).await?;
        }
        Ok(())
    }

    /// Moves slots that hold something from one primary to the next.
    async fn reshard(&self, planned: &Planned) -> Result<()> {
        let primaries = self.redis.primaries().await?;
        let from = place(planned.target, primaries.len());
        let (from, to) = (primaries.get(from), primaries.get((from + 1) % primaries.len().max(1)));
        let (Some(from), Some(to)) = (from, to) else { return Err(nobody()) };
        let mut slots = Vec::new();
        for _ in 0..SLOTS_MOVED_MAX {
            let key: Option<String> = self.redis.server(*from)?.ask(&["RANDOMKEY"]).await?;
            if let Some(key) = key {
                slots.push(self.redis.slot_of(&key).await?);
            }
        }
        slots.sort_unstable();
        slots.dedup();
        self.redis.reshard(slots, *to).await
    }

    async fn to_links(&self, planned: &Planned) -> Result<()> {
        let every = 2 + planned.measure % 9;
        let fault = match planned.kind {
            Kind::PubsubKill => return self.redis.client_kill("pubsub").await.map(drop),
            Kind::NormalKill => return self.redis.client_kill("normal").await.map(drop),
            Kind::LinkCut => {
                self.cut();
                return Ok(());
            }
            Kind::PushDrop => Fault::pushes(Pushes::Lose { every }),
            Kind::PushTwice => Fault::pushes(Pushes::Repeat { every }),
            Kind::LinkSlow => Fault::delay(ms(5 + planned.measure % 95)),
            Kind::LinkThrottle => Fault::throttle(20_000 + planned.measure % 180_000),
            _ => Fault::drop([Toward::Client, Toward::Server, Toward::Both][place(planned.measure, 3)]),
        };
        self.redis.set(&[Peer::Client], fault)?;
        sleep(ms(planned.lasting_ms)).await;
        if planned.kind == Kind::LinkSwallow {
            // No wire loses bytes in the middle and goes on: what lost some is cut.
            self.cut();
        }
        self.redis.set(&[Peer::Client], Fault::default())
    }

    fn cut(&self) {
        for proxy in self.redis.members().iter().filter_map(|member| member.proxy()) {
            proxy.cut(&[Peer::Client]);
        }
    }
}

fn nobody() -> Error {
    Error::Unexpected("no primary".to_owned())
}

fn place(target: u64, len: usize) -> usize {
    usize::try_from(target % (len.max(1) as u64)).unwrap_or(0)
}
