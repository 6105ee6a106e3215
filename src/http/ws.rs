//! The way from a request to a socket: who it is, whether there is room, and the answer that agrees.
//! What takes the connection over behind that answer is [`super::server`].

use std::sync::atomic::Ordering;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use utoipa::OpenApi;

use crate::people::Identity;
use crate::session::{Opener, Shared, Switchboard, come_again};
use crate::wire::{ApiError, Reason};

use super::docs::Refused;
use super::extract::identify_socket;
use super::request_id::RequestId;
use super::server::Upgradable;

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1.0/ws").route(web::get().to(open)))
        .service(web::resource("/v1.0/service_agents/ws").route(web::get().to(open_as_agent)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(open, open_as_agent))]
pub struct Docs;

/// The switchboard of this worker, for its handlers.
pub struct OfThisWorker(pub Switchboard);

/// Open a WebSocket
///
/// A credential in a cookie is taken from pages of the hub's own origin and of configured ones only.
/// What is said then is described in `/asyncapi.json`.
#[utoipa::path(get, path = "/v1.0/ws", tag = "events", operation_id = "open_socket",
    responses((status = 101, description = "The connection is a WebSocket from here on"), Refused))]
pub async fn open(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let worker = request.app_data::<OfThisWorker>().ok_or_else(|| ApiError::internal("no switchboard"))?;
    let shared = worker.0.shared();
    // Before anything is asked of the store.
    has_room(shared)?;
    let _place = shared.admission.handshake().await?;
    let verified = match identify_socket(&request).await? {
        Identity::Agent(verified) => verified,
        Identity::Admin => {
            return Err(ApiError::new(Reason::PermissionDenied, "the admin token opens no socket"));
        }
    };
    // Again: it took a while.
    has_room(shared)?;
    let request_id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let upgraded = ws::handshake(&request);
    let mut upgraded = upgraded.map_err(|wrong| ApiError::parameter(format!("not a WebSocket upgrade: {wrong}")))?;
    if request.extensions().get::<Upgradable>().is_none() {
        return Err(ApiError::parameter("not a WebSocket upgrade: it has a body"));
    }
    let seat = shared.seats.take().ok_or_else(no_seat)?;
    let mut response = upgraded.finish();
    response.extensions_mut().insert(Opener { verified, request_id, seat });
    Ok(response)
}

fn has_room(shared: &Shared) -> Result<(), ApiError> {
    if shared.draining.load(Ordering::Acquire) {
        return Err(come_again("this node is leaving; try another"));
    }
    if shared.seats.has_room() { Ok(()) } else { Err(no_seat()) }
}

fn no_seat() -> ApiError {
    come_again("this node has as many connections as it may")
}

/// Open a WebSocket, at the address that an agent's other calls share
///
/// The same as `/v1.0/ws`.
#[utoipa::path(get, path = "/v1.0/service_agents/ws", tag = "events", operation_id = "open_agent_socket",
    responses((status = 101, description = "The connection is a WebSocket from here on"), Refused))]
pub async fn open_as_agent(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    open(request).await
}
