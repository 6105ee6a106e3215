//! Agents: seen by everybody of the customer, looked after by admins and managers, and what an
//! agent does with itself.

use actix_web::web;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use crate::model::{AgentId, Caller, CustomerId};
use crate::people::{Agent, AgentBody, AgentEdit, AgentStatus, Identity, NewAgent, Steward};
use crate::wire::page::{Listed, PageQuery, PageRequest};
use crate::wire::{ApiError, Reason};

use super::State;
use super::body::JsonBody;
use super::docs::{Conflict, NotFound, Refused};
use super::extract::{AgentOrOperator, Authed, Id, Paging};
use super::listed::listed;

/// An agent to make. It has no `Debug`: the password is in no log.
#[derive(Deserialize, ToSchema)]
pub struct AgentCreate {
    /// Whose agent it becomes: needed with the admin token, else the caller's customer.
    pub customer_id: Option<String>,
    /// An e-mail address; nobody else may have it, in whichever case.
    #[schema(example = "alice@demo.test")]
    pub username: String,
    pub password: String,
    pub name: Option<String>,
    pub detail: Option<String>,
    /// Bits: 16 agent (the default), 32 customer admin, 64 customer manager.
    pub permission: Option<u64>,
}

/// What to change; absent or null keeps.
#[derive(Deserialize, ToSchema)]
pub struct AgentUpdate {
    pub name: Option<String>,
    pub detail: Option<String>,
    pub permission: Option<u64>,
    pub password: Option<String>,
}

/// What an agent changes of itself; absent or null keeps.
#[derive(Deserialize, ToSchema)]
pub struct MeUpdate {
    pub name: Option<String>,
    pub detail: Option<String>,
}

/// How an agent can be reached.
#[derive(Deserialize, ToSchema)]
pub struct StatusUpdate {
    /// `available`, `away`, `busy`, `offline` or `ringing`.
    #[schema(example = "available")]
    pub status: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
pub struct PasswordUpdate {
    pub password: String,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = web::resource("/v1.0/agents/{id}");
    let me = web::resource("/v1.0/service_agents/me");
    config
        .service(web::resource("/v1.0/agents").route(web::get().to(list)).route(web::post().to(create)))
        .service(one.route(web::get().to(get)).route(web::put().to(update)).route(web::delete().to(delete)))
        .service(web::resource("/v1.0/service_agents/agents").route(web::get().to(list_colleagues)))
        .service(web::resource("/v1.0/service_agents/agents/{id}").route(web::get().to(get_colleague)))
        .service(me.route(web::get().to(get_me)).route(web::put().to(update_me)))
        .service(web::resource("/v1.0/service_agents/me/status").route(web::put().to(update_status)))
        .service(web::resource("/v1.0/service_agents/me/password").route(web::put().to(update_password)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(
    list,
    create,
    get,
    update,
    delete,
    list_colleagues,
    get_colleague,
    get_me,
    update_me,
    update_status,
    update_password
))]
pub struct Docs;

type Answer = Result<web::Json<AgentBody>, ApiError>;
type Page = Result<web::Json<Listed<AgentBody>>, ApiError>;

/// List the customer's agents
#[utoipa::path(get, path = "/v1.0/agents", tag = "agents", operation_id = "list_agents",
    params(PageQuery), responses((status = 200, body = Listed<AgentBody>), Refused))]
pub async fn list(state: web::Data<State>, Authed(who, Paging(page)): Authed<Paging>) -> Page {
    page_of(&state, &who.caller, &page).await
}

/// List the customer's agents
#[utoipa::path(get, path = "/v1.0/service_agents/agents", tag = "agents", operation_id = "list_colleagues",
    params(PageQuery), responses((status = 200, body = Listed<AgentBody>), Refused))]
pub async fn list_colleagues(state: web::Data<State>, Authed(who, Paging(page)): Authed<Paging>) -> Page {
    page_of(&state, &who.caller, &page).await
}

async fn page_of(state: &State, caller: &Caller, page: &PageRequest) -> Page {
    let rows = state.people.agents(caller.customer, page).await?;
    Ok(web::Json(listed(&rows, |row: &Agent| (row.created, row.id.0), Agent::body)))
}

/// One agent of the customer
#[utoipa::path(get, path = "/v1.0/agents/{id}", tag = "agents", operation_id = "get_agent",
    params(("id" = uuid::Uuid, Path)), responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn get(state: web::Data<State>, Authed(who, Id(id)): Authed<Id<AgentId>>) -> Answer {
    agent_of(&state, who.caller.customer, id).await
}

/// One agent of the customer
#[utoipa::path(get, path = "/v1.0/service_agents/agents/{id}", tag = "agents", operation_id = "get_colleague",
    params(("id" = uuid::Uuid, Path)), responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn get_colleague(state: web::Data<State>, Authed(who, Id(id)): Authed<Id<AgentId>>) -> Answer {
    agent_of(&state, who.caller.customer, id).await
}

async fn agent_of(state: &State, customer: CustomerId, id: AgentId) -> Answer {
    let agent = state.people.agent(customer, id).await?;
    let agent = agent.ok_or_else(|| ApiError::new(Reason::AgentNotFound, "no such agent"))?;
    Ok(web::Json(agent.body()))
}

/// Make an agent
///
/// For an admin or a manager of the customer, or with the admin token and a `customer_id`.
#[utoipa::path(post, path = "/v1.0/agents", tag = "agents", operation_id = "create_agent",
    request_body = AgentCreate, responses((status = 200, body = AgentBody), Refused, NotFound, Conflict))]
pub async fn create(
    state: web::Data<State>,
    AgentOrOperator(identity, JsonBody(new, _)): AgentOrOperator<JsonBody<AgentCreate>>,
) -> Answer {
    let named = new
        .customer_id
        .as_deref()
        .filter(|text| !text.is_empty())
        .map(|text| CustomerId::parse(text).ok_or_else(|| ApiError::argument("customer_id must be a UUID")));
    let customer = match (&identity, named.transpose()?) {
        (Identity::Admin, Some(customer)) => customer,
        (Identity::Admin, None) => return Err(ApiError::argument("customer_id is needed with the admin token")),
        (Identity::Agent(who), named) => named.unwrap_or(who.caller.customer),
    };
    let new = NewAgent {
        username: new.username,
        password: new.password,
        name: new.name.unwrap_or_default(),
        detail: new.detail.unwrap_or_default(),
        permission: new.permission,
    };
    Ok(web::Json(state.people.create_agent(&Steward::from(identity), customer, new).await?.body()))
}

/// Change an agent
///
/// For an admin or a manager of the customer. Only an admin changes an admin, or makes one.
#[utoipa::path(put, path = "/v1.0/agents/{id}", tag = "agents", operation_id = "update_agent",
    params(("id" = uuid::Uuid, Path)), request_body = AgentUpdate,
    responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn update(
    state: web::Data<State>,
    Authed(who, (Id(id), JsonBody(edit, _))): Authed<(Id<AgentId>, JsonBody<AgentUpdate>)>,
) -> Answer {
    let edit = AgentEdit { name: edit.name, detail: edit.detail, permission: edit.permission, password: edit.password };
    let customer = who.caller.customer;
    Ok(web::Json(state.people.edit_agent(&Steward::Agent(who.caller), customer, id, edit).await?.body()))
}

/// Remove an agent
///
/// For an admin or a manager of the customer. Its tokens and access keys stop working at once and
/// its connections are closed; what it said stays.
#[utoipa::path(delete, path = "/v1.0/agents/{id}", tag = "agents", operation_id = "delete_agent",
    params(("id" = uuid::Uuid, Path)), responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn delete(state: web::Data<State>, Authed(who, Id(id)): Authed<Id<AgentId>>) -> Answer {
    let customer = who.caller.customer;
    Ok(web::Json(state.people.delete_agent(&Steward::Agent(who.caller), customer, id).await?.body()))
}

/// The caller
#[utoipa::path(get, path = "/v1.0/service_agents/me", tag = "me", operation_id = "get_me",
    responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn get_me(state: web::Data<State>, Authed(who, ()): Authed) -> Answer {
    agent_of(&state, who.caller.customer, who.caller.agent).await
}

/// Change the caller's name and detail
#[utoipa::path(put, path = "/v1.0/service_agents/me", tag = "me", operation_id = "update_me",
    request_body = MeUpdate, responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn update_me(state: web::Data<State>, Authed(who, JsonBody(edit, _)): Authed<JsonBody<MeUpdate>>) -> Answer {
    let edit = AgentEdit { name: edit.name, detail: edit.detail, ..AgentEdit::default() };
    Ok(web::Json(state.people.edit_self(&who.caller, edit).await?.body()))
}

/// Say how the caller can be reached
///
/// Everybody of the customer who is connected hears of it as `agent_status_updated`.
#[utoipa::path(put, path = "/v1.0/service_agents/me/status", tag = "me", operation_id = "update_my_status",
    request_body = StatusUpdate, responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn update_status(
    state: web::Data<State>,
    Authed(who, JsonBody(new, _)): Authed<JsonBody<StatusUpdate>>,
) -> Answer {
    let status = AgentStatus::parse(&new.status)
        .ok_or_else(|| ApiError::argument("status must be available, away, busy, offline or ringing"))?;
    Ok(web::Json(state.people.set_status(&who.caller, status).await?.body()))
}

/// Change the caller's password
#[utoipa::path(put, path = "/v1.0/service_agents/me/password", tag = "me", operation_id = "update_my_password",
    request_body = PasswordUpdate, responses((status = 200, body = AgentBody), Refused, NotFound))]
pub async fn update_password(
    state: web::Data<State>,
    Authed(who, JsonBody(new, _)): Authed<JsonBody<PasswordUpdate>>,
) -> Answer {
    let edit = AgentEdit { password: Some(new.password), ..AgentEdit::default() };
    Ok(web::Json(state.people.edit_self(&who.caller, edit).await?.body()))
}
