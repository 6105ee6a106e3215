//! What makes somebody doubt the map of the servers, told to the survey.

use tokio::sync::mpsc;

/// Doubts that wait to be looked at; more are as good as these.
const WAITING_MAX: usize = 64;

/// What made somebody doubt the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// A server said that the slot is another's now: where, host and port, and who said it.
    Moved { slot: u16, to: String, said_by: String },
    /// The map may be out of date: a server is gone, refused, or is not what it was.
    Stale,
}

/// Where doubts are told. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Doubts(mpsc::Sender<Doubt>);

impl Doubts {
    /// Where they are told, and where they come out.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Doubt>) {
        let (told, doubted) = mpsc::channel(WAITING_MAX);
        (Self(told), doubted)
    }

    /// Has the map looked at again, some time soon. Never waits.
    pub(crate) fn tell(&self, doubt: Doubt) {
        // Full: the map is being looked at.
        let _ = self.0.try_send(doubt);
    }
}
