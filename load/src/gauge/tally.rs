//! What one thread counts until it is collected: each thread has its own, and gives it away once a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::spread::Spread;
use crate::results::Counts;

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Send,
    Delivery,
    Across,
    Reaction,
    History,
    Connect,
    Resume,
    Start,
}

impl Span {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Send,
        Self::Delivery,
        Self::Across,
        Self::Reaction,
        Self::History,
        Self::Connect,
        Self::Resume,
        Self::Start,
    ];

    /// As it is called in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Delivery => "delivery",
            Self::Across => "delivery_across",
            Self::Reaction => "reaction",
            Self::History => "history",
            Self::Connect => "connect",
            Self::Resume => "resume",
            Self::Start => "start",
        }
    }
}

/// Counts and durations.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub counts: Counts,
    /// By the place of the span; most threads have only one or two.
    spreads: [Option<Box<Spread>>; Span::ALL.len()],
}

impl Tally {
    /// One that took so long.
    pub fn took(&mut self, span: Span, micros: u64) {
        if let Some(spread) = self.spreads.get_mut(span as usize) {
            spread.get_or_insert_default().record(micros);
        }
    }

    /// All of a span of another's.
    pub fn put(&mut self, span: Span, spread: &Spread) {
        if let Some(to) = self.spreads.get_mut(span as usize) {
            to.get_or_insert_default().add(spread);
        }
    }

    /// Those of a span; `None` when there were none.
    #[must_use]
    pub fn spread(&self, span: Span) -> Option<&Spread> {
        self.spreads.get(span as usize)?.as_deref().filter(|spread| spread.count() > 0)
    }

    /// All of another's.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.counts, &other.counts);
        for span in Span::ALL {
            if let Some(spread) = other.spread(span) {
                self.put(span, spread);
            }
        }
    }

    /// Nothing any more; its space is kept.
    pub fn clear(&mut self) {
        self.counts = Counts::default();
        self.spreads.iter_mut().flatten().for_each(|spread| spread.clear());
    }
}

/// Adds all counts of one to another.
pub fn add(to: &mut Counts, other: &Counts) {
    to.sent += other.sent;
    to.acknowledged += other.acknowledged;
    to.refused += other.refused;
    to.failed += other.failed;
    to.delivered += other.delivered;
    to.frames += other.frames;
    to.reads += other.reads;
    to.bytes_read += other.bytes_read;
    to.connected += other.connected;
    to.connect_failed += other.connect_failed;
    to.resumed += other.resumed;
    to.closed += other.closed;
    to.requests += other.requests;
    to.body_bytes += other.body_bytes;
    to.pages += other.pages;
    to.page_bytes += other.page_bytes;
}

/// A tally that one thread fills and another collects.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Tally>>);

impl Shared {
    /// To fill. Held for as short as it can be, and never while anything is waited for.
    pub fn fill(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is there and leaves an empty one, which should have been used before.
    pub fn exchange(&self, empty: &mut Tally) {
        std::mem::swap(&mut *self.fill(), empty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_collected_is_collected_once() {
        let shared = Shared::default();
        shared.fill().took(Span::Send, 5);
        shared.fill().counts.sent += 1;
        let (mut taken, mut total) = (Tally::default(), Tally::default());
        for _ in 0..2 {
            shared.exchange(&mut taken);
            total.add(&taken);
            taken.clear();
        }
        assert_eq!((total.counts.sent, total.spread(Span::Send).map(Spread::count)), (1, Some(1)));
    }

    #[test]
    fn every_count_is_added() {
        let text = serde_json::to_value(Counts::default()).expect("json");
        let names: Vec<_> = text.as_object().expect("an object").keys().cloned().collect();
        let ones: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), 1.into())).collect();
        let one: Counts = serde_json::from_value(ones.into()).expect("counts");
        let mut two = one.clone();
        add(&mut two, &one);
        for (name, count) in serde_json::to_value(two).expect("json").as_object().expect("an object") {
            assert_eq!(count, 2, "{name}");
        }
    }
}
