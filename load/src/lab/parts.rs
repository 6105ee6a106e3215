//! What the commands are made of: parts of a few minutes each, with their seeds, and the switches of a sabotaged hub.

use std::path::{Path, PathBuf};

use super::check::report::Rule;
use super::people::Size;
use super::plan::{Durability, Kind, Topology};
use super::run::{Order, Torment};
use super::soak;
use super::stage::Wanted;

/// Seconds that a failover of a series takes, about; the table shows what it took.
const ROUND_SECS: u64 = 5;
/// The seed of everything that is not given one.
pub const SEED: u64 = 20_240_117;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The hub's program.
    pub hub: PathBuf,
    /// Where records go, one directory for each part.
    pub records: PathBuf,
    pub seed: u64,
}

impl Place {
    fn order(&self, part: &str, topology: Topology, durability: Durability, seconds: u64) -> Order {
        let wanted = Wanted { hub: self.hub.clone(), topology, durability, settings: Vec::new() };
        Order::new(part, wanted, self.seed, seconds, &self.records)
    }
}

/// Five minutes: every topology for a short while, every kind of fault.
#[must_use]
pub fn smoke(place: &Place) -> Vec<Order> {
    [
        ("smoke-standalone", Topology::Standalone, Durability::Memory, 45),
        ("smoke-sentinel", Topology::Sentinel, Durability::Memory, 50),
        ("smoke-cluster", Topology::Cluster, Durability::Memory, 60),
    ]
    .into_iter()
    .map(|(part, topology, durability, seconds)| {
        let mut order = place.order(part, topology, durability, seconds);
        order.rate = 200;
        order.torment = Torment::Schedule { per_minute: 70, only: Vec::new() };
        order
    })
    .collect()
}

/// Everything, in parts of at most 15 minutes.
#[must_use]
pub fn full(place: &Place) -> Vec<Order> {
    use Durability::{Fsync, Memory, Replicated};
    use Topology::{Cluster, Sentinel, Standalone};
    let mut parts: Vec<Order> = [
        ("standalone-memory", Standalone, Memory, 480),
        ("standalone-fsync", Standalone, Fsync, 300),
        ("sentinel-memory", Sentinel, Memory, 360),
        ("sentinel-replicated", Sentinel, Replicated, 360),
        ("cluster-memory", Cluster, Memory, 360),
        ("cluster-replicated", Cluster, Replicated, 360),
    ]
    .into_iter()
    .map(|(part, topology, durability, seconds)| place.order(part, topology, durability, seconds))
    .collect();
    parts.push(rolling(place));
    parts.push(kills(place));
    parts
}

/// Hubs killed under load, with nothing else going on: how soon their clients are live elsewhere.
fn kills(place: &Place) -> Order {
    let mut order = place.order("hub-kills", Topology::Standalone, Durability::Memory, 120);
    order.torment = Torment::Schedule { per_minute: 20, only: vec![Kind::HubKill] };
    order
}

/// Rolling restarts under load, with nothing else going on.
fn rolling(place: &Place) -> Order {
    let mut order = place.order("rolling-restart", Topology::Standalone, Durability::Memory, 120);
    order.torment = Torment::Schedule { per_minute: 12, only: vec![Kind::HubDrain] };
    order
}

/// A series of failovers that lose replication bytes.
#[must_use]
pub fn failovers(place: &Place, topology: Topology, durability: Durability, count: u32) -> Order {
    let part = format!("failovers-{}-{}", topology.name(), durability.name());
    let mut order = place.order(&part, topology, durability, u64::from(count) * ROUND_SECS);
    order.torment = Torment::Failovers(count);
    order.rate = 150;
    order.size = Size { chats: 8, quiet: 1, stayers: 8, comers: 2, leavers: 1, ..Size::default() };
    order
}

/// Mixed load for a long time, with few faults.
#[must_use]
pub fn soak(place: &Place, minutes: u64) -> Order {
    let mut order = place.order("soak", Topology::Sentinel, Durability::Memory, minutes * 60);
    order.torment = Torment::Soak { per_minute: 4 };
    order.rate = 150;
    order.wanted.settings = soak::SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    order
}

/// A safeguard that can be switched off in a hub built with the feature `sabotage`.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// As `TALK_SABOTAGE` names it.
    pub name: &'static str,
    /// The violations of which at least one must be found.
    pub must_break: &'static [Rule],
    topology: Topology,
    kinds: &'static [Kind],
}

/// Every switch, with the faults under which it shows and the violation it must produce.
pub const SWITCHES: [Switch; 5] = [
    // Nobody looks whether a number is next: lost pushes are never fetched.
    Switch {
        name: "holes",
        must_break: &[Rule::Hole],
        topology: Topology::Standalone,
        kinds: &[Kind::PushDrop, Kind::PubsubKill],
    },
    // After a link was lost nothing is subscribed anew, and nobody looks what was missed.
    Switch {
        name: "resubscribe",
        must_break: &[Rule::Hole],
        topology: Topology::Standalone,
        kinds: &[Kind::PubsubKill, Kind::LinkCut],
    },
    // The key is not looked up: a retry after a lost answer makes a second message.
    Switch {
        name: "idempotency",
        must_break: &[Rule::Twice],
        topology: Topology::Standalone,
        kinds: &[Kind::HubKill, Kind::LinkCut],
    },
    // The cursor proves no history: after a failover that lost something, nobody is told.
    Switch {
        name: "history",
        must_break: &[Rule::NotTold, Rule::Reordered, Rule::Hole],
        topology: Topology::Sentinel,
        kinds: &[Kind::FailoverCut],
    },
    // On SIGTERM the hub leaves at once: sockets break without the close frame that says when to come back.
    Switch { name: "drain", must_break: &[Rule::Undrained], topology: Topology::Standalone, kinds: &[Kind::HubDrain] },
];

/// The run that must find what a switch breaks.
#[must_use]
pub fn control(place: &Place, switch: &Switch) -> Order {
    let mut order = place.order(&format!("control-{}", switch.name), switch.topology, Durability::Memory, 40);
    order.rate = 150;
    order.sabotage = switch.name.to_owned();
    order.torment = Torment::Schedule { per_minute: 30, only: switch.kinds.to_vec() };
    order
}

/// A run as the command line describes it.
#[must_use]
pub fn one(place: &Place, topology: Topology, durability: Durability, seconds: u64) -> Order {
    place.order(&format!("{}-{}", topology.name(), durability.name()), topology, durability, seconds)
}

/// The directory of a part's record.
#[must_use]
pub fn record_of(place: &Place, part: &str) -> PathBuf {
    Path::new(&place.records).join(part)
}
