//! The way from a request to a socket: who it is, whether there is room, and the upgrade.

use std::sync::atomic::Ordering;

use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use actix_web_actors::ws::WsResponseBuilder;
use utoipa::OpenApi;

use crate::people::Identity;
use crate::session::{Line, SessionActor, Shared, Switchboard, come_again};
use crate::telemetry::bound_reached;
use crate::wire::{ApiError, Reason};

use super::docs::Refused;
use super::extract::identify_socket;
use super::frame_guard::FrameGuard;
use super::request_id::RequestId;

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
pub async fn open(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let worker = request.app_data::<OfThisWorker>().ok_or_else(|| ApiError::internal("no switchboard"))?;
    let shared = worker.0.shared();
    // Before anything is asked of the store.
    has_room(shared)?;
    let place = shared.admission.handshake().await?;
    let verified = match identify_socket(&request).await? {
        Identity::Agent(verified) => verified,
        Identity::Admin => {
            return Err(ApiError::new(Reason::PermissionDenied, "the admin token opens no socket").into());
        }
    };
    // Again: it took a while.
    has_room(shared)?;
    let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let frame_bytes_max = shared.limits.frame_bytes_max;
    let line = request.conn_data::<Line>().cloned();
    let line = line.ok_or_else(|| ApiError::new(Reason::ServiceUnavailable, "no file descriptor left on this node"))?;
    let actor = SessionActor::new(worker.0.clone(), verified, id, Some(line.clone()));
    let body = FrameGuard::new(body, frame_bytes_max, move || line.stop_reading());
    drop(place);
    let upgraded = WsResponseBuilder::new(actor, &request, body).frame_size(frame_bytes_max).start();
    upgraded.map_err(|error| match error.as_error::<actix_http::ws::HandshakeError>() {
        Some(wrong) => ApiError::parameter(format!("not a WebSocket upgrade: {wrong}")).into(),
        None => error,
    })
}

fn has_room(shared: &Shared) -> Result<(), ApiError> {
    if shared.draining.load(Ordering::Acquire) {
        return Err(come_again("this node is leaving; try another"));
    }
    if shared.connections.load(Ordering::Acquire) >= shared.limits.connections_max {
        bound_reached("limits.connections_max");
        return Err(come_again("this node has as many connections as it may"));
    }
    Ok(())
}

/// Open a WebSocket, at the address that an agent's other calls share
///
/// The same as `/v1.0/ws`.
#[utoipa::path(get, path = "/v1.0/service_agents/ws", tag = "events", operation_id = "open_agent_socket",
    responses((status = 101, description = "The connection is a WebSocket from here on"), Refused))]
pub async fn open_as_agent(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    open(request, body).await
}
