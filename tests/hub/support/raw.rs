//! The wire without a library in between: a WebSocket that answers no ping, reads only when told to and sends what no
//! library would, and HTTP as bytes.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::asyncapi::{self, AsyncApi};
use super::eventually::in_time;
use super::people::Agent;

/// Opcodes of RFC 6455.
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct RawFrame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl RawFrame {
    /// The code of a close frame.
    pub(crate) fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        code.filter(|_| self.opcode == CLOSE)
    }
}

/// A connection of one agent, frame by frame.
pub(crate) struct RawSocket {
    stream: TcpStream,
    received: Vec<u8>,
    taken: usize,
    api: &'static AsyncApi,
}

impl RawSocket {
    /// A connection of `agent` on its next node.
    pub(crate) async fn open(agent: &Agent) -> Self {
        Self::open_with(agent, None).await
    }

    /// The same with a receive buffer of the kernel of about this many bytes, so that a client that does not read is
    /// noticed soon.
    pub(crate) async fn open_with(agent: &Agent, receive_buffer: Option<u32>) -> Self {
        let node = agent.next_node();
        let address = node.trim_start_matches("http://");
        let socket = TcpSocket::new_v4().expect("a TCP socket");
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).expect("a receive buffer");
        }
        let connected = socket.connect(address.parse().expect("the address of a node"));
        let stream = in_time("a connection", connected).await.expect("the hub takes the connection");
        let mut socket = Self { stream, received: Vec::new(), taken: 0, api: asyncapi::of(node).await };
        socket.upgrade(address, &agent.token).await;
        socket
    }

    async fn upgrade(&mut self, address: &str, token: &str) {
        let request = format!(
            "GET /v1.0/ws?token={token} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.send_bytes(request.as_bytes()).await.expect("the upgrade is asked for");
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
                assert!(head.starts_with("HTTP/1.1 101"), "the upgrade was refused: {head}");
                self.taken = end + 4;
                return;
            }
            assert!(self.read_more().await, "the hub hung up on the upgrade");
        }
    }

    /// The port of this end.
    pub(crate) fn port(&self) -> u16 {
        self.stream.local_addr().expect("the address of this end").port()
    }

    /// Sends bytes as they are; an error when the hub has hung up.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        in_time("bytes are sent", self.stream.write_all(bytes)).await
    }

    /// Sends one whole, masked frame; an error when the hub has hung up. A text must be one of the hub's document;
    /// what is wrong on purpose goes as bytes.
    pub(crate) async fn send(&mut self, opcode: u8, payload: &[u8]) -> std::io::Result<()> {
        if opcode == TEXT {
            self.api.check_said(&serde_json::from_slice(payload).expect("a frame is JSON"));
        }
        self.send_bytes(&frame(0x80 | opcode, payload)).await
    }

    /// Subscribes to everything the agent may hear, and waits until it is in force.
    pub(crate) async fn subscribe(&mut self, agent: &Agent) {
        let frame = format!(r#"{{"type":"subscribe","topics":["{}"],"id":"here"}}"#, agent.topic());
        self.send(TEXT, frame.as_bytes()).await.expect("the hub takes the frame");
        let mut answer = self.next().await.expect("an answer");
        while answer.opcode != TEXT {
            answer = self.next().await.expect("an answer");
        }
        let text = String::from_utf8_lossy(&answer.payload);
        assert!(text.contains(r#""subscribed""#) && text.contains(r#""here""#), "{text}");
    }

    /// The next frame, control frames included; `None` when the connection has ended. Texts and closes are held to the
    /// hub's document.
    pub(crate) async fn next(&mut self) -> Option<RawFrame> {
        loop {
            if let Some(frame) = self.take_frame() {
                match frame.close_code() {
                    Some(code) => self.api.check_closed(code, &String::from_utf8_lossy(&frame.payload[2..])),
                    None if frame.opcode == TEXT => {
                        self.api.check_heard(&serde_json::from_slice(&frame.payload).expect("a frame is JSON"));
                    }
                    None => {}
                }
                return Some(frame);
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// Reads until the hub ends the connection; the close code it sent first, if any.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            code = code.or(frame.close_code());
        }
        code
    }

    fn take_frame(&mut self) -> Option<RawFrame> {
        let bytes = &self.received[self.taken..];
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (length, rest) = match second {
            126 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_be_bytes(*n)), rest))?,
            127 => rest.split_first_chunk().map(|(n, rest)| (u64::from_be_bytes(*n) as usize, rest))?,
            short => (usize::from(short), rest),
        };
        let payload = rest.get(..length)?.to_vec();
        self.taken = self.received.len() - (rest.len() - length);
        Some(RawFrame { opcode: first & 0x0f, payload })
    }

    async fn read_more(&mut self) -> bool {
        self.received.drain(..self.taken);
        self.taken = 0;
        self.received.reserve(64 * 1024);
        matches!(in_time("bytes come", self.stream.read_buf(&mut self.received)).await, Ok(1..))
    }
}

/// A masked frame with this first byte (the final bit and the opcode).
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x1d, 0xc3, 0x5a, 0x07];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Sends bytes to a node, ends this side, and reads what it answers until it hangs up.
pub(crate) async fn exchange(node: &str, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut stream =
        TcpStream::connect(node.trim_start_matches("http://")).await.expect("the hub takes the connection");
    // Either may fail: the hub is free to hang up on nonsense at any byte.
    let sent = in_time("bytes are sent", stream.write_all(bytes)).await;
    if sent.is_ok() {
        stream.shutdown().await.ok();
    }
    let begun = Instant::now();
    in_time("the hub answers and hangs up", stream.read_to_end(&mut answer)).await.ok();
    assert!(begun.elapsed() < super::eventually::patience());
    answer
}
