//! The contract of the link: how a node hears what others wrote.

use async_trait::async_trait;

use crate::model::{AgentId, ChatId, ChatKey, CustomerId, Message, Nonce, Record};

use super::Result;

/// What a node hears from the store. One receiver per node: the fan-out.
#[derive(Debug)]
pub enum Heard {
    /// Events of a chat that this node watches, as one commit made them, or several that were made
    /// together. All events of a commit come together.
    Arrived(ChatKey, Vec<Arrival>),
    /// Something about a customer that this node watches; `number` counts them 1, 2, 3, ...
    Noticed { customer: CustomerId, number: u64, notice: Notice },
    /// These channels are heard again, or for the first time since the link, or the part of it
    /// that carries them, was away: what was said on them meanwhile is not known.
    Again(Vec<Channel>),
    /// Where chats and the notices of customers stand that another node, or this one, wrote to a
    /// moment ago. Also of those that this node does not watch.
    Heads(Vec<Head>),
}

/// An event, with the message it is about as that is after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub record: Record,
    /// For events that change an older message.
    pub message: Option<Message>,
    /// Nonce of the event before it, where that is known: whether it belongs behind what was heard
    /// before, or to another history.
    pub previous: Option<Nonce>,
}

/// News about a customer, for all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The chat may now, or soon, be of concern to these agents, and to those who watch everything.
    Announced { chat: ChatId, agents: Vec<AgentId> },
    /// A credential of the agent may have ended: look again.
    AgentChanged { agent: AgentId },
    /// An agent's record as JSON, for `agent_status_updated`.
    AgentStatus { json: String },
}

/// Where something stands that is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A chat, and the number of its newest event.
    Chat(ChatKey, u64),
    /// A customer, and the number of its newest notice.
    Customer(CustomerId, u64),
}

/// Chats and customers that one call of [`Link::tell_heads`] tells of at most.
pub const HEADS_MAX: usize = 1_000;

/// A channel of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    Chat(ChatKey),
    Customer(CustomerId),
    /// Where chats and customers stand, see [`Link::tell_heads`]. Every node hears it without asking.
    Heads,
}

/// The way by which nodes hear what others wrote.
#[async_trait]
pub trait Link: Send + Sync {
    /// Hears these channels from now on. Returns once that is in force: whatever is committed
    /// afterwards is heard, or missed together with a [`Heard::Again`] that names the channel. While
    /// the link is down it returns at once, and the channels are part of the next [`Heard::Again`].
    async fn watch(&self, channels: Vec<Channel>);

    /// Stops hearing them, some time soon.
    fn unwatch(&self, channels: Vec<Channel>);

    /// Tells all nodes that watch the customer, this one included.
    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()>;

    /// The number of the customer's newest notice, 0 before the first.
    async fn notices(&self, customer: CustomerId) -> Result<u64>;

    /// Tells all nodes where these stand, at most [`HEADS_MAX`] at once. It may be lost, like anything
    /// that is said over the link, and it may come to the node that tells it too.
    async fn tell_heads(&self, heads: &[Head]) -> Result<()>;

    /// Whether the link is up, and the store answers.
    async fn healthy(&self) -> bool;
}
