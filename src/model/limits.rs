//! The limits of a chat's contents; `config/base.toml` documents each.

use serde::Deserialize;

/// How much fits where. All are enforced with a clear 400.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Characters of a chat's name.
    pub name_chars_max: usize,
    /// Characters of a chat's detail.
    pub detail_chars_max: usize,
    /// Bytes of a message's text in UTF-8.
    pub text_bytes_max: usize,
    /// Attachments of one message.
    pub medias_max: usize,
    /// Bytes of one emoji in UTF-8.
    pub emoji_bytes_max: usize,
    /// Different emoji on one message.
    pub emoji_per_message_max: usize,
    /// Reactions on one message, all emoji and agents together.
    pub reactions_per_message_max: usize,
    /// Members of one chat.
    pub members_max: usize,
    /// Bytes of one request body, uploads apart.
    pub body_bytes_max: usize,
    /// Bytes of one uploaded file.
    pub file_bytes_max: u64,
    /// Sign-ins per second and address; 0 switches the limit off.
    pub auth_per_second: u32,
    /// Calls per second and agent, bursts of twice that; 0 switches the limit off.
    pub agent_per_second: u32,
    /// Commands of one chat under way or waiting on one node; more are answered 429.
    pub chat_commands_max: usize,
    /// Chats held in memory by one node; more are answered 503.
    pub chats_in_memory_max: usize,
    /// Newest events of a chat kept in memory by one node.
    pub recent_events_max: usize,
    /// Newest messages of a chat kept in memory by one node.
    pub recent_messages_max: usize,
    /// Bytes of newest pages, as they go out, kept in memory by one node for all its chats.
    pub newest_pages_bytes_max: usize,
    /// Events of a chat that a returning client is sent; further back it is told `trimmed`.
    pub resume_events_max: u64,
    /// Idempotency keys one agent may use in an hour; more are answered 429.
    pub idempotency_keys_per_hour: u32,
    /// WebSocket connections of one node; more are refused with 503.
    pub connections_max: usize,
    /// WebSocket connections being opened at once on one node.
    pub handshakes_max: usize,
    /// Connections that wait for their turn to be opened; more are refused with 503.
    pub handshakes_waiting_max: usize,
    /// Milliseconds that a connection waits for its turn before it is refused with 503.
    pub handshakes_wait_ms: u64,
    /// Subscriptions on their way, and stretches of older events being fetched, at once on one node.
    pub resumes_max: usize,
    /// Topics one connection may hold.
    pub topics_max: usize,
    /// Chats one connection may follow.
    pub followed_chats_max: usize,
    /// Rows of an index that one list of chats may look at; then it holds what was found.
    pub listed_rows_max: usize,
    /// Bytes of one frame from a client.
    pub frame_bytes_max: usize,
    /// Bytes of one connection that wait to be written; more close it with 4008.
    pub outbox_bytes_max: usize,
}

impl Limits {
    /// Bytes that one chat takes at most in the answer to a client that resumes, which is one frame:
    /// [`Self::followed_chats_max`] of them fit into [`Self::outbox_bytes_max`].
    pub const RESUMED_CHAT_BYTES: usize = 144;
}
