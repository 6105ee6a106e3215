//! A wire to Redis that loses what is published, and nothing else: the connection stays, the event is gone. Or that brings
//! nothing for a while, as to a node that does not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A forwarder on a loopback port. It lives as long as the runtime of its test.
pub(crate) struct Proxy {
    port: u16,
    losing: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
    held: Arc<watch::Sender<bool>>,
}

impl Proxy {
    /// Forwards to `redis://127.0.0.1:<port>`.
    pub(crate) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        let proxy = Self { port, losing: Arc::default(), lost: Arc::default(), held: Arc::default() };
        let (losing, lost, held) = (Arc::clone(&proxy.losing), Arc::clone(&proxy.lost), Arc::clone(&proxy.held));
        let target = target.trim_start_matches("redis://").to_owned();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&target).await else { continue };
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                let (never, free) = (Arc::default(), watch::Sender::new(false).subscribe());
                tokio::spawn(forward(near_read, far_write, never, Arc::default(), free));
                tokio::spawn(forward(far_read, near_write, Arc::clone(&losing), Arc::clone(&lost), held.subscribe()));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on whatever Redis publishes through this wire is lost, or is not.
    pub(crate) fn lose(&self, yes: bool) {
        self.losing.store(yes, Ordering::SeqCst);
    }

    /// From now on nothing comes through from Redis, and nothing is lost; or it comes again.
    pub(crate) fn hold(&self, yes: bool) {
        self.held.send_replace(yes);
    }

    /// How many times something published was lost.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Copies bytes one way. On an idle wire each read is what Redis wrote at once, so a push is lost as a whole.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    losing: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
    mut held: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 256 * 1024];
    loop {
        // Whoever held it and is gone holds it no more.
        held.wait_for(|held| !held).await.ok();
        let Ok(count @ 1..) = from.read(&mut bytes).await else { break };
        let chunk = &bytes[..count];
        if losing.load(Ordering::SeqCst) && chunk.windows(9).any(|nine| nine == b"message\r\n") {
            lost.fetch_add(1, Ordering::SeqCst);
        } else if to.write_all(chunk).await.is_err() {
            return;
        }
    }
    to.shutdown().await.ok();
}
