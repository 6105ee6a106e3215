//! The same test over every way to run the hub: one process on a directory, two on one Redis, two on a Redis Cluster; and,
//! for tests that ask for it, one on Redis. Whoever breaks servers starts their own: see `fleet`.

use talk_load::rig::Topology;
use talk_load::rig::topology::Plan;
use tokio::sync::OnceCell;

use super::hub::{HubSettings, TestHub};
use super::{caretaker, redis};

/// A way to run the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    Embedded,
    Redis,
    TwoNodes,
    /// Two nodes on a Cluster.
    Cluster,
}

/// Runs each named test, an `async fn(Hubs)` of the module, over every deployment: `embedded::name`,
/// `two_nodes::name` and `cluster::name`. A test that was left out of the list is dead code, so the compiler notices.
macro_rules! on_every_deployment {
    ($($test:ident),+ $(,)?) => {
        on_every_deployment!(@ embedded Embedded $($test)+);
        on_every_deployment!(@ two_nodes TwoNodes $($test)+);
        on_every_deployment!(@ cluster Cluster $($test)+);
    };
    (@ $module:ident $deployment:ident $($test:ident)+) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    $crate::support::deployment::run($crate::support::Deployment::$deployment, super::$test);
                }
            )+
        }
    };
}

/// Runs one test body over the shared hubs of a deployment.
pub(crate) fn run<Test: Future<Output = ()>>(deployment: Deployment, test: impl FnOnce(Hubs) -> Test) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { test(deployment.hubs().await).await });
}

/// The hubs a test talks to: the addresses of the nodes, and the HTTP client of the test.
#[derive(Clone)]
pub(crate) struct Hubs {
    pub(crate) deployment: Deployment,
    pub(crate) nodes: Vec<String>,
    pub(crate) http: reqwest::Client,
}

impl Hubs {
    pub(crate) fn new(deployment: Deployment, hubs: &[TestHub]) -> Self {
        let nodes = hubs.iter().map(|hub| hub.base().to_owned()).collect();
        Self { deployment, nodes, http: reqwest::Client::new() }
    }

    /// A single hub, for tests that start their own.
    pub(crate) fn of(hub: &TestHub) -> Self {
        Self::new(Deployment::Embedded, std::slice::from_ref(hub))
    }
}

impl Deployment {
    /// The hubs of this deployment that all tests of this process share, started on first use.
    pub(crate) async fn hubs(self) -> Hubs {
        static EMBEDDED: OnceCell<Vec<TestHub>> = OnceCell::const_new();
        static REDIS: OnceCell<Vec<TestHub>> = OnceCell::const_new();
        static TWO_NODES: OnceCell<Vec<TestHub>> = OnceCell::const_new();
        static CLUSTER: OnceCell<Vec<TestHub>> = OnceCell::const_new();
        let shared = match self {
            Self::Embedded => &EMBEDDED,
            Self::Redis => &REDIS,
            Self::TwoNodes => &TWO_NODES,
            Self::Cluster => &CLUSTER,
        };
        Hubs::new(self, shared.get_or_init(|| self.start(|settings| settings)).await)
    }

    /// Hubs of one's own, with settings adjusted: for tests that stop them or need other limits.
    pub(crate) async fn start(self, adjust: impl Fn(HubSettings) -> HubSettings) -> Vec<TestHub> {
        let (settings, count) = match self {
            Self::Embedded => (HubSettings::embedded(), 1),
            // With one thread for chats the store's connections are on it, with several on one of their own: both are
            // tested, however many cores there are.
            Self::Redis => (one_thread(HubSettings::redis(&redis::shared_url().await, &redis::new_prefix())), 1),
            Self::TwoNodes => (one_thread(nodes_on(&redis::shared_url().await)), 2),
            Self::Cluster => (nodes_on(&cluster().await.url()).set("server.chat_threads", 2), 2),
        };
        let mut hubs = Vec::new();
        for _ in 0..count {
            hubs.push(TestHub::start(adjust(settings.clone())).await);
        }
        hubs
    }
}

fn one_thread(settings: HubSettings) -> HubSettings {
    settings.set("server.chat_threads", 1)
}

/// The Cluster that all tests of this process share, started on first use. Whoever breaks one starts their own.
async fn cluster() -> &'static Topology {
    static CLUSTER: OnceCell<Topology> = OnceCell::const_new();
    let start = async || Topology::start(Plan::cluster()).await.unwrap_or_else(|error| panic!("no cluster: {error}"));
    CLUSTER.get_or_init(start).await
}

/// The settings of nodes of one hub, which also share their files.
pub(crate) fn nodes_on(url: &str) -> HubSettings {
    let files = format!("file://{}", caretaker::new_dir("files-").display());
    HubSettings::redis(url, &redis::new_prefix()).set("files.url", files)
}
