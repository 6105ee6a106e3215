//! Idempotency keys: a call that is repeated under its key is made once, whichever node it lands
//! on, and gives the first answer again for 24 hours.
//!
//! Before anything is made the agent's key is claimed. The claim names what is asked (a
//! fingerprint), under which nonce its first event goes into the log, and after which number it
//! must be looked for. Whoever repeats the call, even while the first one is under way or after
//! its node died, uses the same nonce, and the store makes one event of a nonce. The nonce follows
//! from the key, and the chat remembers it beside its log: a failover that loses the claim and keeps
//! the event changes nothing. What was answered
//! is put into the claim afterwards; a message only by its place, so that a text deleted later is
//! not kept there.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{Caller, ChatId, Nonce, Record};
use crate::sabotage::{Safeguard, off};
use crate::store::{Committed, StoreError};
use crate::telemetry::bound_reached;
use crate::wire::{ApiError, Reason};

use super::command::Answer;
use super::looking::CHUNK;
use super::registry::{Attempt, Chats};
use super::room::Room;
use super::rules;

/// Longest key, in visible ASCII characters.
const KEY_CHARS_MAX: usize = 128;

/// A key that a client sent with a call, and what the call asks.
#[derive(Clone, Debug)]
pub struct Once {
    key: String,
    fingerprint: String,
}

impl Once {
    /// A key for a call with this method and path and these bytes of body.
    ///
    /// # Errors
    /// A key that is empty, too long, or not visible ASCII.
    pub fn new(key: &str, call: &str, body: &[u8]) -> Result<Self, ApiError> {
        let visible = key.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        if key.is_empty() || key.len() > KEY_CHARS_MAX || !visible {
            return Err(ApiError::parameter(format!(
                "Idempotency-Key must be 1 to {KEY_CHARS_MAX} visible ASCII characters"
            )));
        }
        let mut hash = Sha256::new();
        hash.update(call.as_bytes());
        hash.update([0]);
        hash.update(body);
        let digest = hash.finalize();
        let fingerprint = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key: key.to_owned(), fingerprint })
    }

    /// The nonce that stands for this key of the agent's.
    fn nonce(&self, caller: &Caller) -> Nonce {
        let mut hash = Sha256::new();
        hash.update(caller.customer.bytes());
        hash.update(caller.agent.bytes());
        hash.update(self.key.as_bytes());
        Nonce::of_key(hash.finalize().iter().take(8).fold(0, |digest, byte| (digest << 8) | u64::from(*byte)))
    }
}

/// What is kept under a key.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Claim {
    #[serde(rename = "f")]
    fingerprint: String,
    #[serde(rename = "n")]
    nonce: u64,
    /// Tells this claim from another of the same key.
    #[serde(rename = "t", default)]
    tag: u64,
    /// The chat's newest event when the key was claimed.
    #[serde(rename = "s")]
    since: u64,
    /// The chat that is to be made, for calls that make one.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub chat: Option<uuid::Uuid>,
    /// What was answered.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
}

/// What was answered to the first call.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub enum Answered {
    /// A message: its id, and it is read again.
    #[serde(rename = "m")]
    Message(uuid::Uuid),
    /// Anything else, as it went out.
    #[serde(rename = "b")]
    Body(serde_json::Value),
}

impl Claim {
    /// The attempt to make now. When the claim was there before, the log is searched for it first.
    #[must_use]
    pub fn attempt(&self, repeated: bool) -> Attempt {
        Attempt { nonce: Nonce(self.nonce), since: Some(self.since), repeated }
    }
}

/// A key that is claimed.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub claim: Claim,
    /// Whether an earlier call had claimed it.
    pub repeated: bool,
}

impl Chats {
    /// Claims the agent's key for a call. `since` is the newest event of the chat that it is for.
    ///
    /// # Errors
    /// The key was used with another call, or too many keys were used in this hour.
    pub async fn claim(
        &self,
        caller: &Caller,
        once: &Once,
        since: u64,
        chat: Option<ChatId>,
    ) -> Result<Claimed, ApiError> {
        let mine = Claim {
            fingerprint: once.fingerprint.clone(),
            nonce: once.nonce(caller).0,
            tag: rand::random(),
            since,
            chat: chat.map(|chat| chat.0),
            answered: None,
        };
        if off(Safeguard::Idempotency) {
            return Ok(Claimed { repeated: false, claim: Claim { nonce: Nonce::random().0, ..mine } });
        }
        let bytes = serde_json::to_vec(&mine).map_err(ApiError::internal)?;
        let per_hour = self.deps().limits.idempotency_keys_per_hour;
        let index = &self.deps().store.index;
        let kept = index.claim_key(caller.customer, caller.agent, &once.key, &bytes, per_hour).await?;
        let kept = kept.ok_or_else(|| {
            bound_reached("limits.idempotency_keys_per_hour");
            ApiError::new(Reason::RateLimitExceeded, format!("at most {per_hour} new idempotency keys in an hour"))
        })?;
        let claim: Claim = serde_json::from_slice(&kept).map_err(ApiError::internal)?;
        if claim.fingerprint != once.fingerprint {
            return Err(ApiError::new(Reason::IdempotencyKeyReused, "this Idempotency-Key was used with another call"));
        }
        Ok(Claimed { repeated: claim.tag != mine.tag, claim })
    }

    /// What an earlier call under this key has made in the chat, as it was answered then; `None`
    /// when nothing of it is in the log. Asked before a repeated call is checked again: what was
    /// right then, such as a file that was there, can be wrong now.
    ///
    /// # Errors
    /// 503 when the store did not answer, or the search took longer than `store.wait_ms`.
    pub async fn earlier(&self, caller: &Caller, chat: ChatId, claim: &Claim) -> Result<Option<Answer>, ApiError> {
        let search = self.search_log(chat, Nonce(claim.nonce), claim.since);
        let late = |_| ApiError::new(Reason::ServiceUnavailable, "the store does not answer; try again");
        let Some(record) = tokio::time::timeout(self.deps().wait, search).await.map_err(late)?? else {
            return Ok(None);
        };
        self.deps().store.log.assure(chat.key()).await?;
        let there = self.deps().store.log.load(chat.key()).await?.filter(|there| there.chat.id == chat);
        let Some(there) = there else { return Ok(None) };
        let room = Room::from_snapshot(there, self.deps().bounds());
        let committed = Committed { records: vec![record], repeated: true, previous: None };
        Ok(rules::answer(&room, caller, &committed, None))
    }

    /// The event of this nonce among those after a number.
    async fn search_log(&self, chat: ChatId, nonce: Nonce, since: u64) -> Result<Option<Record>, StoreError> {
        let mut next = since + 1;
        loop {
            let records = self.deps().store.log.events(chat.key(), next, CHUNK).await?;
            let Some(last) = records.last() else { return Ok(None) };
            next = last.seq + 1;
            if let Some(found) = records.into_iter().find(|record| record.nonce == nonce) {
                return Ok(Some(found));
            }
        }
    }

    /// Keeps what was answered. Not doing so, when the store is away, costs a search at a repeat.
    pub async fn settle(&self, caller: &Caller, once: &Once, claim: &Claim, answered: Answered) {
        let settled = Claim { answered: Some(answered), ..claim.clone() };
        let Ok(bytes) = serde_json::to_vec(&settled) else { return };
        let index = &self.deps().store.index;
        if let Err(error) = index.settle_key(caller.customer, caller.agent, &once.key, &bytes).await {
            tracing::warn!(%error, "answer to an idempotent call not kept; a repeat is found in the log instead");
        }
    }
}
