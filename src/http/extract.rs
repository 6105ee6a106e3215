//! What handlers take from a request: the caller, ids from the path, parameters of the query.
//!
//! [`Authed`] knows the caller first and reads the rest afterwards: without a credential nobody
//! learns whether an id has the right form, and nobody's body is read.

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN, UPGRADE};
use actix_web::{Error, FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

use crate::model::{AccessKeyId, AgentId, ChatId, CustomerId, FileId, MessageId, ParticipantId};
use crate::people::{Identity, Verified};
use crate::wire::page::{PageQuery, PageRequest};
use crate::wire::{ApiError, Reason};

use super::State;
use super::credential;

/// An agent who calls, within its rate; then `X`, which may be a tuple of extractors.
pub struct Authed<X = ()>(pub Verified, pub X);

/// An agent who calls, or the operator; then `X`.
pub struct AgentOrOperator<X = ()>(pub Identity, pub X);

/// The operator, by the admin token; then `X`.
pub struct AdminToken<X = ()>(pub X);

impl<X: FromRequest + 'static> FromRequest for Authed<X> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let verified = match identify(&request).await? {
                Identity::Agent(verified) => verified,
                Identity::Admin => return Err(not_for_operators().into()),
            };
            Ok(Self(verified, X::from_request(&request, &mut payload).await.map_err(Into::into)?))
        })
    }
}

impl<X: FromRequest + 'static> FromRequest for AgentOrOperator<X> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let identity = identify(&request).await?;
            Ok(Self(identity, X::from_request(&request, &mut payload).await.map_err(Into::into)?))
        })
    }
}

impl<X: FromRequest + 'static> FromRequest for AdminToken<X> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            match identify(&request).await? {
                Identity::Admin => {}
                Identity::Agent(_) => {
                    return Err(ApiError::new(Reason::PermissionDenied, "this takes the admin token").into());
                }
            }
            Ok(Self(X::from_request(&request, &mut payload).await.map_err(Into::into)?))
        })
    }
}

/// Who calls: the credential is found, checked, and an agent's call counted.
///
/// # Errors
/// No credential, a wrong one, a cookie from a page that may not act, or too many calls.
pub async fn identify(request: &HttpRequest) -> Result<Identity, ApiError> {
    let (state, presented) = presented(request)?;
    known(state, state.people.authenticate(&presented).await?)
}

/// The same for a socket that is being opened; see [`People::authenticate_socket`].
///
/// # Errors
/// As [`identify`].
///
/// [`People::authenticate_socket`]: crate::people::People::authenticate_socket
pub async fn identify_socket(request: &HttpRequest) -> Result<Identity, ApiError> {
    let (state, presented) = presented(request)?;
    known(state, state.people.authenticate_socket(&presented).await?)
}

/// The credential, if it may act.
fn presented(request: &HttpRequest) -> Result<(&State, String), ApiError> {
    let state = state(request)?;
    let cookie = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
    let presented = credential::presented(request.query_string(), header(request, &AUTHORIZATION), cookie)
        .ok_or_else(|| ApiError::new(Reason::AuthenticationRequired, "a token or an access key is required"))?;
    let acts = !request.method().is_safe() || request.headers().contains_key(UPGRADE);
    if presented.from_cookie && acts {
        page_may_act(request)?;
    }
    Ok((state, presented.text))
}

/// Looks whether the page that makes this request, if one does, may act with a cookie.
///
/// # Errors
/// 403 when it may not; a fault of ours, as [`state`].
pub fn page_may_act(request: &HttpRequest) -> Result<(), ApiError> {
    let host = header(request, &HOST).unwrap_or_default();
    if credential::origin_may_act(header(request, &ORIGIN), host, &state(request)?.cookies.allowed_origins) {
        return Ok(());
    }
    Err(ApiError::new(Reason::PermissionDenied, "a page of this origin may not act with a cookie"))
}

/// Counts an agent's call.
fn known(state: &State, identity: Identity) -> Result<Identity, ApiError> {
    if let Identity::Agent(verified) = &identity {
        state.rates.agent(verified.caller.agent)?;
        let caller = &verified.caller;
        tracing::Span::current()
            .record("customer_id", tracing::field::display(caller.customer))
            .record("agent_id", tracing::field::display(caller.agent));
    }
    Ok(identity)
}

fn not_for_operators() -> ApiError {
    ApiError::new(Reason::PermissionDenied, "the admin token makes customers and agents, and nothing else")
}

fn header<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The state that handlers see.
///
/// # Errors
/// A fault of ours: it was not put there.
pub fn state(request: &HttpRequest) -> Result<&State, ApiError> {
    let state = request.app_data::<web::Data<State>>().map(|data| &***data);
    state.ok_or_else(|| ApiError::internal("no state for the handlers"))
}

// ------------------------------------------------------------------------------------------ path

/// An id that can stand in a path.
pub trait PathId: Sized {
    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! path_ids {
    ($($name:ident)*) => {
        $(impl PathId for $name {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        })*
    };
}

path_ids!(AccessKeyId AgentId ChatId CustomerId FileId MessageId ParticipantId);

/// The `{id}` of the path.
pub struct Id<T>(pub T);

/// The `{pid}` of the path.
pub struct Pid<T>(pub T);

impl<T: PathId> FromRequest for Id<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(path_id(request, "id").map(Self))
    }
}

impl<T: PathId> FromRequest for Pid<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(path_id(request, "pid").map(Self))
    }
}

fn path_id<T: PathId>(request: &HttpRequest, name: &str) -> Result<T, ApiError> {
    let text = request.match_info().get(name).unwrap_or_default();
    T::read(text).ok_or_else(|| ApiError::new(Reason::InvalidId, format!("the {name} in the path must be a UUID")))
}

// ----------------------------------------------------------------------------------------- query

/// Parameters of the query. Those it does not name are ignored.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = serde_urlencoded::from_str(request.query_string());
        ready(read.map(Self).map_err(|error| ApiError::parameter(error.to_string())))
    }
}

/// Which page of a list is asked for.
pub struct Paging(pub PageRequest);

impl FromRequest for Paging {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read: Result<PageQuery, _> = serde_urlencoded::from_str(request.query_string());
        let query = read.map_err(|error| ApiError::parameter(error.to_string()));
        ready(query.and_then(|query| query.parse()).map(Self))
    }
}
