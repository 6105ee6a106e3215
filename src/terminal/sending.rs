//! `send`: a message, with what is attached to it.

use std::io::{IsTerminal, Read, stdin};

use hyper::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::wire::resources::MessageResource;

use super::arguments::Send;
use super::calling::{BASE, Client, Outcome};
use super::chats::{self, Among};
use super::failure::{Failure, Result};
use super::people::People;
use super::screen::{Screen, note};
use super::transfer;

/// Bytes that are read from stdin: more than a hub takes, so that it is the hub that says how many it does.
const TEXT_BYTES_MAX: u64 = 200 * 1024;

/// Sends a message and prints its id. Sent once, however often it had to be tried.
///
/// # Errors
/// Nothing to say, a file that cannot be read; those of a call.
pub(super) async fn send(client: &Client, screen: &Screen, asked: &Send) -> Result<()> {
    let text = match asked.text.as_deref() {
        Some("-") => read()?,
        Some(text) => text.to_owned(),
        // Files say enough; what stdin is then for is not known.
        None if !asked.files.is_empty() => String::new(),
        None => read()?,
    };
    if text.is_empty() && asked.files.is_empty() {
        return Err(Failure::Usage(String::from("there is nothing to send")));
    }
    let people = People::of(client).await?;
    let chat = chats::find(client, &people, &asked.chat, Among::OwnOrNew).await?;
    let mut files = Vec::new();
    let (sent, doubt) = match attach(client, asked, &mut files).await {
        Ok(()) => {
            let outcome = post(client, chat.id, &text, &files, asked.reply_to).await;
            (outcome.result, outcome.doubt)
        }
        Err(failure) => (Err(failure), false),
    };
    // What nobody will see need not stay. When any attempt may have said it, it does.
    if matches!(sent, Err(Failure::Refused(_))) && !doubt {
        for file in files {
            let _: Result<Value> = client.write(Method::DELETE, &format!("{BASE}/files/{file}"), None).await;
        }
    }
    screen.line(&sent?.id.to_string())
}

async fn attach(client: &Client, asked: &Send, files: &mut Vec<Uuid>) -> Result<()> {
    for path in &asked.files {
        files.push(transfer::upload(client, path).await?.id);
    }
    Ok(())
}

async fn post(
    client: &Client,
    chat: Uuid,
    text: &str,
    files: &[Uuid],
    reply_to: Option<Uuid>,
) -> Outcome<MessageResource> {
    let medias: Vec<_> = files.iter().map(|file| json!({"type": "file", "file_id": file})).collect();
    let body = json!({"chat_id": chat, "type": "normal", "text": text, "medias": medias, "parent_id": reply_to});
    client.outcome(Method::POST, &format!("{BASE}/talk_messages"), Some(&body)).await
}

/// The text on stdin, without the line's end that `echo` puts behind it.
fn read() -> Result<String> {
    if stdin().is_terminal() {
        note("type the message, then Ctrl-D");
    }
    let mut bytes = Vec::new();
    stdin().lock().take(TEXT_BYTES_MAX).read_to_end(&mut bytes).map_err(Failure::of("stdin"))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::Usage(String::from("stdin is not UTF-8 text")))?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
