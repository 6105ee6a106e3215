//! What browsers run: the console at `/`, and the client library that it and others are made with.
//!
//! The files are those of `src/web`, compiled in; a debug build reads them from the checkout, so
//! that a change shows with the next reload. A page may run what comes from this hub and nothing
//! else: no script or style of another host, none that stands in a page, none made of a text.

use std::sync::OnceLock;

use actix_web::http::header::{self, ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use rust_embed::RustEmbed;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::wire::error::ErrorEnvelope;
use crate::wire::{ApiError, Reason};

use super::docs::Refused;

/// What the console may do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Endings of the files that are given out, each with its type. What else lies there stays there.
const TYPES: [(&str, &str); 8] = [
    (".js", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".html", "text/html; charset=utf-8"),
    (".d.ts", "text/plain; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".png", "image/png"),
    (".woff2", "font/woff2"),
    (".webmanifest", "application/manifest+json"),
];

/// The page at `/`.
const INDEX: &str = "index.html";

#[derive(RustEmbed)]
#[folder = "src/web/console"]
struct Console;

#[derive(RustEmbed)]
#[folder = "src/web/client"]
struct Client;

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/").route(web::get().to(index)))
        .service(web::resource("/console/demo.json").route(web::get().to(offer)).route(web::post().to(begin)))
        .service(web::resource("/console/{file}").route(web::get().to(console)))
        .service(web::resource("/client/{file}").route(web::get().to(client)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(index, offer, begin, console, client))]
pub struct Docs;

/// The agent console
#[utoipa::path(get, path = "/", tag = "documents", operation_id = "console", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 304, description = "Still the one you have")))]
pub async fn index(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&request, INDEX, Console::get(INDEX))
}

/// Whom a newcomer may be: the people of a demo, whose password is no secret; of every other hub nobody.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Offer {
    /// Everybody's.
    pub password: String,
    pub people: Vec<OfferedPerson>,
}

/// Somebody whom a newcomer may be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OfferedPerson {
    #[schema(example = "alice@demo.test")]
    pub username: String,
    #[schema(example = "Alice")]
    pub name: String,
}

/// What a demo's people do when somebody comes to see them.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Lets them talk a little, once in the life of a demo, if nobody has talked there yet.
    ///
    /// # Errors
    /// The store does not answer.
    async fn begin(&self) -> Result<(), ApiError>;
}

/// A demo as browsers see it.
pub struct Demonstration {
    pub offer: Offer,
    pub stage: Box<dyn Stage>,
}

/// The demo of this hub, once there is one.
pub type Offered = OnceLock<Demonstration>;

/// Whom a newcomer may be
///
/// The people of a demo. Of every other hub nobody.
#[utoipa::path(get, path = "/console/demo.json", tag = "documents", operation_id = "console_demo", security(()),
    responses((status = 200, body = Offer)))]
pub async fn offer(offered: Option<web::Data<Offered>>) -> HttpResponse {
    let offer = offered.and_then(|offered| offered.get().map(|demo| demo.offer.clone())).unwrap_or_default();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(offer)
}

/// Let a demo's people talk a little
///
/// So that who comes by a browser sees a living place. The first time, and only where nobody has talked
/// yet; who comes by program finds the demo empty. On every other hub nothing happens.
#[utoipa::path(post, path = "/console/demo.json", tag = "documents", operation_id = "console_demo_begin",
    security(()), responses((status = 200, body = Offer), Refused))]
pub async fn begin(offered: Option<web::Data<Offered>>) -> Result<HttpResponse, ApiError> {
    if let Some(demo) = offered.as_ref().and_then(|offered| offered.get()) {
        demo.stage.begin().await?;
    }
    Ok(offer(offered).await)
}

/// What the console is made of
#[utoipa::path(get, path = "/console/{file}", tag = "documents", operation_id = "console_file", security(()),
    params(("file" = String, Path, description = "Its name", example = "console.css")),
    responses((status = 200, description = "Script, style, page or picture",
            content_type = "application/octet-stream"),
        (status = 304, description = "Still the one you have"),
        (status = 404, description = "The console has no such file", body = ErrorEnvelope)))]
pub async fn console(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    answer(&request, &name, Console::get(&name))
}

/// The client library, as ES modules
///
/// `import { Talk } from "/client/index.js"`: for browsers, and published as `talk-hub-client`.
#[utoipa::path(get, path = "/client/{file}", tag = "documents", operation_id = "client_file", security(()),
    params(("file" = String, Path, description = "Its name", example = "index.js")),
    responses((status = 200, description = "Script or types", content_type = "application/octet-stream"),
        (status = 304, description = "Still the one you have"),
        (status = 404, description = "The library has no such file", body = ErrorEnvelope)))]
pub async fn client(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    answer(&request, &name, Client::get(&name))
}

/// The file, or that the browser has it: it asks each time, and is told in a few bytes.
fn answer(request: &HttpRequest, name: &str, file: Option<rust_embed::EmbeddedFile>) -> Result<HttpResponse, ApiError> {
    let kind = TYPES.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, kind)| *kind);
    let (Some(kind), Some(file)) = (kind, file) else {
        return Err(ApiError::new(Reason::RouteNotFound, "there is no such file"));
    };
    let digest: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // Weak: the same file also goes out compressed.
    let tag = EntityTag::new_weak(digest);
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    if known {
        return Ok(response.finish());
    }
    Ok(response.content_type(kind).body(file.data.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::{App, middleware::from_fn, test as call};

    async fn asked(
        path: &str,
        known: Option<&str>,
    ) -> actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody + use<>> {
        let app = App::new().configure(routes).wrap(from_fn(crate::http::request_id::stamp));
        let app = call::init_service(app).await;
        let request = call::TestRequest::with_uri(path);
        let request =
            known.into_iter().fold(request, |request, tag| request.insert_header((header::IF_NONE_MATCH, tag)));
        call::call_service(&app, request.to_request()).await
    }

    fn said<B>(answer: &actix_web::dev::ServiceResponse<B>, name: &str) -> String {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    #[actix_web::test]
    async fn pages_and_modules_come_with_their_type_and_a_policy_and_are_asked_for_once() {
        for (path, kind) in [
            ("/", "text/html; charset=utf-8"),
            ("/console/index.html", "text/html; charset=utf-8"),
            ("/client/index.js", "text/javascript; charset=utf-8"),
            ("/client/index.d.ts", "text/plain; charset=utf-8"),
        ] {
            let answer = asked(path, None).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(said(&answer, "content-type"), kind);
            assert_eq!(said(&answer, "content-security-policy"), POLICY);
            assert_eq!(said(&answer, "cache-control"), "no-cache");
            assert_eq!(said(&answer, "x-content-type-options"), "nosniff");
            let tag = said(&answer, "etag");
            assert!(!call::read_body(answer).await.is_empty());
            let again = asked(path, Some(&tag)).await;
            assert_eq!((again.status(), said(&again, "etag")), (StatusCode::NOT_MODIFIED, tag));
            assert_eq!(asked(path, Some("W/\"another\"")).await.status(), StatusCode::OK);
        }
    }

    struct Empty;

    #[async_trait]
    impl Stage for Empty {
        async fn begin(&self) -> Result<(), ApiError> {
            Ok(())
        }
    }

    #[actix_web::test]
    async fn only_a_demo_offers_people() {
        let answer = asked("/console/demo.json", None).await;
        assert_eq!(answer.status(), StatusCode::OK, "a page that asks has no error to show");
        assert_eq!(call::read_body(answer).await, r#"{"password":"","people":[]}"#);
        let offered = Offered::new();
        let alice = OfferedPerson { username: "alice@demo.test".to_owned(), name: "Alice".to_owned() };
        let offer = Offer { password: "demo".to_owned(), people: vec![alice] };
        assert!(offered.set(Demonstration { offer, stage: Box::new(Empty) }).is_ok(), "the first");
        let app = App::new().app_data(web::Data::new(offered)).configure(routes);
        let app = call::init_service(app).await;
        let request = call::TestRequest::with_uri("/console/demo.json").to_request();
        let body = call::call_and_read_body(&app, request).await;
        assert_eq!(body, r#"{"password":"demo","people":[{"username":"alice@demo.test","name":"Alice"}]}"#);
    }

    #[actix_web::test]
    async fn nothing_else_is_given_out() {
        for path in [
            "/client/package.json",
            "/client/README.md",
            "/client/..%2fconsole%2findex.html",
            "/client/..%2f..%2fhttp%2fweb.rs",
            "/client/%2e%2e%2f%2e%2e%2flib.rs.js",
            "/client//etc/passwd",
            "/client/",
            "/console/none.js",
        ] {
            assert_eq!(asked(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    /// A page with a script or style in it would show nothing: its policy forbids them.
    #[test]
    fn pages_hold_no_script_and_no_style_of_their_own() {
        for name in Console::iter().filter(|name| name.ends_with(".html")) {
            let page = Console::get(&name).expect("the page").data.into_owned();
            let page = String::from_utf8(page).expect("text").to_lowercase();
            for script in page.split("<script").skip(1) {
                assert!(script.split('>').next().unwrap_or_default().contains("src="), "{name}: a script in the page");
            }
            assert!(!page.contains("<style") && !page.contains(" style="), "{name}: a style in the page");
            assert!(!page.contains(" onclick=") && !page.contains("javascript:"), "{name}: a handler in the page");
        }
    }
}
