//! Errors get their HTTP status here, and only here. [`super::request_id::stamp`] gives them their
//! body, because the body holds the id of the request.

use actix_web::body::BoxBody;
use actix_web::error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};

use crate::wire::{ApiError, Reason};

/// Marks a response that is not a success and has the body it should have, such as the answer of
/// a health check: put it into the response's extensions, and the body stays.
#[derive(Clone, Copy, Debug)]
pub struct OwnBody;

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.reason.status().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(self.clone());
        response
    }
}

/// The whole answer to a call that was refused.
#[must_use]
pub fn answer(error: &ApiError, request_id: &str) -> HttpResponse<BoxBody> {
    let mut response = HttpResponse::build(error.status_code());
    if let Some(seconds) = error.retry_after {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.json(error.envelope(request_id))
}

/// What a response that is no success says, in our terms: `None` if its body is to stay.
#[must_use]
pub fn of_response<B>(response: &HttpResponse<B>) -> Option<ApiError> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || response.extensions().get::<OwnBody>().is_some() {
        return None;
    }
    let ours = response.extensions().get::<ApiError>().cloned();
    Some(ours.unwrap_or_else(|| match response.error() {
        Some(error) => of_error(error, status),
        None => of_status(status, None),
    }))
}

/// What an error of the framework says, in our terms.
#[must_use]
pub fn of_error(error: &actix_web::Error, status: StatusCode) -> ApiError {
    if let Some(error) = error.as_error::<ApiError>() {
        return error.clone();
    }
    if let Some(error) = error.as_error::<PathError>() {
        return ApiError::new(Reason::InvalidId, error.to_string());
    }
    if let Some(error) = error.as_error::<QueryPayloadError>() {
        return ApiError::parameter(error.to_string());
    }
    if let Some(error) = error.as_error::<JsonPayloadError>() {
        return match error {
            JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => too_large(),
            other => ApiError::new(Reason::InvalidJsonBody, other.to_string()),
        };
    }
    if let Some(error) = error.as_error::<PayloadError>() {
        return match error {
            PayloadError::Overflow => too_large(),
            other => ApiError::new(Reason::InvalidJsonBody, other.to_string()),
        };
    }
    of_status(status, Some(error.to_string()))
}

fn too_large() -> ApiError {
    ApiError::new(Reason::PayloadTooLarge, "the body is too large")
}

fn of_status(status: StatusCode, cause: Option<String>) -> ApiError {
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(Reason::RouteNotFound, "there is no such path, or not with this method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNAUTHORIZED => ApiError::new(Reason::InvalidCredentials, "the credential is wrong"),
        StatusCode::FORBIDDEN => ApiError::new(Reason::PermissionDenied, "this is not allowed"),
        StatusCode::TOO_MANY_REQUESTS => ApiError::new(Reason::RateLimitExceeded, "too many calls; try again"),
        StatusCode::SERVICE_UNAVAILABLE => ApiError::new(Reason::ServiceUnavailable, "not available; try again"),
        status if status.is_client_error() => {
            ApiError::parameter(cause.unwrap_or_else(|| "the request is malformed".to_owned()))
        }
        status => ApiError::internal(cause.unwrap_or_else(|| status.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_status_of_its_class() {
        for reason in Reason::ALL {
            let error = ApiError::new(*reason, "why");
            let response = answer(&error, "req_1");
            assert_eq!(response.status().as_u16(), reason.status().http(), "{reason:?}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), matches!(response.status().as_u16(), 429 | 503));
        }
    }

    #[test]
    fn a_response_of_the_framework_is_put_in_our_terms() {
        let reason = |status| of_response(&HttpResponse::new(status)).map(|error| error.reason);
        assert_eq!(reason(StatusCode::OK), None);
        assert_eq!(reason(StatusCode::NOT_MODIFIED), None);
        assert_eq!(reason(StatusCode::SWITCHING_PROTOCOLS), None);
        assert_eq!(reason(StatusCode::NOT_FOUND), Some(Reason::RouteNotFound));
        assert_eq!(reason(StatusCode::METHOD_NOT_ALLOWED), Some(Reason::RouteNotFound));
        assert_eq!(reason(StatusCode::PAYLOAD_TOO_LARGE), Some(Reason::PayloadTooLarge));
        assert_eq!(reason(StatusCode::BAD_REQUEST), Some(Reason::InvalidRequestParameter));
        assert_eq!(reason(StatusCode::BAD_GATEWAY), Some(Reason::Internal));
    }

    #[test]
    fn a_response_with_a_body_of_its_own_keeps_it() {
        let mut response = HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE);
        response.extensions_mut().insert(OwnBody);
        assert_eq!(of_response(&response), None);
    }
}
