//! The kernel's ceiling for fan-out: what is left of a hub when everything but the writing is taken away.
//!
//! A connection to `/subscribe` is a subscriber, one to `/publish` a publisher; both are WebSockets. One thread reads what
//! a publisher sends and hands it to every subscriber by one blocking `write(2)` each. Frames that came with one read go
//! out with one write: with one event under way that is a write for each frame, with more it is the coalescing that any
//! server may do, so that nothing can honestly be above this line.
//!
//! It has no queues: a subscriber that does not read holds all others up, until it is given up after
//! [`WRITE_WITHIN`]. It does not read from subscribers, so it answers no ping of theirs. It keeps no chats, no members, no
//! history and no order among several publishers. Nobody should run it for anything but this.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::rig::held;

/// How long a client may take to ask for its WebSocket.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// How long one write may wait for a subscriber before it is given up.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// The longest request for a WebSocket, in bytes.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// The longest frame, in bytes: what a length of 16 bits can say.
const FRAME_BYTES_MAX: usize = 65_535;
/// What is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

type Subscribers = Arc<Mutex<Vec<TcpStream>>>;

/// Serves on a loopback port until the process is killed. Errors are those of listening.
pub fn serve(port: u16, connections_max: usize) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let subscribers = Subscribers::default();
    for connection in listener.incoming() {
        let connection = match connection {
            Ok(connection) => connection,
            // One that went away before it was taken is nobody's fault.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        if held(&subscribers).len() >= connections_max {
            continue;
        }
        let subscribers = Arc::clone(&subscribers);
        // A thread each for the handshake, so that a slow one holds nobody up; a publisher's stays.
        std::thread::Builder::new().spawn(move || {
            // A connection that fails is closed, and its owner sees that.
            attend(connection, &subscribers).ok();
        })?;
    }
    Ok(())
}

fn attend(mut connection: TcpStream, subscribers: &Subscribers) -> io::Result<()> {
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(ASK_WITHIN))?;
    let (path, rest) = shake_hands(&mut connection)?;
    if path.starts_with("/publish") {
        connection.set_read_timeout(None)?;
        return publish(connection, rest, subscribers);
    }
    connection.set_write_timeout(Some(WRITE_WITHIN))?;
    // On the list before it is told so: who has its answer misses nothing. The lock is held for both, or a frame could
    // come before the answer.
    let mut list = held(subscribers);
    connection.write_all(&rest.answer)?;
    list.push(connection);
    Ok(())
}

/// What came after the request, and what it is to be answered with.
struct Rest {
    answer: Vec<u8>,
    bytes: Vec<u8>,
}

fn shake_hands(connection: &mut TcpStream) -> io::Result<(String, Rest)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let read = connection.read(&mut chunk)?;
        if read == 0 || bytes.len() + read > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
    };
    let request = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = request.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let key = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    let key = key.ok_or(io::ErrorKind::InvalidData)?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Ok((path, Rest { answer: answer.into_bytes(), bytes: bytes.split_off(end) }))
}

fn publish(mut connection: TcpStream, rest: Rest, subscribers: &Subscribers) -> io::Result<()> {
    connection.write_all(&rest.answer)?;
    let mut unread = rest.bytes;
    let mut chunk = vec![0; READ_BYTES];
    let mut out = Vec::with_capacity(READ_BYTES);
    loop {
        out.clear();
        while let Some(frame) = Frame::take(&mut unread)? {
            match frame.opcode {
                Frame::TEXT => frame.write(Frame::TEXT, &mut out),
                Frame::PING => {
                    let mut pong = Vec::new();
                    frame.write(Frame::PONG, &mut pong);
                    connection.write_all(&pong)?;
                }
                Frame::CLOSE => return Ok(()),
                _ => {}
            }
        }
        if !out.is_empty() {
            held(subscribers).retain_mut(|subscriber| subscriber.write_all(&out).is_ok());
        }
        let read = connection.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        unread.extend_from_slice(&chunk[..read]);
    }
}

/// A frame as it came, unmasked. Only whole messages: nobody who publishes here splits them.
struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

impl Frame {
    const TEXT: u8 = 1;
    const CLOSE: u8 = 8;
    const PING: u8 = 9;
    const PONG: u8 = 10;

    /// The first frame of what was read, if it is complete; it is then taken out.
    fn take(unread: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let &[first, second, ..] = unread.as_slice() else { return Ok(None) };
        // The last of a message, no extensions, masked: as every client must.
        if first & 0xf0 != 0x80 || second & 0x80 == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (length, head) = match (second & 0x7f, unread.get(2..4), unread.get(2..10)) {
            (126, Some(&[a, b]), _) => (usize::from(u16::from_be_bytes([a, b])), 4),
            (127, _, Some(_)) => return Err(io::ErrorKind::InvalidData.into()),
            (126 | 127, _, _) => return Ok(None),
            (length, _, _) => (usize::from(length), 2),
        };
        if length > FRAME_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (Some(&mask), Some(masked)) = (unread[head..].first_chunk::<4>(), unread.get(head + 4..head + 4 + length))
        else {
            return Ok(None);
        };
        let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        unread.drain(..head + 4 + length);
        Ok(Some(Self { opcode: first & 0x0f, payload }))
    }

    /// Appends it as a server sends it.
    fn write(&self, opcode: u8, out: &mut Vec<u8>) {
        out.push(0x80 | opcode);
        let length = self.payload.len();
        match u8::try_from(length).ok().filter(|short| *short < 126) {
            Some(short) => out.push(short),
            None => {
                // None is longer than FRAME_BYTES_MAX.
                out.push(126);
                out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
            }
        }
        out.extend_from_slice(&self.payload);
    }
}
