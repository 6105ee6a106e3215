//! What is said until a socket is up: the HTTP upgrade, and whatever a [`Dialect`] wants after it.

use serde_json::json;

use super::Dialect;
use super::frames::{self, Kind};

/// The head of an answer may be so long.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The id of the frame that subscribes.
pub const SUBSCRIBE_ID: &str = "load";

/// What a connection is for; a hub does not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Subscriber,
    Publisher,
}

/// The request for a socket. The key is always the same one: nothing between us and the server caches.
#[must_use]
pub fn upgrade(dialect: Dialect, role: Role, host: &str, token: &str) -> Vec<u8> {
    let role = match role {
        Role::Subscriber => "subscriber",
        Role::Publisher => "publisher",
    };
    let (path, credential) = match dialect {
        Dialect::Hub => ("/v1.0/ws".to_owned(), format!("Authorization: Bearer {token}\r\n")),
        Dialect::Bare if role == "publisher" => ("/publish".to_owned(), String::new()),
        Dialect::Bare => ("/subscribe".to_owned(), String::new()),
        Dialect::SocketIo => (format!("/socket.io/?EIO=4&transport=websocket&role={role}"), String::new()),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// An answer to [`upgrade`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgraded {
    /// More bytes are needed.
    Part,
    /// It is a socket; its frames begin here.
    Yes(usize),
    /// Refused with this status; so many seconds are to be waited, if it says so.
    No(u16, Option<u64>),
    /// Not HTTP.
    Wrong,
}

/// Reads the head of an answer.
#[must_use]
pub fn upgraded(bytes: &[u8]) -> Upgraded {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX { Upgraded::Wrong } else { Upgraded::Part };
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    match status {
        Some(101) => Upgraded::Yes(end + 4),
        Some(status) => {
            let after = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("retry-after").then(|| value.trim().parse().ok())?
            });
            Upgraded::No(status, after)
        }
        None => Upgraded::Wrong,
    }
}

/// What to do with a text frame that comes before the socket is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for another.
    Wait,
    /// Say this.
    Say(Vec<u8>),
    /// The subscription is in force.
    Up,
    /// It was refused.
    Refused(String),
}

/// The frame that subscribes an agent to all its chats, from these cursors (a JSON object of chat id to cursor) on.
#[must_use]
pub fn subscribe(agent: &str, since: &str) -> Vec<u8> {
    let topic = json!(format!("agent_id:{agent}"));
    let frame = format!(r#"{{"type":"subscribe","id":"{SUBSCRIBE_ID}","topics":[{topic}],"since":{since}}}"#);
    let mut bytes = Vec::new();
    frames::write(&mut bytes, Kind::Text, frame.as_bytes());
    bytes
}

/// What a text frame means to a socket that is not up yet.
#[must_use]
pub fn next(dialect: Dialect, payload: &[u8]) -> Next {
    match dialect {
        Dialect::Hub if payload.starts_with(br#"{"type":"subscribed""#) => Next::Up,
        Dialect::Hub if payload.starts_with(br#"{"type":"error""#) => {
            Next::Refused(String::from_utf8_lossy(payload).into_owned())
        }
        Dialect::SocketIo if payload.starts_with(b"40") => Next::Up,
        Dialect::SocketIo if payload.starts_with(b"44") => Next::Refused(String::from_utf8_lossy(payload).into_owned()),
        Dialect::SocketIo if payload.starts_with(b"0") => Next::Say(text(b"40")),
        Dialect::SocketIo if payload == b"2" => Next::Say(text(b"3")),
        Dialect::Hub | Dialect::Bare | Dialect::SocketIo => Next::Wait,
    }
}

/// Whether a socket is up as soon as it is one.
#[must_use]
pub fn up_at_once(dialect: Dialect) -> bool {
    dialect == Dialect::Bare
}

/// The JSON of an event in a text frame of this dialect.
#[must_use]
pub fn event_in(dialect: Dialect, payload: &[u8]) -> &[u8] {
    match dialect {
        Dialect::Hub | Dialect::Bare => payload,
        Dialect::SocketIo => match memchr::memchr(b'{', payload) {
            Some(at) => payload.get(at..).unwrap_or_default(),
            None => &[],
        },
    }
}

/// The frame with which a publisher of a baseline says an event.
#[must_use]
pub fn publish(dialect: Dialect, event: &str) -> Vec<u8> {
    match dialect {
        Dialect::Hub | Dialect::Bare => text(event.as_bytes()),
        Dialect::SocketIo => text(format!(r#"42["publish",{event}]"#).as_bytes()),
    }
}

/// The answer to a text frame that asks for a sign of life, if it is one.
#[must_use]
pub fn sign_of_life(dialect: Dialect, payload: &[u8]) -> Option<Vec<u8>> {
    (dialect == Dialect::SocketIo && payload == b"2").then(|| text(b"3"))
}

fn text(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames::write(&mut bytes, Kind::Text, payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_an_upgrade_are_told_apart() {
        assert_eq!(upgraded(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00"), Upgraded::Yes(36));
        assert_eq!(upgraded(b"HTTP/1.1 101 Switching Protocols\r\n"), Upgraded::Part);
        assert_eq!(upgraded(b"HTTP/1.1 503 No\r\nRetry-After: 3\r\n\r\n"), Upgraded::No(503, Some(3)));
        assert_eq!(upgraded(b"HTTP/1.1 401 No\r\n\r\n{}"), Upgraded::No(401, None));
        assert_eq!(upgraded(b"SSH-2.0\r\n\r\n"), Upgraded::Wrong);
    }

    #[test]
    fn socket_io_is_greeted_before_it_is_up() {
        let say = |payload: &[u8]| next(Dialect::SocketIo, payload);
        assert_eq!(say(br#"0{"sid":"a"}"#), Next::Say(text(b"40")));
        assert_eq!(say(br#"40{"sid":"b"}"#), Next::Up);
        assert_eq!(event_in(Dialect::SocketIo, br#"42["event",{"a":1}]"#), br#"{"a":1}]"#);
    }
}
