//! One connection through a proxy: two directions, and the switches over both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::frames::{Frames, Part};
use super::{EVERYBODY, Fault, Peer, Pushes, Switches, Tally, Toward};

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks under way in one direction; further ones wait in the kernel.
const CHUNKS_MAX: usize = 256;
/// Bytes of what a peer says first in which it is looked for who it is.
const INTRODUCTION_BYTES: usize = 512;

/// What both directions of a connection know.
struct Connection {
    set: watch::Receiver<Switches>,
    tally: Arc<Tally>,
    /// Who is at the client's end, as far as it is known, by its place in [`EVERYBODY`].
    peer: AtomicU8,
    /// Whether bytes were swallowed.
    torn: AtomicBool,
}

impl Connection {
    fn peer(&self) -> Peer {
        EVERYBODY[usize::from(self.peer.load(Ordering::SeqCst)) % EVERYBODY.len()]
    }

    fn fault(&self) -> Fault {
        self.set.borrow().faults[self.peer() as usize]
    }

    fn swallow(&self, bytes: usize) {
        self.torn.store(true, Ordering::SeqCst);
        self.tally.dropped.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}

/// Bytes, and when they may arrive.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

/// Forwards until either end is done, or the switches say that it is over. What is left then is reset.
pub(super) async fn carry(near: TcpStream, far: TcpStream, set: watch::Receiver<Switches>, tally: Arc<Tally>) {
    near.set_nodelay(true).ok();
    far.set_nodelay(true).ok();
    let connection =
        Arc::new(Connection { set: set.clone(), tally, peer: AtomicU8::default(), torn: AtomicBool::default() });
    let (mut near, mut far) = (near, far);
    let done = {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let both = async {
            tokio::try_join!(
                forward(near_read, far_write, Toward::Server, &connection),
                forward(far_read, near_write, Toward::Client, &connection),
            )
        };
        tokio::select! {
            ends = both => ends.is_ok(),
            () = over(&connection, set) => false,
        }
    };
    if !done {
        near.set_zero_linger().ok();
        far.set_zero_linger().ok();
    }
}

/// Returns when the switches do not let this connection live on.
async fn over(connection: &Connection, mut set: watch::Receiver<Switches>) {
    let before = set.borrow_and_update().cuts;
    loop {
        // A proxy that is gone takes its connections along.
        if set.changed().await.is_err() {
            return;
        }
        let now = *set.borrow_and_update();
        let peer = connection.peer() as usize;
        let fault = now.faults[peer];
        let torn = connection.torn.load(Ordering::SeqCst) && fault.drop.is_none();
        if fault.refuse || torn || now.cuts[peer] != before[peer] {
            return;
        }
    }
}

async fn forward(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    toward: Toward,
    connection: &Connection,
) -> std::io::Result<()> {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    tokio::try_join!(take(from, sender, toward, connection), give(to, receiver, connection)).map(drop)
}

async fn take(
    mut from: impl AsyncRead + Unpin,
    sender: mpsc::Sender<Chunk>,
    toward: Toward,
    connection: &Connection,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut introduction = Vec::new();
    let mut frames = Frames::new();
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let bytes = &buffer[..count];
        if toward == Toward::Server && introduction.len() < INTRODUCTION_BYTES {
            introduction.extend_from_slice(&bytes[..count.min(INTRODUCTION_BYTES - introduction.len())]);
            meet(&introduction, connection);
        }
        let fault = connection.fault();
        if fault.refuse {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        if fault.drops(toward) {
            connection.swallow(count);
            continue;
        }
        let bytes = match toward {
            Toward::Client if connection.peer() == Peer::Client => {
                sift(&mut frames, bytes, fault.pushes, &connection.tally)
            }
            _ => bytes.to_vec(),
        };
        let due = Instant::now() + fault.delay;
        if !bytes.is_empty() && sender.send(Chunk { due, bytes }).await.is_err() {
            return Ok(());
        }
    }
}

async fn give(
    mut to: impl AsyncWrite + Unpin,
    mut receiver: mpsc::Receiver<Chunk>,
    connection: &Connection,
) -> std::io::Result<()> {
    while let Some(chunk) = receiver.recv().await {
        tokio::time::sleep_until(chunk.due).await;
        match connection.fault().bytes_per_second {
            None => to.write_all(&chunk.bytes).await?,
            Some(rate) => trickle(&mut to, &chunk.bytes, rate).await?,
        }
    }
    to.shutdown().await
}

/// Writes at a rate, a hundredth of a second's worth at a time.
async fn trickle(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], rate: u64) -> std::io::Result<()> {
    let step = usize::try_from(rate / 100).unwrap_or(usize::MAX).max(1);
    for part in bytes.chunks(step) {
        to.write_all(part).await?;
        tokio::time::sleep(Duration::from_secs_f64(part.len() as f64 / rate as f64)).await;
    }
    Ok(())
}

/// Learns who is there from what they said so far.
fn meet(introduction: &[u8], connection: &Connection) {
    let said = |word: &[u8]| introduction.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    let peer = if said(b"replconf") || said(b"psync") {
        Peer::Replica
    } else if said(b"sentinel-") || said(b"__sentinel__") {
        Peer::Sentinel
    } else {
        Peer::Client
    };
    connection.peer.store(peer as u8, Ordering::SeqCst);
}

/// The bytes that go on, once pushes were lost or repeated.
fn sift(frames: &mut Frames, bytes: &[u8], pushes: Option<Pushes>, tally: &Tally) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    for part in frames.read(bytes) {
        let push = match part {
            Part::Answer(answer) => {
                kept.extend(answer);
                continue;
            }
            Part::Push(push) => push,
        };
        let number = tally.pushes.fetch_add(1, Ordering::SeqCst) + 1;
        match pushes {
            Some(Pushes::Lose { every }) if number.is_multiple_of(every.max(1)) => {
                tally.lost.fetch_add(1, Ordering::SeqCst);
            }
            Some(Pushes::Repeat { every }) if number.is_multiple_of(every.max(1)) => {
                tally.repeated.fetch_add(1, Ordering::SeqCst);
                kept.extend_from_slice(&push);
                kept.extend_from_slice(&push);
            }
            _ => kept.extend(push),
        }
    }
    kept
}
