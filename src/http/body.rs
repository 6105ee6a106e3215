//! JSON bodies: bounded in size and time, and read with the name of the field that is wrong.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{FromRequest, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::wire::{ApiError, Reason};

use super::extract;

/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// Bytes of a body that is too large that are still read and dropped, so that the client, who is
/// writing, gets to read the answer.
const DROPPED_BYTES_MAX: usize = 8 << 20;

/// A JSON object, and the bytes it came in.
pub struct JsonBody<T>(pub T, pub Bytes);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes_max = extract::state(request).map(|state| state.limits.body_bytes_max);
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let payload = payload.take();
        Box::pin(async move {
            let read = read_bounded(payload, announced, bytes_max?);
            let slow = |_| ApiError::new(Reason::InvalidJsonBody, "the body did not come in time");
            let bytes = tokio::time::timeout(BODY_WAIT, read).await.map_err(slow)??;
            Ok(Self(parse(&bytes)?, bytes))
        })
    }
}

/// Reads a JSON object after something else of the request was looked at.
///
/// # Errors
/// As the extractor.
pub async fn read<T: DeserializeOwned + 'static>(request: &HttpRequest, body: web::Payload) -> Result<T, ApiError> {
    JsonBody::from_request(request, &mut body.into_inner()).await.map(|JsonBody(value, _)| value)
}

async fn read_bounded(mut payload: Payload, announced: Option<usize>, bytes_max: usize) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(Reason::PayloadTooLarge, format!("the body must have at most {bytes_max} bytes"));
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(bytes_max));
    let mut came = 0usize;
    if announced.is_some_and(|bytes| bytes > DROPPED_BYTES_MAX.max(bytes_max)) {
        return Err(too_large());
    }
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::new(Reason::InvalidJsonBody, error.to_string()))?;
        came = came.saturating_add(chunk.len());
        if came <= bytes_max {
            body.extend_from_slice(&chunk);
        } else if came > DROPPED_BYTES_MAX {
            break;
        } else {
            body = BytesMut::new();
        }
    }
    if came > bytes_max { Err(too_large()) } else { Ok(body.freeze()) }
}

/// Reads a JSON object.
///
/// # Errors
/// `INVALID_JSON_BODY`, with the path of the field that is wrong.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let wrong = |message: String| ApiError::new(Reason::InvalidJsonBody, message);
    // A list would be taken for an object, field by field.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(wrong("the body must be a JSON object".to_owned()));
    }
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => wrong(error.inner().to_string()),
            path => wrong(format!("{path}: {}", error.inner())),
        }
    })?;
    input.end().map_err(|error| wrong(error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Outer {
        inner: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "number")]
        _number: u8,
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let message = |text: &str| parse::<Outer>(text.as_bytes()).map(|_| ()).map_err(|error| error.message);
        assert!(parse::<Outer>(br#" {"inner": [], "more": 1} "#).is_ok_and(|outer| outer.inner.is_some()));
        assert!(
            message(r#"{"inner":[{"number":1},{"number":"x"}]}"#).is_err_and(|m| m.starts_with("inner[1].number: "))
        );
        assert!(message("[[]]").is_err_and(|m| m.contains("object")));
        for wrong in ["", "null", "{", "{} {}", r#"{"inner":1}"#, "\u{feff}{}"] {
            assert!(message(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<serde_json::Value>(&bytes);
        }
    }
}
