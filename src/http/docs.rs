//! What every call has in common in `/openapi.json`: how one is refused, and how one comes in.
//! [`Conventions`] says it once for all of them, after the parts were put together.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi, Ref, RefOr, Schema};
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
        let mut response = ResponseBuilder::new().description(*text).content("application/json", body);
        if matches!(*status, "429" | "503") {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
            let header =
                HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait before the next try"));
            response = response.header("Retry-After", header.build());
        }
        ((*status).to_owned(), RefOr::T(response.build()))
    };
    rows.iter().map(row).collect()
}

/// Says for all calls what is the same everywhere: the form of a refusal, the ways to carry a
/// credential (every call wants one; one that does not says so itself), and, where a call does not
/// say it better, what an id, a key and a success are.
pub struct Conventions;

impl Modify for Conventions {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_default();
        let mut forms = vec![(ErrorEnvelope::name().into_owned(), ErrorEnvelope::schema())];
        ErrorEnvelope::schemas(&mut forms);
        components.schemas.extend(forms);
        name_rows(&mut components.schemas);
        let mut ways = Vec::new();
        for (name, scheme) in credentials() {
            components.add_security_scheme(name, scheme);
            if name != ADMIN {
                ways.push(SecurityRequirement::new(name, Vec::<String>::new()));
            }
        }
        api.security = Some(ways);
        for item in api.paths.paths.values_mut() {
            item.get.iter_mut().for_each(|call| complete(call, "What was asked for"));
            let changes = [&mut item.post, &mut item.put, &mut item.delete];
            changes.into_iter().flatten().for_each(|call| complete(call, "Done"));
        }
    }
}

/// The scheme of calls that take the operator's token.
const ADMIN: &str = "admin_token";

fn credentials() -> Vec<(&'static str, SecurityScheme)> {
    let text = "A token or an access key (`vb_...`)";
    let bearer = |text: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build())
    };
    let query = |name: &str| SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(name, text)));
    let cookie = |name: &str| SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(name, text)));
    vec![
        ("bearer", bearer(text)),
        ("token", query("token")),
        ("token_cookie", cookie("token")),
        ("accesskey", query("accesskey")),
        ("accesskey_cookie", cookie("accesskey")),
        (ADMIN, bearer("The operator's token, `auth.admin_token`; also as `?token=`")),
    ]
}

/// Rows of pages are named, as they are elsewhere, instead of spelled out again.
fn name_rows(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (page, schema) in schemas.iter_mut() {
        let Some(row) = page.strip_prefix("Listed_").filter(|row| names.iter().any(|name| name == row)) else {
            continue;
        };
        let RefOr::T(Schema::Object(page)) = schema else { continue };
        if let Some(RefOr::T(Schema::Array(rows))) = page.properties.get_mut("result") {
            rows.items = ArrayItems::RefOrSchema(Box::new(RefOr::Ref(Ref::from_schema_name(row))));
        }
    }
}

/// Fills in what a call does not say of its parameters and its success.
fn complete(call: &mut Operation, success_text: &str) {
    for parameter in call.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let text = match parameter.name.as_str() {
            "id" => "The resource's",
            "pid" => "The participant record's",
            "Idempotency-Key" => {
                "1 to 128 visible ASCII characters. A repeat within 24 hours gives the first answer again"
            }
            _ => continue,
        };
        parameter.description.get_or_insert_with(|| text.to_owned());
    }
    if let Some(RefOr::T(success)) = call.responses.responses.get_mut("200")
        && success.description.is_empty()
    {
        success_text.clone_into(&mut success.description);
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
        Conventions.modify(&mut api);
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
        assert_eq!((names.len(), all), (25, 25), "{names:?}");
        for reference in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(api["components"]["schemas"].get(reference).is_some(), "{reference}");
        }
    }
}
