//! What a commit does to the tables: first every check, then every change.

use std::collections::hash_map::Entry::{Occupied, Vacant};

use redb::ReadableTable;

use super::super::{Arrival, Commit, CommitError, Committed, Entry, Expect, Heard, StoreError, codec};
use super::ends::{End, Head};
use super::state;
use super::tables::{Step, Tables, message};
use super::writer::Batch;
use crate::model::{
    AgentId, Chat, ChatKey, Event, FileId, Message, Micros, Overlay, ParticipantId, Position, Post, Record,
};

impl Batch<'_> {
    /// Makes the commit, or says why not; then nothing was changed.
    pub(super) fn commit(&mut self, commit: &Commit) -> Step<std::result::Result<Committed, CommitError>> {
        let key = commit.chat.key();
        let end = match self.ends.entry(key) {
            Vacant(place) => place.insert(self.tables.end(key)?),
            Occupied(place) => place.into_mut(),
        };
        if let Some(records) = self.tables.repeated(commit, end)? {
            return Ok(Ok(Committed { records, repeated: true, previous: None }));
        }
        let first = match (commit.expect, &end.chat, end.head) {
            (Expect::Absent { at }, None, None) => at,
            (Expect::Absent { .. }, Some(chat), _) if chat.id != commit.chat => return Ok(Err(CommitError::KeyTaken)),
            (_, _, Some(head))
                if commit
                    .retry_after
                    .max(commit.known.map(|known| known.seq))
                    .is_some_and(|after| after > head.seq) =>
            {
                return Ok(Err(CommitError::Conflict));
            }
            (Expect::Rules(rules), Some(chat), Some(head)) if chat.id == commit.chat && head.rules == rules => {
                self.now.max(Micros(head.at + 1))
            }
            _ => return Ok(Err(CommitError::Conflict)),
        };
        sound(commit)?;
        for entry in &commit.entries {
            if !self.tables.is_untouched(key, entry)? {
                return Ok(Err(CommitError::Conflict));
            }
        }
        let arrivals = self.tables.append(commit, end, first)?;
        let records = arrivals.iter().map(|arrival| arrival.record.clone()).collect();
        match end.told.and_then(|place| self.news.get_mut(place)) {
            Some(Heard::Arrived(_, told)) => told.extend(arrivals),
            _ => {
                end.told = Some(self.news.len());
                self.news.push(Heard::Arrived(key, arrivals));
            }
        }
        Ok(Ok(Committed { records, repeated: false, previous: None }))
    }
}

/// A chat begins with its creation, has no other one, and entries that change a message say how.
fn sound(commit: &Commit) -> Step<()> {
    for (place, entry) in commit.entries.iter().enumerate() {
        let begins = place == 0 && matches!(commit.expect, Expect::Absent { .. });
        let creates = matches!(entry.event, Event::ChatCreated { .. });
        let touches = entry.event.changes_message().is_some();
        if begins != creates || touches != entry.touch.is_some() {
            return Err(StoreError::Corrupt(format!("refused to write an unsound {}", entry.event.name())).into());
        }
    }
    Ok(())
}

impl Tables<'_> {
    /// Whether the message that the entry changes is as the decision saw it.
    fn is_untouched(&mut self, key: ChatKey, entry: &Entry) -> Step<bool> {
        if let Event::MessageCreated(Post { parent: Some(parent), .. }) = &entry.event {
            return Ok(self.messages.open()?.get((key.0, parent.0))?.is_some());
        }
        let Some(touch) = &entry.touch else { return Ok(true) };
        let at = touch.before.at.0;
        if entry.event.changes_message() != Some(touch.before.at) {
            return Ok(false);
        }
        // Read whole, so that what cannot be read is refused before anything is written.
        let stored = message(self.messages.open()?, self.marks.open()?, key.0, at)?;
        Ok(stored.is_some_and(|stored| codec::overlay(&stored.overlay) == codec::overlay(&touch.before.overlay)))
    }

    /// Appends all entries, the first at this moment, and makes true what follows from them.
    fn append(&mut self, commit: &Commit, end: &mut End, first: Micros) -> Step<Vec<Arrival>> {
        let key = commit.chat.key();
        let mut head = end.head.unwrap_or_default();
        let mut arrivals = Vec::with_capacity(commit.entries.len());
        for (entry, at) in commit.entries.iter().zip(first.0..) {
            let record = Record { seq: head.seq + 1, at: Micros(at), nonce: entry.nonce, event: entry.event.clone() };
            head = Head { seq: record.seq, at, nonce: entry.nonce.0, rules: head.rules };
            if record.event.changes_rules() {
                head.rules = record.seq;
            }
            let bytes = codec::entry(&record);
            let is_message = matches!(record.event, Event::MessageCreated(_));
            let in_log = if is_message { &[][..] } else { &bytes[..] };
            self.log.open()?.insert((key.0, record.seq), (at, entry.nonce.0, in_log))?;
            if is_message {
                self.messages.open()?.insert((key.0, at), &bytes[..])?;
            }
            end.append(head);
            self.follow(commit, &mut end.chat, &record)?;
            let message = match &entry.touch {
                Some(touch) => self.touch(key, &record, touch.overlay.clone())?,
                None => None,
            };
            // Nothing is ever rewritten here.
            arrivals.push(Arrival { record, message, previous: None });
        }
        let changed = arrivals.iter().any(|arrival| arrival.record.event.changes_rules());
        if let Some(chat) = end.chat.as_ref().filter(|_| changed) {
            self.chats.open()?.insert(key.0, &state::chat(chat)[..])?;
        }
        Ok(arrivals)
    }

    /// Makes true what follows from an event, older messages apart.
    fn follow(&mut self, commit: &Commit, chat: &mut Option<Chat>, record: &Record) -> Step<()> {
        let key = commit.chat.key().0;
        match &record.event {
            Event::ChatCreated { customer, kind, name, detail, members } => {
                for (agent, participant) in members {
                    self.join(key, *agent, *participant, record)?;
                }
                *chat = Some(Chat {
                    id: commit.chat,
                    customer: *customer,
                    kind: *kind,
                    name: name.clone(),
                    detail: detail.clone(),
                    created: record.at,
                    updated: record.at,
                    deleted: None,
                });
            }
            Event::ChatUpdated { name, detail } => {
                if let Some(chat) = chat {
                    chat.name.clone_from(name);
                    chat.detail.clone_from(detail);
                    chat.updated = record.at;
                }
            }
            Event::ChatDeleted => {
                if let Some(chat) = chat {
                    chat.updated = record.at;
                    chat.deleted = Some(record.at);
                }
            }
            Event::ParticipantAdded { agent, participant } => self.join(key, *agent, *participant, record)?,
            Event::ParticipantRemoved { agent, .. } => {
                self.members.open()?.remove((key, agent.0.as_u128()))?;
            }
            Event::MessageCreated(post) => self.index(key, record.at.0, post)?,
            Event::MessageDeleted { .. } | Event::ReactionChanged { .. } => {}
        }
        Ok(())
    }

    fn join(&mut self, key: u64, agent: AgentId, participant: ParticipantId, by: &Record) -> Step<()> {
        let member = (participant.0.as_u128(), by.at.0, by.seq);
        self.members.open()?.insert((key, agent.0.as_u128()), member)?;
        Ok(())
    }

    /// Enters a new message into its thread, and its files.
    fn index(&mut self, key: u64, at: u64, post: &Post) -> Step<()> {
        if let Some(parent) = post.parent {
            self.threads.open()?.insert((key, parent.0, at), ())?;
            let marks = self.marks.open()?;
            let (replies, overlay) = match marks.get((key, parent.0))? {
                Some(mark) => (mark.value().0, mark.value().1.to_vec()),
                None => (0, Vec::new()),
            };
            marks.insert((key, parent.0), (replies + 1, &overlay[..]))?;
        }
        for file in post.files() {
            self.carry(key, file, true)?;
        }
        Ok(())
    }

    /// Counts one message more, or less, that carries the file.
    fn carry(&mut self, key: u64, file: FileId, more: bool) -> Step<()> {
        let carried = self.carried.open()?;
        let place = (key, file.0.as_u128());
        let count = carried.get(place)?.map_or(0, |count| count.value());
        match if more { count + 1 } else { count.saturating_sub(1) } {
            0 => drop(carried.remove(place)?),
            count => drop(carried.insert(place, count)?),
        }
        Ok(())
    }

    /// Makes an older message what the event makes of it; answers with the message after that.
    fn touch(&mut self, key: ChatKey, record: &Record, mut overlay: Overlay) -> Step<Option<Message>> {
        let Some(at) = record.event.changes_message() else { return Ok(None) };
        let Some(mut after) = message(self.messages.open()?, self.marks.open()?, key.0, at.0)? else {
            return Ok(None);
        };
        fill_in(&mut overlay, record.at);
        if overlay.deleted {
            for file in after.post.files() {
                self.carry(key.0, file, false)?;
            }
            after.post = after.post.emptied();
            self.scrub(key, &after)?;
        }
        self.marks.open()?.insert((key.0, at.0), (after.replies, &codec::overlay(&overlay)[..]))?;
        after.overlay = overlay;
        Ok(Some(after))
    }

    /// Overwrites a message's entry with that of the emptied message, and has free pages cleaned.
    ///
    /// The new bytes are as many as the old ones, the rest zeros: so redb writes them to the same
    /// place of the page, or of its copy. Shorter ones would move what follows, and leave old bytes
    /// in the page behind its end, where nothing ever overwrites them.
    fn scrub(&mut self, key: ChatKey, emptied: &Message) -> Step<()> {
        let place = (key.0, emptied.at.0);
        let messages = self.messages.open()?;
        let Some(old) = messages.get(place)?.map(|entry| entry.value().to_vec()) else { return Ok(()) };
        let nonce = codec::read_entry(emptied.at, &old)?.nonce;
        let event = Event::MessageCreated(emptied.post.clone());
        let mut new = codec::entry(&Record { seq: emptied.seq, at: emptied.at, nonce, event });
        new.resize(old.len().max(new.len()), 0);
        messages.insert(place, &new[..])?;
        super::scrub::count_deletion(self)
    }
}

/// Sets the moments that were left open to that of the event.
fn fill_in(overlay: &mut Overlay, at: Micros) {
    if overlay.updated == Some(Micros::ZERO) {
        overlay.updated = Some(at);
    }
    if let Some(last) = overlay.reactions.last_mut()
        && last.at == Micros::ZERO
    {
        last.at = at;
    }
}

/// A head as a position.
pub(super) fn position((seq, at, nonce, _): (u64, u64, u64, u64)) -> Position {
    Position { seq, at: Micros(at), nonce: crate::model::Nonce(nonce) }
}
