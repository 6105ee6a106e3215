//! `history`: what was said in a chat, oldest first.

use uuid::Uuid;

use crate::wire::resources::MessageResource;

use super::arguments::History;
use super::calling::{BASE, Client, PAGE};
use super::chats::{self, Among};
use super::failure::{Failure, Result};
use super::moments;
use super::people::People;
use super::screen::Screen;
use super::telling::Teller;

/// Messages that are shown when nothing is said about how many.
const COUNT: usize = 50;

/// Shows what was said.
///
/// # Errors
/// A chat or a moment that is none; those of a call.
pub(super) async fn history(client: &Client, screen: &Screen, asked: &History) -> Result<()> {
    let since = match &asked.since {
        Some(text) => Some(moments::typed(text).ok_or_else(|| Failure::Usage(format!("{text} is no moment")))?),
        None => None,
    };
    let people = People::of(client).await?;
    let chat = chats::find(client, &people, &asked.chat, Among::Own).await?;
    let teller = Teller::new(client, &people, screen, asked.ids);
    let show = async |message: &MessageResource| {
        if asked.form.json { screen.json(message) } else { teller.message(message, None).await }
    };
    let mut path = messages_of(chat.id);
    if let Some(thread) = asked.thread {
        path = format!("{path}&parent_id={thread}");
        let root: MessageResource = client.get(&format!("{BASE}/talk_messages/{thread}")).await?;
        if root.chat_id != chat.id {
            return Err(Failure::Refused(String::from("the message is of another chat")));
        }
        show(&root).await?;
    }
    if !asked.all && since.is_none() {
        let count = asked.count.map_or(COUNT, |count| count as usize);
        for message in newest(client, &path, count).await? {
            show(&message).await?;
        }
        return Ok(());
    }
    // Read forwards, and shown as it is read: it may be long.
    let mut left = asked.count.map_or(usize::MAX, |count| count as usize);
    client
        .pages(&format!("{path}&order=asc"), &since.unwrap_or_default(), async |page: Vec<MessageResource>| {
            for message in page.iter().take(left) {
                show(message).await?;
            }
            left = left.saturating_sub(page.len());
            Ok(left > 0)
        })
        .await
}

/// The newest messages of a list, up to so many, oldest first.
///
/// # Errors
/// Those of a call.
pub(super) async fn newest(client: &Client, path: &str, count: usize) -> Result<Vec<MessageResource>> {
    let mut messages = Vec::new();
    client
        .pages(path, "", async |page| {
            messages.extend(page);
            Ok(messages.len() < count)
        })
        .await?;
    messages.truncate(count);
    messages.reverse();
    Ok(messages)
}

/// When the newest message was said in all chats the caller is in, by the hub's clock; empty when none was.
///
/// # Errors
/// Those of a call.
pub(super) async fn newest_moment(client: &Client) -> Result<String> {
    let mut moment = String::new();
    client
        .pages(&format!("{BASE}/talk_messages?page_size=1"), "", async |page: Vec<MessageResource>| {
            moment = page.into_iter().next().map(|message| message.tm_create).unwrap_or_default();
            Ok(false)
        })
        .await?;
    Ok(moment)
}

/// The messages of a chat, newest first, as a list to read.
pub(super) fn messages_of(chat: Uuid) -> String {
    format!("{BASE}/talk_messages?chat_id={chat}&page_size={PAGE}")
}
