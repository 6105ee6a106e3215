//! The composition root: the one place that knows every room. It opens them from left to right,
//! binds the address, and closes them from right to left.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use actix_server::{Server, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, web};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::chat::actor::Deps;
use crate::chat::command::Question;
use crate::chat::registry::{Chats, Whom};
use crate::demo::{Demo, DemoError};
use crate::fanout::desk::{Delivery, Desks};
use crate::fanout::ear::Ear;
use crate::fanout::heads::Heads;
use crate::fanout::telling::telling;
use crate::files::{Files, FilesError};
use crate::http::State;
use crate::http::api::{self, ApiText};
use crate::http::files::{FileDesk, Membership};
use crate::http::health::Vitals;
use crate::http::request_id::stamp;
use crate::http::server;
use crate::http::web::Offered;
use crate::http::ws::OfThisWorker;
use crate::model::{Caller, ChatId};
use crate::people::{People, SetupError};
use crate::sabotage::{Safeguard, off, taken_out};
use crate::session::{Admission, Lists, Seats, Shared, Switchboard};
use crate::settings::{Settings, SettingsError};
use crate::store::redis::Home;
use crate::store::{StoreError, opening};
use crate::telemetry::{Metrics, TelemetryError, check_open_files, metric};
use crate::wire::{ApiError, Reason};

/// Deliveries that wait at one worker's desk. Workers never wait for sockets, so this is a breath.
const DESK_DELIVERIES_MAX: usize = 16_384;

/// Why the hub does not run.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    People(#[from] SetupError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("server.bind {address}: {cause}")]
    Bind { address: SocketAddr, cause: io::Error },
    #[error("description of the api: {0}")]
    Api(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A hub that is built and bound.
pub struct Hub {
    server: Server,
    address: SocketAddr,
    people: People,
    chats: Chats,
    desks: Desks,
    shared: Arc<Shared>,
    leaving: Leaving,
    offered: web::Data<Offered>,
    close: BoxFuture<'static, ()>,
    fatal: BoxFuture<'static, StoreError>,
}

/// Asks a chat who is in it, for files.
struct AskChats(Chats);

#[async_trait]
impl Membership for AskChats {
    async fn is_member(&self, caller: &Caller, chat: ChatId) -> Result<bool, ApiError> {
        match self.0.question(caller, Whom::Chat(chat), Question::Chat).await {
            Ok(answer) => Ok(answer.into_chat()?.member),
            Err(error) if matches!(error.reason, Reason::ChatNotFound | Reason::PermissionDenied) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Hub {
    /// Opens every room and binds the address. Waits for a store that is not there yet.
    ///
    /// # Errors
    /// Settings that cannot be followed, a store that cannot be read, an address that is taken.
    pub async fn build(settings: &Settings) -> Result<Self, HubError> {
        if let Some(safeguard) = taken_out() {
            tracing::error!(safeguard, "this hub was sabotaged for a test, and loses what others keep");
        }
        let metrics = Metrics::installed()?;
        actix::spawn(metrics.clone().keep_small());
        metrics::gauge!(metric::DRAINING).set(0.0);
        check_open_files(settings.server.tcp_connections_max);
        let chat_threads: Vec<_> = (0..settings.server.chat_thread_count()).map(|_| Arbiter::new().handle()).collect();
        let inner = InnerThread::of(&chat_threads).await;
        let opened = opening::open(&settings.store, inner.home()).await?;
        let heads = Heads::new((&settings.chat).into());
        let (store, heard) = (telling(opened.store, heads.clone()), opened.heard);
        let people = People::new(store.clone(), &settings.auth)?;
        let files = Files::open(&settings.files_url()?, &settings.files, &settings.limits, &store)?;
        let desks = Desks::default();
        let ear = Ear::new(Arc::clone(&store.link), desks.clone());
        let beacon = Duration::from_secs(settings.chat.beacon_secs);
        inner.spawn(ear.clone().listen(heard, beacon));
        inner.spawn(heads.clone().tell(Arc::clone(&store.link)));
        let limits = Arc::new(settings.limits.clone());
        let deps = Arc::new(Deps {
            store: store.clone(),
            ear: ear.clone(),
            heads,
            desks: desks.clone(),
            limits: Arc::clone(&limits),
            wait: settings.store.wait(),
            idle: Duration::from_secs(settings.chat.idle_secs),
            beacon,
        });
        let chats = Chats::new(deps, chat_threads);
        let shared = Arc::new(Shared {
            admission: Admission::new(&limits),
            seats: Seats::new(limits.connections_max),
            lists: Lists::new(&store, limits.followed_chats_max),
            chats: chats.clone(),
            ear,
            people: people.clone(),
            limits,
            ping: Duration::from_secs(settings.server.ping_secs),
            idle: Duration::from_secs(settings.server.idle_secs),
            draining: AtomicBool::new(false),
        });
        let leaving = Arc::clone(&shared);
        let leaving = Box::new(move || leaving.draining.load(Ordering::Acquire));
        let vitals = web::Data::new(Vitals { link: Arc::clone(&store.link), leaving, metrics });
        let state = web::Data::new(State::new(people.clone(), chats.clone(), settings.limits.clone(), &settings.auth));
        let files = web::Data::new(FileDesk {
            files,
            membership: Arc::new(AskChats(chats.clone())),
            public_url: settings.server.public_url.clone(),
            wait: Duration::from_secs(settings.files.wait_secs),
        });
        let offered = web::Data::new(Offered::new());
        let rooms =
            Rooms { state, files, vitals, shared: Arc::clone(&shared), desks: desks.clone(), offered: offered.clone() };
        let (server, address) = serve(settings, rooms)?;
        let leaving = Leaving {
            drain: Duration::from_secs(settings.server.drain_secs),
            linger: Duration::from_secs(settings.server.linger_secs),
        };
        Ok(Self {
            server,
            address,
            people,
            chats,
            desks,
            shared,
            leaving,
            offered,
            close: opened.close,
            fatal: opened.fatal,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fills an empty store with the people of the demo, and lets the console show them.
    ///
    /// # Errors
    /// A store that holds something else.
    pub async fn demo(&self) -> Result<Demo, DemoError> {
        let demo = Demo::open(&self.people).await?;
        // Set once: a hub has one demo.
        let _ = self.offered.set(demo.demonstration(&self.people, &self.chats));
        Ok(demo)
    }

    /// Serves until it is told to stop: by SIGTERM or SIGINT, after which it drains; by a second
    /// one, at once.
    ///
    /// # Errors
    /// The server broke off, or the store turned out to be none that this hub can use.
    pub async fn run_until_stopped(self) -> Result<(), HubError> {
        let Self { server, chats, desks, shared, leaving, close, fatal, .. } = self;
        let handle = server.handle();
        let mut signals = Signals::listen();
        let told_twice = async {
            signals.next().await;
            if off(Safeguard::Drain) {
                return;
            }
            tokio::select! {
                // The server ends by it, and with that all of this.
                () = leave(&handle, &desks, &shared, leaving) => std::future::pending().await,
                () = signals.next() => tracing::info!("told again: leaving at once"),
            }
        };
        let ended = tokio::select! {
            served = server => served.map_err(HubError::from),
            () = told_twice => Ok(()),
            error = fatal => Err(error.into()),
        };
        chats.close();
        close.await;
        ended
    }
}

/// Where the store's connections live, and where is heard what others have said. With one thread for
/// chats it is that one: then a commit, and an event on its way to the sockets, wake no thread between.
/// It ends with the process.
enum InnerThread {
    Shared(ArbiterHandle, Handle),
    Apart,
}

impl InnerThread {
    async fn of(chat_threads: &[ArbiterHandle]) -> Self {
        let [only] = chat_threads else { return Self::Apart };
        let (tell, told) = oneshot::channel();
        only.spawn_fn(move || {
            // Whoever asked waits for it.
            let _ = tell.send(Handle::current());
        });
        // Where it has ended already the hub is of no use, which the first call to a chat says.
        told.await.map_or(Self::Apart, |runtime| Self::Shared(only.clone(), runtime))
    }

    fn home(&self) -> Home {
        match self {
            Self::Shared(_, runtime) => Home::Shared(runtime.clone()),
            Self::Apart => Home::Own,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let lives = match self {
            Self::Shared(thread, _) => thread.spawn(task),
            Self::Apart => {
                actix::spawn(task);
                true
            }
        };
        if !lives {
            tracing::error!("the thread of the chats has ended");
        }
    }
}

/// How long leaving takes.
#[derive(Clone, Copy)]
struct Leaving {
    /// Sockets are closed over this time.
    drain: Duration,
    /// Calls are taken for this long at least.
    linger: Duration,
}

/// The order of leaving: not ready, no new sockets, every socket told, answers finished. Calls that
/// come meanwhile are answered, and each answer ends its connection: a load balancer takes a while
/// to see that the node is not ready, and must find nobody gone while it believes in it.
async fn leave(handle: &ServerHandle, desks: &Desks, shared: &Shared, leaving: Leaving) {
    let Leaving { drain: over, linger } = leaving;
    tracing::info!(seconds = over.as_secs(), "draining");
    metrics::gauge!(metric::DRAINING).set(1.0);
    let seen = tokio::time::sleep(linger);
    shared.draining.store(true, Ordering::Release);
    for desk in desks.all() {
        desks.hand_in(desk, Delivery::Leave { over }).await;
    }
    let drained = async {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while shared.seats.taken() > 0 {
            tick.tick().await;
        }
        // The last close frames are on their way.
        tick.tick().await;
    };
    // Whoever has not gone by then is cut off.
    if tokio::time::timeout(over + Duration::from_secs(1), drained).await.is_err() {
        let left = shared.seats.taken();
        metrics::counter!(metric::DRAIN_CUTS).increment(left as u64);
        tracing::warn!(left, "drain over, cutting the connections that are left; their clients did not take the close");
    }
    seen.await;
    tracing::info!("drained");
    handle.stop(true).await;
}

/// SIGTERM and SIGINT, heard from the moment this is made: none is lost between two waits.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn listen() -> Self {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(term), Ok(int)) => Self(Some((term, int))),
            _ => {
                tracing::error!("signals cannot be heard; end the process to stop it");
                Self(None)
            }
        }
    }

    async fn next(&mut self) {
        let Some((term, int)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}

/// What a worker's handlers see.
#[derive(Clone)]
struct Rooms {
    state: web::Data<State>,
    files: web::Data<FileDesk>,
    vitals: web::Data<Vitals>,
    shared: Arc<Shared>,
    desks: Desks,
    offered: web::Data<Offered>,
}

fn serve(settings: &Settings, rooms: Rooms) -> Result<(Server, SocketAddr), HubError> {
    let text = web::Data::new(ApiText::write()?);
    let bound = server::serve(&settings.server, move || {
        let (desk, deliveries) = rooms.desks.open(DESK_DELIVERIES_MAX);
        let switchboard = Switchboard::open(Arc::clone(&rooms.shared), desk, deliveries);
        let (rooms, text, its) = (rooms.clone(), text.clone(), switchboard.clone());
        let app = move || {
            App::new()
                .app_data(rooms.state.clone())
                .app_data(rooms.files.clone())
                .app_data(rooms.vitals.clone())
                .app_data(rooms.offered.clone())
                .app_data(text.clone())
                .app_data(OfThisWorker(its.clone()))
                .configure(api::routes)
                .wrap(Compress::default())
                .wrap(from_fn(stamp))
        };
        (switchboard, app)
    });
    bound.map_err(|cause| HubError::Bind { address: settings.server.bind, cause })
}
