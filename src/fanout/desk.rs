//! Desks: the one door into each worker thread, for everything its sockets have to hear.
//!
//! A desk is a bounded queue, and what one chat puts in comes out in that order. So an answer
//! like "you follow this chat from event 7 on" and the events 8, 9, ... cannot overtake each
//! other, and nobody needs a lock.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use tokio::sync::mpsc;

use crate::model::{AgentId, ChatId, ChatKey, CustomerId, Position};
use crate::store::Notice;
use crate::wire::frames::{LostReason, TextFrame};

/// A worker's number, 0, 1, 2, ... in the order in which they opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeskId(pub usize);

/// A socket's number on its worker; never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(pub u64);

/// What a desk is handed.
#[derive(Debug)]
pub enum Delivery {
    /// The next event of a chat that the desk follows.
    Event(Arc<Outgoing>),
    /// The answer to a wish to follow a chat.
    Followed(Followed),
    /// Older events for one socket that catches up.
    Replay(Replay),
    /// The chat's history was rewritten: this is where it stands now.
    Resync { chat: ChatId, head: Position, frame: TextFrame, members: Members },
    /// So much has happened that the events were not read one by one: catch up to this number.
    Leapt { chat: ChatId, head: u64, members: Members },
    /// The chat's actor broke off: nobody is told what happens in it any more.
    Lost { chat: ChatKey },
    /// News of a customer.
    Noticed { customer: CustomerId, notice: Arc<Notice> },
    /// News of a customer may have been missed: look everything up again.
    Missed { customer: CustomerId },
    /// The node leaves: close every socket, spread over this time.
    Leave { over: std::time::Duration },
}

/// Who is in a chat.
pub type Members = Arc<HashSet<AgentId>>;

/// An event, ready for the wire.
#[derive(Debug)]
pub struct Outgoing {
    pub chat: ChatId,
    pub customer: CustomerId,
    pub seq: u64,
    /// What follows scope and id in the topics it matches: `chat:<chat id>`, and
    /// `<chat|chatmessage|chatparticipant>:<event>:<resource id>`.
    pub topics: [String; 2],
    pub frame: TextFrame,
    pub turnover: Turnover,
    /// Whether it is one of many that were heard late and are handed on at once: of these a socket is
    /// given what fits, and catches up on the others.
    pub late: bool,
    /// What it is delivered in, when the call that made it is traced on this node.
    pub span: tracing::Span,
}

/// Who comes or goes with an event. They hear it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turnover {
    None,
    Came(Vec<AgentId>),
    Went(AgentId),
}

/// How following a chat began.
#[derive(Debug)]
pub struct Followed {
    pub chat: ChatId,
    pub session: SessionKey,
    /// The wish's own.
    pub ticket: Ticket,
    pub outcome: Outcome,
}

/// Which subscription a wish to follow belongs to; `None`: to none, the chat is news to the socket.
pub type Ticket = Option<u64>;

/// What the chat said to a wish to follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Events after number `from` are the socket's to hear; the chat stands at `head`.
    /// `member`: as a member, not only as one who watches every chat.
    Follows { from: u64, head: Position, lost: Option<LostReason>, member: bool },
    /// Not a chat that this caller hears (yet).
    Outside,
    /// The store did not answer.
    Unavailable,
}

/// Older events for one socket, in order.
#[derive(Debug)]
pub struct Replay {
    pub chat: ChatKey,
    pub session: SessionKey,
    /// The number that was asked for; the answer to another question is not taken.
    pub from: u64,
    pub events: Vec<Arc<Outgoing>>,
    /// Whether the socket has all there is, and goes on live.
    pub end: ReplayEnd,
}

/// What comes after a [`Replay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    /// Live events: the next number goes on where this ended.
    Live,
    /// More to fetch.
    More,
    /// Nothing: the agent is no member any more.
    Left,
    /// The store did not answer: ask again later.
    Unavailable,
}

/// The doors of all workers of this node.
#[derive(Clone, Default)]
pub struct Desks {
    doors: Arc<RwLock<Vec<mpsc::Sender<Delivery>>>>,
}

impl Desks {
    /// Opens a worker's door, which holds at most `bound` deliveries.
    #[must_use]
    pub fn open(&self, bound: usize) -> (DeskId, mpsc::Receiver<Delivery>) {
        let (sender, receiver) = mpsc::channel(bound);
        let mut doors = self.doors.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        doors.push(sender);
        (DeskId(doors.len() - 1), receiver)
    }

    /// Hands in a delivery if there is room.
    ///
    /// # Errors
    /// Gives the delivery back when there is none. A worker that has ended takes everything.
    pub fn offer(&self, desk: DeskId, delivery: Delivery) -> Result<(), Delivery> {
        let doors = self.doors.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        match doors.get(desk.0).map(|door| door.try_send(delivery)) {
            Some(Err(mpsc::error::TrySendError::Full(delivery))) => Err(delivery),
            Some(Ok(()) | Err(mpsc::error::TrySendError::Closed(_))) | None => Ok(()),
        }
    }

    /// Hands in a delivery, waiting for room. Workers never wait for sockets, so this is short.
    pub async fn hand_in(&self, desk: DeskId, delivery: Delivery) {
        let door = {
            let doors = self.doors.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            doors.get(desk.0).cloned()
        };
        if let Some(door) = door {
            // A closed door belongs to a worker that has ended: nobody is left to hear it.
            let _ = door.send(delivery).await;
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<DeskId> {
        let doors = self.doors.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        (0..doors.len()).map(DeskId).collect()
    }
}
