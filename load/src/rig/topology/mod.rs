//! Servers that belong together: alone, under Sentinel, or as a Cluster; and what can befall them.
//!
//! # Addresses
//!
//! Each server listens on a port of its own. In a [`Plan::proxied`] topology a proxy stands before each, and the server
//! *announces* the proxy's port: Sentinels, Cluster redirections, and the primaries that replicas are told to follow, all
//! name the proxy. So whatever anybody does after a failover, it goes through the proxy of whoever is primary now; the
//! proxies tell replicas from clients by what they say ([`proxy::Peer`](super::proxy::Peer)). The rig's own commands, the
//! Cluster's bus and the moving of keys go directly.
//!
//! # Members
//!
//! Servers are named by their place in [`Topology::members`], which never changes, whatever their roles.

use super::proxy::Proxy;
use super::redis::Server;
use super::{Error, Result, patience, ports};

mod cluster;
mod member;
mod plan;
mod sentinel;
mod slots;
mod torment;

pub use member::Member;
pub use plan::{Failover, Plan, Shape};
pub use sentinel::MASTER_NAME;
pub use slots::{Move, SLOTS};

use cluster::Cluster;
use member::{Role, place_of};
use sentinel::Sentinels;

/// Primaries of a Cluster.
const CLUSTER_PRIMARIES: usize = 3;

#[derive(Debug)]
enum Body {
    Standalone,
    Sentinel(Sentinels),
    Cluster(Cluster),
}

/// Running servers that belong together. Dropping it ends them all.
#[derive(Debug)]
pub struct Topology {
    // Watchers go first, or they would fail over what is being ended.
    body: Body,
    members: Vec<Member>,
}

impl Topology {
    /// Starts all servers, and waits until each has its role and all is well.
    pub async fn start(plan: Plan) -> Result<Self> {
        let count = match plan.shape {
            Shape::Standalone => 1,
            Shape::Sentinel => 1 + plan.replicas,
            Shape::Cluster => CLUSTER_PRIMARIES * (1 + plan.replicas),
        };
        let mut fronts = Vec::new();
        for _ in 0..count {
            let port = ports::free_port()?;
            fronts.push((port, if plan.proxied { Some(Proxy::to(port).await?) } else { None }));
        }
        let topology = match plan.shape {
            Shape::Standalone => Self::standalone(&plan, fronts)?,
            Shape::Sentinel => Self::sentinel(&plan, fronts).await?,
            Shape::Cluster => Self::cluster(&plan, fronts).await?,
        };
        topology.wait_healthy().await?;
        Ok(topology)
    }

    fn standalone(plan: &Plan, fronts: Vec<(u16, Option<Proxy>)>) -> Result<Self> {
        let members = fronts.into_iter().map(|(port, proxy)| Member::spawn(port, proxy, plan.options.clone()));
        Ok(Self { body: Body::Standalone, members: members.collect::<Result<_>>()? })
    }

    /// The address for `store.url`.
    pub fn url(&self) -> String {
        match &self.body {
            Body::Standalone => format!("redis://{}", addresses(self.members.iter().map(Member::port))),
            Body::Sentinel(sentinels) => format!("redis+sentinel://{}/{MASTER_NAME}", addresses(sentinels.ports())),
            Body::Cluster(_) => format!("redis+cluster://{}", addresses(self.members.iter().map(Member::port))),
        }
    }

    pub fn shape(&self) -> Shape {
        match &self.body {
            Body::Standalone => Shape::Standalone,
            Body::Sentinel(_) => Shape::Sentinel,
            Body::Cluster(_) => Shape::Cluster,
        }
    }

    /// All servers, Sentinels left out, in an order that never changes.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The server at this place of [`Self::members`].
    pub fn server(&self, member: usize) -> Result<&Server> {
        Ok(&self.member(member)?.server)
    }

    /// The Sentinels; none in other topologies.
    pub fn sentinels(&self) -> &[Server] {
        match &self.body {
            Body::Sentinel(sentinels) => sentinels.servers(),
            _ => &[],
        }
    }

    /// Who takes writes now. Waits until that is settled.
    pub async fn primaries(&self) -> Result<Vec<usize>> {
        patience::eventually("it is settled who is primary", async || {
            let primaries = match &self.body {
                Body::Standalone => vec![0],
                Body::Sentinel(sentinels) => vec![sentinels.settled(&self.members).await?],
                Body::Cluster(cluster) => cluster.primaries(&self.members).await?,
            };
            Ok(Some(primaries))
        })
        .await
    }

    /// Whose replicas live now, and are known to follow this primary.
    pub async fn replicas_of(&self, primary: usize) -> Result<Vec<usize>> {
        let port = self.member(primary)?.port();
        let mut replicas = Vec::new();
        for (place, member) in self.members.iter().enumerate().filter(|(_, member)| member.server.is_running()) {
            if matches!(Role::of(&member.server).await?, Role::Replica { of, .. } if of == port) {
                replicas.push(place);
            }
        }
        Ok(replicas)
    }

    /// Makes somebody else primary in this one's stead, and says who. Returns when all who live agree.
    pub async fn failover(&self, primary: usize, how: Failover) -> Result<usize> {
        let old = self.member(primary)?;
        match &self.body {
            Body::Standalone => Err(Error::Unexpected("a server alone has nobody to fail over to".to_owned())),
            Body::Sentinel(sentinels) => {
                match how {
                    Failover::Killed => old.server.kill()?,
                    _ => sentinels.ask_for_failover(primary, &self.members).await?,
                }
                sentinels.other_than(primary, &self.members).await
            }
            Body::Cluster(cluster) => {
                let heirs = self.replicas_of(primary).await?;
                if how == Failover::Killed {
                    old.server.kill()?;
                }
                cluster.succession(&heirs, how, &self.members).await
            }
        }
    }

    /// Starts a killed server again, as what it is now: a replica of whoever took over, or what it was if nobody did.
    pub async fn revive(&self, member: usize) -> Result<()> {
        let server = self.server(member)?;
        match &self.body {
            Body::Sentinel(sentinels) => {
                let primary = patience::eventually("the Sentinels agree", async || {
                    sentinels.appointed(&self.members).await.map(Some)
                });
                let primary = primary.await?;
                let of = if primary == member { None } else { Some(self.member(primary)?.port()) };
                server.start_again_as(of).await
            }
            _ => server.start_again().await,
        }
    }

    /// Waits until every server is there, each replica has what its primary had when this was called, and nobody is
    /// about to fail over.
    pub async fn wait_healthy(&self) -> Result<()> {
        for member in &self.members {
            member.server.answers().await?;
        }
        match &self.body {
            Body::Standalone => Ok(()),
            Body::Sentinel(sentinels) => {
                let healthy = async || sentinels.content(&self.members).await;
                patience::eventually("the Sentinels are content", healthy).await
            }
            Body::Cluster(cluster) => {
                patience::eventually("the Cluster is content", async || cluster.content(&self.members).await).await
            }
        }?;
        for primary in self.primaries().await? {
            self.wait_in_sync(primary).await?;
        }
        Ok(())
    }

    async fn wait_in_sync(&self, primary: usize) -> Result<()> {
        let Role::Primary { offset: mark } = Role::of(self.server(primary)?).await? else {
            return Err(Error::Unexpected(format!("the server {primary} is no primary any more")));
        };
        patience::eventually("the replicas are in sync", async || {
            for replica in self.replicas_of(primary).await? {
                match Role::of(self.server(replica)?).await? {
                    Role::Replica { linked: true, offset, .. } if offset >= mark => {}
                    _ => return Ok(None),
                }
            }
            Ok(Some(()))
        })
        .await
    }

    fn running(&self) -> impl Iterator<Item = &Server> {
        self.members.iter().map(Member::server).filter(|server| server.is_running())
    }

    fn member(&self, place: usize) -> Result<&Member> {
        self.members.get(place).ok_or_else(|| Error::Unexpected(format!("there is no server {place}")))
    }
}

fn addresses(ports: impl Iterator<Item = u16>) -> String {
    ports.map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
}
