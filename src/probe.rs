//! Asks a hub on this machine whether it is well: for a container's health check, where there is
//! no shell and no curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long the hub may take to answer.
const WAIT: Duration = Duration::from_secs(3);

/// Asks the hub that listens on `bind` for `/health/live`.
///
/// # Errors
/// Nobody answers in time, or with anything but 200.
pub fn is_alive(bind: SocketAddr) -> std::io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&reachable(bind), WAIT)?;
    socket.set_read_timeout(Some(WAIT))?;
    socket.set_write_timeout(Some(WAIT))?;
    socket.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    socket.read_exact(&mut status)?;
    if status == *b"HTTP/1.1 200" {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("answered {}", String::from_utf8_lossy(&status))))
    }
}

/// One cannot connect to "every address", but to this machine's own.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A hub that answers one request with this.
    fn answering(answer: &'static str) -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            let (mut client, _) = socket.accept().expect("a client");
            let mut request = [0; 1024];
            let read = client.read(&mut request).expect("a request");
            assert!(request[..read].starts_with(b"GET /health/live HTTP/1.1\r\n"));
            client.write_all(answer.as_bytes()).expect("sent");
        });
        address
    }

    #[test]
    fn a_hub_is_alive_when_it_says_so() {
        let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert!(is_alive(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port())).is_ok());
        let refused = is_alive(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n")).expect_err("not well");
        assert_eq!(refused.to_string(), "answered HTTP/1.1 503");
        assert!(is_alive(answering("HTT")).is_err());
    }

    #[test]
    fn nobody_there_is_not_alive() {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        assert!(is_alive(free).is_err());
    }
}
