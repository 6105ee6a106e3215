//! Whether the hub lives, is ready, and what it counts.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::store::Link;
use crate::telemetry::Metrics;

use super::error::OwnBody;

/// What these handlers ask, behind `web::Data`.
pub struct Vitals {
    pub link: Arc<dyn Link>,
    /// Whether the node is leaving.
    pub leaving: Box<dyn Fn() -> bool + Send + Sync>,
    pub metrics: Metrics,
}

/// How the hub is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or why not: `store unavailable`, `draining`. To a ping: `pong`.
    pub status: &'static str,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/ping").route(web::get().to(ping)))
        .service(web::resource("/health/live").route(web::get().to(live)))
        .service(web::resource("/health/ready").route(web::get().to(ready)))
        .service(web::resource("/metrics").route(web::get().to(metrics)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(ping, live, ready, metrics))]
pub struct Docs;

/// Say pong
///
/// It tells that somebody listens, and nothing else.
#[utoipa::path(get, path = "/ping", tag = "health", operation_id = "ping", security(()),
    responses((status = 200, body = Health)))]
pub async fn ping() -> web::Json<Health> {
    web::Json(Health { status: "pong" })
}

/// Whether the process lives
#[utoipa::path(get, path = "/health/live", tag = "health", operation_id = "live", security(()),
    responses((status = 200, body = Health)))]
pub async fn live() -> web::Json<Health> {
    web::Json(Health { status: "ok" })
}

/// Whether the hub takes calls
///
/// The store answers, what others write is heard, and the node is not leaving.
#[utoipa::path(get, path = "/health/ready", tag = "health", operation_id = "ready", security(()),
    responses((status = 200, body = Health), (status = 503, description = "Not now", body = Health)))]
pub async fn ready(vitals: web::Data<Vitals>) -> HttpResponse {
    let status = if (vitals.leaving)() {
        "draining"
    } else if vitals.link.healthy().await {
        return HttpResponse::Ok().json(Health { status: "ok" });
    } else {
        "store unavailable"
    };
    let mut response = HttpResponse::ServiceUnavailable().json(Health { status });
    response.extensions_mut().insert(OwnBody);
    response
}

/// Counters, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics", security(()),
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")))]
pub async fn metrics(vitals: web::Data<Vitals>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(vitals.metrics.render())
}
