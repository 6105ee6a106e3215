//! The set-up: agents with their tokens, chats with their members, and what is written in them before the load.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::hall::{Agent, Chat, Hall};
use super::publisher;
use super::sender::API;
use super::target::Target;
use crate::client::http::{Call, Http};
use crate::client::stream::Sources;
use crate::client::{Dialect, Error, Result};
use crate::gauge::clock::Clock;
use crate::scenario::Scenario;

/// Seconds that minted tokens are good for.
const TOKEN_SECS: u64 = 2 * 24 * 3_600;
/// Members that one call may name: their ids stay well below the longest body that a hub takes.
const MEMBERS_AT_ONCE: usize = 1_500;
/// Calls under way during the set-up.
const AT_ONCE: usize = 32;
/// Tries of one call while the server says that it is too much.
const TRIES_MAX: usize = 50;

/// How agents come in.
#[derive(Clone, Debug)]
pub enum Access {
    /// Tokens are minted. Agents are made with the admin token; without it the hub must take them from their tokens
    /// (`auth.directory = "claims"`).
    Secret { secret: String, customer: Option<String>, admin_token: Option<String> },
    /// One token or access key a line.
    Tokens(PathBuf),
    /// A username and a password a line.
    SignIn(PathBuf),
    /// Nobody is asked who they are.
    Nobody,
}

/// Makes everybody and everything. `look` is told how many of how many chats are there.
///
/// # Errors
/// Says which call was refused.
pub async fn make(
    target: &Target,
    scenario: &Scenario,
    sources: Arc<Sources>,
    look: &(dyn Fn(u64, u64) + Sync),
) -> Result<Hall> {
    let mut hall = Hall {
        clock: Clock::start(),
        dialect: target.dialect,
        nodes: target.nodes.clone(),
        sources,
        agents: Vec::new(),
        chats: Vec::new(),
        by_id: HashMap::new(),
        violations: Arc::default(),
    };
    if target.dialect != Dialect::Hub || target.page.is_some() {
        hall.agents = vec![agent(Uuid::nil().to_string(), "nobody".to_owned())?];
        hall.chats = vec![Chat::new(id_of(publisher::CHAT)?, vec![0])];
    } else {
        hall.agents = agents(&hall, &target.access, scenario.people).await?;
        let done = AtomicUsize::new(0);
        let chats = each(&hall, scenario.chats, async |http, place| {
            let chat = chat(http, &hall, scenario, place).await?;
            look(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, scenario.chats as u64);
            Ok((place, chat))
        });
        let mut chats = chats.await?;
        chats.sort_unstable_by_key(|(place, _)| *place);
        hall.chats = chats.into_iter().map(|(_, chat)| chat).collect();
    }
    for (place, chat) in (0..).zip(&hall.chats) {
        hall.by_id.insert(chat.id, place);
        for member in &chat.members {
            if let Some(agent) = hall.agents.get_mut(*member as usize) {
                agent.chats.push(place);
            }
        }
    }
    Ok(hall)
}

async fn agents(hall: &Hall, access: &Access, count: usize) -> Result<Vec<Agent>> {
    let lines = |path: &Path| -> Result<Vec<String>> {
        let wrong = |problem: String| Error::Unexpected(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if lines.len() < count {
            return Err(wrong(format!("{} lines for {count} people; turn `people` down", lines.len())));
        }
        Ok(lines)
    };
    match access {
        Access::Secret { secret, customer, admin_token: None } => {
            let customer = customer.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
            (0..count).map(|_| minted(Uuid::new_v4().to_string(), &customer, secret)).collect()
        }
        Access::Secret { secret, customer, admin_token: Some(admin) } => {
            made(hall, secret, customer.as_deref(), admin, count).await
        }
        Access::Nobody => Ok(Vec::new()),
        Access::Tokens(path) => {
            let tokens = lines(path)?;
            each(hall, count, async |http, place| known(http, &tokens, place).await).await
        }
        Access::SignIn(path) => {
            let lines = lines(path)?;
            each(hall, count, async |http, place| {
                let line = lines.get(place).map_or("", String::as_str);
                let (username, password) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let body = json!({"username": username, "password": password.trim()}).to_string();
                let mut call = Call::post("/auth/login".to_owned(), &HeaderValue::from_static(""), body);
                call.credential = None;
                let answer = json(&settled(http, &call).await?)?;
                known(http, &[text(&answer, "token")?], 0).await
            })
            .await
        }
    }
}

/// Through the admin token, one by one; each password is hashed, which takes its time.
async fn made(hall: &Hall, secret: &str, customer: Option<&str>, admin: &str, count: usize) -> Result<Vec<Agent>> {
    let credential = bearer(admin)?;
    let customer = match customer {
        Some(customer) => customer.to_owned(),
        None => {
            let body = json!({"name": "Load"}).to_string();
            let first = Call::post("/v1.0/customers".to_owned(), &credential, body);
            let answers = each(hall, 1, async |http, _| settled(http, &first).await).await?;
            text(&json(answers.first().map_or(&[][..], |body| body))?, "id")?
        }
    };
    each(hall, count, async |http, place| {
        let username = format!("load-{place}-{}@load.test", Uuid::new_v4().simple());
        let password = Uuid::new_v4().to_string();
        let body = json!({"customer_id": customer, "username": username, "password": password,
            "name": format!("Agent {place}"), "permission": 16});
        let made = settled(http, &Call::post("/v1.0/agents".to_owned(), &credential, body.to_string())).await?;
        minted(text(&json(&made)?, "id")?, &customer, secret)
    })
    .await
}

/// Who a token is of.
async fn known(http: &mut Http, tokens: &[String], place: usize) -> Result<Agent> {
    let token = tokens.get(place).cloned().unwrap_or_default();
    let me = settled(http, &Call::get(format!("{API}/me"), &bearer(&token)?)).await?;
    agent(text(&json(&me)?, "id")?, token)
}

fn minted(id: String, customer: &str, secret: &str) -> Result<Agent> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let exp = now.as_secs() + TOKEN_SECS;
    let claims = json!({"sub": id, "customer_id": customer, "permission": 16, "exp": exp});
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key);
    agent(id, token.map_err(|error| Error::Unexpected(format!("a token cannot be made: {error}")))?)
}

fn agent(id: String, token: String) -> Result<Agent> {
    Ok(Agent { id, credential: bearer(&token)?, token, chats: Vec::new() })
}

fn bearer(token: &str) -> Result<HeaderValue> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    // The token itself must not be said.
    value.map_err(|_| Error::Unexpected("a token with characters that no header may have".to_owned()))
}

async fn chat(http: &mut Http, hall: &Hall, scenario: &Scenario, place: usize) -> Result<Chat> {
    let members: Vec<usize> = scenario.members_of(place).collect();
    let of = |place: &usize| hall.agents.get(*place).ok_or_else(|| Error::Unexpected("too few agents".to_owned()));
    let owner = |place: &usize| Ok(json!({"owner_type": "agent", "owner_id": of(place)?.id}));
    let (first, others) =
        members.split_first().ok_or_else(|| Error::Unexpected("a chat without members".to_owned()))?;
    let maker = of(first)?;
    let (named, later) = others.split_at(others.len().min(MEMBERS_AT_ONCE));
    let named = named.iter().map(owner).collect::<Result<Vec<_>>>()?;
    let body = json!({"type": "group", "name": format!("load {place}"), "participants": named}).to_string();
    let made = settled(http, &Call::post(format!("{API}/talk_chats"), &maker.credential, body)).await?;
    let id = text(&json(&made)?, "id")?;
    for place in later {
        let path = format!("{API}/talk_chats/{id}/participants");
        settled(http, &Call::post(path, &maker.credential, owner(place)?.to_string())).await?;
    }
    let members = members.iter().map(|place| u32::try_from(*place).unwrap_or_default()).collect();
    let chat = Chat::new(id_of(&id)?, members);
    for number in 0..scenario.stored_messages {
        let words = format!("message {number} of {} before the load ", scenario.stored_messages);
        let text = words.repeat(scenario.text_bytes / words.len() + 1);
        let text = text.get(..scenario.text_bytes).unwrap_or(&text);
        let body = json!({"chat_id": id, "type": "normal", "text": text}).to_string();
        let sent = settled(http, &Call::post(format!("{API}/talk_messages"), &maker.credential, body)).await?;
        chat.acknowledge();
        chat.add_target(&self::text(&json(&sent)?, "id")?);
    }
    Ok(chat)
}

/// Does something so many times, several at once, each on a connection of its own. Ends with the first failure.
async fn each<T>(hall: &Hall, count: usize, work: impl AsyncFn(&mut Http, usize) -> Result<T>) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let some = |number: usize| {
        let (next, work) = (&next, &work);
        async move {
            let node = hall.nodes.get(number % hall.nodes.len().max(1)).cloned();
            let node = node.ok_or_else(|| Error::Unexpected("no nodes".to_owned()))?;
            let mut http = Http::new(node, Arc::clone(&hall.sources))?;
            let mut made = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    return Ok(made);
                }
                made.push(work(&mut http, place).await?);
            }
        }
    };
    let all = futures_util::future::try_join_all((0..AT_ONCE.min(count)).map(some)).await?;
    Ok(all.into_iter().flatten().collect())
}

/// Tries again while the server says that it is too much.
pub async fn settled(http: &mut Http, call: &Call) -> Result<Bytes> {
    for _ in 1..TRIES_MAX {
        let answer = http.call(call).await?;
        if !matches!(answer.status.as_u16(), 429 | 503) {
            return answer.good(&call.path);
        }
        let seconds = answer.retry_after.unwrap_or(1).clamp(1, 10);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    http.call(call).await?.good(&call.path)
}

/// The newest number of each of these chats, as any member may ask for it.
///
/// # Errors
/// A chat cannot be read.
pub async fn newest(hall: &Hall, chats: &[u32]) -> Result<Vec<(u32, u64)>> {
    each(hall, chats.len(), async |http, place| {
        let place = chats.get(place).copied().unwrap_or_default();
        let chat = hall.chats.get(place as usize).ok_or_else(|| Error::Unexpected("no such chat".to_owned()))?;
        let member = chat.members.first().and_then(|member| hall.agents.get(*member as usize));
        let member = member.ok_or_else(|| Error::Unexpected("a chat without members".to_owned()))?;
        let path = format!("{API}/talk_chats/{}", chat.id());
        let body = json(&settled(http, &Call::get(path, &member.credential)).await?)?;
        let seq = body["seq"].as_u64().ok_or_else(|| Error::Unexpected("a chat without seq".to_owned()))?;
        Ok((place, seq))
    })
    .await
}

fn json(body: &[u8]) -> Result<Value> {
    serde_json::from_slice(body).map_err(|error| Error::Unexpected(format!("an answer that is no JSON: {error}")))
}

fn text(value: &Value, field: &str) -> Result<String> {
    let found = value[field].as_str();
    found.map(str::to_owned).ok_or_else(|| Error::Unexpected(format!("an answer without {field}")))
}

fn id_of(id: &str) -> Result<crate::client::event::ChatId> {
    id.as_bytes().try_into().map_err(|_| Error::Unexpected(format!("{id} is no id")))
}
