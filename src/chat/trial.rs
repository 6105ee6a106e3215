//! Chats over a store, on this thread: for tests of the rooms to the right.

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;

use crate::fanout::desk::Desks;
use crate::fanout::ear::Ear;
use crate::fanout::heads::Heads;
use crate::settings::Settings;
use crate::store::Store;

use super::actor::Deps;
use super::registry::Chats;

/// No chats yet. Nobody listens to the link: what other nodes write is seen by asking the log.
pub(crate) fn chats(store: &Store, settings: &Settings) -> Chats {
    let desks = Desks::default();
    let deps = Deps {
        store: store.clone(),
        ear: Ear::new(Arc::clone(&store.link), desks.clone()),
        heads: Heads::new((&settings.chat).into()),
        desks,
        limits: Arc::new(settings.limits.clone()),
        wait: settings.store.wait(),
        idle: Duration::from_secs(settings.chat.idle_secs),
        beacon: Duration::from_secs(settings.chat.beacon_secs),
    };
    Chats::new(Arc::new(deps), Arbiter::try_current().into_iter().collect())
}
