//! The thread on which the store's connections live: connections belong to the runtime that makes them.

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Result, StoreError};

/// Which thread that is.
#[derive(Clone, Debug)]
pub enum Home {
    /// One of their own. It ends when the store is closed, and when nobody holds the store.
    Own,
    /// That of somebody's runtime: who commits from there wakes no other thread. Closing the store ends nothing
    /// there but who waits for a link; the end of the runtime does.
    Shared(Handle),
}

pub(super) struct Engine {
    pub(super) runtime: Handle,
    /// Held by everybody who needs a thread of its own.
    pub(super) stop: mpsc::Sender<()>,
    /// Of a thread of its own: told when it has ended.
    stopped: Option<oneshot::Receiver<()>>,
}

impl Engine {
    pub(super) fn start(home: Home) -> Result<Self> {
        let (stop, mut told) = mpsc::channel::<()>(1);
        if let Home::Shared(runtime) = home {
            return Ok(Self { runtime, stop, stopped: None });
        }
        let failed = |error: std::io::Error| StoreError::Unavailable(format!("no thread for the store: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (done, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name("store-redis".to_owned())
            .spawn(move || {
                runtime.block_on(told.recv());
                drop(runtime);
                let _ = done.send(());
            })
            .map_err(failed)?;
        Ok(Self { runtime: handle, stop, stopped: Some(stopped) })
    }

    /// Ends a thread of its own, and what is under way there. Leaves a shared one alone.
    pub(super) async fn stop(self) {
        let Some(stopped) = self.stopped else { return };
        // Neither fails but when the thread has ended.
        let _ = self.stop.send(()).await;
        let _ = stopped.await;
    }
}
