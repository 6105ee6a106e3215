//! What must not happen, and did: counted, and the first of it in words.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::results::VIOLATIONS_MAX;

/// Filled by all threads of a run.
#[derive(Debug, Default)]
pub struct Violations {
    count: AtomicU64,
    first: Mutex<Vec<String>>,
}

impl Violations {
    /// One more; its words are only made when they are kept.
    pub fn add(&self, words: impl FnOnce() -> String) {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before < VIOLATIONS_MAX as u64 {
            self.first.lock().unwrap_or_else(PoisonError::into_inner).push(words());
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The first of them, at most [`VIOLATIONS_MAX`].
    #[must_use]
    pub fn first(&self) -> Vec<String> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let violations = Violations::default();
        (0..1000).for_each(|number| violations.add(|| number.to_string()));
        assert_eq!((violations.count(), violations.first().len()), (1000, VIOLATIONS_MAX));
        assert_eq!(violations.first().first().map(String::as_str), Some("0"));
    }
}
