//! The catalogue of tables, and how a transaction opens them.
//!
//! Ids stand in the tables as 128-bit numbers, which sort as the ids do; a chat as its key; moments
//! as microseconds. Texts of messages stand in [`MESSAGES`] and nowhere else: what is left of a
//! deleted one is cleaned up there alone, see `scrub`.

use redb::{Key, ReadTransaction, ReadableTable, Table, TableDefinition, Value, WriteTransaction};

use super::super::StoreError;
use super::super::codec;
use crate::model::{Message, Micros, Record};

/// Why a transaction did not do as asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file: nothing of the transaction is to be kept.
    File(Box<redb::Error>),
    /// What is stored: the command fails, before it has written anything.
    Stored(StoreError),
}

/// How a step inside a transaction ends.
pub(super) type Step<T> = std::result::Result<T, Fault>;

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Stored(error)
    }
}

macro_rules! faults {
    ($($error:ident),+) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::File(Box::new(error.into()))
            }
        }
    )+};
}
faults!(StorageError, TableError, TransactionError, CommitError, DatabaseError, SetDurabilityError);

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::File(error) => match *error {
                redb::Error::Corrupted(what) => Self::Corrupt(what),
                other => Self::Unavailable(other.to_string()),
            },
            Fault::Stored(error) => error,
        }
    }
}

/// A table of a write transaction, opened when first used.
pub(super) struct Lazy<'t, K: Key + 'static, V: Value + 'static> {
    transaction: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: Option<Table<'t, K, V>>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Lazy<'t, K, V> {
    /// The table.
    pub(super) fn open(&mut self) -> Step<&mut Table<'t, K, V>> {
        match &mut self.table {
            Some(table) => Ok(table),
            unopened => Ok(unopened.insert(self.transaction.open_table(self.definition)?)),
        }
    }

    /// Takes all rows away at once.
    pub(super) fn clear(&mut self) -> Step<()> {
        self.table = None;
        self.transaction.delete_table(self.definition)?;
        self.open()?;
        Ok(())
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])+ $name:ident = $field:ident: $key:ty => $value:ty;)+) => {
        $($(#[$doc])+
        pub(super) const $name: TableDefinition<'static, $key, $value> = TableDefinition::new(stringify!($field));)+

        /// All tables of one write transaction.
        pub(super) struct Tables<'t> {
            $(pub(super) $field: Lazy<'t, $key, $value>,)+
        }

        impl<'t> Tables<'t> {
            /// Those of this transaction; none is open yet.
            pub(super) fn of(transaction: &'t WriteTransaction) -> Self {
                Self { $($field: Lazy { transaction, definition: $name, table: None },)+ }
            }

            /// Makes those that are missing, so that readers find every one.
            pub(super) fn create(&mut self) -> Step<()> {
                $(self.$field.open()?;)+
                Ok(())
            }
        }
    };
}

tables! {
    /// Schema version, and how far cleaning up has come.
    META = meta: &'static str => u64;
    /// Chat -> what `state` makes of it: everything but members and head.
    CHATS = chats: u64 => &'static [u8];
    /// Chat -> newest event's number, moment and nonce, number of the newest that changed the rules.
    HEADS = heads: u64 => (u64, u64, u64, u64);
    /// Chat, agent -> participant, when and by which event it joined.
    MEMBERS = members: (u64, u128) => (u128, u64, u64);
    /// Chat, number -> moment, nonce, entry; a message's entry stands in [`MESSAGES`] instead.
    LOG = log: (u64, u64) => (u64, u64, &'static [u8]);
    /// Chat, moment -> entry of the message that was created then, followed by zeros if emptied.
    MESSAGES = messages: (u64, u64) => &'static [u8];
    /// Chat, message -> direct replies, overlay. Messages without either have no row.
    MARKS = marks: (u64, u64) => (u32, &'static [u8]);
    /// Chat, message, direct reply.
    THREADS = threads: (u64, u64, u64) => ();
    /// Chat, file -> how many of its messages carry it.
    CARRIED = carried: (u64, u128) => u32;

    /// Customer, list, agent, chat -> creation, when to forget it (0: never).
    LISTED = listed: (u128, u8, u128, u128) => (u64, u64);
    /// Customer, list, agent, creation, chat: [`LISTED`] in order.
    LISTS = lists: (u128, u8, u128, u64, u128) => ();
    /// When, customer, agent, chat: what is to be forgotten, in order.
    FORGOTTEN = forgotten: (u64, u128, u128, u128) => ();
    /// Customer, agent, agent -> their direct chat.
    PAIRS = pairs: (u128, u128, u128) => u128;
    /// Customer, agent, idempotency key -> when it expires, claim.
    CLAIMS = claims: (u128, u128, &'static str) => (u64, &'static [u8]);
    /// When, customer, agent, idempotency key: what expires, in order.
    CLAIMS_DUE = claims_due: (u64, u128, u128, &'static str) => ();
    /// Hour, customer, agent -> new keys.
    CLAIM_COUNTS = claim_counts: (u64, u128, u128) => u32;

    /// Table, customer, id -> bytes.
    RECORDS = records: (u8, u128, u128) => &'static [u8];
    /// Table, customer, list, agent, creation, id.
    ROWS = rows: (u8, u128, u8, u128, u64, u128) => ();
    /// Table, unique name -> customer, id.
    UNIQUES = uniques: (u8, &'static str) => (u128, u128);
    /// Customer -> number of its newest notice.
    NOTICES = notices: u128 => u64;
    /// Zeros that overwrite free pages; empty but for while that is done.
    FILLER = filler: u64 => &'static [u8];
}

/// The message that was created in the chat at this moment, with what became of it.
pub(super) fn message(
    messages: &impl ReadableTable<(u64, u64), &'static [u8]>,
    marks: &impl ReadableTable<(u64, u64), (u32, &'static [u8])>,
    key: u64,
    at: u64,
) -> Step<Option<Message>> {
    let Some(entry) = messages.get((key, at))? else { return Ok(None) };
    let mark = marks.get((key, at))?;
    let mark = mark.as_ref().map_or((0, &[][..]), |mark| mark.value());
    assemble(at, entry.value(), mark).map(Some)
}

/// A message from its entry and its mark.
pub(super) fn assemble(at: u64, entry: &[u8], (replies, overlay): (u32, &[u8])) -> Step<Message> {
    let record = codec::read_entry(Micros(at), entry)?;
    let crate::model::Event::MessageCreated(post) = record.event else {
        return Err(StoreError::Corrupt("an entry that is no message among the messages".to_owned()).into());
    };
    Ok(Message { seq: record.seq, at: record.at, post, overlay: codec::read_overlay(overlay)?, replies })
}

/// Events number `from` and later, at most `limit`.
pub(super) fn events(
    log: &impl ReadableTable<(u64, u64), (u64, u64, &'static [u8])>,
    messages: &impl ReadableTable<(u64, u64), &'static [u8]>,
    key: u64,
    from: u64,
    limit: usize,
) -> Step<Vec<Record>> {
    let mut records = Vec::new();
    for row in log.range((key, from)..=(key, u64::MAX))?.take(limit) {
        let (_, value) = row?;
        let (at, _, entry) = value.value();
        if entry.is_empty() {
            let missing = || StoreError::Corrupt("a message in the log has no entry".to_owned());
            let message = messages.get((key, at))?.ok_or_else(missing)?;
            records.push(codec::read_entry(Micros(at), message.value())?);
        } else {
            records.push(codec::read_entry(Micros(at), entry)?);
        }
    }
    Ok(records)
}

/// A number of [`META`], 0 while it is not there.
pub(super) fn meta(transaction: &ReadTransaction, name: &str) -> Step<u64> {
    Ok(transaction.open_table(META)?.get(name)?.map_or(0, |value| value.value()))
}
