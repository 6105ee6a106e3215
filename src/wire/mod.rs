//! What the outside sees. The one room, with `people` and `files` for their own records, that
//! knows JSON: resources, frames, errors, close codes, times and page tokens.

pub mod error;
pub mod page;
pub mod time;

pub use error::{ApiError, Reason};
