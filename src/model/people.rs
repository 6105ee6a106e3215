//! Who asks.

use super::ids::{AgentId, CustomerId};

/// Permission bits, as VoIPBIN numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Permissions(pub u64);

impl Permissions {
    /// A person who talks.
    pub const AGENT: Self = Self(16);
    /// Runs the customer's account.
    pub const ADMIN: Self = Self(32);
    /// Manages the customer's people.
    pub const MANAGER: Self = Self(64);

    /// Every bit that this hub knows for agents.
    pub const ALL: Self = Self(16 | 32 | 64);

    /// Whether one of the bits is set.
    #[must_use]
    pub fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }

    /// Whether the agent may look after the customer's agents, keys and chats.
    #[must_use]
    pub fn manages_customer(self) -> bool {
        self.has(Self::ADMIN) || self.has(Self::MANAGER)
    }
}

/// An agent whose credential was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub customer: CustomerId,
    pub agent: AgentId,
    /// The agent's name, for "… joined the conversation."
    pub name: String,
    pub permissions: Permissions,
}
