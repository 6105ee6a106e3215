//! The outermost layer: every request gets an id, every response carries it and tells browsers to be
//! careful with it, every error has its envelope, and every call one line in the log, without its
//! query.

use std::fmt;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::telemetry::metric;
use crate::wire::ApiError;

use super::error;
use super::health::Vitals;

/// The header, on requests and on responses.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const PREFIX: &str = "req_";
const RANDOM_CHARS: usize = 26;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// What a browser is told about a response that does not say otherwise: to take it for what it says
/// it is, to run nothing in it, to show it in no frame, to keep no copy, and to tell no other site
/// the address, which may hold a credential.
const CAUTION: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
];
/// The label of requests that found no route.
const NO_ROUTE: &str = "none";
/// Characters of a path in a line of the log.
const PATH_CHARS_SHOWN: usize = 512;
/// Characters of an id that a client may choose.
const CLIENT_CHARS_MAX: usize = 64;

/// The id of a request; in its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// `req_` and 26 random characters of A-Z2-7.
    #[must_use]
    pub fn random() -> Self {
        let bytes: [u8; RANDOM_CHARS] = rand::random();
        let mut id = PREFIX.to_owned();
        id.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])));
        Self(id)
    }

    /// A client's own, if it is 1 to 64 of `[A-Za-z0-9_-]`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let formed = (1..=CLIENT_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        formed.then(|| Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts the id on a response, and what browsers are told about all of them.
    fn stamp(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.0) {
            headers.insert(HEADER, id);
        }
        for (name, value) in CAUTION {
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
    }
}

/// The layer; goes outside of all others: `App::new()...wrap(from_fn(stamp))` last.
///
/// # Errors
/// An error of an inner layer, with its envelope.
pub async fn stamp<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let own = request.headers().get(&HEADER).and_then(|value| value.to_str().ok()).and_then(RequestId::parse);
    let id = own.unwrap_or_else(RequestId::random);
    request.extensions_mut().insert(id.clone());
    // Who calls is noted once it is known, and the route when there was one.
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = known(request.method()),
        route = Empty,
        customer_id = Empty,
        agent_id = Empty,
        status = Empty
    );
    answered(request, next, id).instrument(span).await
}

async fn answered<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    id: RequestId,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let begun = Instant::now();
    // Not the URI: a credential may be in the query.
    let (method, path) = (request.method().clone(), shown(request.path()));
    let log = |status: StatusCode, route: Option<String>| {
        let (status, took) = (status.as_u16(), begun.elapsed());
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let route = route.unwrap_or_else(|| NO_ROUTE.to_owned());
        tracing::info!(%method, path, status, duration_us = micros, "answered");
        // Behind the line, which says the same.
        Span::current().record("route", &*route).record("status", status);
        metrics::histogram!(metric::HTTP_SECONDS, "route" => route.clone()).record(took.as_secs_f64());
        let labels = [("method", known(&method).to_owned()), ("route", route), ("status", status.to_string())];
        metrics::counter!(metric::HTTP_REQUESTS, &labels).increment(1);
    };
    match next.call(request).await {
        Ok(response) => {
            let (request, response) = response.into_parts();
            let mut response = match error::of_response(&response) {
                Some(error) => error::answer(&error, id.as_str()).map_into_right_body(),
                None => response.map_into_left_body(),
            };
            id.stamp(response.headers_mut());
            end_if_leaving(&request, &mut response);
            log(response.status(), request.match_pattern());
            Ok(ServiceResponse::new(request, response))
        }
        Err(cause) => {
            let error = error::of_error(&cause, cause.as_response_error().status_code());
            log(error.status_code(), None);
            Err(Stamped { error, id }.into())
        }
    }
}

/// A node that is leaving ends the connection with the answer, so that no client sends its next
/// request to a node that has gone.
fn end_if_leaving<B>(request: &HttpRequest, response: &mut HttpResponse<B>) {
    let leaving = request.app_data::<web::Data<Vitals>>().is_some_and(|vitals| (vitals.leaving)());
    if leaving && !response.upgrade() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// As much of the path as a line shows, so that nobody fills the log with one call.
fn shown(path: &str) -> String {
    if path.len() <= PATH_CHARS_SHOWN { path.to_owned() } else { path.chars().take(PATH_CHARS_SHOWN).collect() }
}

/// The method as a label: a client's own invention is none.
fn known(method: &Method) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// An error that came past the handlers, from an inner layer, with the request's id.
#[derive(Debug)]
struct Stamped {
    error: ApiError,
    id: RequestId,
}

impl fmt::Display for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Stamped {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = error::answer(&self.error, self.id.as_str());
        self.id.stamp(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, middleware::from_fn, test as call, web};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_clients_id_is_taken_when_it_is_short_and_plain(text in "[A-Za-z0-9_ .-]{0,70}") {
            let plain = !text.is_empty() && text.len() <= 64 && !text.contains([' ', '.']);
            prop_assert_eq!(RequestId::parse(&text).is_some(), plain);
        }
    }

    #[actix_web::test]
    async fn every_response_has_an_id_and_every_error_its_envelope() {
        let refused =
            || async { Err::<String, ApiError>(ApiError::new(crate::wire::Reason::RateLimitExceeded, "slow down")) };
        let numbers = |_: web::Query<Vec<(u8, u8)>>| async { "fine" };
        let app = call::init_service(
            App::new()
                .service(web::resource("/fine").route(web::get().to(|| async { "fine" })))
                .route("/refused", web::get().to(refused))
                .route("/numbers", web::get().to(numbers))
                .wrap(from_fn(stamp)),
        )
        .await;
        for (method, uri, status, reason) in [
            ("GET", "/fine", 200, ""),
            ("POST", "/fine", 404, "ROUTE_NOT_FOUND"),
            ("GET", "/nowhere?token=x", 404, "ROUTE_NOT_FOUND"),
            ("GET", "/refused", 429, "RATE_LIMIT_EXCEEDED"),
            ("GET", "/numbers?x=y", 400, "INVALID_REQUEST_PARAMETER"),
        ] {
            let method = actix_web::http::Method::from_bytes(method.as_bytes()).expect("a method");
            let request = call::TestRequest::with_uri(uri).method(method).insert_header(("X-Request-Id", "mine_1"));
            let response = call::call_service(&app, request.to_request()).await;
            assert_eq!(response.status().as_u16(), status, "{uri}");
            assert_eq!(response.headers().get(&HEADER).and_then(|id| id.to_str().ok()), Some("mine_1"));
            assert_eq!(response.headers().contains_key("retry-after"), status == 429);
            for (name, value) in CAUTION {
                assert_eq!(response.headers().get(&name).and_then(|value| value.to_str().ok()), Some(value), "{uri}");
            }
            if !reason.is_empty() {
                let body: serde_json::Value = call::read_body_json(response).await;
                assert_eq!(body["error"]["reason"], reason);
                assert_eq!(body["error"]["request_id"], "mine_1");
            }
        }
        let request = call::TestRequest::with_uri("/fine").insert_header(("X-Request-Id", "not mine")).to_request();
        let response = call::call_service(&app, request).await;
        let id = response.headers().get(&HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let random = id.strip_prefix("req_").unwrap_or_default();
        assert!(random.len() == 26 && random.bytes().all(|b| ALPHABET.contains(&b)), "{id}");
    }
}
