//! Lists: who one is, the chats one is in, the channels there are, the members of a chat.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::wire::resources::{ChatResource, MessageResource};

use super::arguments::{Form, List, Members};
use super::calling::{BASE, Client, PAGE};
use super::chats::{self, Among};
use super::clean;
use super::failure::Result;
use super::moments;
use super::people::{People, short};
use super::screen::{Look, Screen};
use super::wrapping::padded;

/// Pages of the newest messages of all chats that are read to learn when each chat was last spoken in.
/// Older ones are listed by when they were last changed.
const LAST_PAGES_MAX: usize = 10;
/// Columns of a chat's title.
const TITLE_COLUMNS: usize = 28;

/// Says who is signed in.
///
/// # Errors
/// Those of a call.
pub(super) async fn who(client: &Client, screen: &Screen, form: &Form) -> Result<()> {
    let me: Value = client.get(&format!("{BASE}/me")).await?;
    let customer: Value = client.get(&format!("{BASE}/customer")).await?;
    let hub = client.address.url();
    if form.json {
        return screen.json(&json!({"hub": hub, "me": me, "customer": customer}));
    }
    let text = |of: &Value, key: &str| clean::line(of[key].as_str().unwrap_or_default());
    screen.line(&format!("{} ({})", screen.paint(Look::Strong, &text(&me, "name")), text(&me, "username")))?;
    screen.line(&format!("status    {}", text(&me, "status")))?;
    screen.line(&format!("customer  {}", text(&customer, "name")))?;
    screen.line(&format!("hub       {hub}"))
}

/// Lists chats, those spoken in last first; or channels, by name.
///
/// # Errors
/// Those of a call.
pub(super) async fn list(client: &Client, screen: &Screen, asked: &List) -> Result<()> {
    if asked.channels {
        return list_channels(client, screen, asked.form.json).await;
    }
    let people = People::of(client).await?;
    let chats = chats::own(client).await?;
    let spoken = spoken(client, chats.len()).await?;
    let last = |chat: &ChatResource| spoken.get(&chat.id).map_or(&chat.tm_update, |message| &message.tm_create).clone();
    let mut rows: Vec<(String, ChatResource)> = chats.into_iter().map(|chat| (last(&chat), chat)).collect();
    rows.sort_by(|(one, _), (other, _)| other.cmp(one));
    for (last, chat) in &rows {
        // Who else spoke in a direct chat is the other one; that saves a call.
        let other = spoken.get(&chat.id).filter(|message| chat.r#type == "direct" && message.owner_id != people.me.id);
        let title = match other {
            Some(message) => format!("@{}", people.name(message.owner_id).await),
            None => chats::title(client, &people, chat).await,
        };
        if asked.form.json {
            let mut row = json!(chat);
            row["title"] = json!(title);
            row["tm_last"] = json!(last);
            screen.json(&row)?;
            continue;
        }
        let kind = kind(chat);
        let id = screen.paint(Look::Dim, &short(chat.id));
        let title = screen.paint(Look::Of(chat.id), &padded(&title, TITLE_COLUMNS));
        let detail = format!("{kind:<8} {:>5}  {}", chat.member_count, moments::brief(last));
        screen.line(&format!("{id}  {title}  {detail}"))?;
    }
    Ok(())
}

async fn list_channels(client: &Client, screen: &Screen, json: bool) -> Result<()> {
    let mut channels = chats::channels(client).await?;
    channels.sort_by_key(|channel| channel.name.to_lowercase());
    for channel in &channels {
        if json {
            screen.json(channel)?;
            continue;
        }
        let id = screen.paint(Look::Dim, &short(channel.id));
        let title = screen.paint(Look::Of(channel.id), &padded(&chats::named(channel), TITLE_COLUMNS));
        let joined = if channel.joined == Some(true) { "joined  " } else { "        " };
        let line = format!("{id}  {title}  {joined} {:>5}  {}", channel.member_count, clean::line(&channel.detail));
        screen.line(line.trim_end())?;
    }
    Ok(())
}

/// The newest message of each chat that was spoken in lately.
async fn spoken(client: &Client, chats: usize) -> Result<HashMap<Uuid, MessageResource>> {
    let mut newest: HashMap<Uuid, MessageResource> = HashMap::new();
    let mut pages = 0;
    let path = format!("{BASE}/talk_messages?page_size={PAGE}");
    client
        .pages(&path, "", async |page: Vec<MessageResource>| {
            for message in page {
                newest.entry(message.chat_id).or_insert(message);
            }
            pages += 1;
            Ok(newest.len() < chats && pages < LAST_PAGES_MAX)
        })
        .await?;
    Ok(newest)
}

/// Lists who is in a chat.
///
/// # Errors
/// Those of a call.
pub(super) async fn members(client: &Client, screen: &Screen, asked: &Members) -> Result<()> {
    let people = People::of(client).await?;
    let chat = chats::find(client, &people, &asked.chat, Among::Visible).await?;
    let members = chats::members(client, chat.id).await?;
    let agents: HashMap<Uuid, _> = people.all().await?.into_iter().map(|agent| (agent.id, agent)).collect();
    for member in members.iter().rev() {
        let agent = agents.get(&member.owner_id);
        if asked.form.json {
            let mut row = json!(member);
            row["agent"] = json!(agent);
            screen.json(&row)?;
            continue;
        }
        let name = agent.map_or_else(|| short(member.owner_id), super::people::Agent::shown);
        let (username, status) =
            agent.map(|agent| (agent.username.as_str(), agent.status.as_str())).unwrap_or_default();
        let name = screen.paint(Look::Of(member.owner_id), &padded(&name, TITLE_COLUMNS));
        let line = format!("{name}  {:<10} {}", clean::line(status), clean::line(username));
        screen.line(line.trim_end())?;
    }
    Ok(())
}

fn kind(chat: &ChatResource) -> &str {
    match chat.r#type.as_str() {
        "talk" => "channel",
        "direct" => "direct",
        _ => "group",
    }
}
