//! The schedule of faults: which, on what, when and for how long, drawn from the seed before anything runs.
//!
//! Promises: the same seed, topology, length and pace give the same schedule; every kind that the topology has comes
//! once before any comes twice, as far as the time reaches. Faults of one lane never overlap, those of different lanes do.

use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// How Redis is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    Standalone,
    Sentinel,
    Cluster,
}

impl Topology {
    /// As the table and the command line name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        }
    }
}

/// The level that an answer 200 stands for, as the hub's `store.durability` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    Memory,
    Fsync,
    Replicated,
}

impl Durability {
    /// As the hub's setting names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Fsync => "fsync",
            Self::Replicated => "replicated",
        }
    }

    /// Whether what was acknowledged at this level may never be lost by the faults of this topology. One server that is
    /// killed comes back with its append-only file, which is written before an answer goes out; a failover loses what
    /// the replica did not have, unless the replica's word was waited for.
    #[must_use]
    pub fn keeps(self, topology: Topology) -> bool {
        match self {
            Self::Memory | Self::Fsync => topology == Topology::Standalone,
            Self::Replicated => true,
        }
    }
}

/// What is disturbed; faults of one lane follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Hub,
    Redis,
    Link,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $lane:ident, $from:literal..$to:literal, $where:ident;)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[doc = $doc])+ $name,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As the record and the table name it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it disturbs.
            #[must_use]
            pub fn lane(self) -> Lane {
                match self { $(Self::$name => Lane::$lane,)* }
            }

            /// Milliseconds it lasts: from, up to.
            /// What takes as long as it takes counts little here.
    fn lasting_ms(self) -> (u64, u64) {
                match self { $(Self::$name => ($from, $to),)* }
            }

            /// Whether a topology has it.
            #[must_use]
            pub fn fits(self, topology: Topology) -> bool {
                match self { $(Self::$name => $where(topology),)* }
            }
        }
    };
}

fn anywhere(_: Topology) -> bool {
    true
}

fn with_cluster(topology: Topology) -> bool {
    topology == Topology::Cluster
}

fn with_replicas(topology: Topology) -> bool {
    topology != Topology::Standalone
}

kinds! {
    /// A hub is killed and started again.
    HubKill = "hub kill", Hub, 100..800, anywhere;
    /// A hub is stopped and goes on.
    HubStop = "hub stop", Hub, 300..2500, anywhere;
    /// A hub is asked to leave, drains, and is started again.
    HubDrain = "hub drain", Hub, 50..100, anywhere;
    /// A Redis server is killed and started again on its data, before anybody fails over.
    RedisKill = "redis kill", Redis, 100..500, anywhere;
    /// A Redis server is stopped and goes on.
    RedisStop = "redis stop", Redis, 200..1500, anywhere;
    /// Redis holds back all commands.
    ClientPause = "client pause", Redis, 200..1000, anywhere;
    /// Subscribers are cut off at a tiny output buffer.
    TinyBuffers = "tiny buffers", Redis, 500..2000, anywhere;
    /// The replica takes over when asked.
    FailoverAsked = "failover asked", Redis, 50..100, with_replicas;
    /// The replica takes over because the primary was killed.
    FailoverKill = "failover kill", Redis, 50..100, with_replicas;
    /// The replica takes over without asking its primary.
    FailoverForced = "failover forced", Redis, 50..100, with_cluster;
    /// Bytes to the replica are dropped, then the primary is killed.
    FailoverCut = "failover cut", Redis, 500..1500, with_replicas;
    /// Slots move to another server while they are written to.
    Reshard = "reshard", Redis, 50..100, with_cluster;
    /// All subscriber links are killed.
    PubsubKill = "kill pubsub", Link, 50..100, anywhere;
    /// All other links are killed.
    NormalKill = "kill normal", Link, 50..100, anywhere;
    /// Every k-th push to a hub is dropped.
    PushDrop = "push drop", Link, 500..2500, anywhere;
    /// Every k-th push to a hub comes twice.
    PushTwice = "push twice", Link, 500..2500, anywhere;
    /// Links between hubs and Redis are cut.
    LinkCut = "link cut", Link, 50..100, anywhere;
    /// What goes between hubs and Redis comes late.
    LinkSlow = "link slow", Link, 500..2000, anywhere;
    /// Few bytes a second go between hubs and Redis.
    LinkThrottle = "link throttle", Link, 500..2000, anywhere;
    /// Links between hubs and Redis swallow what is sent.
    LinkSwallow = "link swallow", Link, 300..2000, anywhere;
}

/// A fault to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Milliseconds after the start of the load.
    pub at_ms: u64,
    pub lasting_ms: u64,
    pub kind: Kind,
    /// Which of the hubs, servers or links: modulo their number.
    pub target: u64,
    /// A number for what else there is to choose: every k-th, how slow.
    pub measure: u64,
}

/// Milliseconds at the end of a run without a new fault.
const QUIET_END_MS: u64 = 3_000;

/// Draws the faults of a run of so many seconds, in order. Of `only`, if it names any.
#[must_use]
pub fn draw(seed: u64, topology: Topology, seconds: u64, faults_per_minute: u64, only: &[Kind]) -> Vec<Planned> {
    let wanted = |kind: &Kind| kind.fits(topology) && (only.is_empty() || only.contains(kind));
    let mut all = Vec::new();
    for (lane, share) in [(Lane::Hub, 30), (Lane::Redis, 25), (Lane::Link, 45)] {
        let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| kind.lane() == lane && wanted(kind)).collect();
        let per_minute = if only.is_empty() { faults_per_minute * share / 100 } else { faults_per_minute };
        if !kinds.is_empty() && per_minute > 0 {
            let dice = Dice::of(seed, &format!("{}/{lane:?}", topology.name()));
            all.extend(draw_lane(dice, &kinds, seconds * 1000, 60_000 / per_minute));
        }
    }
    all.sort_by_key(|planned| planned.at_ms);
    all
}

/// One fault after the other, on average `every_ms` apart from start to start, each with time to be got over.
fn draw_lane(mut dice: Dice, kinds: &[Kind], until_ms: u64, every_ms: u64) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut hand: Vec<Kind> = Vec::new();
    let mut at_ms = dice.between(500, 1500);
    loop {
        if hand.is_empty() {
            hand = kinds.to_vec();
        }
        let kind = hand.swap_remove(dice.place(hand.len()));
        let (from, to) = kind.lasting_ms();
        let lasting_ms = dice.between(from, to);
        if at_ms + lasting_ms + QUIET_END_MS > until_ms {
            return planned;
        }
        planned.push(Planned { at_ms, lasting_ms, kind, target: dice.throw() >> 1, measure: dice.throw() >> 1 });
        let breath = dice.between(every_ms / 2, every_ms * 3 / 2);
        at_ms += breath.max(lasting_ms + 200);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_TOPOLOGIES: [Topology; 3] = [Topology::Standalone, Topology::Sentinel, Topology::Cluster];

    #[test]
    fn a_seed_draws_the_same_faults_each_time() {
        let draw = |seed| draw(seed, Topology::Cluster, 120, 60, &[]);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn every_kind_that_a_topology_has_comes_within_two_minutes() {
        for topology in ALL_TOPOLOGIES {
            let drawn = draw(3, topology, 120, 60, &[]);
            for kind in Kind::ALL.iter().filter(|kind| kind.fits(topology)) {
                assert!(drawn.iter().any(|planned| planned.kind == *kind), "{} on {}", kind.name(), topology.name());
            }
            assert!(drawn.iter().all(|planned| planned.kind.fits(topology)));
        }
    }

    #[test]
    fn faults_of_a_lane_do_not_overlap_and_end_before_the_run() {
        for topology in ALL_TOPOLOGIES {
            for lane in [Lane::Hub, Lane::Redis, Lane::Link] {
                let all = draw(5, topology, 300, 60, &[]);
                let lane: Vec<_> = all.iter().filter(|planned| planned.kind.lane() == lane).collect();
                assert!(lane.windows(2).all(|pair| pair[0].at_ms + pair[0].lasting_ms <= pair[1].at_ms));
                assert!(lane.iter().all(|planned| planned.at_ms + planned.lasting_ms < 300_000));
            }
        }
    }

    #[test]
    fn what_is_asked_for_comes_alone() {
        let drawn = draw(5, Topology::Standalone, 60, 30, &[Kind::HubDrain]);
        assert!(drawn.len() > 10 && drawn.iter().all(|planned| planned.kind == Kind::HubDrain));
    }
}
