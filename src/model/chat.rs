//! A chat and who may do what in it.

use super::ids::{AgentId, ChatId, CustomerId};
use super::participant::Roster;
use super::people::Caller;
use super::time::Micros;

/// What kind of conversation it is; never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChatKind {
    /// Two agents, for good. At most one live one per pair.
    Direct,
    /// Several agents, by invitation.
    Group,
    /// A public channel: any agent of the customer finds and joins it.
    Talk,
}

impl ChatKind {
    /// The wire's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Talk => "talk",
        }
    }

    /// Reads the wire's word. `normal`, which the tutorial uses, is a group.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "direct" => Some(Self::Direct),
            "group" | "normal" => Some(Self::Group),
            "talk" => Some(Self::Talk),
            _ => None,
        }
    }
}

/// A chat without its participants, who are its [`Roster`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub id: ChatId,
    pub customer: CustomerId,
    pub kind: ChatKind,
    pub name: String,
    pub detail: String,
    pub created: Micros,
    pub updated: Micros,
    pub deleted: Option<Micros>,
}

/// What a caller may do with a chat, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Another customer's: it does not exist for the caller.
    Hidden,
    /// It exists, and that is all the caller may know.
    Outsider,
    /// A public channel of the caller's customer: may see it and its participants, and join.
    Visitor,
    /// May read, write and invite.
    Member,
}

impl Chat {
    /// What the caller may do here.
    #[must_use]
    pub fn access(&self, caller: &Caller, roster: &Roster) -> Access {
        if caller.customer != self.customer {
            Access::Hidden
        } else if roster.contains(caller.agent) {
            Access::Member
        } else if self.kind == ChatKind::Talk {
            Access::Visitor
        } else {
            Access::Outsider
        }
    }

    /// Deleted chats can be read by their members, and changed by nobody.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }
}

/// The two agents of a direct chat, in one order whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair(AgentId, AgentId);

impl Pair {
    /// The pair of these two; their order does not matter.
    #[must_use]
    pub fn of(one: AgentId, other: AgentId) -> Self {
        if one <= other { Self(one, other) } else { Self(other, one) }
    }

    /// The thirty-two bytes of both ids, as they are stored.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.0.bytes());
        bytes[16..].copy_from_slice(&self.1.bytes());
        bytes
    }
}
