//! A wire that misbehaves: a forwarder on a loopback port, whose faults can be changed while it runs.
//!
//! It stands between clients and a server, and between a server and its replicas. It knows who is at the other end by
//! what they say first ([`Peer`]), so that replication can lose bytes while clients work, and the other way round.
//!
//! Faults are told as a [`Fault`] for each kind of peer. What is under way in the proxy still arrives. A connection that
//! has lost bytes is torn, so it is reset as soon as it would carry bytes again.
//!
//! Proxies live on two threads of their own, and do not end with the runtime of whoever started them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::{Error, Result, ports};

mod frames;
mod wire;

/// How long nothing is accepted after accepting has failed.
const BREATH: Duration = Duration::from_millis(10);

/// Who is at the client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Nobody of the below: a hub.
    Client,
    /// A replica: it says `REPLCONF` or `PSYNC`.
    Replica,
    /// A Sentinel: it gives itself a name.
    Sentinel,
}

/// All kinds of peers.
pub const EVERYBODY: [Peer; 3] = [Peer::Client, Peer::Replica, Peer::Sentinel];

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    Server,
    Client,
    Both,
}

/// What happens to every k-th thing that is published. Only clients are sent such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushes {
    /// Every k-th never arrives.
    Lose { every: u64 },
    /// Every k-th arrives twice.
    Repeat { every: u64 },
}

/// What is wrong with a wire. By default nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Bytes are swallowed, the connection stays, and neither end can tell. The end of a connection still arrives.
    pub drop: Option<Toward>,
    /// Connections are reset, and new ones as soon as it is clear who makes them.
    pub refuse: bool,
    /// How much later everything arrives, each way.
    pub delay: Duration,
    /// How fast bytes pass, each way and for each connection; `None` is as fast as they can.
    pub bytes_per_second: Option<u64>,
    pub pushes: Option<Pushes>,
}

impl Fault {
    /// Swallows bytes.
    pub fn drop(toward: Toward) -> Self {
        Self { drop: Some(toward), ..Self::default() }
    }

    /// Lets nobody through.
    pub fn refuse() -> Self {
        Self { refuse: true, ..Self::default() }
    }

    /// Makes everything late.
    pub fn delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Makes everything slow.
    pub fn throttle(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: Some(bytes_per_second.max(1)), ..Self::default() }
    }

    /// Loses or repeats what is published.
    pub fn pushes(pushes: Pushes) -> Self {
        Self { pushes: Some(pushes), ..Self::default() }
    }

    fn drops(&self, toward: Toward) -> bool {
        self.drop == Some(toward) || self.drop == Some(Toward::Both)
    }
}

/// How the wire is set, and how often each kind of connection was cut so far.
#[derive(Clone, Copy, Debug, Default)]
struct Switches {
    faults: [Fault; 3],
    cuts: [u64; 3],
}

/// What a proxy has done so far.
#[derive(Debug, Default)]
struct Tally {
    pushes: AtomicU64,
    lost: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
}

/// A forwarder on a loopback port. Dropping it closes the port and resets what goes through it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    switches: watch::Sender<Switches>,
    tally: Arc<Tally>,
}

impl Proxy {
    /// Forwards to `127.0.0.1:<target>`, from a port that [`ports`] gives.
    pub async fn to(target: u16) -> Result<Self> {
        Self::between(ports::free_port()?, target).await
    }

    /// Forwards from `127.0.0.1:<port>` to `127.0.0.1:<target>`.
    pub async fn between(port: u16, target: u16) -> Result<Self> {
        let listening = format!("listening on port {port}");
        let threads = threads()?;
        let listener = threads.spawn(TcpListener::bind(("127.0.0.1", port))).await;
        let listener = listener.map_err(|error| Error::Unexpected(format!("{listening}: {error}")))?;
        let listener = listener.map_err(Error::io(listening))?;
        let (switches, set) = watch::channel(Switches::default());
        let tally = Arc::new(Tally::default());
        threads.spawn(listen(listener, target, set, Arc::clone(&tally)));
        Ok(Self { port, switches, tally })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on this is wrong for these peers, and nothing else.
    pub fn set(&self, peers: &[Peer], fault: Fault) {
        self.switches.send_modify(|switches| {
            for peer in peers {
                switches.faults[*peer as usize] = fault;
            }
        });
    }

    /// From now on nothing is wrong.
    pub fn heal(&self) {
        self.set(&EVERYBODY, Fault::default());
    }

    /// Resets the connections of these peers. They may come back at once.
    pub fn cut(&self, peers: &[Peer]) {
        self.switches.send_modify(|switches| {
            for peer in peers {
                switches.cuts[*peer as usize] += 1;
            }
        });
    }

    /// How many pushes have come from the server, those lost included.
    pub fn pushes(&self) -> u64 {
        self.tally.pushes.load(Ordering::SeqCst)
    }

    /// How many pushes were lost.
    pub fn lost(&self) -> u64 {
        self.tally.lost.load(Ordering::SeqCst)
    }

    /// How many pushes were sent twice.
    pub fn repeated(&self) -> u64 {
        self.tally.repeated.load(Ordering::SeqCst)
    }

    /// How many bytes were swallowed, those of lost pushes not counted.
    pub fn dropped_bytes(&self) -> u64 {
        self.tally.dropped.load(Ordering::SeqCst)
    }
}

/// Takes connections until the proxy is dropped.
async fn listen(listener: TcpListener, target: u16, mut set: watch::Receiver<Switches>, tally: Arc<Tally>) {
    loop {
        let near = tokio::select! {
            accepted = listener.accept() => accepted,
            gone = set.changed() => match gone {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        // An error is about that one connection, which is gone already, or about descriptors, which come back.
        let Ok((near, _)) = near else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let everybody_refused = set.borrow().faults.iter().all(|fault| fault.refuse);
        if everybody_refused {
            near.set_zero_linger().ok();
            continue;
        }
        let (set, tally) = (set.clone(), Arc::clone(&tally));
        tokio::spawn(async move {
            match TcpStream::connect(("127.0.0.1", target)).await {
                Ok(far) => wire::carry(near, far, set, tally).await,
                Err(_) => drop(near.set_zero_linger()),
            }
        });
    }
}

fn threads() -> Result<Handle> {
    static THREADS: LazyLock<std::io::Result<Runtime>> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).thread_name("rig-proxy").enable_all().build());
    match &*THREADS {
        Ok(runtime) => Ok(runtime.handle().clone()),
        Err(error) => Err(Error::Unexpected(format!("starting the proxies' threads: {error}"))),
    }
}
