//! A look at the log: has it gone on since, and is it still the one that was seen?

use std::collections::HashMap;

use crate::model::{ChatId, ChatKey, Event, Message, Micros, Position, Record};
use crate::store::{Arrival, Snapshot, Store, StoreError};

use super::actor::Deps;

/// Events read from the log in one go.
pub(super) const CHUNK: usize = 256;
/// Missing events beyond which the state is loaded anew instead of being folded.
const LEAP: u64 = 1024;

/// What a look found.
#[derive(Debug)]
pub(super) enum Seen {
    /// There is no such chat.
    Absent,
    /// Nothing has happened.
    Same,
    /// The chat, seen for the first time.
    Loaded(Box<Snapshot>),
    /// A chat that was not there at the last look, with everything that has happened in it.
    Born(ChatId, Vec<Arrival>),
    /// What has happened since.
    Behind(Vec<Arrival>),
    /// So much has happened that this is where it stands now.
    Leapt(Box<Snapshot>),
    /// What was seen is not in the log any more; `None` when the chat itself is not.
    Rewritten(Option<Box<Snapshot>>),
}

/// Looks. `known` is what was seen last, `absent` whether that was nothing at all.
pub(super) async fn look(
    deps: &Deps,
    chat: ChatKey,
    known: Option<Position>,
    absent: bool,
) -> Result<Seen, StoreError> {
    let log = &deps.store.log;
    let Some(known) = known else {
        let Some(snapshot) = log.load(chat).await? else { return Ok(Seen::Absent) };
        if absent && snapshot.head.seq <= LEAP {
            let records = read(&deps.store, chat, 1, snapshot.head.seq).await?;
            return Ok(Seen::Born(snapshot.chat.id, with_messages(&deps.store, chat, records).await?));
        }
        return Ok(Seen::Loaded(Box::new(snapshot)));
    };
    let head = log.head(chat).await?;
    if head == known {
        return Ok(Seen::Same);
    }
    let still_there = log.events(chat, known.seq, 1).await?.first().map(Record::position) == Some(known);
    if !still_there {
        return Ok(Seen::Rewritten(log.load(chat).await?.map(Box::new)));
    }
    if head.seq - known.seq > LEAP {
        return Ok(log.load(chat).await?.map_or(Seen::Absent, |snapshot| Seen::Leapt(Box::new(snapshot))));
    }
    let records = read(&deps.store, chat, known.seq + 1, head.seq).await?;
    Ok(Seen::Behind(with_messages(&deps.store, chat, records).await?))
}

async fn read(store: &Store, chat: ChatKey, from: u64, to: u64) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    let mut next = from;
    while next <= to {
        let chunk = store.log.events(chat, next, CHUNK).await?;
        let Some(last) = chunk.last() else { break };
        next = last.seq + 1;
        records.extend(chunk);
    }
    Ok(records)
}

/// The records, each with the message it is about as that is now.
pub(super) async fn with_messages(
    store: &Store,
    chat: ChatKey,
    records: Vec<Record>,
) -> Result<Vec<Arrival>, StoreError> {
    let mut moments: Vec<Micros> = records.iter().filter_map(message_of).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut messages: HashMap<Micros, Message> = HashMap::with_capacity(moments.len());
    for chunk in moments.chunks(CHUNK) {
        let found = store.log.messages_at(chat, chunk).await?;
        messages.extend(found.into_iter().flatten().map(|message| (message.at, message)));
    }
    let arrival = |record: Record| {
        let message = message_of(&record).and_then(|at| messages.get(&at).cloned());
        Arrival { record, message }
    };
    Ok(records.into_iter().map(arrival).collect())
}

fn message_of(record: &Record) -> Option<Micros> {
    match &record.event {
        Event::MessageCreated(_) => Some(record.at),
        other => other.changes_message(),
    }
}
