//! Signing in by password, staying signed in, and signing out.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::people::LoggedIn;
use crate::wire::ApiError;

use super::body::JsonBody;
use super::docs::Refused;
use super::extract::Authed;
use super::{State, extract};

/// Who signs in.
// No `Debug`: the password is in no log.
#[derive(Deserialize, ToSchema)]
pub struct Login {
    #[schema(example = "alice@demo.test")]
    pub username: String,
    #[schema(example = "demo")]
    pub password: String,
}

/// Who signed in, with the token for the calls to come.
#[derive(Serialize, ToSchema)]
pub struct LoginBody {
    #[schema(example = "alice@demo.test")]
    pub username: String,
    /// Goes with the calls to come, until it expires.
    pub token: String,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/auth/login").route(web::post().to(login)))
        .service(web::resource("/v1.0/auth/login").route(web::post().to(login_below_base)))
        .service(web::resource("/auth/renew").route(web::post().to(renew)))
        .service(web::resource("/v1.0/auth/renew").route(web::post().to(renew_below_base)))
        .service(web::resource("/auth/logout").route(web::post().to(logout)))
        .service(web::resource("/v1.0/auth/logout").route(web::post().to(logout_below_base)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(login, login_below_base, renew, renew_below_base, logout, logout_below_base))]
pub struct Docs;

/// Sign in
///
/// The token is in the answer and in the cookie `token`. Which of user and password was wrong is not
/// told.
#[utoipa::path(post, path = "/auth/login", tag = "auth", operation_id = "login", request_body = Login,
    security(()),
    responses((status = 200, body = LoginBody), Refused))]
pub async fn login(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    // Counted before anything is read: who tries too often is not worth the work.
    if let Some(address) = request.peer_addr() {
        state.rates.address(address.ip())?;
    }
    let JsonBody(login, _) = JsonBody::<Login>::from_request(&request, &mut payload.into_inner()).await?;
    let signed_in = state.people.login(&login.username, &login.password).await?;
    Ok(answer(&state, signed_in))
}

/// The token, in the body and as the cookie.
fn answer(state: &State, signed_in: LoggedIn) -> HttpResponse {
    let cookie = cookie(state, signed_in.token.clone(), signed_in.ttl.as_secs());
    let body = LoginBody { username: signed_in.username, token: signed_in.token };
    HttpResponse::Ok().cookie(cookie).json(body)
}

/// The cookie `token`, for so many seconds.
fn cookie(state: &State, token: String, secs: u64) -> Cookie<'static> {
    Cookie::build("token", token)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(state.cookies.secure)
        .max_age(Duration::seconds(i64::try_from(secs).unwrap_or(i64::MAX)))
        .finish()
}

/// Sign in, at the address that the other calls share
///
/// The same as `/auth/login`.
#[utoipa::path(post, path = "/v1.0/auth/login", tag = "auth", operation_id = "login_below_base",
    request_body = Login, security(()), responses((status = 200, body = LoginBody), Refused))]
pub async fn login_below_base(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    login(state, request, payload).await
}

/// Stay signed in
///
/// Exchanges a good token of a sign-in on this hub for a new one, in the answer and in the cookie. All
/// tokens of one sign-in end `auth.session_secs` after it, and none is renewed once the password was
/// changed. Access keys and tokens of others cannot be renewed, also where they are signed with the
/// same secret: the claim `password_set` tells which are the hub's.
#[utoipa::path(post, path = "/auth/renew", tag = "auth", operation_id = "renew",
    responses((status = 200, body = LoginBody), Refused))]
pub async fn renew(state: web::Data<State>, Authed(verified, ()): Authed) -> Result<HttpResponse, ApiError> {
    Ok(answer(&state, state.people.renew(&verified).await?))
}

/// Stay signed in, at the address that the other calls share
///
/// The same as `/auth/renew`.
#[utoipa::path(post, path = "/v1.0/auth/renew", tag = "auth", operation_id = "renew_below_base",
    responses((status = 200, body = LoginBody), Refused))]
pub async fn renew_below_base(state: web::Data<State>, caller: Authed) -> Result<HttpResponse, ApiError> {
    renew(state, caller).await
}

/// Sign out
///
/// Takes the cookie back. A token that somebody kept is good until it ends.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", operation_id = "logout", security(()),
    responses((status = 200, body = Object), Refused))]
pub async fn logout(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    extract::page_may_act(&request)?;
    Ok(HttpResponse::Ok().cookie(cookie(&state, String::new(), 0)).json(serde_json::json!({})))
}

/// Sign out, at the address that the other calls share
///
/// The same as `/auth/logout`.
#[utoipa::path(post, path = "/v1.0/auth/logout", tag = "auth", operation_id = "logout_below_base", security(()),
    responses((status = 200, body = Object), Refused))]
pub async fn logout_below_base(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    logout(state, request).await
}
