//! Does what is due, by REST: one deed at a time on one connection, on behalf of any agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

use super::hall::{Agent, Chat, Hall};
use super::jobs::{Job, Jobs};
use crate::client::event::{Stamp, number};
use crate::client::http::{Answer, Call, Http};
use crate::client::{Error, Result};
use crate::gauge::tally::{Shared, Span};
use crate::scenario::{Arrivals, Scenario, Until};

/// Where everything of an agent is.
pub const API: &str = "/v1.0/service_agents";
/// A window that has no room for so long means that something never reached somebody.
const WINDOW_WITHIN: Duration = Duration::from_secs(10);
/// Different reactions that are put.
const EMOJI: [&str; 10] = ["👍", "👎", "🎉", "❤️", "😄", "😕", "🚀", "👀", "🔥", "✅"];

/// What all senders share.
#[derive(Debug)]
pub struct Work {
    pub hall: Arc<Hall>,
    pub scenario: Scenario,
    pub jobs: Arc<Jobs>,
    pub window: Arc<Semaphore>,
    /// Where to say that an agent has its answer.
    pub answered: Option<mpsc::Sender<u32>>,
    pub tally: Shared,
    /// Reactions begun, by the place of the chat.
    pub reactions: Vec<AtomicUsize>,
    /// Pages are read from here instead of from a chat: for a server that has only one.
    pub page: Option<String>,
}

impl Work {
    /// The next that is due; `None` when there is no more.
    pub async fn next(&self) -> Option<Job> {
        if self.scenario.arrivals != Arrivals::Window {
            return self.jobs.next().await;
        }
        let Ok(permit) = tokio::time::timeout(WINDOW_WITHIN, self.window.acquire()).await else {
            self.hall.violations.add(|| format!("a message did not reach everybody within {WINDOW_WITHIN:?}"));
            return None;
        };
        permit.ok()?.forget();
        Some(Job { due: self.hall.clock.now(), agent: None })
    }

    /// A deed has its answer. `heard`: sockets will tell when everybody has it.
    pub fn done(&self, job: &Job, heard: bool) {
        if self.scenario.arrivals == Arrivals::Window && !heard {
            self.window.add_permits(1);
        }
        if let (Some(answered), Some(agent)) = (&self.answered, job.agent) {
            answered.send(agent).ok();
        }
    }

    /// Whether a place in the window is free again only when everybody has the message.
    #[must_use]
    pub fn waits_for_hearers(&self) -> bool {
        self.scenario.window_until == Until::Delivered && self.scenario.connections > 0
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Send,
    React,
    Read,
}

/// See the module.
#[derive(Debug)]
pub struct Sender {
    work: Arc<Work>,
    http: Http,
    node: u8,
    chance: fastrand::Rng,
}

impl Sender {
    /// The one with this number.
    ///
    /// # Errors
    /// There is no node for it.
    pub fn new(work: Arc<Work>, number: usize) -> Result<Self> {
        let nodes = &work.hall.nodes;
        let node = number % nodes.len().max(1);
        let place = nodes.get(node).cloned().ok_or_else(|| Error::Unexpected("no nodes".to_owned()))?;
        let http = Http::new(place, Arc::clone(&work.hall.sources))?;
        let chance = fastrand::Rng::with_seed(work.scenario.seed.wrapping_add(1 + number as u64));
        Ok(Self { http, node: u8::try_from(node).unwrap_or(u8::MAX), chance, work })
    }

    /// Does what is due until there is no more.
    pub async fn run(mut self) {
        let work = Arc::clone(&self.work);
        while let Some(job) = work.next().await {
            let deed = self.deed();
            let heard = match self.who(&job, &work.hall) {
                Some((agent, chat)) => self.act(deed, &job, agent, chat).await,
                None => false,
            };
            work.done(&job, heard && work.waits_for_hearers());
        }
    }

    fn deed(&mut self) -> Deed {
        let scenario = &self.work.scenario;
        let all = scenario.sends + scenario.reactions + scenario.history;
        let drawn = self.chance.u32(0..all.max(1));
        if drawn < scenario.sends {
            Deed::Send
        } else if drawn < scenario.sends + scenario.reactions {
            Deed::React
        } else {
            Deed::Read
        }
    }

    fn who<'a>(&mut self, job: &Job, hall: &'a Hall) -> Option<(&'a Agent, usize)> {
        let agent = job.agent.and_then(|place| hall.agents.get(place as usize));
        if let Some(agent) = agent
            && let Some(chat) = self.chance.choice(&agent.chats)
        {
            return Some((agent, *chat as usize));
        }
        let chat = self.chance.usize(0..hall.chats.len().max(1));
        let member = self.chance.choice(&hall.chats.get(chat)?.members)?;
        Some((hall.agents.get(*member as usize)?, chat))
    }

    /// Whether a message of it will be heard.
    async fn act(&mut self, deed: Deed, job: &Job, agent: &Agent, place: usize) -> bool {
        let work = Arc::clone(&self.work);
        let Some(chat) = work.hall.chats.get(place) else { return false };
        let call = match deed {
            Deed::Send => Some(self.message(job, agent, chat)),
            Deed::React => self.reaction(agent, chat, place),
            Deed::Read => Some(self.page(agent, chat)),
        };
        let Some(call) = call else { return false };
        if deed != Deed::Read {
            work.tally.fill().counts.sent += 1;
        }
        let answer = self.http.call(&call).await;
        let took = work.hall.clock.now().saturating_sub(job.due);
        if deed != Deed::Read {
            let seq = answer.as_ref().ok().filter(|_| deed == Deed::Send).and_then(|answer| seq(&answer.body));
            chat.written(seq.unwrap_or_default());
        }
        count(&work.tally, deed, &answer, took);
        if deed == Deed::Read
            && work.page.is_none()
            && let Some(words) = answer.as_ref().ok().and_then(|answer| too_short(answer, &work.scenario))
        {
            work.hall.violations.add(|| format!("a page of chat {} {words}", chat.id()));
        }
        let sent = deed == Deed::Send && answer.is_ok_and(|answer| answer.status.is_success());
        if sent {
            chat.acknowledge();
        }
        sent
    }

    fn message(&mut self, job: &Job, agent: &Agent, chat: &Chat) -> Call {
        let stamp = Stamp { micros: job.due, node: self.node };
        let text = stamp.text(self.work.scenario.text_bytes);
        let body = format!(r#"{{"chat_id":"{}","type":"normal","text":"{text}"}}"#, chat.id());
        let mut call = Call::post(format!("{API}/talk_messages"), &agent.credential, body);
        if self.work.scenario.idempotency_keys {
            call.key = HeaderValue::from_str(&format!("load-{:032x}", self.chance.u128(..))).ok();
        }
        call
    }

    fn page(&self, agent: &Agent, chat: &Chat) -> Call {
        let path = self.work.page.clone().unwrap_or_else(|| {
            format!("{API}/talk_messages?chat_id={}&page_size={}", chat.id(), self.work.scenario.page_size)
        });
        Call::get(path, &agent.credential)
    }

    /// Members in turn put each emoji on the message whose turn it is, and when all messages had theirs, take it back.
    fn reaction(&self, agent: &Agent, chat: &Chat, place: usize) -> Option<Call> {
        let count = self.work.reactions.get(place)?.fetch_add(1, Ordering::Relaxed);
        let each = self.work.scenario.reactions_per_message;
        let (message, messages) = chat.target(count / each)?;
        let (member, emoji) = (count % each % chat.members.len().max(1), count % each / chat.members.len().max(1));
        let agent =
            chat.members.get(member).and_then(|place| self.work.hall.agents.get(*place as usize)).unwrap_or(agent);
        let emoji = EMOJI.get(emoji % EMOJI.len())?;
        let body = Bytes::from(format!(r#"{{"emoji":"{emoji}"}}"#));
        let put = (count / (each * messages.max(1))).is_multiple_of(2);
        let method = if put { Method::POST } else { Method::DELETE };
        let path = format!("{API}/talk_messages/{message}/reactions");
        Some(Call { method, path, credential: Some(agent.credential.clone()), key: None, body })
    }
}

fn count(tally: &Shared, deed: Deed, answer: &Result<Answer>, took: u64) {
    let mut tally = tally.fill();
    let Ok(answer) = answer else {
        tally.counts.failed += 1;
        return;
    };
    tally.counts.requests += 1;
    tally.counts.body_bytes += answer.body.len() as u64;
    if answer.status.is_success() {
        if deed == Deed::Read {
            tally.counts.pages += 1;
            tally.counts.page_bytes += answer.body.len() as u64;
        } else {
            tally.counts.acknowledged += 1;
        }
        let span = match deed {
            Deed::Send => Span::Send,
            Deed::React => Span::Reaction,
            Deed::Read => Span::History,
        };
        tally.took(span, took);
    } else if answer.status.as_u16() == 503 || answer.status.is_client_error() {
        tally.counts.refused += 1;
    } else {
        tally.counts.failed += 1;
    }
}

/// What is to be said of a page without the texts of all messages that must be on it.
fn too_short(answer: &Answer, scenario: &Scenario) -> Option<String> {
    let messages = scenario.page_size.min(scenario.stored_messages);
    let (bytes, least) = (answer.body.len(), messages * scenario.text_bytes);
    let short = answer.status.is_success() && bytes < least;
    short.then(|| format!("has {bytes} bytes, and the texts of {messages} messages alone are {least}"))
}

/// The number in the answer to a send.
fn seq(body: &[u8]) -> Option<u64> {
    let at = memchr::memmem::rfind(body, br#""seq":"#)?;
    number(body.get(at + 6..)?).map(|(seq, _)| seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_the_texts_of_its_messages_is_found_out() {
        let scenario = Scenario { page_size: 50, stored_messages: 60, text_bytes: 120, ..Scenario::default() };
        let page = |bytes, status: u16| {
            let status = hyper::StatusCode::from_u16(status).expect("a status");
            too_short(&Answer { status, body: vec![b'x'; bytes].into(), retry_after: None }, &scenario)
        };
        assert_eq!((page(6_000, 200), page(10, 503)), (None, None));
        assert!(page(5_999, 200).is_some_and(|words| words.contains("5999 bytes")));
    }
}
