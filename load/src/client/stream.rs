//! TCP connections from several source addresses: one address has 28,000 ports or so towards a server, and a test of more
//! connections needs more addresses (each gives 28,000 in all when it is named). Nothing but the addresses that the caller names is ever bound.

use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Protocol, Socket, Type};

use super::tls::{Tls, Trust};
use super::{Error, Result};

/// A node: where it is, what it is called in `Host`, and whether TLS is spoken with it.
#[derive(Clone, Debug)]
pub struct Node {
    pub address: SocketAddr,
    pub host: String,
    pub tls: Option<Tls>,
}

impl Node {
    /// From `http://host:port` or `ws://host:port`, and from `https` and `wss` if somebody is trusted; anything after
    /// that is left out.
    ///
    /// # Errors
    /// It is no such address, or the name is not known.
    pub fn of(url: &str, trust: Option<&Trust>) -> Result<Self> {
        let wrong = |problem: &str| Error::Address { url: url.to_owned(), problem: problem.to_owned() };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (secret, usual_port) = match scheme {
            "http" | "ws" => (false, 80),
            "https" | "wss" => (true, 443),
            _ => return Err(wrong("must begin with http://, https://, ws:// or wss://")),
        };
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let (name, port) = match host.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>())) {
            Some((name, Ok(port))) => (name, port),
            _ => (host, usual_port),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let found = (name, port).to_socket_addrs().map_err(|error| wrong(&error.to_string()))?.next();
        let address = found.ok_or_else(|| wrong("no address"))?;
        let tls = match (secret, trust) {
            (false, _) => None,
            (true, Some(trust)) => {
                Some(Tls::to(name, trust).ok_or_else(|| wrong("no certificate can have this name"))?)
            }
            (true, None) => return Err(wrong("nobody is trusted here")),
        };
        Ok(Self { address, host: host.to_owned(), tls })
    }
}

/// The addresses that connections are made from, in turn. None: the kernel chooses.
#[derive(Debug, Default)]
pub struct Sources {
    addresses: Vec<IpAddr>,
    next: AtomicUsize,
}

impl Sources {
    /// These, in turn.
    #[must_use]
    pub fn new(addresses: Vec<IpAddr>) -> Self {
        Self { addresses, next: AtomicUsize::new(0) }
    }

    /// Begins to connect; the stream does not block, and is writable when it is connected.
    ///
    /// # Errors
    /// The source address is not this machine's, or there is no descriptor or port left.
    pub fn begin(&self, to: SocketAddr) -> Result<TcpStream> {
        self.begin_with(to, None)
    }

    /// As [`Self::begin`], with room for so few bytes that it is soon full when nobody reads.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn begin_narrow(&self, to: SocketAddr) -> Result<TcpStream> {
        self.begin_with(to, Some(NARROW_BYTES))
    }

    fn begin_with(&self, to: SocketAddr, room: Option<usize>) -> Result<TcpStream> {
        let failed = |source| Error::Io { doing: "connecting", source };
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        socket.set_tcp_nodelay(true).map_err(failed)?;
        if let Some(bytes) = room {
            // Before it connects: the window is told with the first packet.
            socket.set_recv_buffer_size(bytes).map_err(failed)?;
        }
        if let Some(from) = self.turn() {
            let bound = socket.bind(&SocketAddr::new(from, 0).into());
            bound.map_err(|source| Error::Io { doing: "binding a source address", source })?;
        }
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(socket.into())
    }

    fn turn(&self) -> Option<IpAddr> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.addresses.get(turn.checked_rem(self.addresses.len())?).copied()
    }
}

/// What a narrow connection holds that nobody has read; the kernel doubles it for its own needs.
pub const NARROW_BYTES: usize = 8 * 1024;
/// EINPROGRESS on Linux.
const IN_PROGRESS: i32 = 115;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_from_addresses() {
        let trust = Trust::of_machine_and(None).expect("trust");
        for (url, host, port, secret) in [
            ("http://127.0.0.1:8080/v1.0", "127.0.0.1:8080", 8080, false),
            ("ws://127.0.0.1", "127.0.0.1", 80, false),
            ("https://127.0.0.1?a", "127.0.0.1", 443, true),
            ("wss://localhost:8443", "localhost:8443", 8443, true),
            ("http://[::1]:8080", "[::1]:8080", 8080, false),
            ("http://[::1]", "[::1]", 80, false),
        ] {
            let node = Node::of(url, Some(&trust)).expect(url);
            assert_eq!((node.host.as_str(), node.address.port(), node.tls.is_some()), (host, port, secret), "{url}");
        }
        for url in ["127.0.0.1", "ftp://127.0.0.1", "https://"] {
            assert!(Node::of(url, Some(&trust)).is_err(), "{url}");
        }
        assert!(Node::of("https://127.0.0.1", None).is_err(), "nobody to trust");
    }

    #[test]
    fn connections_come_from_the_addresses_in_turn() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = listener.local_addr().expect("an address");
        let sources = Sources::new(vec!["127.0.0.2".parse().expect("one"), "127.0.0.3".parse().expect("another")]);
        let _streams: Vec<_> = (0..3).map(|_| sources.begin(to).expect("a connection")).collect();
        let from: Vec<_> = (0..3).map(|_| listener.accept().expect("accepted").1.ip().to_string()).collect();
        assert_eq!(from, ["127.0.0.2", "127.0.0.3", "127.0.0.2"]);
    }
}
