//! Closing a socket from outside its actor.
//!
//! When a peer stops reading, the connection's dispatcher stops polling the actor: its timers do
//! not run, and a close frame is not written. So the descriptor is kept from the moment the
//! connection is accepted, and shutting it down makes the dispatcher let go of everything.

use std::net::Shutdown;
use std::sync::Arc;

use socket2::{SockRef, Socket};

/// A second handle on a connection. Costs one file descriptor for as long as the connection lives.
#[derive(Clone, Debug)]
pub struct Line(Arc<Socket>);

impl Line {
    /// Keeps hold of an accepted connection; `None` when no descriptor is left.
    #[must_use]
    pub fn keep(stream: &actix_web::rt::net::TcpStream) -> Option<Self> {
        match SockRef::from(stream).try_clone() {
            Ok(socket) => Some(Self(Arc::new(socket))),
            Err(error) => {
                tracing::error!(%error, "no descriptor left to keep hold of a connection; raise the limit of open files");
                None
            }
        }
    }

    /// Reads nothing more than what has come. What is to be written still goes out; then the
    /// connection ends, and does not wait for a peer that goes on sending.
    pub fn stop_reading(&self) {
        // A connection that has ended reads nothing either.
        let _ = self.0.shutdown(Shutdown::Read);
    }

    /// Ends the connection, whatever state it is in.
    pub fn cut(&self) {
        // One that has ended already cannot be ended again, and that is all that can go wrong.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
