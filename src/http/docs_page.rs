//! `/docs`: a page for people, made in the browser from `/openapi.json`. Everything it needs is
//! compiled in, and its policy forbids it to ask any other host.

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpResponse, web};
use utoipa::OpenApi;

use crate::wire::error::ErrorEnvelope;
use crate::wire::{ApiError, Reason};

/// What the page may do: run its own scripts, and call this hub. Its style sheet has pictures in it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("docs_page/index.html");
const SCRIPT: &str = include_str!("docs_page/page.js");

/// The files of Swagger UI that the page uses, of those that are compiled in.
const ASSETS: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/docs").route(web::get().to(page)))
        .service(web::resource("/docs/{file}").route(web::get().to(asset)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(page, asset))]
pub struct Docs;

/// The page that shows these calls, and tries them
#[utoipa::path(get, path = "/docs", tag = "documents", operation_id = "docs", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
pub async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .content_type("text/html; charset=utf-8")
        .body(PAGE)
}

/// What the page is made of
#[utoipa::path(get, path = "/docs/{file}", tag = "documents", operation_id = "docs_file", security(()),
    params(("file" = String, Path, description = "Its name", example = "swagger-ui.css")),
    responses((status = 200, description = "Script, style or picture", content_type = "application/octet-stream"),
        (status = 404, description = "The page has no such file", body = ErrorEnvelope)))]
pub async fn asset(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    if name.as_str() == "page.js" {
        return Ok(response.content_type("text/javascript; charset=utf-8").body(SCRIPT));
    }
    let nothing = || ApiError::new(Reason::RouteNotFound, "the page has no such file");
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
    async fn the_page_and_all_it_names_come_from_this_hub() {
        let app = App::new().configure(routes).wrap(from_fn(crate::http::request_id::stamp));
        let app = call::init_service(app).await;
        let answer = call::call_service(&app, call::TestRequest::with_uri("/docs").to_request()).await;
        let policy = answer.headers().get("content-security-policy").and_then(|value| value.to_str().ok());
        assert_eq!(policy, Some(POLICY));
        for named in PAGE.split(['"', '\'']).filter(|text| text.starts_with('/') || text.contains("//")) {
            if named == "/openapi.json" {
                continue;
            }
            let answer = call::call_service(&app, call::TestRequest::with_uri(named).to_request()).await;
            assert_eq!(answer.status(), StatusCode::OK, "{named}");
            assert!(!call::read_body(answer).await.is_empty(), "{named}");
        }
        for other in ["swagger-ui.js", "index.html", "..%2fswagger-ui.css"] {
            let request = call::TestRequest::with_uri(&format!("/docs/{other}")).to_request();
            assert_eq!(call::call_service(&app, request).await.status(), StatusCode::NOT_FOUND, "{other}");
        }
    }
}
