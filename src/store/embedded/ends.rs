//! Where the logs of chats end, as far as a transaction has read or written it: what many commits of
//! one chat have in common is read once for all of them, and the head is written once.

use std::collections::HashMap;

use redb::ReadableTable;

use super::super::Commit;
use super::state;
use super::tables::{Step, Tables, events};
use super::writer::Batch;
use crate::model::{Chat, ChatKey, Record};

/// Events whose nonces are kept, beyond those that the transaction itself appends.
const NONCES_MAX: u64 = 4_096;

/// The newest event of a chat, and the newest that changed its rules.
#[derive(Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) nonce: u64,
    pub(super) rules: u64,
}

/// The end of one log.
pub(super) struct End {
    /// `None` while there is no such chat.
    pub(super) head: Option<Head>,
    pub(super) chat: Option<Chat>,
    /// Whether the head has to be written.
    pub(super) moved: bool,
    /// Its place among the news.
    pub(super) told: Option<usize>,
    /// The number of each nonce from number `from` on.
    numbers: HashMap<u64, u64>,
    from: u64,
}

impl End {
    /// One more event.
    pub(super) fn append(&mut self, head: Head) {
        self.numbers.insert(head.nonce, head.seq);
        self.head = Some(head);
        self.moved = true;
    }
}

impl Tables<'_> {
    /// The end of this chat's log as it is stored.
    pub(super) fn end(&mut self, key: ChatKey) -> Step<End> {
        let head = self.heads.open()?.get(key.0)?.map(|head| head.value());
        let head = head.map(|(seq, at, nonce, rules)| Head { seq, at, nonce, rules });
        let bytes = self.chats.open()?.get(key.0)?;
        let chat = bytes.map(|bytes| state::read_chat(bytes.value())).transpose()?;
        let from = head.map_or(1, |head| head.seq + 1);
        Ok(End { head, chat, moved: false, told: None, numbers: HashMap::new(), from })
    }

    /// What an earlier attempt of this commit has put into the log.
    pub(super) fn repeated(&mut self, commit: &Commit, end: &mut End) -> Step<Option<Vec<Record>>> {
        let (Some(after), Some(first), Some(_)) = (commit.retry_after, commit.entries.first(), end.head) else {
            return Ok(None);
        };
        let key = commit.chat.key().0;
        let least = after.saturating_add(1);
        let mut found = end.numbers.get(&first.nonce.0).copied().filter(|seq| *seq > after);
        if found.is_none() && least < end.from {
            let keeps = end.from - least <= NONCES_MAX;
            for row in self.log.open()?.range((key, least)..(key, end.from))? {
                let (place, value) = row?;
                let (seq, nonce) = (place.value().1, value.value().1);
                if keeps {
                    end.numbers.insert(nonce, seq);
                }
                if nonce == first.nonce.0 {
                    found = Some(seq);
                }
            }
            if keeps {
                end.from = least;
            }
        }
        let Some(seq) = found else { return Ok(None) };
        events(self.log.open()?, self.messages.open()?, key, seq, commit.entries.len()).map(Some)
    }
}

impl Batch<'_> {
    /// Writes down where the logs end now.
    pub(super) fn settle(&mut self) -> Step<()> {
        for (key, end) in &self.ends {
            if let Some(head) = end.head.filter(|_| end.moved) {
                self.tables.heads.open()?.insert(key.0, (head.seq, head.at, head.nonce, head.rules))?;
            }
        }
        Ok(())
    }
}
