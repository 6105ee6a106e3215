//! What a hub says over a socket, as far as a client of the lab looks at it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

use super::dice::hash;
use super::people::{identity, reactions};
use super::record::{Event, Kind};

/// How long connecting, or sending a frame, may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A frame of the hub.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    #[serde(borrow)]
    pub r#type: Cow<'a, str>,
    pub chat_id: Option<Uuid>,
    pub seq: Option<u64>,
    #[serde(borrow)]
    pub cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    /// In the answer to a subscription.
    pub chats: Option<BTreeMap<Uuid, Resumed>>,
}

/// Where a chat goes on.
#[derive(Clone, Debug, Deserialize)]
pub struct Resumed {
    pub seq: u64,
    pub cursor: String,
    pub recovered: bool,
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Deserialize)]
struct Data<'a> {
    id: Uuid,
    owner_id: Option<Uuid>,
    parent_id: Option<Uuid>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    reactions: Vec<Reaction<'a>>,
}

#[derive(Debug, Deserialize)]
struct Reaction<'a> {
    #[serde(borrow)]
    emoji: Cow<'a, str>,
    owner_id: Uuid,
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "chat_created" => Kind::ChatCreated,
        "chat_updated" => Kind::ChatUpdated,
        "chat_deleted" => Kind::ChatDeleted,
        "chatmessage_created" => Kind::MessageCreated,
        "chatmessage_deleted" => Kind::MessageDeleted,
        "chatmessage_reaction_updated" => Kind::Reactions,
        "chatparticipant_added" => Kind::Added,
        "chatparticipant_removed" => Kind::Removed,
        _ => return None,
    })
}

impl Frame<'_> {
    /// The event that the frame tells of a chat known here; `None` when it is none.
    #[must_use]
    pub fn event(&self, t: u64, n: u32, chats: &HashMap<Uuid, u16>) -> Option<Event> {
        let (k, data) = (kind(&self.r#type)?, self.data.as_ref()?);
        let c = *chats.get(&self.chat_id?)?;
        let x = identity(k, data.id, self.timestamp.as_deref()?);
        let f = match k {
            Kind::Reactions => reactions(self.reactions(data)),
            Kind::ChatCreated | Kind::ChatUpdated => hash(data.name.as_deref().unwrap_or_default().as_bytes()),
            _ => 0,
        };
        let o = if matches!(k, Kind::Added | Kind::Removed) { data.owner_id } else { None };
        let p = if k == Kind::MessageCreated { data.parent_id } else { None };
        Some(Event { t, n, c, s: self.seq?, k, x, m: data.id, o, p, f })
    }

    fn reactions<'a>(&'a self, data: &'a Data<'_>) -> impl Iterator<Item = (&'a str, Uuid)> {
        let all = data.metadata.iter().flat_map(|metadata| &metadata.reactions);
        all.map(|reaction| (reaction.emoji.as_ref(), reaction.owner_id))
    }
}

/// A connection.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came.
#[derive(Debug)]
pub enum Came {
    Text(tokio_tungstenite::tungstenite::Utf8Bytes),
    /// A ping, or nothing to look at.
    Sign,
    Closed(u16),
    /// Nothing in this time.
    Silence,
}

impl Socket {
    /// Connects to a node and subscribes to everything the agent may hear, from these cursors on.
    ///
    /// # Errors
    /// Says what went wrong, for counting.
    pub async fn open(node: &str, agent: Uuid, token: &str, since: &BTreeMap<Uuid, &str>) -> Result<Self, String> {
        let url = format!("{}/v1.0/ws?token={token}", node.replacen("http://", "ws://", 1));
        let connecting = tokio::time::timeout(CONNECT_WITHIN, tokio_tungstenite::connect_async(url)).await;
        let stream = match connecting {
            Ok(Ok((stream, _))) => stream,
            Ok(Err(Error::Http(response))) => return Err(format!("{} on connecting", response.status().as_u16())),
            Ok(Err(_)) => return Err("no socket".to_owned()),
            Err(_) => return Err("no socket in time".to_owned()),
        };
        let mut socket = Self(stream);
        let topics = [format!("agent_id:{agent}")];
        let frame = json!({"type": "subscribe", "id": "resume", "topics": topics, "since": since});
        socket.send(Message::text(frame.to_string())).await.map_err(|()| "socket lost at once".to_owned())?;
        Ok(socket)
    }

    /// The next that comes, or silence.
    pub async fn next(&mut self, patience: Duration) -> Came {
        match tokio::time::timeout(patience, self.0.next()).await {
            Err(_) => Came::Silence,
            Ok(Some(Ok(Message::Text(text)))) => Came::Text(text),
            Ok(Some(Ok(Message::Close(frame)))) => Came::Closed(frame.map_or(1005, |frame| frame.code.into())),
            Ok(Some(Ok(_))) => Came::Sign,
            Ok(Some(Err(_)) | None) => Came::Closed(1006),
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        tokio::time::timeout(CONNECT_WITHIN, self.0.close(None)).await.ok();
    }

    async fn send(&mut self, message: Message) -> Result<(), ()> {
        match tokio::time::timeout(CONNECT_WITHIN, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_is_known_again_and_another_is_not() {
        let chat = Uuid::from_u128(1);
        let chats = HashMap::from([(chat, 3u16)]);
        let told = |moment: &str, emoji: &str| {
            let text = json!({
                "type": "chatmessage_reaction_updated", "chat_id": chat, "seq": 9, "cursor": "x", "timestamp": moment,
                "data": {"id": Uuid::from_u128(2), "owner_id": Uuid::nil(), "text": "a \"b\"", "metadata": {"reactions": [
                    {"emoji": emoji, "owner_type": "agent", "owner_id": Uuid::from_u128(5), "tm_create": "z"}]}},
            })
            .to_string();
            let frame: Frame<'_> = serde_json::from_str(&text).expect("a frame");
            frame.event(1, 2, &chats).expect("an event")
        };
        let (one, same, other) = (told("12:00", "ok"), told("12:00", "ok"), told("12:01", "\"no\""));
        assert_eq!((one.c, one.s, one.k), (3, 9, Kind::Reactions));
        assert_eq!(one, same);
        assert!(one.x != other.x && one.f != other.f);
    }
}
