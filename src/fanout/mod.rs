//! What others have said, and who here wants to hear it.
//!
//! Coming out, an event walks from the log to the sockets by one path, also on the node that wrote
//! it: [`ear`] hears the link and hands each chat its events; the chat brings them into order and
//! hands each worker thread one [`desk::Delivery`]; the worker puts the frame, encoded once, into
//! the [`outbox`] of every socket that a [`topic`] of its own lets hear it.
//!
//! What is published can get lost. [`heads`] tells the other nodes a little later how far this one
//! wrote, and a chat that did not hear as much reads the log. Notices of customers, which [`telling`]
//! notes wherever they are given, are told of likewise: who did not hear them looks everything up.
//!
//! Nothing in here waits for a socket. Every queue has a bound: a full mailbox of a chat makes the
//! chat read the log instead, a full desk makes the chat wait for a moment, and a full outbox ends
//! its own socket.

pub mod desk;
pub mod ear;
pub mod heads;
pub mod outbox;
pub mod telling;
pub mod topic;
