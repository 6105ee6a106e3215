//! What sockets use one after the other, because each needs it only while it is served.

use super::over::Refused;
use crate::client::event::Finders;

/// Bytes that a read may bring at most.
pub(in crate::drive) const READ_BYTES: usize = 256 * 1024;

/// What is used for all sockets, one at a time.
#[derive(Debug)]
pub struct Tools {
    pub finders: Finders,
    pub(in crate::drive) scratch: Vec<u8>,
    /// Messages of this run that came, by chat and number: for those who count who has them.
    pub heard: Vec<(u32, u64)>,
    /// Whether [`Self::heard`] is wanted.
    pub wanted: bool,
    /// The last that did not come up.
    pub refused: Option<Refused>,
}

impl Default for Tools {
    fn default() -> Self {
        let (finders, scratch) = (Finders::default(), vec![0; READ_BYTES]);
        Self { finders, scratch, heard: Vec::new(), wanted: false, refused: None }
    }
}
