//! The heart: every chat that is talked in is an actor here, which owns its participants and its
//! recent messages.
//!
//! What it owns is a projection of the log and may be dropped at any time. A command is decided
//! by [`rules`] on the projection, and made true by one commit that the store refuses when the
//! decision was made on a state that is no longer; so two nodes never break a rule between them.
//! A read, and a refusal, is answered only after the log was asked whether it has gone on: an
//! acknowledged write is seen by every later read, on any node.
//!
//! * [`room`]: the projection, pure; [`rules`]: what may be done; [`recent`]: the newest messages.
//! * [`actor`]: carries mail between the room, the store and the desks.
//! * [`registry`]: finds the actor of a chat, starts and retires it, and bounds what waits for it.
//! * [`shelf`]: the newest page as it goes out, for readers who need not ask the chat.
//! * [`across`]: what no single chat can do: being made and found; [`lists`]: lists, merged pages.

pub mod across;
pub mod actor;
mod answering;
mod asking;
mod clock;
pub mod command;
mod errands;
pub mod following;
pub mod frame;
mod hearing;
pub mod idempotency;
pub mod lists;
mod looking;
#[cfg(test)]
mod properties;
pub mod recent;
pub mod registry;
mod retiring;
pub mod room;
pub mod rules;
mod shelf;
#[cfg(test)]
pub(crate) mod trial;

pub use asking::Failure;
pub use command::{Answer, Command, Question};
pub use registry::Chats;
