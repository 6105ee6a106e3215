//! What a store promises, tried on each of its bodies.
//!
//! `suite` holds the promises: functions that know nothing but the contract. Each body brings a
//! [`suite::Body`] and runs all of them with one line; see `embedded`.

#![expect(unreachable_pub, reason = "a test binary has nobody to reach")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

mod suite;

/// One directory on this machine.
mod embedded;
/// Commits that go together.
mod gathering;
/// What is rewritten there, and by whose key.
mod histories;
/// A server of our own.
mod redis;
/// What it costs there, measured.
mod redis_cost;
