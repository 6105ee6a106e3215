//! Moments. The store's clock gives them; the nodes' clocks take no part.

use std::fmt;

/// Microseconds since 1970, UTC.
///
/// In one chat every event has its own, strictly increasing: it is the entry's name in the log,
/// the resource's `tm_create` and the page token at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// Before everything.
    pub const ZERO: Self = Self(0);
    /// After everything that can be said (the year 9999).
    pub const MAX: Self = Self(253_402_300_799_999_999);
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}
