//! One method per call of the API. Those named after the call return the [`Answer`], so that a test may expect a refusal;
//! the short forms at the end are for setting a scene and return the resource.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::eventually::eventually;
use super::people::Agent;

pub(crate) const CHATS: &str = "/v1.0/service_agents/talk_chats";
pub(crate) const CHANNELS: &str = "/v1.0/service_agents/talk_channels";
pub(crate) const MESSAGES: &str = "/v1.0/service_agents/talk_messages";
pub(crate) const FILES: &str = "/v1.0/service_agents/files";
pub(crate) const AGENTS: &str = "/v1.0/agents";
pub(crate) const ACCESSKEYS: &str = "/v1.0/accesskeys";
pub(crate) const ME: &str = "/v1.0/service_agents/me";

/// The body of a post of a text.
pub(crate) fn said(text: &str, chat: &str) -> Value {
    json!({"chat_id": chat, "type": "normal", "text": text})
}

/// Chats.
impl Client {
    pub(crate) async fn list_chats(&self) -> Answer {
        self.get(CHATS).await
    }

    pub(crate) async fn create_chat(&self, body: &Value) -> Answer {
        self.post(CHATS, body).await
    }

    pub(crate) async fn get_chat(&self, chat: &str) -> Answer {
        self.get(&format!("{CHATS}/{chat}")).await
    }

    pub(crate) async fn update_chat(&self, chat: &str, body: &Value) -> Answer {
        self.put(&format!("{CHATS}/{chat}"), body).await
    }

    pub(crate) async fn delete_chat(&self, chat: &str) -> Answer {
        self.delete(&format!("{CHATS}/{chat}")).await
    }

    pub(crate) async fn list_channels(&self, query: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, CHANNELS).query(query).send().await
    }

    pub(crate) async fn join(&self, chat: &str) -> Answer {
        self.call(Method::POST, &format!("{CHATS}/{chat}/join")).send().await
    }
}

/// Participants.
impl Client {
    pub(crate) async fn list_participants(&self, chat: &str) -> Answer {
        self.get(&format!("{CHATS}/{chat}/participants")).await
    }

    pub(crate) async fn add_participant(&self, chat: &str, agent: &str) -> Answer {
        let body = json!({"owner_type": "agent", "owner_id": agent});
        self.post(&format!("{CHATS}/{chat}/participants"), &body).await
    }

    pub(crate) async fn remove_participant(&self, chat: &str, participant: &str) -> Answer {
        self.delete(&format!("{CHATS}/{chat}/participants/{participant}")).await
    }
}

/// Messages and reactions.
impl Client {
    pub(crate) async fn post_message(&self, body: &Value) -> Answer {
        self.post(MESSAGES, body).await
    }

    pub(crate) async fn list_messages(&self, query: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, MESSAGES).query(query).send().await
    }

    pub(crate) async fn get_message(&self, message: &str) -> Answer {
        self.get(&format!("{MESSAGES}/{message}")).await
    }

    pub(crate) async fn delete_message(&self, message: &str) -> Answer {
        self.delete(&format!("{MESSAGES}/{message}")).await
    }

    pub(crate) async fn add_reaction(&self, message: &str, emoji: &str) -> Answer {
        self.post(&format!("{MESSAGES}/{message}/reactions"), &json!({"emoji": emoji})).await
    }

    pub(crate) async fn remove_reaction(&self, message: &str, emoji: &str) -> Answer {
        let path = format!("{MESSAGES}/{message}/reactions");
        self.call(Method::DELETE, &path).json(&json!({"emoji": emoji})).send().await
    }
}

/// Files.
impl Client {
    pub(crate) async fn upload_file(&self, name: &str, mime: &str, content: impl Into<Vec<u8>>) -> Answer {
        let part = Part::bytes(content.into()).file_name(name.to_owned()).mime_str(mime).expect("a MIME type");
        let form = Form::new().text("type", "talk").part("file", part);
        self.call(Method::POST, FILES).multipart(form).send().await
    }

    pub(crate) async fn get_file(&self, file: &str) -> Answer {
        self.get(&format!("{FILES}/{file}")).await
    }

    pub(crate) async fn download_file(&self, file: &str) -> Answer {
        self.get(&format!("{FILES}/{file}/file")).await
    }

    pub(crate) async fn delete_file(&self, file: &str) -> Answer {
        self.delete(&format!("{FILES}/{file}")).await
    }
}

/// People.
impl Client {
    pub(crate) async fn login(&self, username: &str, password: &str) -> Answer {
        self.post("/auth/login", &json!({"username": username, "password": password})).await
    }

    pub(crate) async fn create_agent(&self, body: &Value) -> Answer {
        self.post(AGENTS, body).await
    }

    pub(crate) async fn get_agent(&self, agent: &str) -> Answer {
        self.get(&format!("{AGENTS}/{agent}")).await
    }

    pub(crate) async fn update_agent(&self, agent: &str, body: &Value) -> Answer {
        self.put(&format!("{AGENTS}/{agent}"), body).await
    }

    pub(crate) async fn delete_agent(&self, agent: &str) -> Answer {
        self.delete(&format!("{AGENTS}/{agent}")).await
    }

    pub(crate) async fn create_accesskey(&self, body: &Value) -> Answer {
        self.post(ACCESSKEYS, body).await
    }

    pub(crate) async fn get_accesskey(&self, key: &str) -> Answer {
        self.get(&format!("{ACCESSKEYS}/{key}")).await
    }

    pub(crate) async fn delete_accesskey(&self, key: &str) -> Answer {
        self.delete(&format!("{ACCESSKEYS}/{key}")).await
    }
}

/// Short forms, which succeed.
impl Client {
    pub(crate) async fn new_chat(&self, kind: &str, name: &str, others: &[&Agent]) -> Value {
        let others: Vec<_> = others.iter().map(|agent| agent.as_participant()).collect();
        self.create_chat(&json!({"type": kind, "name": name, "participants": others})).await.ok()
    }

    /// A group chat with these others; its id.
    pub(crate) async fn new_group(&self, others: &[&Agent]) -> String {
        super::id(&self.new_chat("group", "A group", others).await)
    }

    /// The direct chat with this other; its id.
    pub(crate) async fn new_direct(&self, other: &Agent) -> String {
        super::id(&self.new_chat("direct", "", &[other]).await)
    }

    /// An open channel with these others; its id.
    pub(crate) async fn new_channel(&self, name: &str, others: &[&Agent]) -> String {
        super::id(&self.new_chat("talk", name, others).await)
    }

    /// Posts a text; the message.
    pub(crate) async fn say(&self, chat: &str, text: &str) -> Value {
        self.post_message(&said(text, chat)).await.ok()
    }

    /// Posts a text under a key, again and again, on whichever node answers, until it is acknowledged; the message.
    pub(crate) async fn say_for_sure(&self, chat: &str, text: &str) -> Value {
        let body = said(text, chat);
        eventually("a message is acknowledged", async || {
            let call = self.call(Method::POST, MESSAGES).header("Idempotency-Key", &text.replace(' ', "-"));
            let answer = call.json(&body).try_send().await.ok()?;
            (answer.status != 503).then(|| answer.ok())
        })
        .await
    }

    /// Posts a text in answer to a message; the reply.
    pub(crate) async fn reply(&self, chat: &str, parent: &str, text: &str) -> Value {
        let body = json!({"chat_id": chat, "type": "normal", "text": text, "parent_id": parent});
        self.post_message(&body).await.ok()
    }

    /// All messages of a chat, newest first.
    pub(crate) async fn messages_of(&self, chat: &str) -> Vec<Value> {
        self.walk(MESSAGES, &[("chat_id", chat)], 100).await
    }

    /// The ids of all messages of a chat, oldest first.
    pub(crate) async fn ids_of(&self, chat: &str) -> Vec<String> {
        self.messages_of(chat).await.iter().rev().map(super::id).collect()
    }

    /// The participant record of an agent in a chat.
    pub(crate) async fn participant(&self, chat: &str, agent: &Agent) -> Option<Value> {
        let list = self.list_participants(chat).await.ok();
        super::rows(&list).into_iter().find(|participant| participant["owner_id"] == agent.id)
    }

    /// Uploads a small text file; the file.
    pub(crate) async fn new_file(&self, name: &str, content: &str) -> Value {
        self.upload_file(name, "text/plain", content.as_bytes()).await.ok()
    }
}
