//! The Talk hub.
pub mod demo;
pub mod fanout;
pub mod files;
pub mod http;
pub mod model;
pub mod people;
pub mod probe;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod wire;
