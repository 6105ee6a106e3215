//! Small deeds: reactions, deletion, new chats, joining and leaving, one's status.

use clap::ValueEnum;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::arguments::{New, React, Status};
use super::calling::{BASE, Client, escaped};
use super::chats::{self, Among};
use super::failure::{Failure, Result};
use super::people::People;
use super::screen::{Screen, note};

/// Puts an emoji to a message, or takes it away.
///
/// # Errors
/// Those of a call.
pub(super) async fn react(client: &Client, asked: &React) -> Result<()> {
    let path = format!("{BASE}/talk_messages/{}/reactions", asked.message);
    let _: Value = if asked.remove {
        client.write(Method::DELETE, &format!("{path}?emoji={}", escaped(&asked.emoji)), None).await?
    } else {
        client.write(Method::POST, &path, Some(&json!({"emoji": asked.emoji}))).await?
    };
    Ok(())
}

/// Deletes a message.
///
/// # Errors
/// Those of a call.
pub(super) async fn delete(client: &Client, message: Uuid) -> Result<()> {
    let _: Value = client.write(Method::DELETE, &format!("{BASE}/talk_messages/{message}"), None).await?;
    Ok(())
}

/// Begins a chat, and prints its id.
///
/// # Errors
/// A person who is not there; those of a call.
pub(super) async fn new(client: &Client, screen: &Screen, asked: &New) -> Result<()> {
    let people = People::of(client).await?;
    let mut others = Vec::new();
    for person in asked.people.iter().chain(&asked.direct) {
        others.push(people.find(person).await?.id);
    }
    let (kind, name) = match (&asked.group, &asked.channel) {
        (Some(name), _) => ("group", name.as_str()),
        (_, Some(name)) => ("talk", name.as_str()),
        (None, None) => ("direct", ""),
    };
    let chat = chats::begin(client, kind, name, &others).await?;
    screen.line(&chat.id.to_string())
}

/// Joins a channel.
///
/// # Errors
/// It is none; those of a call.
pub(super) async fn join(client: &Client, typed: &str) -> Result<()> {
    let people = People::of(client).await?;
    let chat = chats::find(client, &people, typed, Among::Visible).await?;
    let _: Value = client.write(Method::POST, &format!("{BASE}/talk_chats/{}/join", chat.id), None).await?;
    note(&format!("joined {}", chats::named(&chat)));
    Ok(())
}

/// Leaves a group or a channel.
///
/// # Errors
/// One is not in it, or it is a direct chat; those of a call.
pub(super) async fn leave(client: &Client, typed: &str) -> Result<()> {
    let people = People::of(client).await?;
    let chat = chats::find(client, &people, typed, Among::Own).await?;
    let members = chats::members(client, chat.id).await?;
    let own = members.iter().find(|member| member.owner_id == people.me.id);
    let own = own.ok_or_else(|| Failure::Refused(format!("not a member of {}", chats::named(&chat))))?;
    let path = format!("{BASE}/talk_chats/{}/participants/{}", chat.id, own.id);
    let outcome = client.outcome::<Value>(Method::DELETE, &path, None).await;
    // Who has left is not there to leave: the answer that said so got lost.
    let gone = matches!(outcome.status, Some(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN));
    if !(outcome.doubt && gone) {
        outcome.result?;
    }
    note(&format!("left {}", chats::named(&chat)));
    Ok(())
}

/// Says how the caller can be reached.
///
/// # Errors
/// Those of a call.
pub(super) async fn status(client: &Client, status: Status) -> Result<()> {
    let word = status.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let _: Value = client.write(Method::PUT, &format!("{BASE}/me/status"), Some(&json!({"status": word}))).await?;
    Ok(())
}
