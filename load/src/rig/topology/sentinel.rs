//! A primary and its replicas under three Sentinels.

use super::{Body, Member, Plan, Role, Topology, place_of};
use crate::rig::proxy::Proxy;
use crate::rig::redis::{Options, Server};
use crate::rig::{Error, Result, patience};

/// What the Sentinels call the primary.
pub const MASTER_NAME: &str = "talk";

const SENTINELS: usize = 3;
/// How many Sentinels must agree.
const QUORUM: usize = 2;
/// How long a failover may take before it is begun anew; also how long replicas that cannot follow hold it up.
const FAILOVER_MS: u32 = 3_000;

/// Sentinels look at replicas every ten seconds and at each other every two. A test has not so much time. The period of
/// pings is left: it also says how old news of a replica may be, and shorter would mean that none is good enough.
/// A busy machine must not send them to sleep for half a minute.
const HASTE: &[&str] = &[
    "SENTINEL",
    "DEBUG",
    "info-period",
    "500",
    "publish-period",
    "500",
    "ask-period",
    "300",
    "tilt-trigger",
    "10000",
    "tilt-period",
    "2000",
];

#[derive(Debug)]
pub(super) struct Sentinels(Vec<Server>);

impl Topology {
    pub(super) async fn sentinel(plan: &Plan, fronts: Vec<(u16, Option<Proxy>)>) -> Result<Self> {
        let mut members: Vec<Member> = Vec::new();
        for (port, proxy) in fronts {
            let options = match members.first() {
                None => plan.options.clone(),
                Some(primary) => plan.options.clone().replica_of(primary.port()),
            };
            members.push(Member::spawn(port, proxy, options)?);
        }
        for member in &members {
            member.server().answers().await?;
        }
        let sentinels = Sentinels::start(plan, &members).await?;
        Ok(Self { body: Body::Sentinel(sentinels), members })
    }
}

impl Sentinels {
    async fn start(plan: &Plan, members: &[Member]) -> Result<Self> {
        let primary = members.first().map(Member::port).unwrap_or_default();
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            let options = Options::new()
                .sentinel()
                .line(format!("sentinel monitor {MASTER_NAME} 127.0.0.1 {primary} {QUORUM}"))
                .line(format!("sentinel down-after-milliseconds {MASTER_NAME} {}", plan.down_after.as_millis()))
                .line(format!("sentinel failover-timeout {MASTER_NAME} {FAILOVER_MS}"))
                .line(format!("sentinel parallel-syncs {MASTER_NAME} 8"));
            sentinels.push(Server::spawn(options.program_of(&plan.options))?);
        }
        for sentinel in &sentinels {
            sentinel.answers().await?;
            // An older server does not know it. Then all takes longer.
            sentinel.ask::<redis::Value>(HASTE).await.ok();
        }
        Ok(Self(sentinels))
    }

    pub(super) fn servers(&self) -> &[Server] {
        &self.0
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(Server::port)
    }

    fn running(&self) -> impl Iterator<Item = &Server> {
        self.0.iter().filter(|sentinel| sentinel.is_running())
    }

    /// Whom all Sentinels name as primary. It may be dead.
    pub(super) async fn appointed(&self, members: &[Member]) -> Result<usize> {
        let mut named = None;
        for sentinel in self.running() {
            let answer: Vec<String> = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME]).await?;
            let port = answer.get(1).and_then(|port| port.parse().ok()).unwrap_or_default();
            if named.is_some_and(|named| named != port) {
                return Err(Error::Unexpected("the Sentinels do not agree".to_owned()));
            }
            named = Some(port);
        }
        place_of(named.unwrap_or_default(), members)
    }

    /// Whom all Sentinels name as primary, and who says the same of itself.
    pub(super) async fn settled(&self, members: &[Member]) -> Result<usize> {
        let place = self.appointed(members).await?;
        match Role::of(members[place].server()).await? {
            Role::Primary { .. } => Ok(place),
            Role::Replica { .. } => {
                Err(Error::Unexpected(format!("the server {place} does not know that it is primary")))
            }
        }
    }

    /// Asks until a Sentinel takes it on: it refuses while it has no fresh news of the replicas.
    pub(super) async fn ask_for_failover(&self, primary: usize, members: &[Member]) -> Result<()> {
        patience::eventually("a Sentinel takes the failover on", async || {
            let Some(sentinel) = self.running().next() else { return Ok(None) };
            if self.appointed(members).await? != primary {
                return Ok(Some(()));
            }
            sentinel.ask::<String>(&["SENTINEL", "FAILOVER", MASTER_NAME]).await?;
            Ok(Some(()))
        })
        .await
    }

    /// Waits until somebody else is primary.
    pub(super) async fn other_than(&self, old: usize, members: &[Member]) -> Result<usize> {
        patience::eventually("the Sentinels name another primary", async || {
            let primary = self.settled(members).await?;
            Ok((primary != old).then_some(primary))
        })
        .await
    }

    /// Whether all Sentinels see each other, one primary, and all others following it; and nothing is under way.
    pub(super) async fn content(&self, members: &[Member]) -> Result<Option<()>> {
        let primary = members[self.settled(members).await?].port().to_string();
        for sentinel in self.running() {
            let ask = async |what| sentinel.ask::<Vec<Vec<String>>>(&["SENTINEL", what, MASTER_NAME]).await;
            let seen: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", MASTER_NAME]).await?;
            let (replicas, others) = (ask("REPLICAS").await?, ask("SENTINELS").await?);
            let follows = |replica: &Vec<String>| {
                field(replica, "flags") == "slave"
                    && field(replica, "master-link-status") == "ok"
                    && field(replica, "master-port") == primary
            };
            let well = field(&seen, "flags") == "master"
                && replicas.len() == members.len() - 1
                && replicas.iter().all(follows)
                && others.len() == self.running().count() - 1
                && others.iter().all(|other| field(other, "flags") == "sentinel");
            if !well {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }
}

/// A value in a list of names and values.
fn field<'a>(list: &'a [String], name: &str) -> &'a str {
    let (names, values) = (list.iter().step_by(2), list.iter().skip(1).step_by(2));
    names.zip(values).find_map(|(at, value)| (at == name).then_some(value.as_str())).unwrap_or_default()
}
