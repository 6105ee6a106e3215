//! Where Redis is: `store.url`, read.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use crate::store::{Result, StoreError};

/// How the servers that are named stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server has everything.
    One,
    /// Sentinels are named; they know where the primary of this name is.
    Sentinel { primary: String },
    /// Some members of a cluster are named; they know the others.
    Cluster,
}

/// Host and port.
pub(crate) type Place = (String, u16);

/// `store.url`, understood.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) topology: Topology,
    /// The servers that are named; at least one, and for [`Topology::One`] exactly one.
    pub(crate) named: Vec<Place>,
    /// How to connect to a server that holds data; where it is stands in for any of them.
    data: ConnectionInfo,
    /// How to connect to a sentinel.
    sentinel: ConnectionInfo,
}

/// Servers that may be named at most.
const NAMED_MAX: usize = 64;
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl Address {
    /// Reads `redis://`, `rediss://`, and either with `+sentinel` or `+cluster`.
    ///
    /// # Errors
    /// What is wrong with it, without any part of it: it may hold a password.
    pub(crate) fn read(url: &str) -> Result<Self> {
        let refused = |why: &str| StoreError::Unavailable(format!("store.url: {why}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refused("neither redis:// nor rediss://"))?;
        let (base, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        if !matches!(base, "redis" | "rediss") {
            return Err(refused("neither redis:// nor rediss://"));
        }
        if base == "rediss" {
            trust();
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (servers, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, servers) = servers.rsplit_once('@').unwrap_or(("", servers));
        let port = if kind == "sentinel" { SENTINEL_PORT } else { PORT };
        let named = servers.split(',').map(|server| place(server, port)).collect::<Option<Vec<Place>>>();
        let named = named.filter(|named| !named.is_empty()).ok_or_else(|| refused("not the address of a server"))?;
        if named.len() > NAMED_MAX {
            return Err(refused("more than 64 servers are named"));
        }
        let (topology, db) = match kind {
            "" if named.len() > 1 => return Err(refused("several servers need redis+sentinel:// or redis+cluster://")),
            "" => (Topology::One, path),
            "sentinel" => {
                let (primary, db) = path.split_once('/').unwrap_or((path, ""));
                if primary.is_empty() {
                    return Err(refused("the name of the primary is missing: redis+sentinel://host:port,…/name"));
                }
                (Topology::Sentinel { primary: primary.to_owned() }, db)
            }
            "cluster" if matches!(path, "" | "0") => (Topology::Cluster, ""),
            "cluster" => return Err(refused("a cluster has no databases but 0")),
            _ => return Err(refused("neither +sentinel nor +cluster behind redis")),
        };
        // TLS options and the like stay in the query that the library reads.
        let asked: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (for_sentinel, others): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|(key, _)| key.starts_with("sentinel_"));
        let others = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        let (host, port) = named.first().ok_or_else(|| refused("not the address of a server"))?;
        let at = if credentials.is_empty() { String::new() } else { format!("{credentials}@") };
        let one = format!("{base}://{at}{}:{port}/{db}?{others}", bracketed(host));
        let data = one.as_str().into_connection_info().map_err(|_| refused("not the address of a server"))?;
        let tcp = data.tcp_settings().clone().set_nodelay(true);
        let data = data.set_tcp_settings(tcp);
        let mut of_sentinel = redis::RedisConnectionInfo::default();
        for (key, value) in for_sentinel {
            of_sentinel = match key.as_str() {
                "sentinel_user" => of_sentinel.set_username(value),
                "sentinel_password" => of_sentinel.set_password(value),
                _ => return Err(refused("of sentinels only sentinel_user and sentinel_password can be given")),
            };
        }
        let sentinel = data.clone().set_redis_settings(of_sentinel);
        Ok(Self { topology, named, data, sentinel })
    }

    /// How to connect to the server there that holds data.
    pub(crate) fn of(&self, place: &Place) -> ConnectionInfo {
        moved(&self.data, place)
    }

    /// How to connect to the sentinel there.
    pub(crate) fn of_sentinel(&self, place: &Place) -> ConnectionInfo {
        moved(&self.sentinel, place)
    }
}

/// Chooses how TLS is done, unless the process has chosen already.
fn trust() {
    // An error means that it has.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn moved(info: &ConnectionInfo, (host, port): &Place) -> ConnectionInfo {
    let addr = match info.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host.clone(), *port),
    };
    info.clone().set_addr(addr)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Reads `host`, `host:port`, `[v6]` and `[v6]:port`.
pub(crate) fn place(text: &str, default: u16) -> Option<Place> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(default), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Address {
        Address::read(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn tcp(host: &str, port: u16) -> ConnectionAddr {
        ConnectionAddr::Tcp(host.to_owned(), port)
    }

    #[test]
    fn one_server_is_named_as_everywhere() {
        let address = read("redis://me:secret@example.com:7000/3");
        assert_eq!(address.topology, Topology::One);
        let info = address.of(&address.named[0]);
        assert_eq!(*info.addr(), tcp("example.com", 7000));
        assert_eq!((info.redis_settings().username(), info.redis_settings().password()), (Some("me"), Some("secret")));
        assert_eq!(info.redis_settings().db(), 3);
        assert_eq!(read("redis://localhost").named, [("localhost".to_owned(), 6379)]);
    }

    #[test]
    fn sentinels_are_named_with_the_name_of_the_primary() {
        let address = read("redis+sentinel://:secret@a:1,b,[::1]:3/talk/2?sentinel_user=s&sentinel_password=p%2Fw");
        assert_eq!(address.topology, Topology::Sentinel { primary: "talk".to_owned() });
        assert_eq!(address.named, [("a".to_owned(), 1), ("b".to_owned(), 26379), ("::1".to_owned(), 3)]);
        let data = address.of(&("c".to_owned(), 9));
        assert_eq!((data.redis_settings().password(), data.redis_settings().db()), (Some("secret"), 2));
        let sentinel = address.of_sentinel(&address.named[1]);
        assert_eq!(*sentinel.addr(), tcp("b", 26379));
        let settings = sentinel.redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("s"), Some("p/w"), 0));
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_members() {
        let address = read("redis+cluster://me:secret@a:1,b:2");
        assert_eq!(address.topology, Topology::Cluster);
        assert_eq!(address.named.len(), 2);
        let tls = read("rediss+cluster://a:1,b:2").of(&("c".to_owned(), 3));
        assert!(matches!(tls.addr(), ConnectionAddr::TcpTls { host, port: 3, .. } if host == "c"));
    }

    #[test]
    fn what_cannot_be_is_refused_and_nothing_of_it_is_told() {
        let wrong = [
            "localhost:6379",
            "http://secret",
            "redis://a:1,b:2",
            "redis://secret@",
            "redis://a:secret",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/talk?sentinel_secret=x",
            "redis+cluster://a:1/3",
            "redis+secret://a:1",
            "redis+cluster://a:1,,b:2",
        ];
        for url in wrong {
            let Err(error) = Address::read(url) else { panic!("{url} was taken") };
            assert!(!error.to_string().contains("secret") || url.contains("sentinel_"), "{url}: {error}");
        }
    }
}
