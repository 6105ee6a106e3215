//! Signing in by password.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::wire::ApiError;

use super::State;
use super::body::JsonBody;
use super::docs::Refused;

/// Who signs in. It has no `Debug`: the password is in no log.
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
    pub username: String,
    pub token: String,
}

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    for path in ["/auth/login", "/v1.0/auth/login"] {
        config.service(web::resource(path).route(web::post().to(login)));
    }
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(login))]
pub struct Docs;

/// Sign in
///
/// The token is in the answer and in the cookie `token`. Also at `/v1.0/auth/login`.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Login, security(()),
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
    let max_age = i64::try_from(signed_in.ttl.as_secs()).unwrap_or(i64::MAX);
    let cookie = Cookie::build("token", signed_in.token.clone())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(state.cookies.secure)
        .max_age(Duration::seconds(max_age))
        .finish();
    let body = LoginBody { username: signed_in.username, token: signed_in.token };
    Ok(HttpResponse::Ok().cookie(cookie).json(body))
}
