//! What is measured, and with what.
//!
//! * [`clock`] is the one clock of a run.
//! * [`spread`] keeps how long things took; [`tally`] that and counts, for one thread, until somebody collects them.
//! * [`process`], [`machine`] and [`redis`] look at the server, the machine and Redis from outside.
//! * [`recorder`] collects all of it once a second.
//!
//! Nothing here knows what is being loaded.

pub mod clock;
pub mod machine;
pub mod process;
pub mod recorder;
pub mod redis;
pub mod spread;
pub mod tally;
