//! What every call has in common in `/openapi.json`: how one is refused, and how one comes in.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{IntoResponses, Modify, PartialSchema, ToSchema};

use crate::wire::error::ErrorEnvelope;

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

/// Adds the form of a refusal and the ways to carry a credential, and says that every call wants
/// one of them; a call that wants none says so itself.
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
        let mut forms = vec![(ErrorEnvelope::name().into_owned(), ErrorEnvelope::schema())];
        ErrorEnvelope::schemas(&mut forms);
        components.schemas.extend(forms);
        let mut ways = Vec::new();
        for (name, scheme) in schemes {
            components.add_security_scheme(name, scheme);
            ways.push(SecurityRequirement::new(name, Vec::<String>::new()));
        }
        api.security = Some(ways);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{access_keys, agents, customers, login};
    use utoipa::OpenApi as _;

    #[test]
    fn every_call_is_documented_with_how_it_is_refused() {
        let mut api = login::Docs::openapi();
        for docs in [customers::Docs::openapi(), agents::Docs::openapi(), access_keys::Docs::openapi()] {
            api.merge(docs);
        }
        Credentials.modify(&mut api);
        let text = serde_json::to_string(&api).expect("json");
        let api: serde_json::Value = serde_json::from_str(&text).expect("json");
        let mut names = Vec::new();
        for (path, calls) in api["paths"].as_object().expect("paths") {
            for (method, call) in calls.as_object().expect("calls") {
                names.push(call["operationId"].as_str().expect("a name").to_owned());
                for status in ["200", "400", "401", "403", "429", "500", "503"] {
                    assert!(call["responses"].get(status).is_some(), "{method} {path}: {status}");
                }
                assert_eq!(path.contains("{id}"), call["parameters"][0]["name"] == "id", "{method} {path}");
            }
        }
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!((names.len(), all), (20, 20), "{names:?}");
        for reference in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(api["components"]["schemas"].get(reference).is_some(), "{reference}");
        }
    }
}
