//! The Talk hub.
pub mod chat;
pub mod demo;
pub mod fanout;
pub mod files;
pub mod http;
pub mod hub;
pub mod model;
pub mod people;
pub mod probe;
pub mod session;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod wire;
