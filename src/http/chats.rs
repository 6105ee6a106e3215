//! Chats and channels.

use actix_web::{HttpRequest, web};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::chat::across::NewChat;
use crate::chat::command::ChatView;
use crate::chat::idempotency::{Answered, Claim, Claimed, Once};
use crate::chat::registry::Whom;
use crate::chat::{Command, Question};
use crate::model::{AgentId, Caller, ChatId, ChatKind, Micros};
use crate::store::ChatList;
use crate::wire::page::{Listed, PageQuery};
use crate::wire::resources::{ChatResource, ParticipantResource};
use crate::wire::{ApiError, Reason};

use super::State;
use super::body::JsonBody;
use super::docs::{Conflict, NotFound, Refused};
use super::extract::{Authed, Id, Paging, Params};
use super::listed::listed;
use super::once::{Deadline, once, replay};
use super::participants::{self, ParticipantCreate};

/// A chat to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"type": "group", "name": "Night shift", "detail": "Who is on",
    "participants": [{"owner_type": "agent", "owner_id": "7dd4fad3-0378-4725-9e1b-93bc5821d9c7"}]}))]
pub struct ChatCreate {
    /// `direct`, `group` or `talk`; `normal` is taken as `group`.
    pub r#type: Option<String>,
    /// At most `limits.name_chars_max` characters.
    pub name: Option<String>,
    /// At most `limits.detail_chars_max` characters.
    pub detail: Option<String>,
    /// The others. The caller is a member, listed or not.
    pub participants: Option<Vec<ParticipantCreate>>,
}

/// What to change; what is absent or null stays, `""` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Day shift", "detail": ""}))]
pub struct ChatUpdate {
    pub name: Option<String>,
    pub detail: Option<String>,
}

/// Which channels.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChannelQuery {
    /// Only those whose name holds this, whatever the case.
    pub name: Option<String>,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let base = "/v1.0/service_agents/talk_chats";
    let one = web::resource(format!("{base}/{{id}}"));
    config
        .service(web::resource(base).route(web::get().to(list)).route(web::post().to(create)))
        .service(one.route(web::get().to(get)).route(web::put().to(update)).route(web::delete().to(delete)))
        .service(web::resource(format!("{base}/{{id}}/join")).route(web::post().to(join)))
        .service(web::resource("/v1.0/service_agents/talk_channels").route(web::get().to(channels)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(list, create, get, update, delete, join, channels))]
pub struct Docs;

/// List the caller's chats
///
/// Those the caller is a member of and that are not deleted, newest first.
#[utoipa::path(get, path = "/v1.0/service_agents/talk_chats", tag = "chats", operation_id = "list_chats",
    params(PageQuery), responses((status = 200, body = Listed<ChatResource>), Refused))]
pub async fn list(
    state: web::Data<State>,
    Authed(who, Paging(page)): Authed<Paging>,
) -> Result<web::Json<Listed<ChatResource>>, ApiError> {
    let own = ChatList::Agent(who.caller.agent);
    let found = state.chats.list(&who.caller, own, &page, &|view| view.member && !view.deleted).await?;
    Ok(web::Json(listed(&found, place, |(_, view)| view.resource.clone())))
}

/// List the customer's channels
///
/// Every public channel that is not deleted, newest first, with `joined` on each.
#[utoipa::path(get, path = "/v1.0/service_agents/talk_channels", tag = "chats", operation_id = "list_channels",
    params(PageQuery, ChannelQuery), responses((status = 200, body = Listed<ChatResource>), Refused))]
pub async fn channels(
    state: web::Data<State>,
    Authed(who, (Paging(page), Params(query))): Authed<(Paging, Params<ChannelQuery>)>,
) -> Result<web::Json<Listed<ChatResource>>, ApiError> {
    let part = query.name.unwrap_or_default().to_lowercase();
    let wanted = |view: &ChatView| {
        let talk = view.kind == ChatKind::Talk && !view.deleted;
        talk && (part.is_empty() || view.resource.name.to_lowercase().contains(&part))
    };
    let found = state.chats.list(&who.caller, ChatList::Channels, &page, &wanted).await?;
    let body = |(_, view): &Row| ChatResource { joined: Some(view.member), ..view.resource.clone() };
    Ok(web::Json(listed(&found, place, body)))
}

/// A chat, with the moment at which it stands in its list.
type Row = (Micros, ChatView);

fn place((at, view): &Row) -> (Micros, Uuid) {
    (*at, view.resource.id)
}

/// Make a chat
///
/// All of it or none. The caller is a member, listed or not. A live direct chat of the two is
/// returned as it is, whoever asks.
#[utoipa::path(post, path = "/v1.0/service_agents/talk_chats", tag = "chats", operation_id = "create_chat",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = ChatCreate, responses((status = 200, body = ChatResource), Refused, NotFound, Conflict))]
pub async fn create(
    state: web::Data<State>,
    request: HttpRequest,
    Authed(who, JsonBody(body, bytes)): Authed<JsonBody<ChatCreate>>,
) -> Result<web::Json<ChatResource>, ApiError> {
    let once = once(&request, &bytes)?;
    let new = new_chat(&state, &who.caller, body)?;
    let deadline = Deadline::of(&state);
    let Some(once) = once else {
        return deadline.hold(make(&state, &who.caller, &new, None)).await.map(web::Json);
    };
    let (chat, settles) = deadline.hold(make_once(&state, &who.caller, &new, &once)).await?;
    if let Some(claim) = settles {
        let body = serde_json::to_value(&chat).map_err(ApiError::internal)?;
        deadline.settle(&state, &who.caller, &once, &claim, Answered::Body(body)).await;
    }
    Ok(web::Json(chat))
}

async fn make(state: &State, caller: &Caller, new: &NewChat, id: Option<ChatId>) -> Result<ChatResource, ApiError> {
    check_agents(state, caller, new).await?;
    state.chats.create(caller, new, id).await
}

/// The chat, made now or before; with the claim to keep it in when it is not kept there yet.
async fn make_once(
    state: &State,
    caller: &Caller,
    new: &NewChat,
    once: &Once,
) -> Result<(ChatResource, Option<Claim>), ApiError> {
    let Claimed { claim, repeated } = state.chats.claim(caller, once, 0, Some(ChatId::random())).await?;
    let id = claim.chat.map(ChatId);
    if let Some(answered) = &claim.answered {
        let web::Json(made) = replay::<ChatResource>(answered)?;
        // A chat is never unmade: of one that has no events at all, a failover lost them.
        if state.chats.newest(ChatId(made.id).key()).await? > 0 {
            return Ok((made, None));
        }
    }
    let earlier = match id.filter(|_| repeated) {
        Some(id) => state.chats.earlier_chat(caller, new, id).await?,
        None => None,
    };
    let chat = match earlier {
        Some(chat) => chat,
        None => make(state, caller, new, id).await?,
    };
    Ok((chat, Some(claim)))
}

fn new_chat(state: &State, caller: &Caller, body: ChatCreate) -> Result<NewChat, ApiError> {
    let kind = body.r#type.as_deref().and_then(ChatKind::parse);
    let kind = kind.ok_or_else(|| ApiError::argument("type must be direct, group or talk"))?;
    let (name, detail) = (body.name.unwrap_or_default(), body.detail.unwrap_or_default());
    check_texts(state, Some(&name), Some(&detail))?;
    let mut members = vec![caller.agent];
    for participant in body.participants.unwrap_or_default() {
        members.push(participant.owner("participants")?);
    }
    members.sort_unstable();
    members.dedup();
    if kind == ChatKind::Direct && members.len() != 2 {
        return Err(ApiError::argument("participants: a direct chat is with exactly one other agent"));
    }
    let most = state.limits.members_max;
    if members.len() > most {
        return Err(ApiError::argument(format!("participants: a chat has at most {most} members")));
    }
    Ok(NewChat { kind, name, detail, members })
}

fn check_texts(state: &State, name: Option<&String>, detail: Option<&String>) -> Result<(), ApiError> {
    let limits = &state.limits;
    for (field, text, most) in [("name", name, limits.name_chars_max), ("detail", detail, limits.detail_chars_max)] {
        if text.is_some_and(|text| text.chars().count() > most) {
            return Err(ApiError::argument(format!("{field} must have at most {most} characters")));
        }
    }
    Ok(())
}

async fn check_agents(state: &State, caller: &Caller, new: &NewChat) -> Result<(), ApiError> {
    let others: Vec<AgentId> = new.members.iter().copied().filter(|agent| *agent != caller.agent).collect();
    let exist = state.people.agents_exist(caller.customer, &others).await?;
    match others.iter().zip(exist).find(|(_, exists)| !exists) {
        Some((agent, _)) => Err(ApiError::new(Reason::AgentNotFound, format!("participants: no agent {agent}"))),
        None => Ok(()),
    }
}

/// One chat
///
/// For its members; a public channel for every agent of the customer.
#[utoipa::path(get, path = "/v1.0/service_agents/talk_chats/{id}", tag = "chats", operation_id = "get_chat",
    params(("id" = Uuid, Path)), responses((status = 200, body = ChatResource), Refused, NotFound))]
pub async fn get(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<ChatId>>,
) -> Result<web::Json<ChatResource>, ApiError> {
    Ok(web::Json(Deadline::of(&state).hold(view(&state, &who.caller, id)).await?.resource))
}

/// The chat as the caller sees it.
pub(super) async fn view(state: &State, caller: &Caller, id: ChatId) -> Result<ChatView, ApiError> {
    state.chats.question(caller, Whom::Chat(id), Question::Chat).await?.into_chat()
}

/// Change a chat's name or detail
///
/// For its members.
#[utoipa::path(put, path = "/v1.0/service_agents/talk_chats/{id}", tag = "chats", operation_id = "update_chat",
    params(("id" = Uuid, Path)), request_body = ChatUpdate,
    responses((status = 200, body = ChatResource), Refused, NotFound, Conflict))]
pub async fn update(
    state: web::Data<State>,
    Authed(who, (Id(id), JsonBody(body, _))): Authed<(Id<ChatId>, JsonBody<ChatUpdate>)>,
) -> Result<web::Json<ChatResource>, ApiError> {
    if body.name.is_none() && body.detail.is_none() {
        return Err(ApiError::argument("name or detail is required"));
    }
    check_texts(&state, body.name.as_ref(), body.detail.as_ref())?;
    let command = Command::Update { name: body.name, detail: body.detail };
    let updated = state.chats.make_new(&who.caller, Whom::Chat(id), command);
    Ok(web::Json(Deadline::of(&state).hold(updated).await?.into_chat()?.resource))
}

/// Delete a chat
///
/// For its members, who can still read it; nobody changes it any more. A repeat answers the same.
#[utoipa::path(delete, path = "/v1.0/service_agents/talk_chats/{id}", tag = "chats", operation_id = "delete_chat",
    params(("id" = Uuid, Path)), responses((status = 200, body = ChatResource), Refused, NotFound))]
pub async fn delete(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<ChatId>>,
) -> Result<web::Json<ChatResource>, ApiError> {
    Deadline::of(&state).hold(state.chats.delete(&who.caller, id)).await.map(web::Json)
}

/// Join a public channel
///
/// For any agent of the customer. A member already gets the existing record.
#[utoipa::path(post, path = "/v1.0/service_agents/talk_chats/{id}/join", tag = "chats", operation_id = "join_chat",
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ParticipantResource), Refused, NotFound, Conflict))]
pub async fn join(
    state: web::Data<State>,
    request: HttpRequest,
    Authed(who, Id(id)): Authed<Id<ChatId>>,
) -> Result<web::Json<ParticipantResource>, ApiError> {
    let once = once(&request, b"")?;
    participants::take_in(&state, &who.caller, id, who.caller.agent, true, once).await
}
