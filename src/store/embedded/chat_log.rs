//! The logs of the chats. Reads look into the file at once; commits go through the writer.

use std::collections::HashMap;

use async_trait::async_trait;
use redb::ReadTransaction;

use super::super::{ChatLog, Commit, CommitError, Committed, Page, Result, Side, Snapshot};
use super::Embedded;
use super::appending::position;
use super::state;
use super::tables::{CARRIED, CHATS, HEADS, LOG, MARKS, MEMBERS, MESSAGES, Step, THREADS, assemble, events, message};
use crate::model::{AgentId, ChatKey, FileId, Message, Micros, Participant, ParticipantId, Position, Record, Roster};
use uuid::Uuid;

/// How many messages one call of `messages_at` answers.
const MESSAGES_AT_MAX: usize = 1_000;

#[async_trait]
impl ChatLog for Embedded {
    async fn now(&self, _chat: ChatKey) -> Result<Micros> {
        Ok(self.medium.now())
    }

    async fn commit(&self, commit: &Commit) -> std::result::Result<Committed, CommitError> {
        let commit = commit.clone();
        self.writer.act(move |batch| batch.commit(&commit)).await?
    }

    async fn assure(&self, _: ChatKey) -> Result<()> {
        // What can be read was synced before.
        Ok(())
    }

    async fn load(&self, chat: ChatKey) -> Result<Option<Snapshot>> {
        self.medium.read(|file| load(file, chat))
    }

    async fn head(&self, chat: ChatKey) -> Result<Position> {
        self.medium.read(|file| {
            let head = file.open_table(HEADS)?.get(chat.0)?;
            Ok(head.map_or(Position::START, |head| position(head.value())))
        })
    }

    async fn events(&self, chat: ChatKey, from: u64, limit: usize) -> Result<Vec<Record>> {
        self.medium.read(|file| events(&file.open_table(LOG)?, &file.open_table(MESSAGES)?, chat.0, from, limit))
    }

    async fn messages(&self, chat: ChatKey, page: Page) -> Result<Vec<Message>> {
        self.medium.read(|file| messages(file, chat.0, page))
    }

    async fn replies(&self, chat: ChatKey, parent: Micros, page: Page) -> Result<Vec<Message>> {
        self.medium.read(|file| replies(file, chat.0, parent.0, page))
    }

    async fn messages_at(&self, chat: ChatKey, at: &[Micros]) -> Result<Vec<Option<Message>>> {
        self.medium.read(|file| {
            let (entries, marks) = (file.open_table(MESSAGES)?, file.open_table(MARKS)?);
            at.iter().take(MESSAGES_AT_MAX).map(|at| message(&entries, &marks, chat.0, at.0)).collect()
        })
    }

    async fn carries(&self, chat: ChatKey, file_id: FileId) -> Result<bool> {
        self.medium.read(|file| Ok(file.open_table(CARRIED)?.get((chat.0, file_id.0.as_u128()))?.is_some()))
    }
}

fn load(file: &ReadTransaction, chat: ChatKey) -> Step<Option<Snapshot>> {
    let Some(bytes) = file.open_table(CHATS)?.get(chat.0)? else { return Ok(None) };
    let Some(head) = file.open_table(HEADS)?.get(chat.0)?.map(|head| head.value()) else { return Ok(None) };
    let mut roster = Roster::default();
    for row in file.open_table(MEMBERS)?.range((chat.0, 0)..=(chat.0, u128::MAX))? {
        let (place, member) = row?;
        let (participant, joined, joined_seq) = member.value();
        roster.insert(Participant {
            id: ParticipantId(Uuid::from_u128(participant)),
            agent: AgentId(Uuid::from_u128(place.value().1)),
            joined: Micros(joined),
            joined_seq,
        });
    }
    let chat = state::read_chat(bytes.value())?;
    Ok(Some(Snapshot { chat, roster, head: position(head), rules: head.3 }))
}

/// The moments of a side, as a range; `None` when there are none.
fn moments(side: Side) -> Option<(u64, u64)> {
    match side {
        Side::Before(at) => at.0.checked_sub(1).map(|last| (0, last)),
        Side::After(at) => at.0.checked_add(1).map(|first| (first, u64::MAX)),
    }
}

/// The first rows of an iterator, from the end that the side begins with.
fn from_side<T>(rows: impl DoubleEndedIterator<Item = T>, page: Page) -> Vec<T> {
    match page.side {
        Side::Before(_) => rows.rev().take(page.limit).collect(),
        Side::After(_) => rows.take(page.limit).collect(),
    }
}

fn messages(file: &ReadTransaction, key: u64, page: Page) -> Step<Vec<Message>> {
    let Some((first, last)) = moments(page.side) else { return Ok(Vec::new()) };
    let entries = file.open_table(MESSAGES)?;
    let rows = from_side(entries.range((key, first)..=(key, last))?, page);
    let rows = rows.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
    let moments = rows.iter().map(|(place, _)| place.value().1);
    let (Some(oldest), Some(newest)) = (moments.clone().min(), moments.max()) else { return Ok(Vec::new()) };
    // Few messages have a mark: one walk along them costs less than a look-up for each message.
    let marks = file.open_table(MARKS)?;
    let mut marked = HashMap::new();
    for row in marks.range((key, oldest)..=(key, newest))? {
        let (place, mark) = row?;
        marked.insert(place.value().1, mark);
    }
    rows.iter()
        .map(|(place, entry)| {
            let at = place.value().1;
            assemble(at, entry.value(), marked.get(&at).map_or((0, &[]), |mark| mark.value()))
        })
        .collect()
}

fn replies(file: &ReadTransaction, key: u64, parent: u64, page: Page) -> Step<Vec<Message>> {
    let Some((first, last)) = moments(page.side) else { return Ok(Vec::new()) };
    let threads = file.open_table(THREADS)?;
    let rows = from_side(threads.range((key, parent, first)..=(key, parent, last))?, page);
    let (entries, marks) = (file.open_table(MESSAGES)?, file.open_table(MARKS)?);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let (place, _) = row?;
        found.extend(message(&entries, &marks, key, place.value().2)?);
    }
    Ok(found)
}
