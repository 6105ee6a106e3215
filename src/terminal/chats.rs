//! Chats: what they are called, and which one is meant by what somebody typed.

use hyper::Method;
use serde_json::json;
use uuid::Uuid;

use crate::wire::resources::{ChatResource, ParticipantResource};

use super::calling::{BASE, Client};
use super::clean;
use super::failure::{Failure, Result};
use super::people::{CANDIDATES_MAX, People};
use super::wrapping::shortened;

/// Chats that are listed, and looked through for a name: as many as a hub lets one follow, and more.
const CHATS_MAX: usize = 10_000;
/// Columns that a name may take.
const NAME_COLUMNS_MAX: usize = 60;
/// The beginning of an id has so many characters at least.
const PREFIX_MIN: usize = 4;

/// What may be done to find a chat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// One's own.
    Own,
    /// One's own and the channels that anybody may see.
    Visible,
    /// One's own; a direct chat is begun when there is none.
    OwnOrNew,
}

/// The chats the caller is in, newest first.
///
/// # Errors
/// Those of a call.
pub(super) async fn own(client: &Client) -> Result<Vec<ChatResource>> {
    client.all(&format!("{BASE}/talk_chats"), CHATS_MAX).await
}

/// All public channels of the customer.
///
/// # Errors
/// Those of a call.
pub(super) async fn channels(client: &Client) -> Result<Vec<ChatResource>> {
    client.all(&format!("{BASE}/talk_channels"), CHATS_MAX).await
}

/// Who is in a chat, newest first.
///
/// # Errors
/// Those of a call.
pub(super) async fn members(client: &Client, chat: Uuid) -> Result<Vec<ParticipantResource>> {
    client.get(&format!("{BASE}/talk_chats/{chat}/participants")).await
}

/// What a chat is called, in one clean and short line: a direct one after the other person.
pub(super) async fn title(client: &Client, people: &People<'_>, chat: &ChatResource) -> String {
    if chat.r#type == "direct" {
        let members: Option<Vec<ParticipantResource>> =
            client.glimpse(&format!("{BASE}/talk_chats/{}/participants", chat.id)).await;
        let other = members.iter().flatten().find(|member| member.owner_id != people.me.id);
        return match other {
            Some(other) => format!("@{}", people.name(other.owner_id).await),
            None => String::from("a direct chat"),
        };
    }
    named(chat)
}

/// What a group or a channel is called.
pub(super) fn named(chat: &ChatResource) -> String {
    let name = shortened(&clean::line(&chat.name), NAME_COLUMNS_MAX);
    match (chat.r#type.as_str(), name.trim().is_empty()) {
        (_, true) => format!("unnamed {}", super::people::short(chat.id)),
        ("talk", false) => format!("#{name}"),
        (_, false) => name,
    }
}

/// The one chat that is meant: by its id, the beginning of its id, its name, or `@person`.
///
/// # Errors
/// None is, or several are; those of a call.
pub(super) async fn find(client: &Client, people: &People<'_>, typed: &str, among: Among) -> Result<ChatResource> {
    if let Ok(id) = Uuid::try_parse(typed) {
        return client.get(&format!("{BASE}/talk_chats/{id}")).await;
    }
    if let Some(person) = typed.strip_prefix('@') {
        return direct(client, people, person, among).await;
    }
    let mut chats = own(client).await?;
    if among == Among::Visible {
        let seen: Vec<Uuid> = chats.iter().map(|chat| chat.id).collect();
        chats.extend(channels(client).await?.into_iter().filter(|channel| !seen.contains(&channel.id)));
    }
    let mut found = meant(&chats, typed);
    match found.len() {
        0 => Err(Failure::Refused(format!("no chat is called {typed}"))),
        1 => Ok(found.swap_remove(0)),
        count => {
            let listed = found.iter().take(CANDIDATES_MAX).map(|chat| format!("\n  {}  {}", chat.id, named(chat)));
            Err(Failure::Usage(format!("{typed} may be one of {count}:{}", listed.collect::<String>())))
        }
    }
}

/// All chats that are meant: those of exactly this name, else of this name in another case, else whose
/// id begins so. A direct chat has no name.
fn meant(chats: &[ChatResource], typed: &str) -> Vec<ChatResource> {
    let name = typed.strip_prefix('#').unwrap_or(typed);
    let lower = name.to_lowercase();
    let id = typed.to_lowercase();
    let matches =
        |by: &dyn Fn(&ChatResource) -> bool| chats.iter().filter(|chat| by(chat)).cloned().collect::<Vec<_>>();
    let open = |chat: &ChatResource| chat.r#type != "direct" && (chat.r#type == "talk" || name == typed);
    let exact = matches(&|chat| open(chat) && chat.name == name);
    if !exact.is_empty() {
        return exact;
    }
    let alike = matches(&|chat| open(chat) && chat.name.to_lowercase() == lower);
    if !alike.is_empty() || id.len() < PREFIX_MIN {
        return alike;
    }
    matches(&|chat| chat.id.to_string().starts_with(&id))
}

async fn direct(client: &Client, people: &People<'_>, person: &str, among: Among) -> Result<ChatResource> {
    let other = people.find(person).await?;
    if among == Among::OwnOrNew {
        return begin(client, "direct", "", &[other.id]).await;
    }
    for chat in own(client).await?.into_iter().filter(|chat| chat.r#type == "direct") {
        if members(client, chat.id).await?.iter().any(|member| member.owner_id == other.id) {
            return Ok(chat);
        }
    }
    Err(Failure::Refused(format!("there is no direct chat with {}; send begins one", other.shown())))
}

/// Begins a chat with these others; of a direct one, the one there is.
///
/// # Errors
/// Those of a call.
pub(super) async fn begin(client: &Client, kind: &str, name: &str, others: &[Uuid]) -> Result<ChatResource> {
    let others: Vec<_> = others.iter().map(|id| json!({"owner_type": "agent", "owner_id": id})).collect();
    let body = json!({"type": kind, "name": name, "participants": others});
    client.write(Method::POST, &format!("{BASE}/talk_chats"), Some(&body)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(id: u128, kind: &str, name: &str) -> ChatResource {
        let json = json!({"id": Uuid::from_u128(id), "customer_id": Uuid::nil(), "type": kind, "name": name, "detail": "",
            "member_count": 2, "tm_create": "", "tm_update": "", "tm_delete": "", "seq": 1, "cursor": ""});
        serde_json::from_value(json).expect("a chat")
    }

    #[test]
    fn the_nearest_meaning_wins() {
        let chats = [
            chat(0xabcd_ef00 << 96, "group", "Ops"),
            chat(0xabcd_0000 << 96, "talk", "ops"),
            chat(0x1234_0000 << 96, "group", "Lunch"),
            chat(0x1235_0000 << 96, "direct", ""),
        ];
        let names = |typed| meant(&chats, typed).iter().map(named).collect::<Vec<_>>();
        assert_eq!(names("Ops"), ["Ops"]);
        assert_eq!(names("ops"), ["#ops"]);
        assert_eq!(names("OPS"), ["Ops", "#ops"]);
        assert_eq!(names("#OPS"), ["#ops"]);
        assert_eq!(names("1234"), ["Lunch"]);
        assert_eq!(names("abcd").len(), 2);
        assert_eq!(names("abcd-"), Vec::<String>::new());
        assert_eq!(names("123"), Vec::<String>::new());
        assert_eq!(names(""), Vec::<String>::new());
    }
}
