//! A client's own copy of its chats, built as section 5 of the contract tells a client to: from events, and by REST where
//! it is told to fetch.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::CHATS;
use super::client::Answer;
use super::people::Agent;
use super::socket::{Position, Socket};
use super::{id, rows, text, without};

/// What a client shows of one chat.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Copy {
    pub(crate) chat: Value,
    /// By the id of the participant record.
    pub(crate) members: BTreeMap<String, Value>,
    /// By id, tombstones included.
    pub(crate) messages: BTreeMap<String, Value>,
}

/// The chats of one agent, each with the place in its history at which the copy stands.
#[derive(Clone)]
pub(crate) struct Replica {
    agent: Agent,
    chats: BTreeMap<String, (Position, Copy)>,
    /// How often a chat that was named could not be brought up to date by events.
    pub(crate) not_recovered: usize,
}

impl Replica {
    pub(crate) fn new(agent: &Agent) -> Self {
        Self { agent: agent.clone(), chats: BTreeMap::new(), not_recovered: 0 }
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// What the copy shows, chat by chat.
    pub(crate) fn state(&self) -> BTreeMap<String, Copy> {
        self.chats.iter().map(|(chat, (_, copy))| (chat.clone(), copy.clone())).collect()
    }

    /// Subscribes a new socket to all chats from where the copy stands. May be cut off at any await.
    pub(crate) async fn resume(&mut self, socket: &mut Socket) {
        let since = self.chats.iter().map(|(chat, (position, _))| (chat.clone(), position.clone())).collect();
        let answer = socket.subscribe_since(&[&self.agent.topic()], &since).await;
        let chats = answer["chats"].as_object().unwrap_or_else(|| panic!("no chats in {answer}")).clone();
        self.chats.retain(|chat, _| chats.contains_key(chat));
        for (chat, state) in &chats {
            let named = since.contains_key(chat);
            if named && state["recovered"] == true {
                continue;
            }
            self.not_recovered += usize::from(named);
            self.chats.remove(chat);
            self.fetch(chat, state).await;
        }
    }

    /// Takes an event in. May be cut off at any await: then the copy stands where it stood.
    pub(crate) async fn apply(&mut self, event: &Value) {
        if event["type"] == "agent_status_updated" {
            return;
        }
        let chat = text(event, "chat_id").to_owned();
        let own = event["data"]["owner_id"] == self.agent.id.as_str();
        if let Some((position, _)) = self.chats.get(&chat) {
            assert_eq!(event["seq"], position.seq + 1, "the copy stands at {position:?}, next is {event}");
        }
        match text(event, "type") {
            "chat_created" => self.fetch(&chat, event).await,
            "chatparticipant_added" if own => self.fetch(&chat, event).await,
            "chatparticipant_removed" if own => drop(self.chats.remove(&chat)),
            "chat_deleted" => drop(self.chats.remove(&chat)),
            // A replay may tell what happened between leaving and joining again, when there is no copy.
            _ => {
                if let Some((position, copy)) = self.chats.get_mut(&chat) {
                    copy.change(text(event, "type"), &event["data"]);
                    *position = position_in(event);
                }
            }
        }
    }

    /// Reads the whole chat anew; the events after `at` follow and are taken in again where REST was ahead of them.
    async fn fetch(&mut self, chat: &str, at: &Value) {
        match Copy::fetch(&self.agent, chat).await {
            Some((_, copy)) => drop(self.chats.insert(chat.to_owned(), (position_in(at), copy))),
            None => drop(self.chats.remove(chat)),
        }
    }

    /// Whether the copy holds exactly these chats and each stands at least there.
    pub(crate) fn has_reached(&self, heads: &BTreeMap<String, u64>) -> bool {
        self.chats.len() == heads.len()
            && heads.iter().all(|(chat, head)| self.chats.get(chat).is_some_and(|(at, _)| at.seq >= *head))
    }
}

fn position_in(value: &Value) -> Position {
    Position { seq: value["seq"].as_u64().expect("a seq"), cursor: text(value, "cursor").to_owned() }
}

/// What differs between an event's copy of a chat and REST's, because other events change it without naming the chat:
/// the count and the position, which are checked by themselves.
const MOVING: [&str; 4] = ["member_count", "seq", "cursor", "tm_update"];

impl Copy {
    /// Reads a chat by REST, with the number of its newest event; `None` if the agent may not, or may not any more.
    async fn fetch(agent: &Agent, chat: &str) -> Option<(u64, Self)> {
        let found = readable(agent.get_chat(chat).await)?;
        let members = readable(agent.list_participants(chat).await)?;
        let messages = walk(agent, chat).await?;
        let copy = Self {
            chat: without(&found, &MOVING),
            members: rows(&members).into_iter().map(|member| (id(&member), member)).collect(),
            messages: messages.into_iter().map(|message| (id(&message), without(&message, &["reply_count"]))).collect(),
        };
        Some((found["seq"].as_u64().expect("a seq"), copy))
    }

    fn change(&mut self, kind: &str, data: &Value) {
        match kind {
            "chat_updated" => self.chat = without(data, &MOVING),
            "chatparticipant_added" => drop(self.members.insert(id(data), data.clone())),
            "chatparticipant_removed" => drop(self.members.remove(&id(data))),
            "chatmessage_created" | "chatmessage_deleted" | "chatmessage_reaction_updated" => {
                self.messages.insert(id(data), without(data, &["reply_count"]));
            }
            other => panic!("no client knows what to do on {other}"),
        }
    }
}

/// The body of a success; `None` when the agent was removed from the chat in the meantime.
fn readable(answer: Answer) -> Option<Value> {
    if answer.status == 403 { None } else { Some(answer.ok()) }
}

async fn walk(agent: &Agent, chat: &str) -> Option<Vec<Value>> {
    let mut messages = Vec::new();
    let mut token = String::new();
    loop {
        let query = [("chat_id", chat), ("page_token", &token)];
        let page = readable(agent.list_messages(if token.is_empty() { &query[..1] } else { &query }).await)?;
        if rows(&page).is_empty() {
            return Some(messages);
        }
        messages.extend(rows(&page));
        token = text(&page, "next_page_token").to_owned();
    }
}

/// What REST says to an agent once everybody is silent: the chats, and the number of each one's newest event.
pub(crate) async fn truth(agent: &Agent) -> (BTreeMap<String, Copy>, BTreeMap<String, u64>) {
    let (mut state, mut heads) = (BTreeMap::new(), BTreeMap::new());
    for chat in agent.walk(CHATS, &[], 100).await {
        let chat_id = id(&chat);
        let (head, copy) = Copy::fetch(agent, &chat_id).await.expect("a listed chat can be read");
        assert_eq!(chat["member_count"], copy.members.len(), "{chat}");
        assert_eq!(chat["seq"], head, "{chat}");
        heads.insert(chat_id.clone(), head);
        state.insert(chat_id, copy);
    }
    (state, heads)
}

/// Fails with the first thing in which two copies differ.
#[track_caller]
pub(crate) fn assert_same(who: &str, have: &BTreeMap<String, Copy>, want: &BTreeMap<String, Copy>) {
    let (chats, expected): (Vec<_>, Vec<_>) = (have.keys().collect(), want.keys().collect());
    assert_eq!(chats, expected, "the chats of {who}");
    for (chat, copy) in have {
        let truth = &want[chat];
        assert_eq!(copy.chat, truth.chat, "{who}: the chat");
        assert_same_rows(&format!("{who}: members of {chat}"), &copy.members, &truth.members);
        assert_same_rows(&format!("{who}: messages of {chat}"), &copy.messages, &truth.messages);
    }
}

#[track_caller]
fn assert_same_rows(what: &str, have: &BTreeMap<String, Value>, want: &BTreeMap<String, Value>) {
    for id in have.keys().chain(want.keys()) {
        assert_eq!(have.get(id), want.get(id), "{what}");
    }
}
