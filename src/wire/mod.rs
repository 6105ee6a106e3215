//! What the outside sees. The one room, with `people` and `files` for their own records, that
//! knows JSON: resources, frames, errors, close codes, cursors, times and page tokens.

pub mod close;
pub mod cursor;
pub mod error;
pub mod forms;
pub mod frames;
pub mod page;
pub mod resources;
pub mod sheet;
pub mod time;

pub use close::CloseCause;
pub use error::{ApiError, Reason};
