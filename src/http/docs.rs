//! What every call has in common in `/openapi.json`: how one is refused, and how one comes in.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{IntoResponses, Modify};

/// How any call can be refused.
pub struct Refused;

/// How a call that names a resource, or is at odds with the state of one, can be refused besides.
pub struct NotFound;

/// How a call that collides with what is there can be refused besides.
pub struct Conflict;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&[
            ("400", "A field, an id or a parameter is wrong: `message` says which"),
            ("401", "No credential, or one that is wrong, has ended or was revoked"),
            ("403", "The caller may not"),
            ("429", "Too many calls; `Retry-After` says when to come back"),
            ("500", "A fault of the hub's, in its log under the request's id"),
            ("503", "Not available; `Retry-After` says when to come back"),
        ])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&[("404", "There is no such resource, or it is another customer's")])
    }
}

impl IntoResponses for Conflict {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&[("409", "What is there does not allow it")])
    }
}

fn refusals(rows: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let row = |(status, text): &(&str, &str)| {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorEnvelope"))).build();
        let response = ResponseBuilder::new().description(*text).content("application/json", body).build();
        ((*status).to_owned(), RefOr::T(response))
    };
    rows.iter().map(row).collect()
}

/// Adds the ways to carry a credential, and says that every call wants one of them; a call that
/// wants none says so itself.
pub struct Credentials;

impl Modify for Credentials {
    fn modify(&self, api: &mut OpenApi) {
        let text = "a token or an access key (`vb_...`)";
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build();
        let schemes = [
            ("bearer", SecurityScheme::Http(bearer)),
            ("token", SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description("token", text)))),
            ("token_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("token", text)))),
            ("accesskey", SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description("accesskey", text)))),
            (
                "accesskey_cookie",
                SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("accesskey", text))),
            ),
        ];
        let components = api.components.get_or_insert_default();
        let mut ways = Vec::new();
        for (name, scheme) in schemes {
            components.add_security_scheme(name, scheme);
            ways.push(SecurityRequirement::new(name, Vec::<String>::new()));
        }
        api.security = Some(ways);
    }
}
