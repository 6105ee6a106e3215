//! The chats' logs: commits and reads, each one call, pages as many as they need.

use async_trait::async_trait;
use redis::{FromRedisValue, Value};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::body::{Body, decoded};
use super::commit;
use super::envelope;
use super::keys::Keys;
use super::lanes::Ask;
use super::servers::{Again, Servers, Way};
use super::stored;
use crate::model::{
    AgentId, Chat, ChatId, ChatKey, FileId, Message, Micros, Nonce, Participant, ParticipantId, Position, Record,
    Roster,
};
use crate::store::codec;
use crate::store::together::Together;
use crate::store::{ChatLog, Commit, CommitError, Committed, Page, Result, Side, Snapshot, StoreError};

/// Rows that one call answers with, at most.
const ROWS_MAX: usize = 500;
/// Entries that one call looks at for a page of messages, at most; what is no message is passed over.
const LOOKED_AT_MAX: usize = 2_000;

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("malformed {what}"))
}

/// The moment of an entry's id, `<ms>-<n>`.
fn moment(id: &[u8]) -> Result<Micros> {
    let read = || {
        let (ms, n) = std::str::from_utf8(id).ok()?.split_once('-')?;
        let ms: u64 = ms.parse().ok()?;
        let n: u64 = n.parse().ok()?;
        Some(Micros(ms.checked_mul(1000)?.checked_add(n)?))
    };
    read().ok_or_else(|| corrupt("entry id"))
}

fn bytes(value: Value) -> Result<Vec<u8>> {
    decoded(value)
}

/// Number, moment and nonce of the head, as the script packs them.
fn read_head(head: &[u8]) -> Result<Position> {
    let head: &[u8; 21] = head.try_into().map_err(|_| corrupt("head"))?;
    let (seq, rest) = head.split_at(5);
    let (at, nonce) = rest.split_at(8);
    Ok(Position { seq: number(seq), at: Micros(number(at)), nonce: Nonce(number(nonce)) })
}

/// Big-endian bytes, at most eight.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The heads of chats. Every reader of a chat in memory asks for one, so those who come while one
/// is read share the next.
pub(crate) type Heads = Together<ChatKey, (), Position>;

/// Reads them over these servers, on this runtime.
pub(super) fn heads(servers: &Servers, keys: &Keys, runtime: &Handle) -> Heads {
    let (servers, keys) = (servers.clone(), keys.clone());
    Together::at_once(runtime.clone(), move |chat, asked: Vec<()>| {
        let (servers, meta) = (servers.clone(), keys.meta(chat));
        Box::pin(async move { Ok(vec![head(&servers, &meta).await?; asked.len()]) })
    })
}

async fn head(servers: &Servers, meta: &str) -> Result<Position> {
    let mut cmd = redis::cmd("HGET");
    cmd.arg(meta).arg("h");
    let head: Option<Vec<u8>> = decoded(servers.ask(Way::read(meta), Again::Fine, Ask::Command(cmd)).await?)?;
    head.map_or(Ok(Position::START), |head| read_head(&head))
}

fn eight(bytes: &[u8], what: &str) -> Result<Micros> {
    if bytes.len() == 8 { Ok(Micros(number(bytes))) } else { Err(corrupt(what)) }
}

impl Body {
    async fn read<T: FromRedisValue>(&self, key: &str, ask: Ask<'_>) -> Result<T> {
        decoded(self.servers.ask(Way::read(key), Again::Fine, ask).await?)
    }

    /// Turns the script's answer into what was committed.
    fn committed(commit: &Commit, answer: Vec<Value>) -> std::result::Result<Committed, CommitError> {
        let mut answer = answer.into_iter().map(bytes);
        let mut next = || answer.next().unwrap_or_else(|| Err(corrupt("answer to a commit")));
        let verdict = next()?;
        match verdict.as_slice() {
            b"=" => {
                let first = next()?;
                let (seq, at) = first.split_at_checked(5).ok_or_else(|| corrupt("answer to a commit"))?;
                let seq = number(seq);
                let mut at = eight(at, "answer to a commit")?;
                let mut records = Vec::with_capacity(commit.entries.len());
                for (place, entry) in commit.entries.iter().enumerate() {
                    if place > 0 {
                        at = eight(&next()?, "answer to a commit")?;
                    }
                    let event = entry.event.clone();
                    records.push(Record { seq: seq + place as u64, at, nonce: entry.nonce, event });
                }
                let previous = next()?;
                let previous = (previous.len() == 8).then(|| Nonce(number(&previous)));
                Ok(Committed { records, repeated: false, previous })
            }
            b"R" => {
                let mut records = Vec::with_capacity(commit.entries.len());
                for _ in &commit.entries {
                    let at = moment(&next()?)?;
                    records.push(codec::read_entry(at, &next()?)?);
                }
                Ok(Committed { records, repeated: true, previous: None })
            }
            b"C" => Err(CommitError::Conflict),
            b"K" => Err(CommitError::KeyTaken),
            _ => Err(corrupt("answer to a commit").into()),
        }
    }
}

/// Messages out of the flat rows of a script; `None` where there is none.
fn messages(rows: impl Iterator<Item = Value>) -> Result<Vec<Option<Message>>> {
    let mut rows = rows;
    let mut messages = Vec::new();
    while let Some(id) = rows.next() {
        let mut next = || rows.next().ok_or_else(|| corrupt("answer"));
        let segment: u64 = decoded(next()?)?;
        let (stored, overlay, replies) = (bytes(next()?)?, bytes(next()?)?, decoded::<u32>(next()?)?);
        messages.push(if stored.is_empty() {
            None
        } else {
            let entry = stored::numbered(segment, &stored)?;
            Some(envelope::message(moment(&bytes(id)?)?, &entry, &overlay, replies)?)
        });
    }
    Ok(messages)
}

fn side_word(side: Side) -> (&'static str, Micros) {
    match side {
        Side::Before(at) => ("b", at),
        Side::After(at) => ("a", at),
    }
}

/// The side that goes on from where a page ended.
fn onwards(side: Side, at: Micros) -> Side {
    match side {
        Side::Before(_) => Side::Before(at),
        Side::After(_) => Side::After(at),
    }
}

#[async_trait]
impl ChatLog for Body {
    async fn now(&self, chat: ChatKey) -> Result<Micros> {
        self.time(&self.keys.meta(chat)).await
    }

    async fn commit(&self, commit: &Commit) -> std::result::Result<Committed, CommitError> {
        Self::committed(commit, decoded(self.gathering.commit(commit).await?)?)
    }

    async fn assure(&self, chat: ChatKey) -> Result<()> {
        if self.waits {
            let key = self.keys.meta(chat);
            let call = self.scripts.assure.call(&[&key]);
            self.servers.ask(Way::write(&key), Again::Fine, Ask::Script(&self.scripts.assure, call)).await?;
        }
        Ok(())
    }

    async fn load(&self, chat: ChatKey) -> Result<Option<Snapshot>> {
        let key = self.keys.meta(chat);
        let call = self.scripts.load.call(&[&key]);
        type Meta = Vec<Option<Vec<u8>>>;
        let (meta, roster): (Meta, Vec<(Vec<u8>, Vec<u8>)>) =
            self.read(&key, Ask::Script(&self.scripts.load, call)).await?;
        if meta.first().is_none_or(Option::is_none) {
            return Ok(None);
        }
        let field = |place: usize| meta.get(place).and_then(Option::as_deref).ok_or_else(|| corrupt("chat"));
        let id = field(0)?.try_into().map(ChatId::from_bytes).map_err(|_| corrupt("chat id"))?;
        let (customer, kind) = commit::read_origin(field(3)?)?;
        let (name, detail) = commit::read_words(field(4)?)?;
        let deleted = field(7).ok().map(|at| eight(at, "moment of deletion")).transpose()?;
        let chat = Chat {
            id,
            customer,
            kind,
            name,
            detail,
            created: eight(field(5)?, "moment of creation")?,
            updated: eight(field(6)?, "moment of the update")?,
            deleted,
        };
        let roster = roster.iter().map(|(agent, rest)| read_participant(agent, rest)).collect::<Result<Roster>>()?;
        Ok(Some(Snapshot { chat, roster, head: read_head(field(1)?)?, rules: number(field(2)?) }))
    }

    async fn head(&self, chat: ChatKey) -> Result<Position> {
        // Who waits behind a read that gets no answer is told in time, too.
        let late = |_| StoreError::Unavailable("no answer from redis in time".to_owned());
        timeout(self.servers.wait, self.heads.ask(chat, ())).await.map_err(late)?
    }

    async fn events(&self, chat: ChatKey, from: u64, limit: usize) -> Result<Vec<Record>> {
        let mut records: Vec<Record> = Vec::new();
        let meta = self.keys.meta(chat);
        while records.len() < limit {
            let asked = (limit - records.len()).min(ROWS_MAX);
            let mut call = self.scripts.events.call(&[&meta]);
            let first = from.max(1) + records.len() as u64;
            call.arg(first).arg(asked);
            let rows: Vec<Vec<u8>> = self.read(&meta, Ask::Script(&self.scripts.events, call)).await?;
            for (seq, row) in (first..).zip(rows.chunks_exact(2)) {
                records.push(stored::read(seq, moment(&row[0])?, &row[1])?);
            }
            if rows.len() < 2 * asked {
                break;
            }
        }
        Ok(records)
    }

    async fn messages(&self, chat: ChatKey, page: Page) -> Result<Vec<Message>> {
        let mut found: Vec<Message> = Vec::new();
        let meta = self.keys.meta(chat);
        let mut side = page.side;
        while found.len() < page.limit {
            let (word, at) = side_word(side);
            let mut call = self.scripts.page.call(&[&meta]);
            call.arg(word)
                .arg(at.0.min(Micros::MAX.0))
                .arg((page.limit - found.len()).min(ROWS_MAX))
                .arg(LOOKED_AT_MAX);
            let rows: Vec<Value> = self.read(&meta, Ask::Script(&self.scripts.page, call)).await?;
            let mut rows = rows.into_iter();
            let reached = bytes(rows.next().ok_or_else(|| corrupt("answer"))?)?;
            found.extend(messages(rows)?.into_iter().flatten());
            if reached == b"." {
                break;
            }
            side = onwards(side, moment(&reached)?);
        }
        Ok(found)
    }

    async fn replies(&self, chat: ChatKey, parent: Micros, page: Page) -> Result<Vec<Message>> {
        let mut found: Vec<Message> = Vec::new();
        let meta = self.keys.meta(chat);
        let mut side = page.side;
        while found.len() < page.limit {
            let (word, at) = side_word(side);
            let asked = (page.limit - found.len()).min(ROWS_MAX);
            let mut call = self.scripts.replies.call(&[&meta]);
            call.arg(word).arg(&at.0.to_be_bytes()).arg(asked).arg(&parent.0.to_be_bytes());
            let rows: Vec<Value> = self.read(&meta, Ask::Script(&self.scripts.replies, call)).await?;
            let rows = messages(rows.into_iter())?;
            let count = rows.len();
            found.extend(rows.into_iter().flatten());
            match found.last() {
                Some(last) if count == asked => side = onwards(side, last.at),
                _ => break,
            }
        }
        Ok(found)
    }

    async fn messages_at(&self, chat: ChatKey, at: &[Micros]) -> Result<Vec<Option<Message>>> {
        let mut found = Vec::with_capacity(at.len());
        let meta = self.keys.meta(chat);
        for at in at.chunks(ROWS_MAX) {
            let mut call = self.scripts.pick.call(&[&meta]);
            for at in at {
                call.arg(&at.0.to_be_bytes());
            }
            let rows: Vec<Value> = self.read(&meta, Ask::Script(&self.scripts.pick, call)).await?;
            found.extend(messages(rows.into_iter())?);
        }
        Ok(found)
    }

    async fn carries(&self, chat: ChatKey, file: FileId) -> Result<bool> {
        let key = self.keys.files(chat);
        let mut cmd = redis::cmd("HEXISTS");
        cmd.arg(&key).arg(&file.bytes());
        self.read(&key, Ask::Command(cmd)).await
    }
}

fn read_participant(agent: &[u8], rest: &[u8]) -> Result<Participant> {
    let agent = agent.try_into().map(AgentId::from_bytes).map_err(|_| corrupt("agent of a roster"))?;
    let rest: &[u8; 29] = rest.try_into().map_err(|_| corrupt("participant of a roster"))?;
    let (id, rest) = rest.split_at(16);
    let (joined, joined_seq) = rest.split_at(8);
    let id = id.try_into().map(ParticipantId::from_bytes).map_err(|_| corrupt("participant of a roster"))?;
    Ok(Participant { id, agent, joined: Micros(number(joined)), joined_seq: number(joined_seq) })
}
