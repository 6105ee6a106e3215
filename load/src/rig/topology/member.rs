//! One server of a topology, the wire before it, and what it says that it is.

use crate::rig::proxy::Proxy;
use crate::rig::redis::{Options, Server};
use crate::rig::{Error, Result};

/// A server in a topology.
#[derive(Debug)]
pub struct Member {
    pub(super) server: Server,
    pub(super) proxy: Option<Proxy>,
}

impl Member {
    /// Starts a server that announces its proxy, with more options once both ports are known.
    pub(super) fn spawn(port: u16, proxy: Option<Proxy>, options: Options) -> Result<Self> {
        let announced = proxy.as_ref().map_or(port, Proxy::port);
        let options = options.port(port);
        let options = options.line("replica-announce-ip 127.0.0.1").line(format!("replica-announce-port {announced}"));
        Ok(Self { server: Server::spawn(options)?, proxy })
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The wire before it, if the topology has proxies.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The port under which everybody knows it: its proxy's, or its own.
    pub fn port(&self) -> u16 {
        self.proxy.as_ref().map_or(self.server.port(), Proxy::port)
    }
}

/// What a server says it is.
#[derive(Debug)]
pub(super) enum Role {
    Primary { offset: i64 },
    Replica { of: u16, linked: bool, offset: i64 },
}

impl Role {
    pub(super) async fn of(server: &Server) -> Result<Self> {
        let words: Vec<redis::Value> = server.ask(&["ROLE"]).await?;
        let text = |place: usize| words.get(place).and_then(|word| redis::from_redis_value_ref::<String>(word).ok());
        let number = |place: usize| text(place).and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        match text(0).as_deref() {
            Some("master") => Ok(Self::Primary { offset: number(1) }),
            Some("slave") => Ok(Self::Replica {
                of: u16::try_from(number(2)).unwrap_or_default(),
                linked: text(3).as_deref() == Some("connected"),
                offset: number(4),
            }),
            other => Err(Error::Unexpected(format!("ROLE says {other:?}"))),
        }
    }
}

/// Who is known under a port.
pub(super) fn place_of(port: u16, members: &[Member]) -> Result<usize> {
    let place = members.iter().position(|member| member.port() == port);
    place.ok_or_else(|| Error::Unexpected(format!("nobody is known at port {port}")))
}
