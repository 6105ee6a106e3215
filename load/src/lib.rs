//! Load and faults for the Talk hub, from outside: knows its HTTP and WebSocket, not its code.

pub mod lab;
pub mod rig;
