//! The header `Idempotency-Key`, and answers that are given again.

use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::chat::Question;
use crate::chat::idempotency::{Answered, Once};
use crate::chat::registry::Whom;
use crate::model::{Caller, MessageId};
use crate::wire::ApiError;
use crate::wire::resources::MessageResource;

use super::State;

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

fn as_posted(mut message: MessageResource) -> MessageResource {
    if message.tm_delete.is_empty() {
        message.metadata.reactions.clear();
        message.tm_update.clone_from(&message.tm_create);
    }
    message.reply_count = None;
    message
}
