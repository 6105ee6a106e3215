//! Who is in a chat.

use actix_web::{HttpRequest, web};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use crate::chat::idempotency::{Answered, Claim, Claimed, Once};
use crate::chat::registry::{Attempt, Whom};
use crate::chat::{Command, Question};
use crate::model::{AgentId, Caller, ChatId, ChatKind, ParticipantId};
use crate::wire::resources::ParticipantResource;
use crate::wire::{ApiError, Reason};

use super::State;
use super::body::JsonBody;
use super::docs::{Conflict, NotFound, Refused};
use super::extract::{Authed, Id, Pid};
use super::once::{Deadline, anew, once, replay};

/// An agent to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"owner_type": "agent", "owner_id": "7dd4fad3-0378-4725-9e1b-93bc5821d9c7"}))]
pub struct ParticipantCreate {
    /// `agent`, which is also what is taken when it is absent.
    pub owner_type: Option<String>,
    /// The agent's id.
    pub owner_id: Option<String>,
}

impl ParticipantCreate {
    /// The agent that is meant.
    ///
    /// # Errors
    /// Names the field, below `path`, that is wrong.
    pub fn owner(&self, path: &str) -> Result<AgentId, ApiError> {
        let field = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if self.owner_type.as_deref().is_some_and(|kind| !matches!(kind, "" | "agent")) {
            return Err(ApiError::argument(format!("{} must be agent", field("owner_type"))));
        }
        let wrong = || ApiError::new(Reason::InvalidId, format!("{} must be a UUID", field("owner_id")));
        self.owner_id.as_deref().and_then(AgentId::parse).ok_or_else(wrong)
    }
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let all = "/v1.0/service_agents/talk_chats/{id}/participants";
    config
        .service(web::resource(all).route(web::get().to(list)).route(web::post().to(add)))
        .service(web::resource(format!("{all}/{{pid}}")).route(web::delete().to(remove)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(list, add, remove))]
pub struct Docs;

/// List a chat's participants
///
/// All of them, newest joined first. For its members; of a public channel for every agent of the
/// customer.
#[utoipa::path(get, path = "/v1.0/service_agents/talk_chats/{id}/participants", tag = "participants",
    operation_id = "list_participants", params(("id" = Uuid, Path)),
    responses((status = 200, body = Vec<ParticipantResource>), Refused, NotFound))]
pub async fn list(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<ChatId>>,
) -> Result<web::Json<Vec<ParticipantResource>>, ApiError> {
    Deadline::of(&state).hold(participants(&state, &who.caller, id)).await.map(web::Json)
}

async fn participants(state: &State, caller: &Caller, id: ChatId) -> Result<Vec<ParticipantResource>, ApiError> {
    state.chats.question(caller, Whom::Chat(id), Question::Participants).await?.into_participants()
}

/// Take an agent in
///
/// Members take in others; anybody of the customer itself into a public channel. A member already:
/// the existing record.
#[utoipa::path(post, path = "/v1.0/service_agents/talk_chats/{id}/participants", tag = "participants",
    operation_id = "add_participant", params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = ParticipantCreate,
    responses((status = 200, body = ParticipantResource), Refused, NotFound, Conflict))]
pub async fn add(
    state: web::Data<State>,
    request: HttpRequest,
    Authed(who, (Id(id), JsonBody(body, bytes))): Authed<(Id<ChatId>, JsonBody<ParticipantCreate>)>,
) -> Result<web::Json<ParticipantResource>, ApiError> {
    let once = once(&request, &bytes)?;
    take_in(&state, &who.caller, id, body.owner("")?, false, once).await
}

/// Takes an agent into a chat: found by every list before it is a member.
pub(super) async fn take_in(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    agent: AgentId,
    joins: bool,
    once: Option<Once>,
) -> Result<web::Json<ParticipantResource>, ApiError> {
    let deadline = Deadline::of(state);
    let Some(once) = once else {
        let added = add_agent(state, caller, chat, agent, joins, Attempt::first());
        return deadline.hold(added).await.map(web::Json);
    };
    let (added, settles) = deadline.hold(take_in_once(state, caller, chat, agent, joins, &once)).await?;
    if let Some(claim) = settles {
        let body = serde_json::to_value(&added).map_err(ApiError::internal)?;
        deadline.settle(state, caller, &once, &claim, Answered::Body(body)).await;
    }
    Ok(web::Json(added))
}

/// The participant, taken in now or before; with the claim to keep it in when it is not kept there
/// yet.
async fn take_in_once(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    agent: AgentId,
    joins: bool,
    once: &Once,
) -> Result<(ParticipantResource, Option<Claim>), ApiError> {
    let newest = state.chats.newest(chat.key()).await?;
    let Claimed { claim, repeated } = state.chats.claim(caller, once, newest, None).await?;
    let attempt = if let Some(answered) = &claim.answered {
        let web::Json(added) = replay::<ParticipantResource>(answered)?;
        // Who was taken out again since then stays out. What is not in the log either, a failover lost.
        if is_there(state, caller, chat, &added).await? || state.chats.earlier(caller, chat, &claim).await?.is_some() {
            return Ok((added, None));
        }
        anew(&claim, newest)
    } else {
        if repeated && let Some(answer) = state.chats.earlier(caller, chat, &claim).await? {
            return Ok((answer.into_participant()?, Some(claim)));
        }
        claim.attempt(repeated)
    };
    let added = add_agent(state, caller, chat, agent, joins, attempt).await?;
    Ok((added, Some(claim)))
}

/// Whether the record stands in the chat; also said when the caller may not know any more.
async fn is_there(state: &State, caller: &Caller, chat: ChatId, one: &ParticipantResource) -> Result<bool, ApiError> {
    match participants(state, caller, chat).await {
        Ok(all) => Ok(all.iter().any(|other| other.id == one.id)),
        Err(error) if error.reason == Reason::ServiceUnavailable => Err(error),
        Err(_) => Ok(true),
    }
}

async fn add_agent(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    agent: AgentId,
    joins: bool,
    attempt: Attempt,
) -> Result<ParticipantResource, ApiError> {
    let not_joined = || ApiError::argument("only chats of type talk can be joined");
    let view = match super::chats::view(state, caller, chat).await {
        // That only channels can be joined is said to those outside too.
        Err(error) if joins && error.reason == Reason::PermissionDenied => return Err(not_joined()),
        seen => seen?,
    };
    if joins && view.kind != ChatKind::Talk {
        return Err(not_joined());
    }
    if !view.member && agent != caller.agent {
        return Err(not_a_member());
    }
    let name = if agent == caller.agent { caller.name.clone() } else { name_of(state, caller, agent).await? };
    // Into these nobody comes, for good; what is there is still answered.
    let closed = view.deleted || view.kind == ChatKind::Direct;
    if !closed {
        state.chats.announce(caller, chat, view.created, agent).await?;
    }
    let made = state.chats.make(caller, Whom::Chat(chat), Command::Add { agent, name, joins }, attempt).await;
    if let Err(error) = &made
        && !closed
        && error.reason != Reason::ServiceUnavailable
    {
        // Did not come in: let it be forgotten, unless the agent is a member by then.
        state.chats.forget(caller, chat, agent).await;
    }
    made?.into_participant()
}

/// The refusal of who is outside of a chat that may be known.
pub(super) fn not_a_member() -> ApiError {
    ApiError::new(Reason::PermissionDenied, "only members of the chat may do this")
}

/// The name of an agent who may be taken in.
async fn name_of(state: &State, caller: &Caller, agent: AgentId) -> Result<String, ApiError> {
    if let Some(found) = state.people.agent(caller.customer, agent).await? {
        return Ok(found.caller().name);
    }
    match state.people.agents_exist(caller.customer, &[agent]).await?.first() {
        Some(true) => Ok(agent.to_string()),
        Some(false) | None => Err(ApiError::new(Reason::AgentNotFound, format!("owner_id: no agent {agent}"))),
    }
}

/// Take a participant out
///
/// For members; oneself: to leave. Answers with the record that is no more. A direct chat keeps its
/// two.
#[utoipa::path(delete, path = "/v1.0/service_agents/talk_chats/{id}/participants/{pid}", tag = "participants",
    operation_id = "remove_participant", params(("id" = Uuid, Path), ("pid" = Uuid, Path)),
    responses((status = 200, body = ParticipantResource), Refused, NotFound, Conflict))]
pub async fn remove(
    state: web::Data<State>,
    Authed(who, (Id(chat), Pid(id))): Authed<(Id<ChatId>, Pid<ParticipantId>)>,
) -> Result<web::Json<ParticipantResource>, ApiError> {
    Deadline::of(&state).hold(take_out(&state, &who.caller, chat, id)).await.map(web::Json)
}

async fn take_out(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    id: ParticipantId,
) -> Result<ParticipantResource, ApiError> {
    let all = participants(state, caller, chat).await?;
    let leaver = all.iter().find(|one| one.id == id.0).map(|one| AgentId(one.owner_id));
    let name = match leaver {
        Some(agent) if agent == caller.agent => caller.name.clone(),
        Some(agent) => {
            let found = state.people.agent(caller.customer, agent).await?;
            found.map_or_else(|| agent.to_string(), |found| found.caller().name)
        }
        // Unknown, which the chat itself says, unless the caller may not ask at all.
        None => String::new(),
    };
    let command = Command::Remove { participant: id, name };
    let removed = state.chats.make_new(caller, Whom::Chat(chat), command).await?.into_participant()?;
    if let Some(agent) = leaver {
        state.chats.forget(caller, chat, agent).await;
    }
    Ok(removed)
}
