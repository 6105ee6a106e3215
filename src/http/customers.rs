//! Customers: made and listed by the operator, seen by their own agents.

use actix_web::web;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use crate::people::CustomerBody;
use crate::wire::ApiError;
use crate::wire::page::{Listed, PageQuery};

use super::State;
use super::body::JsonBody;
use super::docs::{NotFound, Refused};
use super::extract::{AdminToken, Authed, Paging};
use super::listed::listed;

/// A customer to make.
#[derive(Deserialize, ToSchema)]
pub struct CustomerCreate {
    pub name: String,
    pub detail: Option<String>,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1.0/customers").route(web::get().to(list)).route(web::post().to(create)))
        .service(web::resource("/v1.0/service_agents/customer").route(web::get().to(own)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(create, list, own))]
pub struct Docs;

/// Make a customer
///
/// Takes the admin token.
#[utoipa::path(post, path = "/v1.0/customers", tag = "customers", operation_id = "create_customer",
    request_body = CustomerCreate, responses((status = 200, body = CustomerBody), Refused))]
pub async fn create(
    state: web::Data<State>,
    AdminToken(JsonBody(new, _)): AdminToken<JsonBody<CustomerCreate>>,
) -> Result<web::Json<CustomerBody>, ApiError> {
    let detail = new.detail.unwrap_or_default();
    Ok(web::Json(state.people.create_customer(&new.name, &detail).await?.body()))
}

/// List all customers
///
/// Takes the admin token.
#[utoipa::path(get, path = "/v1.0/customers", tag = "customers", operation_id = "list_customers",
    params(PageQuery), responses((status = 200, body = Listed<CustomerBody>), Refused))]
pub async fn list(
    state: web::Data<State>,
    AdminToken(Paging(page)): AdminToken<Paging>,
) -> Result<web::Json<Listed<CustomerBody>>, ApiError> {
    let rows = state.people.customers(&page).await?;
    let place = |row: &crate::people::Customer| (row.created.unwrap_or_default(), row.id.0);
    Ok(web::Json(listed(&rows, place, crate::people::Customer::body)))
}

/// The caller's customer
#[utoipa::path(get, path = "/v1.0/service_agents/customer", tag = "customers", operation_id = "own_customer",
    responses((status = 200, body = CustomerBody), Refused, NotFound))]
pub async fn own(state: web::Data<State>, Authed(who, ()): Authed) -> Result<web::Json<CustomerBody>, ApiError> {
    Ok(web::Json(state.people.customer(who.caller.customer).await?.body()))
}
