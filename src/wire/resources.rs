//! The JSON of a chat, a message and a participant: one shape, over REST and in events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{Chat, ChatId, ChatKey, CustomerId, Media, Message, Overlay, Owner, Participant, Position};

use super::{cursor, forms, time};

/// A chat.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, ToSchema)]
#[schema(as = Chat)]
pub struct ChatResource {
    pub id: Uuid,
    pub customer_id: Uuid,
    /// `direct`, `group` or `talk`.
    #[schema(schema_with = forms::chat_type)]
    pub r#type: String,
    #[schema(example = "Night shift")]
    pub name: String,
    pub detail: String,
    /// Members it has now.
    pub member_count: u64,
    #[schema(schema_with = forms::moment)]
    pub tm_create: String,
    #[schema(schema_with = forms::moment)]
    pub tm_update: String,
    /// `""` while it is not deleted.
    #[schema(schema_with = forms::moment_or_never)]
    pub tm_delete: String,
    /// Number of the chat's newest event.
    pub seq: u64,
    /// Where the chat's newest event stands: hand it to `since` to miss nothing after it.
    #[schema(max_length = 64)]
    pub cursor: String,
    /// In lists of channels: whether the caller is a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined: Option<bool>,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, ToSchema)]
#[schema(as = Message)]
pub struct MessageResource {
    pub id: Uuid,
    pub customer_id: Uuid,
    /// `agent` or `system`.
    #[schema(schema_with = forms::message_owner)]
    pub owner_type: String,
    /// The agent; the nil UUID for `system`.
    pub owner_id: Uuid,
    pub chat_id: Uuid,
    /// The message it replies to; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Uuid>,
    /// `normal` or `system`.
    #[schema(schema_with = forms::message_type)]
    pub r#type: String,
    /// `""` when there are only medias, and once it is deleted.
    #[schema(example = "Hello Bob")]
    pub text: String,
    pub medias: Vec<MediaResource>,
    pub metadata: MetadataResource,
    #[schema(schema_with = forms::moment)]
    pub tm_create: String,
    #[schema(schema_with = forms::moment)]
    pub tm_update: String,
    /// `""` while it is not deleted.
    #[schema(schema_with = forms::moment_or_never)]
    pub tm_delete: String,
    /// Number of its `chatmessage_created` among the chat's events.
    pub seq: u64,
    /// Direct replies, deleted ones included; left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_count: Option<u32>,
}

/// What belongs to a message besides what its author said.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, ToSchema)]
#[schema(as = Metadata)]
pub struct MetadataResource {
    pub reactions: Vec<ReactionResource>,
}

/// One agent's emoji.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, ToSchema)]
#[schema(as = Reaction)]
pub struct ReactionResource {
    #[schema(example = "\u{1F44D}")]
    pub emoji: String,
    /// `agent`.
    #[schema(schema_with = forms::agent_owner)]
    pub owner_type: String,
    pub owner_id: Uuid,
    #[schema(schema_with = forms::moment)]
    pub tm_create: String,
}

/// Something attached to a message. Only the fields that apply are there.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, ToSchema)]
#[schema(as = Media)]
pub struct MediaResource {
    /// `file`, `link`, `agent`, `address`, or a MIME type.
    pub r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub address: Option<serde_json::Value>,
    /// Where to fetch it: of the MIME form as it was given; of a file as a path of this hub, without
    /// a host, since the same message goes out on every address the hub is reached by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A participant.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, ToSchema)]
#[schema(as = Participant)]
pub struct ParticipantResource {
    pub id: Uuid,
    pub customer_id: Uuid,
    /// `agent`.
    #[schema(schema_with = forms::agent_owner)]
    pub owner_type: String,
    pub owner_id: Uuid,
    pub chat_id: Uuid,
    #[schema(schema_with = forms::moment)]
    pub tm_joined: String,
}

impl ChatResource {
    /// The chat, with so many members and its newest event here.
    #[must_use]
    pub fn of(chat: &Chat, members: usize, head: Position) -> Self {
        Self {
            id: chat.id.0,
            customer_id: chat.customer.0,
            r#type: chat.kind.as_str().to_owned(),
            name: chat.name.clone(),
            detail: chat.detail.clone(),
            member_count: members as u64,
            tm_create: time::format(chat.created),
            tm_update: time::format(chat.updated),
            tm_delete: time::format_option(chat.deleted),
            seq: head.seq,
            cursor: cursor::write(chat.id.key(), head),
            joined: None,
        }
    }
}

impl MessageResource {
    /// The message of this chat.
    #[must_use]
    pub fn of(chat: &Chat, message: &Message) -> Self {
        let key = chat.id.key();
        let (owner_type, kind, owner_id) = match message.post.owner {
            Owner::Agent(agent) => ("agent", "normal", agent.0),
            Owner::System => ("system", "system", Uuid::nil()),
        };
        Self {
            id: message.id(key).0,
            customer_id: chat.customer.0,
            owner_type: owner_type.to_owned(),
            owner_id,
            chat_id: chat.id.0,
            parent_id: parent_id(key, message),
            r#type: kind.to_owned(),
            text: message.post.text.clone(),
            medias: message.post.medias.iter().map(MediaResource::of).collect(),
            metadata: MetadataResource::of(&message.overlay),
            tm_create: time::format(message.at),
            tm_update: time::format(message.updated()),
            tm_delete: time::format_option(message.overlay.updated.filter(|_| message.overlay.deleted)),
            seq: message.seq,
            reply_count: (message.replies > 0).then_some(message.replies),
        }
    }
}

fn parent_id(chat: ChatKey, message: &Message) -> Option<Uuid> {
    message.post.parent.map(|parent| crate::model::MessageId::new(parent, chat).0)
}

impl MetadataResource {
    fn of(overlay: &Overlay) -> Self {
        let reactions = overlay
            .reactions
            .iter()
            .map(|reaction| ReactionResource {
                emoji: reaction.emoji.clone(),
                owner_type: "agent".to_owned(),
                owner_id: reaction.agent.0,
                tm_create: time::format(reaction.at),
            })
            .collect();
        Self { reactions }
    }
}

impl MediaResource {
    fn of(media: &Media) -> Self {
        let named = |kind: &str| Self { r#type: kind.to_owned(), ..Self::default() };
        match media {
            Media::File { file, name } => Self {
                file_id: Some(file.0),
                url: Some(format!("/v1.0/service_agents/files/{file}/file")),
                name: Some(name.clone()),
                ..named("file")
            },
            Media::Link { url } => Self { link_url: Some(url.clone()), ..named("link") },
            Media::Agent { agent } => Self { agent_id: Some(agent.0), ..named("agent") },
            Media::Address { json } => Self { address: serde_json::from_str(json).ok(), ..named("address") },
            Media::External { mime, url, name } => {
                Self { url: Some(url.clone()), name: Some(name.clone()), ..named(mime) }
            }
        }
    }
}

impl ParticipantResource {
    /// The participant of this chat.
    #[must_use]
    pub fn of(customer: CustomerId, chat: ChatId, participant: &Participant) -> Self {
        Self {
            id: participant.id.0,
            customer_id: customer.0,
            owner_type: "agent".to_owned(),
            owner_id: participant.agent.0,
            chat_id: chat.0,
            tm_joined: time::format(participant.joined),
        }
    }
}
