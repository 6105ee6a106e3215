//! The end: when all is healed, what every node shows by REST and by replaying the log from the end of the set-up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::dice::hash;
use super::fleet::{API, Fleet};
use super::frame::{Came, Frame, Socket};
use super::people::{self, People, Room};
use super::phase::Progress;
use super::record::{Book, Line, Message, State};

/// How often a page is asked for before it counts as not to be had.
const TRIES: u32 = 20;
/// How long the replay of a log may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often it is looked whether all readers have caught up.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks in a row at which nothing had moved, before a chat counts as silent.
const STILL: u32 = 10;

/// The newest event of each chat, and who is in it.
async fn heads(fleet: &Fleet, people: &People) -> Result<BTreeMap<u16, (u64, BTreeSet<Uuid>)>, String> {
    let mut heads = BTreeMap::new();
    for room in &people.rooms {
        let state = state(fleet, people, room, 0).await?;
        heads.insert(room.chat.c, (state.seq, state.members.into_iter().collect()));
    }
    Ok(heads)
}

/// Waits until no chat moves any more and every reader has seen the end of each chat that its agent is in; or until
/// the time is up, which the checker will see.
///
/// # Errors
/// A chat could not be read.
pub async fn all_caught_up(
    fleet: &Fleet,
    people: &People,
    readers: &[(Uuid, Progress)],
    within: Duration,
) -> Result<bool, String> {
    let begin = tokio::time::Instant::now();
    let (mut before, mut still) = (heads(fleet, people).await?, 0);
    while begin.elapsed() < within {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = if still % 5 == 0 { heads(fleet, people).await? } else { before.clone() };
        still = if now == before { still + 1 } else { 0 };
        before = now;
        let there = readers.iter().all(|(agent, progress)| {
            let own = before.iter().filter(|(_, (_, members))| members.contains(agent));
            progress.has_reached(&own.map(|(c, (head, _))| (*c, *head)).collect())
        });
        if there && still >= STILL {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads everything from every node into `final-<node>.jsonl`. What cannot be read is in the record as unread.
///
/// # Errors
/// The record could not be written.
pub async fn read(dir: &Path, fleet: &Fleet, people: &People) -> io::Result<()> {
    for node in 0..fleet.nodes.len() {
        let mut book = Book::new(dir, &format!("final-{node}"))?;
        if let Err(what) = read_node(&mut book, fleet, people, node).await {
            book.note(&Line::Unread { node: number(node), what });
        }
        book.close()?;
    }
    Ok(())
}

fn number(node: usize) -> u8 {
    u8::try_from(node).unwrap_or(u8::MAX)
}

async fn read_node(book: &mut Book, fleet: &Fleet, people: &People, node: usize) -> Result<(), String> {
    let mut heads = BTreeMap::new();
    for room in &people.rooms {
        let state = state(fleet, people, room, node).await?;
        heads.insert(room.chat.c, state.seq);
        book.note(&Line::State(state));
        messages(book, fleet, people, room, node).await?;
    }
    log(book, fleet, people, node, heads).await
}

async fn state(fleet: &Fleet, people: &People, room: &Room, node: usize) -> Result<State, String> {
    let (path, token) = (format!("{API}/talk_chats/{}", room.chat.id), &people.auditor.token);
    let chat = fleet.read(node, token, &path, TRIES).await?;
    let list = fleet.read(node, token, &format!("{path}/participants"), TRIES).await?;
    let members: Vec<Uuid> = list
        .as_array()
        .ok_or("participants are no list")?
        .iter()
        .map(|row| people::uuid(&row["owner_id"]))
        .collect::<Result<_, String>>()?;
    Ok(State {
        node: number(node),
        c: room.chat.c,
        seq: chat["seq"].as_u64().ok_or("a chat without seq")?,
        members,
        member_count: chat["member_count"].as_u64().unwrap_or(u64::MAX),
        f: hash(chat["name"].as_str().unwrap_or_default().as_bytes()),
    })
}

async fn messages(book: &mut Book, fleet: &Fleet, people: &People, room: &Room, node: usize) -> Result<(), String> {
    let path = format!("{API}/talk_messages?page_size=100&chat_id={}", room.chat.id);
    let mut token = String::new();
    loop {
        let next = if token.is_empty() { path.clone() } else { format!("{path}&page_token={}", escaped(&token)) };
        let page = fleet.read(node, &people.auditor.token, &next, TRIES).await?;
        let rows = page["result"].as_array().ok_or("a page without result")?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            book.note(&Line::Message(message(row, room.chat.c, number(node))?));
        }
        token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
    }
}

/// A time as part of a query.
fn escaped(token: &str) -> String {
    token.replace(' ', "%20").replace(':', "%3A").replace(',', "%2C").replace('+', "%2B")
}

fn message(row: &Value, c: u16, node: u8) -> Result<Message, String> {
    let reactions = row["metadata"]["reactions"].as_array().map_or(&[][..], Vec::as_slice);
    let reactions = reactions.iter().map(|one| (one["emoji"].as_str().unwrap_or_default(), &one["owner_id"]));
    let own = row["type"] == "normal";
    Ok(Message {
        node,
        c,
        id: people::id(row)?,
        s: row["seq"].as_u64().ok_or("a message without seq")?,
        key: if own { row["text"].as_str().unwrap_or_default().to_owned() } else { String::new() },
        p: people::uuid(&row["parent_id"]).ok(),
        deleted: row["tm_delete"].as_str().is_some_and(|moment| !moment.is_empty()),
        f: people::reactions(reactions.map(|(emoji, owner)| (emoji, people::uuid(owner).unwrap_or_default()))),
        replies: row["reply_count"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
    })
}

/// Replays the log of all chats over one socket, up to where the chats stand.
async fn log(
    book: &mut Book,
    fleet: &Fleet,
    people: &People,
    node: usize,
    mut missing: BTreeMap<u16, u64>,
) -> Result<(), String> {
    let base = fleet.nodes.get(node).ok_or("no such node")?;
    let chats: HashMap<Uuid, u16> = people.rooms.iter().map(|room| (room.chat.id, room.chat.c)).collect();
    let since: BTreeMap<Uuid, &str> = people.rooms.iter().map(|room| (room.chat.id, room.cursor.as_str())).collect();
    missing.retain(|c, head| people.rooms.iter().any(|room| room.chat.c == *c && room.chat.seq < *head));
    let n = u32::try_from(node).unwrap_or(u32::MAX);
    let mut socket = Socket::open(base, people.auditor.id, &people.auditor.token, &since).await?;
    let mut heard = tokio::time::Instant::now();
    while !missing.is_empty() {
        let came = socket.next(SILENCE_MAX).await;
        let Came::Text(text) = came else {
            if matches!(came, Came::Closed(_)) || heard.elapsed() > SILENCE_MAX {
                return Err(format!("the log ended early: {came:?}, {} chats are not whole", missing.len()));
            }
            continue;
        };
        heard = tokio::time::Instant::now();
        let frame: Frame<'_> = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        if let Some((chat, lost)) = frame.chats.iter().flatten().find(|(_, state)| !state.recovered) {
            return Err(format!("chat {chat} is not replayed from the set-up: {lost:?}"));
        }
        if frame.r#type == "resync" {
            return Err(format!("told to start anew while replaying: {text}"));
        }
        if let Some(event) = frame.event(fleet.clock.now(), n, &chats) {
            if missing.get(&event.c).is_some_and(|head| *head <= event.s) {
                missing.remove(&event.c);
            }
            book.note(&Line::Logged(event));
        }
    }
    socket.close().await;
    Ok(())
}
