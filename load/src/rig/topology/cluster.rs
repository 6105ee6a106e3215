//! Three primaries with their replicas as a Redis Cluster.

use std::time::{Duration, Instant};

use super::slots::SLOTS;
use super::{Body, CLUSTER_PRIMARIES, Failover, Member, Plan, Role, Topology, place_of};
use crate::rig::proxy::Proxy;
use crate::rig::redis::Server;
use crate::rig::{Error, Result, patience, ports};

/// After this long without success a failover is asked for again. A vote that was given to somebody else binds a primary
/// for twice its patience, and a request waits five seconds at most.
const ASK_AGAIN: Duration = Duration::from_secs(6);

#[derive(Debug)]
pub(super) struct Cluster;

/// A line of `CLUSTER NODES`.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) port: u16,
    pub(super) flags: Vec<String>,
    /// The id of its primary, if it is a replica.
    follows: Option<String>,
    /// First and last, both included.
    slots: Vec<(u16, u16)>,
}

impl Node {
    pub(super) fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }

    fn is_primary(&self) -> bool {
        self.is("master") && !self.is("fail") && !self.slots.is_empty()
    }

    pub(super) fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }

    /// Reads `<id> <ip>:<port>@<bus>[,<host>] <flags> <primary> <ping> <pong> <epoch> <link> <slots>...`.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let port = words.get(1)?.split('@').next()?.rsplit(':').next()?.parse().ok()?;
        // `[` begins a slot that is on its way.
        let slots =
            words.get(8..).unwrap_or_default().iter().filter(|slot| !slot.starts_with('[')).filter_map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                Some((first.parse().ok()?, last.parse().ok()?))
            });
        Some(Self {
            id: (*words.first()?).to_owned(),
            port,
            flags: words.get(2)?.split(',').map(str::to_owned).collect(),
            follows: words.get(3).filter(|id| **id != "-").map(|id| (*id).to_owned()),
            slots: slots.collect(),
        })
    }
}

/// What a server thinks the Cluster is.
pub(super) async fn nodes(server: &Server) -> Result<Vec<Node>> {
    let lines: String = server.ask(&["CLUSTER", "NODES"]).await?;
    Ok(lines.lines().filter_map(Node::read).collect())
}

impl Topology {
    pub(super) async fn cluster(plan: &Plan, fronts: Vec<(u16, Option<Proxy>)>) -> Result<Self> {
        let mut members = Vec::new();
        let mut buses = Vec::new();
        for (port, proxy) in fronts {
            let bus = ports::free_port()?;
            let announced = proxy.as_ref().map_or(port, Proxy::port);
            let options = plan
                .options
                .clone()
                .line("cluster-enabled yes")
                .line(format!("cluster-node-timeout {}", plan.down_after.as_millis()))
                .line(format!("cluster-port {bus}"))
                .line("cluster-announce-ip 127.0.0.1")
                .line(format!("cluster-announce-port {announced}"))
                .line(format!("cluster-announce-bus-port {bus}"))
                // However long a replica heard nothing, it may take over: that is what is to be tested.
                .line("cluster-replica-validity-factor 0")
                // Replicas stay where they are, so that each primary keeps one.
                .line("cluster-allow-replica-migration no");
            members.push(Member::spawn(port, proxy, options)?);
            buses.push(bus);
        }
        for member in &members {
            member.server().answers().await?;
        }
        join(&members, &buses).await?;
        Ok(Self { body: Body::Cluster(Cluster), members })
    }
}

/// Deals the slots out, introduces all to the first, and gives each primary its replicas.
async fn join(members: &[Member], buses: &[u16]) -> Result<()> {
    let share = |part: usize| u16::try_from(usize::from(SLOTS) * part / CLUSTER_PRIMARIES).unwrap_or(SLOTS);
    let mut ids = Vec::new();
    for (place, member) in members.iter().enumerate() {
        let server = member.server();
        server.ask::<String>(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]).await?;
        ids.push(server.ask::<String>(&["CLUSTER", "MYID"]).await?);
        if place < CLUSTER_PRIMARIES {
            let (first, last) = (share(place).to_string(), (share(place + 1) - 1).to_string());
            server.ask::<String>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await?;
        }
    }
    for (member, bus) in members.iter().zip(buses).skip(1) {
        let words = ["CLUSTER", "MEET", "127.0.0.1", &member.port().to_string(), &bus.to_string()];
        members[0].server().ask::<String>(&words).await?;
    }
    for member in members {
        patience::eventually("all nodes know each other", async || {
            let known = nodes(member.server()).await?;
            let met = known.iter().filter(|node| !node.is("handshake")).count();
            Ok((met == members.len()).then_some(()))
        })
        .await?;
    }
    for (place, member) in members.iter().enumerate().skip(CLUSTER_PRIMARIES) {
        let primary = &ids[place % CLUSTER_PRIMARIES];
        member.server().ask::<String>(&["CLUSTER", "REPLICATE", primary]).await?;
    }
    Ok(())
}

impl Cluster {
    /// Who has slots, by what all who live agree on.
    pub(super) async fn primaries(&self, members: &[Member]) -> Result<Vec<usize>> {
        let mut agreed: Option<Vec<u16>> = None;
        for member in members.iter().filter(|member| member.server().is_running()) {
            let known = nodes(member.server()).await?;
            let mut seen: Vec<_> = known.iter().filter(|node| node.is_primary()).map(|node| node.port).collect();
            seen.sort_unstable();
            if *agreed.get_or_insert_with(|| seen.clone()) != seen {
                return Err(Error::Unexpected("the nodes do not agree".to_owned()));
            }
        }
        let mut places: Vec<_> =
            agreed.unwrap_or_default().into_iter().map(|port| place_of(port, members)).collect::<Result<_>>()?;
        places.sort_unstable();
        Ok(places)
    }

    /// Makes one of the heirs primary, and says who.
    pub(super) async fn succession(&self, heirs: &[usize], how: Failover, members: &[Member]) -> Result<usize> {
        let Some(first) = heirs.first().and_then(|heir| members.get(*heir)) else {
            return Err(Error::Unexpected("this primary has no replica".to_owned()));
        };
        let words: &[&str] = match how {
            Failover::Killed => &[],
            Failover::Asked => &["CLUSTER", "FAILOVER"],
            Failover::Forced => &["CLUSTER", "FAILOVER", "FORCE"],
            Failover::Takeover => &["CLUSTER", "FAILOVER", "TAKEOVER"],
        };
        let mut asked: Option<Instant> = None;
        patience::eventually("the nodes name another primary", async || {
            let primaries = self.primaries(members).await;
            if let Ok(Some(heir)) =
                primaries.as_ref().map(|primaries| heirs.iter().find(|heir| primaries.contains(heir)))
                && matches!(Role::of(members[*heir].server()).await?, Role::Primary { .. })
            {
                return Ok(Some(*heir));
            }
            if !words.is_empty() && asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
                asked = Some(Instant::now());
                first.server().ask::<String>(words).await?;
            }
            primaries.map(|_| None)
        })
        .await
    }

    /// Whether every node finds all slots served, nobody missing, and a linked replica with each primary.
    pub(super) async fn content(&self, members: &[Member]) -> Result<Option<()>> {
        let primaries = self.primaries(members).await?;
        for member in members {
            let info: String = member.server().ask(&["CLUSTER", "INFO"]).await?;
            let known = nodes(member.server()).await?;
            let missing =
                |node: &Node| node.is("fail") || node.is("fail?") || node.is("handshake") || node.is("noaddr");
            let followed = |node: &Node| known.iter().any(|other| other.follows.as_ref() == Some(&node.id));
            let well = info.contains("cluster_state:ok")
                && primaries.len() == CLUSTER_PRIMARIES
                && known.len() == members.len()
                && !known.iter().any(missing)
                && (members.len() == CLUSTER_PRIMARIES || known.iter().filter(|node| node.is_primary()).all(followed));
            let linked = match Role::of(member.server()).await? {
                Role::Primary { .. } => primaries.contains(&place_of(member.port(), members)?),
                Role::Replica { linked, .. } => linked,
            };
            if !well || !linked {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }
}
