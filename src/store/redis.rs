//! The Redis body.
