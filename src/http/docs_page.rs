//! `/docs` and `/docs/events`: pages for people, made in the browser from `/openapi.json` and
//! `/asyncapi.json`. Everything they need is compiled in, and their policies forbid them to ask any
//! other host.

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpResponse, web};
use utoipa::OpenApi;

use crate::wire::error::ErrorEnvelope;
use crate::wire::{ApiError, Reason};

/// What the page of calls may do: run its own scripts, and call this hub. Its style sheet has pictures in it.
const CALLS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page of events may do. Its scripts are ours, and make no markup from text.
const EVENTS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

const CALLS: &str = include_str!("docs_page/index.html");
const EVENTS: &str = include_str!("docs_page/events.html");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Our own files of the pages: name, type, text.
const OWN: [(&str, &str, &str); 4] = [
    ("page.js", JAVASCRIPT, include_str!("docs_page/page.js")),
    ("events.js", JAVASCRIPT, include_str!("docs_page/events.js")),
    ("markdown.js", JAVASCRIPT, include_str!("docs_page/markdown.js")),
    ("docs.css", "text/css; charset=utf-8", include_str!("docs_page/docs.css")),
];

/// The files of Swagger UI that the page uses, of those that are compiled in.
const ASSETS: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/docs").route(web::get().to(page)))
        .service(web::resource("/docs/events").route(web::get().to(events)))
        .service(web::resource("/docs/{file}").route(web::get().to(asset)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(page, events, asset))]
pub struct Docs;

/// The page that shows these calls, and tries them
#[utoipa::path(get, path = "/docs", tag = "documents", operation_id = "docs", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
pub async fn page() -> HttpResponse {
    html(CALLS_POLICY, CALLS)
}

/// The page that shows what is said over a WebSocket
#[utoipa::path(get, path = "/docs/events", tag = "documents", operation_id = "docs_events", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
pub async fn events() -> HttpResponse {
    html(EVENTS_POLICY, EVENTS)
}

fn html(policy: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/html; charset=utf-8")
        .body(text)
}

/// What the pages are made of
#[utoipa::path(get, path = "/docs/{file}", tag = "documents", operation_id = "docs_file", security(()),
    params(("file" = String, Path, description = "Its name", example = "swagger-ui.css")),
    responses((status = 200, description = "Script, style or picture", content_type = "application/octet-stream"),
        (status = 404, description = "The pages have no such file", body = ErrorEnvelope)))]
pub async fn asset(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if let Some((_, kind, text)) = OWN.iter().find(|own| own.0 == name.as_str()) {
        // Small, and to be as new as the hub.
        response.insert_header((header::CACHE_CONTROL, "no-cache"));
        return Ok(response.content_type(*kind).body(*text));
    }
    response.insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    let nothing = || ApiError::new(Reason::RouteNotFound, "the pages have no such file");
    if !ASSETS.contains(&name.as_str()) {
        return Err(nothing());
    }
    let file = utoipa_swagger_ui::serve(&name, utoipa_swagger_ui::Config::default().into());
    let file = file.map_err(ApiError::internal)?.ok_or_else(nothing)?;
    if file.gzpipped {
        // As it is compiled in. Every browser understands it.
        response.insert_header(ContentEncoding::Gzip);
    }
    Ok(response.content_type(file.content_type).body(file.bytes.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::{App, middleware::from_fn, test as call};

    #[actix_web::test]
    async fn the_pages_and_all_they_name_come_from_this_hub() {
        let app = App::new().configure(routes).wrap(from_fn(crate::http::request_id::stamp));
        let app = call::init_service(app).await;
        for (path, text, policy) in [("/docs", CALLS, CALLS_POLICY), ("/docs/events", EVENTS, EVENTS_POLICY)] {
            let answer = call::call_service(&app, call::TestRequest::with_uri(path).to_request()).await;
            let given = answer.headers().get("content-security-policy").and_then(|value| value.to_str().ok());
            assert_eq!(given, Some(policy));
            let texts = std::iter::once(text).chain(OWN.iter().map(|own| own.2));
            let named = texts.flat_map(|text| text.split(['"', '\'']));
            for named in named.filter(|text| text.starts_with("/docs") || text.contains("//") && !text.contains(' ')) {
                let answer = call::call_service(&app, call::TestRequest::with_uri(named).to_request()).await;
                assert_eq!(answer.status(), StatusCode::OK, "{named}");
                assert!(!call::read_body(answer).await.is_empty(), "{named}");
            }
        }
        for other in ["swagger-ui.js", "index.html", "..%2fswagger-ui.css"] {
            let request = call::TestRequest::with_uri(&format!("/docs/{other}")).to_request();
            assert_eq!(call::call_service(&app, request).await.status(), StatusCode::NOT_FOUND, "{other}");
        }
    }
}
