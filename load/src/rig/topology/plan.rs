//! What a topology is to be: its kind, its size, and how its servers are started.

use std::time::Duration;

use crate::rig::redis::Options;

/// What kind of topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One server.
    Standalone,
    /// A primary, its replicas, and three Sentinels.
    Sentinel,
    /// Three primaries with their replicas.
    Cluster,
}

/// A topology to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) shape: Shape,
    pub(super) replicas: usize,
    pub(super) proxied: bool,
    pub(super) options: Options,
    pub(super) down_after: Duration,
}

impl Plan {
    fn of(shape: Shape, replicas: usize, down_after: Duration) -> Self {
        Self { shape, replicas, proxied: false, options: Options::new(), down_after }
    }

    /// One server.
    pub fn standalone() -> Self {
        Self::of(Shape::Standalone, 0, Duration::ZERO)
    }

    /// A primary with two replicas under three Sentinels, which take 0.8 seconds of silence for death.
    pub fn sentinel() -> Self {
        Self::of(Shape::Sentinel, 2, Duration::from_millis(800))
    }

    /// Three primaries with one replica each, which take 1.5 seconds of silence for death.
    pub fn cluster() -> Self {
        Self::of(Shape::Cluster, 1, Duration::from_millis(1500))
    }

    /// How many replicas each primary has. No meaning for one that stands alone.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = if self.shape == Shape::Standalone { 0 } else { replicas };
        self
    }

    /// A proxy before each server, for [`Topology::set`].
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// What each server is started with. Ports and roles are the topology's own business.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How much silence is taken for death.
    pub fn down_after(mut self, silence: Duration) -> Self {
        self.down_after = silence;
        self
    }

    /// The kind of topology.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// A way to another primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// The primary is killed, and the others notice. [`Topology::revive`] brings it back.
    Killed,
    /// Asked for while all live: `SENTINEL FAILOVER`, which does not wait for the replica to have everything;
    /// `CLUSTER FAILOVER`, which does, and so fails while replication loses bytes.
    Asked,
    /// A Cluster's `FAILOVER FORCE`: the primary is not consulted, the other primaries are. Else as [`Self::Asked`].
    Forced,
    /// A Cluster's `FAILOVER TAKEOVER`: nobody is consulted. Else as [`Self::Asked`].
    Takeover,
}
