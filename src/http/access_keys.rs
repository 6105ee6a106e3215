//! Access keys: made, seen and revoked by their agents; by admins and managers for all of the
//! customer.

use actix_web::web;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use crate::model::AccessKeyId;
use crate::people::{AccessKey, AccessKeyBody, AccessKeyEdit, NewAccessKey};
use crate::wire::ApiError;
use crate::wire::page::{Listed, PageQuery};

use super::State;
use super::body::JsonBody;
use super::docs::{Conflict, NotFound, Refused};
use super::extract::{Authed, Id, Paging};
use super::listed::listed;

/// An access key to make.
#[derive(Deserialize, ToSchema)]
pub struct AccessKeyCreate {
    pub name: Option<String>,
    pub detail: Option<String>,
    /// Seconds until the key ends. Absent or 0: it does not end by itself.
    #[schema(minimum = 0)]
    pub expire: Option<i64>,
}

/// What to change; absent or null keeps.
#[derive(Deserialize, ToSchema)]
pub struct AccessKeyUpdate {
    pub name: Option<String>,
    pub detail: Option<String>,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = web::resource("/v1.0/accesskeys/{id}");
    config
        .service(web::resource("/v1.0/accesskeys").route(web::get().to(list)).route(web::post().to(create)))
        .service(one.route(web::get().to(get)).route(web::put().to(update)).route(web::delete().to(delete)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(list, create, get, update, delete))]
pub struct Docs;

/// List access keys
///
/// The caller's own; all of the customer's for an admin or a manager.
#[utoipa::path(get, path = "/v1.0/accesskeys", tag = "accesskeys", operation_id = "list_accesskeys",
    params(PageQuery), responses((status = 200, body = Listed<AccessKeyBody>), Refused))]
pub async fn list(
    state: web::Data<State>,
    Authed(who, Paging(page)): Authed<Paging>,
) -> Result<web::Json<Listed<AccessKeyBody>>, ApiError> {
    let rows = state.people.access_keys(&who.caller, &page).await?;
    Ok(web::Json(listed(&rows, |row: &AccessKey| (row.created, row.id.0), |row| row.body(None))))
}

/// Make an access key
///
/// It acts as the caller. The answer holds the key in full, in `token`; nothing shows it again.
#[utoipa::path(post, path = "/v1.0/accesskeys", tag = "accesskeys", operation_id = "create_accesskey",
    request_body = AccessKeyCreate, responses((status = 200, body = AccessKeyBody), Refused, Conflict))]
pub async fn create(
    state: web::Data<State>,
    Authed(who, JsonBody(new, _)): Authed<JsonBody<AccessKeyCreate>>,
) -> Result<web::Json<AccessKeyBody>, ApiError> {
    let expire_secs =
        u64::try_from(new.expire.unwrap_or(0)).map_err(|_| ApiError::argument("expire must not be negative"))?;
    let (name, detail) = (new.name.unwrap_or_default(), new.detail.unwrap_or_default());
    let new = NewAccessKey { name, detail, expire_secs };
    let (key, text) = state.people.create_access_key(&who.caller, new).await?;
    Ok(web::Json(key.body(Some(&text))))
}

/// One access key
#[utoipa::path(get, path = "/v1.0/accesskeys/{id}", tag = "accesskeys", operation_id = "get_accesskey",
    params(("id" = uuid::Uuid, Path)), responses((status = 200, body = AccessKeyBody), Refused, NotFound))]
pub async fn get(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<AccessKeyId>>,
) -> Result<web::Json<AccessKeyBody>, ApiError> {
    Ok(web::Json(state.people.access_key(&who.caller, id).await?.body(None)))
}

/// Rename an access key
#[utoipa::path(put, path = "/v1.0/accesskeys/{id}", tag = "accesskeys", operation_id = "update_accesskey",
    params(("id" = uuid::Uuid, Path)), request_body = AccessKeyUpdate,
    responses((status = 200, body = AccessKeyBody), Refused, NotFound))]
pub async fn update(
    state: web::Data<State>,
    Authed(who, (Id(id), JsonBody(edit, _))): Authed<(Id<AccessKeyId>, JsonBody<AccessKeyUpdate>)>,
) -> Result<web::Json<AccessKeyBody>, ApiError> {
    let edit = AccessKeyEdit { name: edit.name, detail: edit.detail };
    Ok(web::Json(state.people.edit_access_key(&who.caller, id, edit).await?.body(None)))
}

/// Revoke an access key
///
/// It stops working at once, and connections that were opened with it are closed.
#[utoipa::path(delete, path = "/v1.0/accesskeys/{id}", tag = "accesskeys", operation_id = "delete_accesskey",
    params(("id" = uuid::Uuid, Path)), responses((status = 200, body = AccessKeyBody), Refused, NotFound))]
pub async fn delete(
    state: web::Data<State>,
    Authed(who, Id(id)): Authed<Id<AccessKeyId>>,
) -> Result<web::Json<AccessKeyBody>, ApiError> {
    Ok(web::Json(state.people.delete_access_key(&who.caller, id).await?.body(None)))
}
