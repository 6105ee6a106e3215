//! A wire to Redis that loses what is published, and nothing else: the connection stays, the event is gone. Or that brings
//! nothing for a while, as to a node that does not read.

use talk_load::rig::proxy::{self, EVERYBODY, Fault, Pushes, Toward};

/// A forwarder on a loopback port, gone when dropped.
pub(crate) struct Proxy(proxy::Proxy);

impl Proxy {
    /// Forwards to `redis://127.0.0.1:<port>`.
    pub(crate) async fn to(target: &str) -> Self {
        let port = target.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the port of a Redis");
        Self(proxy::Proxy::to(port).await.expect("a loopback port"))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// From now on whatever Redis publishes through this wire is lost, or is not.
    pub(crate) fn lose(&self, yes: bool) {
        self.set(yes, Fault::pushes(Pushes::Lose { every: 1 }));
    }

    /// From now on nothing comes through from Redis, and nothing is lost; or it comes again.
    pub(crate) fn hold(&self, yes: bool) {
        self.set(yes, Fault::hold(Toward::Client));
    }

    /// From now on nothing comes from Redis any more, though every connection stays; or new ones are as they should be.
    pub(crate) fn swallow(&self, yes: bool) {
        self.set(yes, Fault::drop(Toward::Client));
    }

    /// How many times something published was lost.
    pub(crate) fn lost(&self) -> usize {
        usize::try_from(self.0.lost()).expect("a count")
    }

    fn set(&self, yes: bool, fault: Fault) {
        self.0.set(&EVERYBODY, if yes { fault } else { Fault::default() });
    }
}
