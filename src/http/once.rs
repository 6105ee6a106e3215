//! The header `Idempotency-Key`, answers that are given again, and the time that a whole call has.

use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::chat::Question;
use crate::chat::idempotency::{Answered, Claim, Once};
use crate::chat::registry::{Attempt, Whom};
use crate::model::{Caller, MessageId};
use crate::wire::resources::MessageResource;
use crate::wire::{ApiError, Reason};

use super::State;

/// Until when a call is answered, however many answers of the store it takes: `store.wait_ms` from
/// now on.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// For a call that begins now.
    #[must_use]
    pub fn of(state: &State) -> Self {
        Self(Instant::now() + state.chats.deps().wait)
    }

    /// The call's answer. What was begun for it may still come to pass after a refusal, and is
    /// found by a repeat under its key.
    ///
    /// # Errors
    /// What the call ends with; 503 when it is not done by then.
    pub async fn hold<T>(self, call: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
        let late = |_| ApiError::new(Reason::ServiceUnavailable, "the store does not answer; try again");
        timeout_at(self.0, call).await.map_err(late)?
    }

    /// Keeps what a call is about to be answered, if there is time: the answer stands already.
    pub async fn settle(self, state: &State, caller: &Caller, once: &Once, claim: &Claim, answered: Answered) {
        // Not kept, it is found in the log.
        let _ = timeout_at(self.0, state.chats.settle(caller, once, claim, answered)).await;
    }
}

/// The request's key, for a call with these bytes of body; `None` when it has none.
///
/// # Errors
/// A key that is not 1 to 128 visible ASCII characters.
pub fn once(request: &HttpRequest, body: &[u8]) -> Result<Option<Once>, ApiError> {
    let Some(header) = request.headers().get("Idempotency-Key") else { return Ok(None) };
    let key = header.to_str().unwrap_or_default();
    let call = format!("{} {}", request.method(), request.path());
    Once::new(key, &call, body).map(Some)
}

/// An answer that was given before, as it went out.
///
/// # Errors
/// A fault of ours: something else is kept under the key.
pub fn replay<T: DeserializeOwned>(answered: &Answered) -> Result<web::Json<T>, ApiError> {
    match answered {
        Answered::Body(body) => serde_json::from_value(body.clone()).map(web::Json).map_err(ApiError::internal),
        Answered::Message(_) => Err(ApiError::internal("a message is kept where something else should be")),
    }
}

/// The message that was posted before, as it was when it was posted; a deleted one is empty.
///
/// # Errors
/// The caller may not read it any more, or the store does not answer.
pub async fn replay_message(state: &State, caller: &Caller, answered: &Answered) -> Result<MessageResource, ApiError> {
    let Answered::Message(id) = answered else { return Err(ApiError::internal("no message is kept under the key")) };
    let id = MessageId(*id);
    let (key, _) = id.locate().ok_or_else(|| ApiError::internal("a message without a place"))?;
    let answer = state.chats.question(caller, Whom::Key(key), Question::Message(id)).await?;
    answer.into_message().map(as_posted)
}

/// The attempt to make what was answered before and is not in the log any more: a failover lost it,
/// and perhaps what came before it. Whoever repeats the call beside this one uses the same nonce.
#[must_use]
pub fn anew(claim: &Claim, newest: u64) -> Attempt {
    let attempt = claim.attempt(true);
    Attempt { since: attempt.since.map(|since| since.min(newest)), ..attempt }
}

fn as_posted(mut message: MessageResource) -> MessageResource {
    if message.tm_delete.is_empty() {
        message.metadata.reactions.clear();
        message.tm_update.clone_from(&message.tm_create);
    }
    message.reply_count = None;
    message
}
