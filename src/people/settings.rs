//! The section `auth` of the settings, under the names that this room uses.

pub use crate::settings::{Auth as AuthSettings, Directory, Secret};
