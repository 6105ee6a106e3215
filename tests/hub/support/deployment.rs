//! The same test over every way to run the hub: one process on a directory, one on Redis, two on one Redis.

use tokio::sync::OnceCell;

use super::hub::{HubSettings, TestHub};
use super::{caretaker, redis};

/// A way to run the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    Embedded,
    Redis,
    TwoNodes,
}

/// Runs each named test, an `async fn(Hubs)` of the module, over every deployment: `embedded::name`, `redis::name` and
/// `two_nodes::name`. A test that was left out of the list is dead code, so the compiler notices.
macro_rules! on_every_deployment {
    ($($test:ident),+ $(,)?) => {
        on_every_deployment!(@ embedded Embedded $($test)+);
        on_every_deployment!(@ redis Redis $($test)+);
        on_every_deployment!(@ two_nodes TwoNodes $($test)+);
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
        let shared = match self {
            Self::Embedded => &EMBEDDED,
            Self::Redis => &REDIS,
            Self::TwoNodes => &TWO_NODES,
        };
        Hubs::new(self, shared.get_or_init(|| self.start(|settings| settings)).await)
    }

    /// Hubs of one's own, with settings adjusted: for tests that stop them or need other limits.
    pub(crate) async fn start(self, adjust: impl Fn(HubSettings) -> HubSettings) -> Vec<TestHub> {
        let (settings, count) = match self {
            Self::Embedded => (HubSettings::embedded(), 1),
            Self::Redis => (HubSettings::redis(&redis::shared_url().await, &redis::new_prefix()), 1),
            Self::TwoNodes => {
                let files = format!("file://{}", caretaker::new_dir("files-").display());
                let settings = HubSettings::redis(&redis::shared_url().await, &redis::new_prefix());
                (settings.set("files.url", files), 2)
            }
        };
        let mut hubs = Vec::new();
        for _ in 0..count {
            hubs.push(TestHub::start(adjust(settings.clone())).await);
        }
        hubs
    }
}
