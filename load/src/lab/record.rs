//! The record of a run: one line of JSON for each thing a client sent, was told or saw, in one file per client.
//!
//! Promises: what is in the record is all that the checker looks at; times are microseconds since the start of the run,
//! from one monotonic clock. Does not judge.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a run was. The first line of `run.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What it is called in the table.
    pub part: String,
    pub topology: String,
    /// The level that an answer 200 stood for.
    pub durability: String,
    pub seed: u64,
    pub seconds: u64,
    /// Whether what was acknowledged may never be lost here: the level and the faults allow that promise.
    pub keeps: bool,
    /// The safeguard that was switched off, if one was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sabotage: String,
}

/// A chat as it was made, before the first fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// Its number in this record.
    pub c: u16,
    pub id: Uuid,
    /// Rarely written to: what is said there is the last before silence.
    pub quiet: bool,
    /// Its members after the set-up.
    pub members: Vec<Uuid>,
    /// The number of its newest event after the set-up.
    pub seq: u64,
}

/// The kinds of events of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "cc")]
    ChatCreated,
    #[serde(rename = "cu")]
    ChatUpdated,
    #[serde(rename = "cd")]
    ChatDeleted,
    #[serde(rename = "m")]
    MessageCreated,
    #[serde(rename = "md")]
    MessageDeleted,
    #[serde(rename = "mr")]
    Reactions,
    #[serde(rename = "pa")]
    Added,
    #[serde(rename = "pr")]
    Removed,
}

/// An event as somebody saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub t: u64,
    /// The connection it came over, counted by the reader.
    pub n: u32,
    pub c: u16,
    pub s: u64,
    pub k: Kind,
    /// Which event this is: a hash over type, resource and moment. The same event has the same one wherever it is seen.
    pub x: u64,
    /// The resource it is about.
    pub m: Uuid,
    /// The agent who came or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<Uuid>,
    /// The message that a new one replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<Uuid>,
    /// A hash over what the resource is after it: the reactions of a message, the name of a chat.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub f: u64,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What a writer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    Send,
    /// A send that was acknowledged, said once more under its key.
    Again,
    React,
    Unreact,
    Delete,
    Rename,
    Add,
    Remove,
}

/// A call, all its tries together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When its first try went out, and when it was given up or answered.
    pub t: u64,
    pub done: u64,
    pub c: u16,
    pub deed: Deed,
    /// Its idempotency key, which is also the text of a message.
    pub key: String,
    /// The status of the answer that settled it; 0: none did.
    pub status: u16,
    pub tries: u32,
    /// One of its tries was left without a definite answer, and may yet take effect.
    pub unsure: bool,
    /// What it made or was about.
    pub id: Option<Uuid>,
    /// The agent that it was about, or whose reaction it was.
    pub who: Option<Uuid>,
    /// A hash over what it sets: the emoji, the name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub f: u64,
}

impl Call {
    /// Whether the hub said that it was done.
    #[must_use]
    pub fn acknowledged(&self) -> bool {
        self.status == 200
    }
}

/// A message as REST shows it in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub node: u8,
    pub c: u16,
    pub id: Uuid,
    pub s: u64,
    /// The key that its text carries; empty for others and for a deleted one.
    pub key: String,
    pub p: Option<Uuid>,
    pub deleted: bool,
    /// As [`Event::f`] of its reactions.
    pub f: u64,
    pub replies: u32,
}

/// A chat as REST shows it in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub node: u8,
    pub c: u16,
    pub seq: u64,
    pub members: Vec<Uuid>,
    /// As the resource counts them.
    pub member_count: u64,
    /// As [`Event::f`] of the chat.
    pub f: u64,
}

/// A fault as it was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub t: u64,
    pub ended: u64,
    pub kind: String,
    /// The hub's number, when it was done to one.
    pub node: Option<u8>,
    /// Empty, or why it could not be done.
    pub failed: String,
}

/// A moment in which the soak looked at the hubs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub t: u64,
    pub node: u8,
    /// `before`, `load` or `after`.
    pub phase: String,
    pub values: BTreeMap<String, f64>,
}

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Run(Run),
    Chat(Chat),
    /// Whose file this is; the first line of a reader's.
    Who {
        reader: String,
        agent: Uuid,
    },
    #[serde(rename = "w")]
    Call(Call),
    /// How often a client was answered so, over the whole run.
    Answers {
        kind: String,
        count: u64,
    },
    /// A connection to a node stands.
    Open {
        t: u64,
        n: u32,
        node: u8,
    },
    /// Its subscription is in force.
    Live {
        t: u64,
        n: u32,
    },
    /// The chat begins for this client here, or goes on from here without what it was told is lost.
    At {
        t: u64,
        n: u32,
        c: u16,
        s: u64,
        /// Empty for a chat that is new to the client, else the reason it was told.
        told: String,
    },
    /// The chat was not in the answer: it is no longer this agent's.
    Gone {
        t: u64,
        n: u32,
        c: u16,
    },
    #[serde(rename = "e")]
    Event(Event),
    /// A connection ended, 1006 without a close frame, 0 given up by the client.
    Closed {
        t: u64,
        n: u32,
        code: u16,
    },
    /// A frame that no client can make sense of.
    Odd {
        t: u64,
        n: u32,
        text: String,
    },
    Fault(Fault),
    /// An event of the final log, replayed from the end of the set-up. `n` is the node.
    #[serde(rename = "l")]
    Logged(Event),
    Message(Message),
    State(State),
    /// A failover of the series, with the keys sent from the moment the replica was cut off.
    Round {
        t: u64,
        ended: u64,
        number: u32,
    },
    Sample(Sample),
    /// A part of the end could not be read: the record is not whole.
    Unread {
        node: u8,
        what: String,
    },
}

/// A client's file, written as it goes. What could not be written makes [`Book::close`] fail.
#[derive(Debug)]
pub struct Book {
    file: BufWriter<File>,
    failed: Option<io::Error>,
}

impl Book {
    /// `<dir>/<name>.jsonl`, new and empty.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(dir: &Path, name: &str) -> io::Result<Self> {
        let file = File::create(dir.join(format!("{name}.jsonl")))?;
        Ok(Self { file: BufWriter::with_capacity(64 * 1024, file), failed: None })
    }

    /// Writes one line.
    pub fn note(&mut self, line: &Line) {
        let written = serde_json::to_writer(&mut self.file, line).map_err(io::Error::from);
        if let Err(error) = written.and_then(|()| self.file.write_all(b"\n")) {
            self.failed.get_or_insert(error);
        }
    }

    /// Has what was written so far be seen by others at once.
    pub fn flush(&mut self) {
        if let Err(error) = self.file.flush() {
            self.failed.get_or_insert(error);
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Something of this file could not be written.
    pub fn close(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.failed.map_or(Ok(()), Err)
    }
}

/// The files of a record whose name begins with `prefix`, in order.
///
/// # Errors
/// The directory cannot be read.
pub fn files(dir: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(".jsonl") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Hands every line of a file to `each`, in order, holding one at a time.
///
/// # Errors
/// The file cannot be read, or a line is not one of a record; it says which.
pub fn read(path: &Path, mut each: impl FnMut(Line)) -> io::Result<()> {
    let mut text = String::new();
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut number = 0u64;
    while file.read_line(&mut text)? > 0 {
        number += 1;
        let line = serde_json::from_str(&text).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}:{number}: {error}", path.display()))
        })?;
        each(line);
        text.clear();
    }
    Ok(())
}
