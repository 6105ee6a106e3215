//! The frames of a socket: what clients say, and what they are told.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{ChatKey, Position};

use super::error::ApiError;
use super::{Reason, cursor};

/// Longest `id` of a client frame, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    Subscribe(SubscribeFrame),
    Unsubscribe(UnsubscribeFrame),
}

/// Asks to hear topics.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct SubscribeFrame {
    /// What to hear, besides what is heard already.
    #[schema(schema_with = super::forms::topics)]
    pub topics: Vec<String>,
    /// Asks for an answer, which carries it; so does an error. At most 64 bytes.
    #[schema(max_length = 64)]
    pub id: Option<String>,
    /// Where the client stands: the cursor of each chat it knows, by the chat's id. Asks for an answer too.
    #[schema(value_type = Option<HashMap<uuid::Uuid, String>>)]
    pub since: Option<HashMap<String, String>>,
}

/// Asks to hear topics no longer.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct UnsubscribeFrame {
    /// What to hear no longer, as it was subscribed to.
    #[schema(schema_with = super::forms::topics)]
    pub topics: Vec<String>,
    /// Asks for an answer, which carries it; so does an error. At most 64 bytes.
    #[schema(max_length = 64)]
    pub id: Option<String>,
}

/// A frame that could not be understood: what was wrong, and the id it had, if that much was.
#[derive(Debug)]
pub struct BadFrame {
    pub id: Option<String>,
    pub error: ApiError,
}

impl ClientFrame {
    /// Reads a text frame.
    ///
    /// # Errors
    /// Says what is wrong with which field.
    pub fn parse(text: &str) -> Result<Self, BadFrame> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|_| BadFrame {
            id: None,
            error: ApiError::new(Reason::InvalidJsonBody, "the frame is not JSON"),
        })?;
        let id = read_id(&value)?;
        read_frame(&value, id.clone()).map_err(|error| BadFrame { id, error })
    }
}

fn read_id(value: &serde_json::Value) -> Result<Option<String>, BadFrame> {
    match value.get("id") {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(id)) if id.len() <= ID_BYTES_MAX => Ok(Some(id.clone())),
        Some(_) => Err(BadFrame {
            id: None,
            error: ApiError::argument(format!("id must be a string of at most {ID_BYTES_MAX} bytes")),
        }),
    }
}

fn read_frame(value: &serde_json::Value, id: Option<String>) -> Result<ClientFrame, ApiError> {
    if !value.is_object() {
        return Err(ApiError::new(Reason::InvalidJsonBody, "the frame is not a JSON object"));
    }
    let kind = value.get("type").and_then(serde_json::Value::as_str).unwrap_or_default();
    match kind {
        "subscribe" => {
            let (topics, since) = (read_topics(value)?, read_since(value)?);
            Ok(ClientFrame::Subscribe(SubscribeFrame { topics, id, since }))
        }
        "unsubscribe" => Ok(ClientFrame::Unsubscribe(UnsubscribeFrame { topics: read_topics(value)?, id })),
        _ => Err(ApiError::argument("type must be subscribe or unsubscribe")),
    }
}

fn read_topics(value: &serde_json::Value) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::argument("topics must be an array of at least one string");
    let topics = value.get("topics").and_then(serde_json::Value::as_array).ok_or_else(wrong)?;
    if topics.is_empty() {
        return Err(wrong());
    }
    topics.iter().map(|topic| topic.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn read_since(value: &serde_json::Value) -> Result<Option<HashMap<String, String>>, ApiError> {
    let wrong = || ApiError::argument("since must be an object of chat id to cursor");
    match value.get("since") {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::Object(since)) => since
            .iter()
            .map(|(chat, cursor)| Ok((chat.clone(), cursor.as_str().ok_or_else(wrong)?.to_owned())))
            .collect::<Result<_, ApiError>>()
            .map(Some),
        Some(_) => Err(wrong()),
    }
}

/// The event that an agent's status changed. It is of no chat.
pub const AGENT_STATUS_UPDATED: &str = "agent_status_updated";

/// An event on the wire. Encoded once, whoever hears it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventFrame<'a, D> {
    pub r#type: &'a str,
    /// What it happened to, as it is when this is sent.
    pub data: D,
    /// The chat it happened in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<uuid::Uuid>,
    /// Counts the events of the chat: 1, 2, 3, ... without a hole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Where the event stands: hand it to `since` to hear everything after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub cursor: Option<String>,
    /// When it happened.
    #[schema(schema_with = super::forms::moment)]
    pub timestamp: String,
}

/// The answer to a subscription or its end.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnswerFrame {
    /// `subscribed` or `unsubscribed`.
    pub r#type: &'static str,
    /// The frame's that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the connection is subscribed to from now on.
    pub topics: Vec<String>,
    /// When `since` was given: every chat in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chats: Option<BTreeMap<uuid::Uuid, ResumeState>>,
}

/// Where a chat stands when a subscription begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResumeState {
    /// Number of the chat's newest event when the subscription came into force.
    pub seq: u64,
    /// Where that event stands.
    #[schema(max_length = 64)]
    pub cursor: String,
    /// Whether every event after the given cursor follows. `true` also for a chat that was not
    /// named: nothing of it was missed, it begins here.
    pub recovered: bool,
    /// Why not: fetch by REST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<LostReason>,
}

/// Why events cannot be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LostReason {
    /// More events than the hub sends again lie between.
    Trimmed,
    /// The history that the client saw is not this one.
    Rewritten,
    /// Not a cursor of this chat.
    Unknown,
}

impl LostReason {
    /// The wire's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Rewritten => "rewritten",
            Self::Unknown => "unknown",
        }
    }
}

impl ResumeState {
    /// The state of a chat whose newest event is `head`.
    #[must_use]
    pub fn new(chat: ChatKey, head: Position, lost: Option<LostReason>) -> Self {
        Self { seq: head.seq, cursor: cursor::write(chat, head), recovered: lost.is_none(), reason: lost }
    }
}

/// Tells a live client that its copy of a chat is not the truth any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResyncFrame {
    pub r#type: &'static str,
    pub chat_id: uuid::Uuid,
    /// Why what the client has is not the truth.
    pub reason: LostReason,
    /// The event behind which events go on.
    pub seq: u64,
    /// Where that event stands.
    #[schema(max_length = 64)]
    pub cursor: String,
}

/// A refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorFrame {
    pub r#type: &'static str,
    /// The frame's that was refused, when it had one that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub error: super::error::ErrorBody,
}

impl ErrorFrame {
    /// The refusal of a frame, on the connection that this request opened.
    #[must_use]
    pub fn new(id: Option<String>, error: &ApiError, request_id: &str) -> Self {
        Self { r#type: "error", id, error: error.envelope(request_id).error }
    }
}

/// Bytes of a frame's head before the payload, at most.
const HEAD_BYTES_MAX: usize = 10;
/// The first byte of a frame: all of a text.
const WHOLE_TEXT: u8 = 0x81;

/// A text frame as it goes over a socket, head and payload: made once for all who get it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextFrame(Bytes);

impl TextFrame {
    /// The frame of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = vec![0; HEAD_BYTES_MAX];
        bytes.extend_from_slice(text.as_bytes());
        Self::headed(bytes)
    }

    /// Puts the head right before the payload, which stands behind room for the longest one.
    fn headed(mut bytes: Vec<u8>) -> Self {
        let length = bytes.len() - HEAD_BYTES_MAX;
        let head: &[u8] = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ 0..=125), _) => &[WHOLE_TEXT, length],
            (_, Ok(length)) => &[&[WHOLE_TEXT, 126][..], &length.to_be_bytes()].concat(),
            _ => &[&[WHOLE_TEXT, 127][..], &(length as u64).to_be_bytes()].concat(),
        };
        let first = HEAD_BYTES_MAX - head.len();
        bytes[first..HEAD_BYTES_MAX].copy_from_slice(head);
        Self(Bytes::from(bytes).slice(first..))
    }

    /// The text, without the head.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let head = match self.0.get(1) {
            Some(126) => 4,
            Some(127) => HEAD_BYTES_MAX,
            _ => 2,
        };
        self.0.get(head..).unwrap_or_default()
    }

    /// Bytes that it takes on the wire.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl From<TextFrame> for Bytes {
    fn from(frame: TextFrame) -> Self {
        frame.0
    }
}

/// A frame of this. Nothing of ours fails to encode; were it so, the log says it.
#[must_use]
pub fn encode<T: Serialize>(frame: &T) -> TextFrame {
    let mut bytes = vec![0; HEAD_BYTES_MAX];
    match serde_json::to_writer(&mut bytes, frame) {
        Ok(()) => TextFrame::headed(bytes),
        Err(error) => {
            tracing::error!(%error, "frame not encoded");
            TextFrame::new("{}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChatId, Limits, Micros, Nonce};

    #[test]
    fn a_resumed_chat_takes_no_more_than_the_limits_reckon_with() {
        let at = Position { seq: 99_999_999, at: Micros(u64::MAX), nonce: Nonce(u64::MAX) };
        for lost in [None, Some(LostReason::Trimmed), Some(LostReason::Rewritten), Some(LostReason::Unknown)] {
            let chat = ChatId::random();
            let one = BTreeMap::from([(chat.0, ResumeState::new(chat.key(), at, lost))]);
            let bytes = serde_json::to_string(&one).expect("JSON").len();
            assert!(bytes <= Limits::RESUMED_CHAT_BYTES, "{bytes}");
        }
    }
}
