//! The fault lab: drives a fleet of hubs over real sockets while it breaks things, and judges from what clients saw.
//!
//! The way of a run: [`plan`] draws the faults from the seed, [`people`] makes the chats, [`writer`], [`doorkeeper`] and
//! [`reader`] write down in the [`record`] what they sent and saw while [`faults`] are done, [`audit`] reads the end from
//! every node, [`check`] judges the record alone, [`table`] prints it. It speaks HTTP, WebSocket and RESP, and knows
//! nothing of the hub's inside.

pub mod audit;
pub mod check;
pub mod dice;
pub mod doorkeeper;
pub mod faults;
pub mod fleet;
pub mod frame;
pub mod parts;
pub mod people;
pub mod phase;
pub mod plan;
pub mod program;
pub mod reader;
pub mod record;
pub mod rounds;
pub mod run;
pub mod soak;
pub mod stage;
pub mod table;
pub mod voice;
pub mod writer;
