//! REST as a client of a fleet speaks it: any node will do, what got no definite answer is said again, under the same key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::dice::Dice;
use super::record::{Book, Line};
use crate::gauge::clock::Clock;

/// Milliseconds that one try may take; more than the hub's own limit for a call to its store.
const TRY_MS: u64 = 3_000;
/// Microseconds after which a call that nobody settles is given up.
const PATIENCE_US: u64 = 90_000_000;
/// Milliseconds between two tries, from and up to.
const BREATH_MS: (u64, u64) = (20, 250);

/// Base path of what agents call.
pub const API: &str = "/v1.0/service_agents";

/// A person.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: Uuid,
    pub token: String,
}

/// The nodes, by the addresses they keep, and how they are spoken to.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// `http://<address>` of each.
    pub nodes: Arc<Vec<String>>,
    pub clock: Clock,
    http: reqwest::Client,
}

/// How a call ended, after all its tries.
#[derive(Clone, Debug)]
pub struct Settled {
    /// When the first try went out, and when the last one came to its end.
    pub sent: u64,
    pub done: u64,
    /// Of the definite answer; 0: there was none.
    pub status: u16,
    pub body: Value,
    pub tries: u32,
    /// One of the tries has an unknown outcome.
    pub unsure: bool,
}

/// One caller: who, with which luck, and how it was answered so far.
#[derive(Debug)]
pub struct Caller {
    pub agent: Agent,
    pub dice: Dice,
    answers: BTreeMap<String, u64>,
}

impl Caller {
    /// A caller that was answered nothing yet.
    #[must_use]
    pub fn new(agent: Agent, dice: Dice) -> Self {
        Self { agent, dice, answers: BTreeMap::new() }
    }

    /// Counts an answer, or what came instead.
    pub fn answered(&mut self, kind: &str) {
        match self.answers.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.answers.insert(kind.to_owned(), 1)),
        }
    }

    /// Writes down how often it was answered what.
    pub fn note(&self, book: &mut Book) {
        for (kind, count) in &self.answers {
            book.note(&Line::Answers { kind: kind.clone(), count: *count });
        }
    }
}

impl Fleet {
    /// The fleet at these addresses.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(nodes: Vec<String>, clock: Clock) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_millis(TRY_MS))
            .connect_timeout(Duration::from_millis(1_000))
            .pool_max_idle_per_host(64)
            .build()?;
        Ok(Self { nodes: Arc::new(nodes), clock, http })
    }

    /// One try on one node; the status and the body.
    ///
    /// # Errors
    /// No answer came.
    pub async fn try_once(
        &self,
        node: usize,
        token: &str,
        method: &Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> reqwest::Result<(u16, Value)> {
        let base = self.nodes.get(node % self.nodes.len().max(1)).map_or("", String::as_str);
        let mut request = self.http.request(method.clone(), format!("{base}{path}")).bearer_auth(token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Tries on one random node after the other until an answer is definite or patience ends.
    pub async fn settle(
        &self,
        caller: &mut Caller,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Settled {
        let sent = self.clock.now();
        let mut settled = Settled { sent, done: sent, status: 0, body: Value::Null, tries: 0, unsure: false };
        while self.clock.now() < sent + PATIENCE_US {
            settled.tries += 1;
            let node = caller.dice.place(self.nodes.len());
            let answer = self.try_once(node, &caller.agent.token, &method, path, key, body).await;
            settled.done = self.clock.now();
            match answer {
                Ok((200, body)) => {
                    caller.answered("200");
                    (settled.status, settled.body) = (200, body);
                    return settled;
                }
                Ok((status, body)) => {
                    let reason = body["error"]["reason"].as_str().unwrap_or("");
                    caller.answered(&format!("{status} {reason}"));
                    if status < 429 {
                        (settled.status, settled.body) = (status, body);
                        return settled;
                    }
                    settled.unsure |= status != 429;
                }
                Err(error) => {
                    settled.unsure |= !error.is_connect();
                    caller.answered(failure(&error));
                }
            }
            let breath = caller.dice.between(BREATH_MS.0, BREATH_MS.1);
            tokio::time::sleep(Duration::from_millis(breath)).await;
        }
        settled
    }

    /// Reads from one node, again while it does not answer, for so many tries.
    pub async fn read(&self, node: usize, token: &str, path: &str, tries: u32) -> Result<Value, String> {
        let mut last = String::new();
        for _ in 0..tries {
            match self.try_once(node, token, &Method::GET, path, None, None).await {
                Ok((200, body)) => return Ok(body),
                Ok((status, body)) => last = format!("{path}: {status} {body}"),
                Err(error) => last = format!("{path}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(BREATH_MS.1)).await;
        }
        Err(last)
    }
}

fn failure(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "connection lost"
    }
}
