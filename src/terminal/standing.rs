//! How far one has come: where one stands in each chat, and which messages were shown.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde::Deserialize;
use uuid::Uuid;

/// Messages that are remembered as shown.
const SHOWN_MAX: usize = 65_536;
/// Chats that one frame names with a cursor, those that moved last first: about 120 bytes each in a
/// frame of at most 64 KiB. What the others missed is read.
const NAMED_MAX: usize = 400;

/// Where a chat stands, as an answer to a subscription says it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct State {
    pub(super) seq: u64,
    pub(super) cursor: String,
    #[serde(default)]
    pub(super) recovered: bool,
    pub(super) reason: Option<String>,
}

/// Where one stands in a chat.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The newest event that was shown, or that there was when one began.
    pub(super) seq: u64,
    pub(super) cursor: String,
    /// What was said up to this moment was shown, or was said before one began.
    pub(super) floor: String,
    /// When it moved last, counted in movements of all.
    moved: u64,
}

/// All of it.
#[derive(Default)]
pub(super) struct Standings {
    chats: HashMap<Uuid, Standing>,
    movements: u64,
    shown: HashSet<Uuid>,
    /// The same, oldest first.
    order: VecDeque<Uuid>,
}

impl Standings {
    /// Stands here in a chat from now on. Without a `floor` the one there was stays.
    pub(super) fn stand(&mut self, chat: Uuid, seq: u64, cursor: String, floor: Option<String>) {
        self.movements += 1;
        let floor = floor.or_else(|| self.chats.get(&chat).map(|standing| standing.floor.clone())).unwrap_or_default();
        self.chats.insert(chat, Standing { seq, cursor, floor, moved: self.movements });
    }

    /// Where one stands in a chat.
    pub(super) fn of(&self, chat: Uuid) -> Option<&Standing> {
        self.chats.get(&chat)
    }

    /// The chat is no longer one's own.
    pub(super) fn leave(&mut self, chat: Uuid) {
        self.chats.remove(&chat);
    }

    /// The chats one stands in.
    pub(super) fn chats(&self) -> Vec<Uuid> {
        self.chats.keys().copied().collect()
    }

    /// The cursors to resume from.
    pub(super) fn since(&self) -> BTreeMap<Uuid, String> {
        let mut chats: Vec<_> = self.chats.iter().collect();
        chats.sort_by_key(|(_, standing)| std::cmp::Reverse(standing.moved));
        chats.into_iter().take(NAMED_MAX).map(|(chat, standing)| (*chat, standing.cursor.clone())).collect()
    }

    /// Whether this message was shown, and it was not forgotten since.
    pub(super) fn was_shown(&self, message: Uuid) -> bool {
        self.shown.contains(&message)
    }

    /// This message was shown.
    pub(super) fn show(&mut self, message: Uuid) {
        if !self.shown.insert(message) {
            return;
        }
        self.order.push_back(message);
        if self.order.len() > SHOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.shown.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_last_is_named_first_and_no_more_than_a_frame_takes() {
        let mut standings = Standings::default();
        let chats: Vec<Uuid> = (0..1_000).map(Uuid::from_u128).collect();
        for chat in &chats {
            standings.stand(*chat, 1, "c".repeat(64), Some(String::new()));
        }
        standings.stand(chats[0], 2, String::from("new"), None);
        let since = standings.since();
        assert_eq!(since.len(), NAMED_MAX);
        assert_eq!(since[&chats[0]], "new");
        assert!(!since.contains_key(&chats[1]) && since.contains_key(&chats[999]));
        assert!(serde_json::to_string(&since).expect("JSON").len() < 60_000);
    }

    #[test]
    fn what_was_shown_is_remembered_for_long_but_not_for_ever() {
        let mut standings = Standings::default();
        for id in 0..=SHOWN_MAX as u128 {
            standings.show(Uuid::from_u128(id));
        }
        assert!(!standings.was_shown(Uuid::from_u128(0)) && standings.was_shown(Uuid::from_u128(1)));
        assert_eq!(standings.shown.len(), SHOWN_MAX);
    }
}
