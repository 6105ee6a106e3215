//! The Talk hub.
pub mod http;
pub mod model;
pub mod people;
pub mod store;
pub mod wire;
