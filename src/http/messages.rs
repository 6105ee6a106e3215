//! Messages, and reactions to them.

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::chat::idempotency::{Answered, Claim, Claimed, Once};
use crate::chat::registry::{Attempt, Whom};
use crate::chat::{Command, Question};
use crate::model::{Caller, ChatId, MessageId, Micros};
use crate::store::{Page, Side};
use crate::wire::page::{Listed, PageQuery, PageRequest, Token};
use crate::wire::resources::MessageResource;
use crate::wire::{ApiError, Reason, time};

use super::State;
use super::body::JsonBody;
use super::docs::{Conflict, NotFound, Refused};
use super::extract::{Authed, Id, Paging, Params};
use super::files::FileDesk;
use super::medias::{MediaCreate, medias};
use super::once::{Deadline, anew, once, replay_message};
use super::participants::not_a_member;

/// A message to post. It has a text, or medias, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"chat_id": "6c1fd2a4-9f6c-4d43-8ad0-2f6f3b0b7f21", "type": "normal", "text": "Hello Bob",
    "medias": [{"type": "link", "link_url": "https://example.com/plan"}]}))]
pub struct MessageCreate {
    /// The chat to post it in.
    pub chat_id: Option<String>,
    /// `normal`, which is also what is taken when it is absent.
    pub r#type: Option<String>,
    /// The message of the same chat that this one replies to; absent, null or `""`: none.
    pub parent_id: Option<String>,
    /// At most `limits.text_bytes_max` bytes.
    pub text: Option<String>,
    /// At most `limits.medias_max`.
    pub medias: Option<Vec<MediaCreate>>,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// Those of this chat. Without: those of all chats of the caller, merged by time.
    #[param(value_type = Option<Uuid>)]
    pub chat_id: Option<String>,
    /// Only the direct replies to this message.
    #[param(value_type = Option<Uuid>)]
    pub parent_id: Option<String>,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let base = "/v1.0/service_agents/talk_messages";
    let one = web::resource(format!("{base}/{{id}}"));
    config
        .service(web::resource(base).route(web::get().to(list)).route(web::post().to(create)))
        .service(one.route(web::get().to(get)).route(web::delete().to(delete)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(list, create, get, delete))]
pub struct Docs;

/// List messages
///
/// Of one chat, of one thread, or of all chats of the caller. Newest first; deleted messages stay
/// as tombstones.
#[utoipa::path(get, path = "/v1.0/service_agents/talk_messages", tag = "messages", operation_id = "list_messages",
    params(PageQuery, MessageQuery), responses((status = 200, body = Listed<MessageResource>), Refused, NotFound))]
pub async fn list(
    state: web::Data<State>,
    Authed(who, (Paging(page), Params(query))): Authed<(Paging, Params<MessageQuery>)>,
) -> Result<HttpResponse, ApiError> {
    let chat = optional(query.chat_id.as_deref(), "chat_id", ChatId::parse)?;
    let parent = optional(query.parent_id.as_deref(), "parent_id", MessageId::parse)?;
    let Some(whom) = whose(chat, parent)? else {
        let result = state.chats.merged_messages(&who.caller, &page).await?;
        let token = |last: &MessageResource| Token::row(time::parse(&last.tm_create).unwrap_or_default(), last.id);
        let next_page_token = result.last().map(token).unwrap_or_default();
        return Ok(HttpResponse::Ok().json(Listed { result, next_page_token }));
    };
    if let (Some(chat), None, PageRequest { limit, ascending: false, after: None }) = (chat, parent, page) {
        let asked = state.chats.newest_page(&who.caller, chat, limit);
        let page = Deadline::of(&state).hold(asked).await?;
        return Ok(HttpResponse::Ok().content_type(ContentType::json()).body(page));
    }
    let question = Question::Messages { page: stretch(&page), parent };
    let asked = state.chats.question(&who.caller, whom, question);
    let result = Deadline::of(&state).hold(asked).await?.into_messages()?;
    let next_page_token = result.last().map(|last| last.tm_create.clone()).unwrap_or_default();
    Ok(HttpResponse::Ok().json(Listed { result, next_page_token }))
}

/// The chat that is asked; `None`: all of them.
fn whose(chat: Option<ChatId>, parent: Option<MessageId>) -> Result<Option<Whom>, ApiError> {
    let elsewhere = || ApiError::parameter("parent_id is not a message of this chat");
    match (chat, parent) {
        (None, None) => Ok(None),
        (Some(chat), None) => Ok(Some(Whom::Chat(chat))),
        (Some(chat), Some(parent)) => match parent.locate() {
            Some((key, _)) if key == chat.key() => Ok(Some(Whom::Chat(chat))),
            Some(_) | None => Err(elsewhere()),
        },
        (None, Some(parent)) => {
            let unknown = || ApiError::new(Reason::TalkMessageNotFound, "no such message");
            Ok(Some(Whom::Key(parent.locate().ok_or_else(unknown)?.0)))
        }
    }
}

fn stretch(page: &PageRequest) -> Page {
    let at = page.after.map(|token| token.at);
    let side =
        if page.ascending { Side::After(at.unwrap_or(Micros::ZERO)) } else { Side::Before(at.unwrap_or(Micros::MAX)) };
    Page { side, limit: page.limit }
}

fn optional<T>(text: Option<&str>, field: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, ApiError> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => {
            let wrong = || ApiError::new(Reason::InvalidId, format!("{field} must be a UUID"));
            parse(text).map(Some).ok_or_else(wrong)
        }
    }
}

/// Post a message
///
/// For members. Once this is answered, everybody in the chat gets it.
#[utoipa::path(post, path = "/v1.0/service_agents/talk_messages", tag = "messages", operation_id = "create_message",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = MessageCreate, responses((status = 200, body = MessageResource), Refused, NotFound, Conflict))]
pub async fn create(
    state: web::Data<State>,
    desk: web::Data<FileDesk>,
    request: HttpRequest,
    Authed(who, JsonBody(body, bytes)): Authed<JsonBody<MessageCreate>>,
) -> Result<web::Json<MessageResource>, ApiError> {
    let once = once(&request, &bytes)?;
    let chat = body.chat_id.as_deref().and_then(ChatId::parse);
    let chat = chat.ok_or_else(|| ApiError::new(Reason::InvalidId, "chat_id must be a UUID"))?;
    let draft = Draft::parse(&state, body)?;
    let deadline = Deadline::of(&state);
    let Some(once) = once else {
        let posted = draft.post(&state, &desk, &who.caller, chat, Attempt::first());
        return deadline.hold(posted).await.map(web::Json);
    };
    let (posted, settles) = deadline.hold(post_once(&state, &desk, &who.caller, chat, draft, &once)).await?;
    if let Some(claim) = settles {
        deadline.settle(&state, &who.caller, &once, &claim, Answered::Message(posted.id)).await;
    }
    Ok(web::Json(posted))
}

/// The message, posted now or before; with the claim to keep it in when it is not kept there yet.
async fn post_once(
    state: &State,
    desk: &FileDesk,
    caller: &Caller,
    chat: ChatId,
    draft: Draft,
    once: &Once,
) -> Result<(MessageResource, Option<Claim>), ApiError> {
    let newest = state.chats.newest(chat.key()).await?;
    let Claimed { claim, repeated } = state.chats.claim(caller, once, newest, None).await?;
    let attempt = if let Some(answered) = &claim.answered {
        match replay_message(state, caller, answered).await {
            // A failover lost what was acknowledged, and kept what was answered.
            Err(error) if error.reason == Reason::TalkMessageNotFound => anew(&claim, newest),
            replayed => return replayed.map(|message| (message, None)),
        }
    } else {
        if repeated && let Some(answer) = state.chats.earlier(caller, chat, &claim).await? {
            let answered = Answered::Message(answer.into_message()?.id);
            return Ok((replay_message(state, caller, &answered).await?, Some(claim)));
        }
        claim.attempt(repeated)
    };
    let posted = draft.post(state, desk, caller, chat, attempt).await?;
    Ok((posted, Some(claim)))
}

/// What a user says, understood and within the limits.
struct Draft {
    parent: Option<MessageId>,
    text: String,
    medias: Vec<MediaCreate>,
}

impl Draft {
    fn parse(state: &State, body: MessageCreate) -> Result<Self, ApiError> {
        if body.r#type.as_deref().is_some_and(|kind| !matches!(kind, "" | "normal")) {
            return Err(ApiError::argument("type must be normal"));
        }
        let parent = optional(body.parent_id.as_deref(), "parent_id", MessageId::parse)?;
        let (text, medias) = (body.text.unwrap_or_default(), body.medias.unwrap_or_default());
        let limits = &state.limits;
        if text.len() > limits.text_bytes_max {
            return Err(ApiError::argument(format!("text must have at most {} bytes", limits.text_bytes_max)));
        }
        if medias.len() > limits.medias_max {
            return Err(ApiError::argument(format!("medias: a message has at most {}", limits.medias_max)));
        }
        if text.is_empty() && medias.is_empty() {
            return Err(ApiError::argument("text or medias is required"));
        }
        Ok(Self { parent, text, medias })
    }

    async fn post(
        self,
        state: &State,
        desk: &FileDesk,
        caller: &Caller,
        chat: ChatId,
        attempt: Attempt,
    ) -> Result<MessageResource, ApiError> {
        if self.medias.iter().any(MediaCreate::is_file) {
            // A file notes the chats that it is in, which are few: nobody fills them with others.
            may_post(state, caller, chat).await?;
        }
        let medias = medias(desk, caller, chat, self.medias).await?;
        let command = Command::Post { parent: self.parent, text: self.text, medias };
        state.chats.make(caller, Whom::Chat(chat), command, attempt).await?.into_message()
    }
}

/// Refuses what the chat itself would refuse, before anything is done for it.
async fn may_post(state: &State, caller: &Caller, chat: ChatId) -> Result<(), ApiError> {
    let view = super::chats::view(state, caller, chat).await?;
    if !view.member {
        return Err(not_a_member());
    }
    if view.deleted {
        return Err(ApiError::new(Reason::StateInvalid, "the chat is deleted"));
    }
    Ok(())
}

/// One message
///
/// For members of its chat.
#[utoipa::path(get, path = "/v1.0/service_agents/talk_messages/{id}", tag = "messages", operation_id = "get_message",
    params(("id" = Uuid, Path)), responses((status = 200, body = MessageResource), Refused, NotFound))]
pub async fn get(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<MessageId>>,
) -> Result<web::Json<MessageResource>, ApiError> {
    let asked = state.chats.question(&who.caller, place(id)?, Question::Message(id));
    Deadline::of(&state).hold(asked).await?.into_message().map(web::Json)
}

/// Delete a message
///
/// For its author while a member. What was said is gone everywhere; its place in the thread stays.
#[utoipa::path(delete, path = "/v1.0/service_agents/talk_messages/{id}", tag = "messages",
    operation_id = "delete_message", params(("id" = Uuid, Path)),
    responses((status = 200, body = MessageResource), Refused, NotFound, Conflict))]
pub async fn delete(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<MessageId>>,
) -> Result<web::Json<MessageResource>, ApiError> {
    let command = Command::DeleteMessage { message: id };
    let deleted = state.chats.make_new(&who.caller, place(id)?, command);
    Deadline::of(&state).hold(deleted).await?.into_message().map(web::Json)
}

/// The chat that a message's id names.
pub(super) fn place(id: MessageId) -> Result<Whom, ApiError> {
    let unknown = || ApiError::new(Reason::TalkMessageNotFound, "no such message");
    id.locate().map(|(key, _)| Whom::Key(key)).ok_or_else(unknown)
}
