//! Runs a scenario against a target: makes the people, opens the sockets, sends, and judges what came.
//!
//! * [`target`] is what is loaded: hubs that are started for it or are there already, or a baseline.
//!   A [`contender`] is one of them that takes part in a round.
//! * [`people`] makes agents, tokens and chats; [`hall`] is what everybody knows of them.
//! * [`listener`] has all sockets on one thread; each [`socket`] judges what it hears by what it [`follow`]s.
//! * [`pace`] says when something is to be done, in the queue of [`jobs`]; [`sender`] does it by REST, [`publisher`] at a baseline.
//! * [`run`] leads through it, and makes a result.
//!
//! What is promised: a latency counts from when something should have been done, so that a server that holds up the
//! generator cannot hide it; and every subscriber's every number is looked at, from where it began to the end.

pub mod contender;
mod fitting;
pub mod follow;
pub mod hall;
pub mod jobs;
pub mod listener;
pub mod pace;
pub mod people;
pub mod publisher;
pub mod run;
pub mod sender;
pub mod socket;
pub mod target;
pub mod violations;
