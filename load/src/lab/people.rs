//! The set-up: one customer, its agents, and chats in which each has a part to play.
//!
//! *Stayers* are members all along; they write and read. *Comers* come and go all the time. *Leavers* are removed once
//! and never come back: what reaches them after that is a violation. The *auditor* made all the chats, is in all of them,
//! and reads them in the end.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dice::{Dice, hash};
use super::fleet::{API, Agent, Caller, Fleet};
use super::record::{Chat, Kind};

/// The HS256 secret of the lab's hubs.
pub const SECRET: &str = "a secret of at least thirty-two characters, for the lab";
/// The admin token of the lab's hubs.
pub const ADMIN_TOKEN: &str = "the-admin-token-of-the-hubs-of-the-lab";
/// Seconds that tokens are good for: longer than any run.
const TOKEN_SECS: u64 = 24 * 3_600;

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Busy chats.
    pub chats: usize,
    /// Chats that are rarely written to.
    pub quiet: usize,
    /// Agents who stay, come and go, and leave once.
    pub stayers: usize,
    pub comers: usize,
    pub leavers: usize,
    /// Of each, in each chat.
    pub stayers_in_chat: usize,
    pub comers_in_chat: usize,
    pub leavers_in_chat: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            chats: 24,
            quiet: 4,
            stayers: 20,
            comers: 5,
            leavers: 4,
            stayers_in_chat: 3,
            comers_in_chat: 2,
            leavers_in_chat: 1,
        }
    }
}

/// A chat and the parts in it.
#[derive(Clone, Debug)]
pub struct Room {
    pub chat: Chat,
    /// Whether anybody of the customer may join by themselves.
    pub open: bool,
    /// Where its newest event stood after the set-up.
    pub cursor: String,
    /// By their places in [`People::agents`].
    pub stayers: Vec<usize>,
    pub comers: Vec<usize>,
    pub leavers: Vec<usize>,
    /// The participant records of members.
    pub records: BTreeMap<Uuid, Uuid>,
}

/// Everybody, and every chat.
#[derive(Clone, Debug)]
pub struct People {
    pub auditor: Agent,
    pub agents: Vec<Agent>,
    pub rooms: Vec<Room>,
}

impl People {
    /// Makes them all through the API, before any fault.
    ///
    /// # Errors
    /// Says which call was refused.
    pub async fn make(fleet: &Fleet, seed: u64, size: Size) -> Result<Self, String> {
        let operator = Agent { id: Uuid::nil(), token: ADMIN_TOKEN.to_owned() };
        let mut operator = Caller::new(operator, Dice::of(seed, "operator"));
        let made = done(fleet, &mut operator, "/v1.0/customers", &json!({"name": "The lab"})).await?;
        let customer = id(&made)?;
        let mut agents = Vec::new();
        for number in 0..=size.stayers + size.comers + size.leavers {
            agents.push(agent(fleet, &mut operator, customer, number).await?);
        }
        let auditor = agents.pop().ok_or("no agents")?;
        let mut people = Self { auditor, agents, rooms: Vec::new() };
        let mut dice = Dice::of(seed, "people");
        for number in 0..size.chats + size.quiet {
            let room = people.room(fleet, &mut dice, size, number).await?;
            people.rooms.push(room);
        }
        Ok(people)
    }

    async fn room(&self, fleet: &Fleet, dice: &mut Dice, size: Size, number: usize) -> Result<Room, String> {
        let some = |from: usize, of: usize, count: usize, dice: &mut Dice| {
            let first = dice.place(of);
            (0..count.min(of)).map(|step| from + (first + step) % of).collect::<Vec<_>>()
        };
        let stayers = some(0, size.stayers, size.stayers_in_chat, dice);
        let comers = some(size.stayers, size.comers, size.comers_in_chat, dice);
        let leavers = some(size.stayers + size.comers, size.leavers, size.leavers_in_chat, dice);
        let open = number.is_multiple_of(3);
        let others = stayers.iter().chain(&leavers).filter_map(|place| self.agents.get(*place));
        let others: Vec<Value> = others.map(|agent| json!({"owner_type": "agent", "owner_id": agent.id})).collect();
        let kind = if open { "talk" } else { "group" };
        let body = json!({"type": kind, "name": format!("chat {number}"), "participants": others});
        let mut auditor = Caller::new(self.auditor.clone(), dice.clone());
        let chat = done(fleet, &mut auditor, &format!("{API}/talk_chats"), &body).await?;
        let id = id(&chat)?;
        let path = format!("{API}/talk_chats/{id}");
        let chat = fleet.read(number, &self.auditor.token, &path, 20).await?;
        let records = members(&fleet.read(number, &self.auditor.token, &format!("{path}/participants"), 20).await?)?;
        let chat_record = Chat {
            c: u16::try_from(number).map_err(|_| "too many chats")?,
            id,
            quiet: number >= size.chats,
            members: records.keys().copied().collect(),
            seq: chat["seq"].as_u64().ok_or("a chat without seq")?,
        };
        let cursor = chat["cursor"].as_str().ok_or("a chat without cursor")?.to_owned();
        Ok(Room { chat: chat_record, open, cursor, stayers, comers, leavers, records })
    }
}

/// The participant record of each member, from the list of participants.
///
/// # Errors
/// It is not such a list.
pub fn members(list: &Value) -> Result<BTreeMap<Uuid, Uuid>, String> {
    let rows = list.as_array().ok_or("participants are no list")?;
    rows.iter().map(|row| Ok((uuid(&row["owner_id"])?, id(row)?))).collect()
}

/// What is kept of the reactions of a message: 0 of none, else a hash over who put what, in any order.
#[must_use]
pub fn reactions<'a>(all: impl Iterator<Item = (&'a str, Uuid)>) -> u64 {
    let mut texts: Vec<String> = all.map(|(emoji, owner)| format!("{emoji} {owner}")).collect();
    texts.sort_unstable();
    if texts.is_empty() { 0 } else { hash(texts.join(",").as_bytes()) }
}

/// Which event this is, wherever it is seen.
#[must_use]
pub fn identity(kind: Kind, resource: Uuid, moment: &str) -> u64 {
    hash(format!("{kind:?} {resource} {moment}").as_bytes())
}

/// The id of a resource.
///
/// # Errors
/// It has none.
pub fn id(resource: &Value) -> Result<Uuid, String> {
    uuid(&resource["id"])
}

/// A UUID in JSON.
///
/// # Errors
/// It is none.
pub fn uuid(value: &Value) -> Result<Uuid, String> {
    value.as_str().and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(|| format!("not a uuid: {value}"))
}

async fn done(fleet: &Fleet, caller: &mut Caller, path: &str, body: &Value) -> Result<Value, String> {
    let settled = fleet.settle(caller, Method::POST, path, None, Some(body)).await;
    if settled.status == 200 { Ok(settled.body) } else { Err(format!("{path}: {} {}", settled.status, settled.body)) }
}

async fn agent(fleet: &Fleet, operator: &mut Caller, customer: Uuid, number: usize) -> Result<Agent, String> {
    let username = format!("agent-{number}-{}@lab.test", Uuid::new_v4().simple());
    let body = json!({
        "customer_id": customer, "username": username, "password": "correct horse battery staple",
        "name": format!("Agent {number}"), "permission": 16,
    });
    let id = id(&done(fleet, operator, "/v1.0/agents", &body).await?)?;
    Ok(Agent { id, token: token(id, customer)? })
}

/// A token as the hub would issue it.
fn token(agent: Uuid, customer: Uuid) -> Result<String, String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
    let claims = json!({
        "sub": agent, "customer_id": customer, "permission": 16, "exp": now.as_secs() + TOKEN_SECS,
    });
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).map_err(|error| error.to_string())
}
