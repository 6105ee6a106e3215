//! The newest messages and events of a chat, kept in memory within two bounds.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Message, Micros, Nonce, Position, Record};
use crate::store::{Page, Side};

/// The newest of a chat.
///
/// Of the messages it knows a stretch without a hole, up to the newest; of the events likewise.
#[derive(Debug)]
pub struct Recent {
    messages: BTreeMap<Micros, Message>,
    /// Every message of the chat that is newer than, or at, this moment is in `messages`.
    complete_from: Micros,
    messages_max: usize,
    events: VecDeque<Record>,
    events_max: usize,
    /// Older positions that were found in the log lately: clients come back in crowds.
    proved: VecDeque<Position>,
}

/// Older positions that are kept.
const PROVED_MAX: usize = 64;

impl Recent {
    /// Knows nothing yet of a chat whose newest event was at `head`.
    #[must_use]
    pub fn new(head: Micros, messages_max: usize, events_max: usize) -> Self {
        Self {
            messages: BTreeMap::new(),
            complete_from: Micros(head.0 + 1),
            messages_max,
            events: VecDeque::new(),
            events_max,
            proved: VecDeque::new(),
        }
    }

    /// Takes in anew which events are the newest: all up to the newest, without a hole.
    pub fn replace_events<'a>(&mut self, newest: impl Iterator<Item = &'a Record>) {
        self.events.clear();
        newest.for_each(|record| self.push_event(record));
    }

    /// This position was found in the log.
    pub fn prove(&mut self, position: Position) {
        if self.proved.len() >= PROVED_MAX {
            self.proved.pop_front();
        }
        self.proved.push_back(position);
    }

    /// A chat that has just begun: there is nothing older.
    pub fn begins(&mut self) {
        self.complete_from = Micros::ZERO;
    }

    /// Takes the next event in. Texts are kept with the messages alone, so that a deletion has one
    /// place to empty.
    pub fn push_event(&mut self, record: &Record) {
        let mut record = record.clone();
        if let crate::model::Event::MessageCreated(post) = &mut record.event {
            *post = post.emptied();
        }
        self.events.push_back(record);
        if self.events.len() > self.events_max {
            self.events.pop_front();
        }
    }

    /// Takes the newest message in, and counts it as a reply.
    pub fn push_message(&mut self, message: Message) {
        if let Some(parent) = message.post.parent.and_then(|parent| self.messages.get_mut(&parent)) {
            parent.replies += 1;
        }
        self.messages.insert(message.at, message);
        while self.messages.len() > self.messages_max {
            if let Some((at, _)) = self.messages.pop_first() {
                self.complete_from = Micros(at.0 + 1);
            }
        }
    }

    /// A message has changed. What is not known stays unknown. Replies are counted here as they
    /// come, so the count that the change brings along is not taken.
    pub fn change(&mut self, message: &Message) {
        if let Some(known) = self.messages.get_mut(&message.at) {
            let replies = known.replies;
            known.clone_from(message);
            known.replies = replies;
        }
    }

    /// Learns older messages from the log: the newest page, read while the chat stood still.
    pub fn learn(&mut self, newest_first: &[Message], all: bool) {
        if all {
            self.complete_from = Micros::ZERO;
        } else if let Some(oldest) = newest_first.last() {
            self.complete_from = self.complete_from.min(oldest.at);
        }
        for message in newest_first.iter().take(self.messages_max) {
            self.messages.entry(message.at).or_insert_with(|| message.clone());
        }
        if newest_first.len() > self.messages_max
            && let Some((oldest, _)) = self.messages.first_key_value()
        {
            self.complete_from = *oldest;
        }
    }

    /// The message of this moment, if it is one of the newest.
    #[must_use]
    pub fn message(&self, at: Micros) -> Option<&Message> {
        self.messages.get(&at)
    }

    /// Whether a message that is not here would have to be: then there is none of this moment.
    #[must_use]
    pub fn would_know(&self, at: Micros) -> bool {
        at >= self.complete_from
    }

    /// The page, if everything on it is here.
    #[must_use]
    pub fn page(&self, page: Page) -> Option<Vec<&Message>> {
        match page.side {
            Side::Before(moment) => {
                let found: Vec<_> =
                    self.messages.range(..moment).rev().take(page.limit).map(|(_, message)| message).collect();
                let whole = found.len() == page.limit || self.complete_from == Micros::ZERO;
                let known = found.last().is_none_or(|oldest| oldest.at >= self.complete_from);
                (whole && known).then_some(found)
            }
            Side::After(moment) => {
                if Micros(moment.0.saturating_add(1)) < self.complete_from {
                    return None;
                }
                let from = Micros(moment.0.saturating_add(1));
                Some(self.messages.range(from..).take(page.limit).map(|(_, message)| message).collect())
            }
        }
    }

    /// The events after this number, if all of them are here.
    #[must_use]
    pub fn events_after(&self, seq: u64) -> Option<impl Iterator<Item = &Record>> {
        let first = self.events.front()?.seq;
        (seq + 1 >= first).then(|| self.events.iter().skip_while(move |record| record.seq <= seq))
    }

    /// Whether this position is in the history: `None` when it is older than what is known here.
    #[must_use]
    pub fn holds(&self, position: Position) -> Option<bool> {
        let place = self.events.front().and_then(|first| position.seq.checked_sub(first.seq));
        let known = place.and_then(|place| self.events.get(usize::try_from(place).ok()?)).map(Record::position);
        let proved = || self.proved.iter().find(|proved| proved.seq == position.seq).copied();
        Some(known.or_else(proved)? == position)
    }

    /// The nonce of an event, if it is here.
    #[must_use]
    pub fn nonce(&self, seq: u64) -> Option<Nonce> {
        let place = seq.checked_sub(self.events.front()?.seq)?;
        self.events.get(usize::try_from(place).ok()?).map(|record| record.nonce)
    }
}
