//! One socket, one actor; and on each worker thread one [`switchboard`] that knows its sockets.
//!
//! A socket hears a chat through a *follower*: the number of the last event that was put into its
//! outbox. The next number is put in; a known one is left out; a jump makes the follower catch up
//! from the chat's memory or the log before it goes on. So a socket gets every event of a chat
//! exactly once and in order, whatever happened on the way, or it is closed and resumes.

pub mod actor;
pub mod admission;
mod beginning;
mod delivering;
pub mod follower;
mod incoming;
pub mod listing;
pub mod round;
pub mod seats;
pub mod socket;
mod subscribing;
pub mod switchboard;
mod tending;

pub use actor::{Opener, SessionActor};
pub use admission::{Admission, come_again};
pub use listing::Lists;
pub use seats::{Seat, Seats};
pub use switchboard::{Shared, Switchboard};
