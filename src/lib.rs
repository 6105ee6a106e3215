//! The Talk hub.
pub mod model;
pub mod store;
pub mod wire;
