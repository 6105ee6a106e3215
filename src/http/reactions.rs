//! Emoji on messages.

use actix_web::{HttpRequest, web};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::chat::Command;
use crate::model::MessageId;
use crate::wire::ApiError;
use crate::wire::resources::MessageResource;

use super::State;
use super::body::{self, JsonBody};
use super::docs::{Conflict, NotFound, Refused};
use super::extract::{Authed, Id, Params};
use super::messages::place;

/// An emoji.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"emoji": "\u{1F44D}"}))]
pub struct ReactionBody {
    /// A character or a name, such as `thumbsup`.
    pub emoji: Option<String>,
}

/// An emoji, named in the query instead of the body.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReactionQuery {
    /// The emoji to take back, escaped.
    pub emoji: Option<String>,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let path = "/v1.0/service_agents/talk_messages/{id}/reactions";
    config.service(web::resource(path).route(web::post().to(add)).route(web::delete().to(remove)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(add, remove))]
pub struct Docs;

/// React to a message
///
/// For members. The same emoji again changes nothing.
#[utoipa::path(post, path = "/v1.0/service_agents/talk_messages/{id}/reactions", tag = "reactions",
    operation_id = "add_reaction", params(("id" = Uuid, Path)), request_body = ReactionBody,
    responses((status = 200, body = MessageResource), Refused, NotFound, Conflict))]
pub async fn add(
    state: web::Data<State>,
    Authed(who, (Id(id), JsonBody(body, _))): Authed<(Id<MessageId>, JsonBody<ReactionBody>)>,
) -> Result<web::Json<MessageResource>, ApiError> {
    let emoji = emoji(&state, body.emoji)?;
    let command = Command::React { message: id, emoji, added: true };
    state.chats.make_new(&who.caller, place(id)?, command).await?.into_message().map(web::Json)
}

/// Take one's reaction back
///
/// The emoji is named in the body or in the query. One that is not there changes nothing.
#[utoipa::path(delete, path = "/v1.0/service_agents/talk_messages/{id}/reactions", tag = "reactions",
    operation_id = "remove_reaction", params(("id" = Uuid, Path), ReactionQuery),
    request_body(content = Option<ReactionBody>), responses((status = 200, body = MessageResource), Refused, NotFound, Conflict))]
pub async fn remove(
    state: web::Data<State>,
    request: HttpRequest,
    Authed(who, (Id(id), Params(query), payload)): Authed<(Id<MessageId>, Params<ReactionQuery>, web::Payload)>,
) -> Result<web::Json<MessageResource>, ApiError> {
    let named = match query.emoji {
        Some(emoji) => Some(emoji),
        None => body::read::<ReactionBody>(&request, payload).await?.emoji,
    };
    let emoji = emoji(&state, named)?;
    let command = Command::React { message: id, emoji, added: false };
    state.chats.make_new(&who.caller, place(id)?, command).await?.into_message().map(web::Json)
}

fn emoji(state: &State, emoji: Option<String>) -> Result<String, ApiError> {
    let most = state.limits.emoji_bytes_max;
    match emoji {
        Some(emoji) if !emoji.is_empty() && emoji.len() <= most && !emoji.chars().any(char::is_control) => Ok(emoji),
        Some(_) | None => {
            Err(ApiError::argument(format!("emoji must have 1 to {most} bytes and no control characters")))
        }
    }
}
