//! The Talk hub.
pub mod fanout;
pub mod model;
pub mod store;
pub mod wire;
