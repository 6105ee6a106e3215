//! How many connections a node has, and the bound on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::telemetry::{bound_reached, metric};

/// The node's seats, `limits.connections_max` of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Seats {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

impl Seats {
    /// So many, all free.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Whether one is free at the moment; if not, the log and a metric say which bound was reached.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let room = self.taken() < self.max;
        if !room {
            bound_reached("limits.connections_max");
        }
        room
    }

    /// A seat, if one is free.
    #[must_use]
    pub fn take(&self) -> Option<Seat> {
        let one_more = |taken| (taken < self.max).then_some(taken + 1);
        if self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_err() {
            bound_reached("limits.connections_max");
            return None;
        }
        metrics::gauge!(metric::CONNECTIONS).increment(1.0);
        Some(Seat(Arc::clone(&self.taken)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!(metric::CONNECTIONS).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_so_many() {
        let seats = Seats::new(2);
        let one = seats.take().expect("a seat");
        let _other = seats.take().expect("a seat");
        assert!(seats.take().is_none() && !seats.has_room());
        drop(one);
        assert!(seats.has_room() && seats.take().is_some());
        assert_eq!(seats.taken(), 1);
    }
}
