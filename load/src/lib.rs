//! What the hub is tested with: real processes on loopback, and what befalls them.
//!
//! * [`rig`] starts Redis servers alone, under Sentinel and as a Cluster, hubs, and proxies between them all, and
//!   breaks what it started: kills, stops, failovers, half-moved slots, lost bytes. The hub's own tests use it too.
//! * [`lab`] is the fault lab, the program `talk-lab`.
//! * [`results`] is what the load tester, the program `talk-load`, writes down.
//! * [`drive`] runs a [`scenario`] over the connections of [`client`] and measures with [`gauge`]; [`program`] is
//!   the command line, and [`goals`] what the hub's speed is held to.
//! * [`report`] shows that: as a page, side by side, as tables.
//! * [`baseline`] is what the hub's speed is measured against: bare loops, Node, Socket.IO, Redis alone.
//!
//! Nothing here knows the hub's code. It is spoken to over HTTP, WebSockets and signals, as anybody would.

pub mod baseline;
pub mod client;
pub mod drive;
pub mod gauge;
pub mod goals;
pub mod lab;
pub mod program;
pub mod report;
pub mod results;
pub mod rig;
pub mod scenario;
