//! A series of failovers, each the worst there is: the replica gets nothing of what is acknowledged for a while, then the
//! primary is killed and the replica takes over.

use super::dice::Dice;
use super::record::{Book, Fault as Done, Line};
use super::run::Scene;
use super::stage::ms;
use crate::rig::proxy::{Fault, Peer};
use crate::rig::topology::Failover;
use crate::rig::{Error, Result};

/// Milliseconds for which replication loses bytes, from and up to.
const CUT_MS: (u64, u64) = (200, 500);
/// Milliseconds of ordinary work between two rounds.
const BETWEEN_MS: u64 = 500;
/// What it is called among the faults.
const KIND: &str = "failover cut";

/// Plays so many rounds. One that could not be done is written down as failed, and the next one is begun.
pub async fn play(scene: &Scene, count: u32, mut dice: Dice, book: &mut Book) {
    for number in 1..=count {
        tokio::time::sleep(ms(BETWEEN_MS)).await;
        let t = scene.fleet.clock.now();
        let outcome = round(scene, &mut dice).await;
        let ended = scene.fleet.clock.now();
        let failed = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        if failed.is_empty() {
            book.note(&Line::Round { t, ended, number });
        }
        book.note(&Line::Fault(Done { t, ended, kind: KIND.to_owned(), node: None, failed }));
    }
}

async fn round(scene: &Scene, dice: &mut Dice) -> Result<()> {
    let redis = &scene.stage.redis;
    redis.wait_healthy().await?;
    let primaries = redis.primaries().await?;
    let primary = *dice.pick(&primaries).ok_or_else(|| Error::Unexpected("no primary".to_owned()))?;
    redis.lose_replication()?;
    tokio::time::sleep(ms(dice.between(CUT_MS.0, CUT_MS.1))).await;
    let done = redis.failover(primary, Failover::Killed).await;
    redis.set(&[Peer::Replica], Fault::default())?;
    if !redis.server(primary)?.is_running() {
        redis.revive(primary).await?;
    }
    done?;
    redis.wait_healthy().await
}
