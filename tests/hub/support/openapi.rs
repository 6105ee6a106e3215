//! The hub's own OpenAPI document, held against every answer a test receives: a route or a status the document does not
//! know, a field it does not name or a value of another type is a failure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::client::Answer;

/// The document is the same on every hub of this build, so one copy serves all tests of the process.
static DOCUMENT: OnceCell<Option<OpenApi>> = OnceCell::const_new();

struct OpenApi {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Checks an answer. A hub without a document is left to the test that demands one.
pub(crate) async fn check(answer: &Answer) {
    let documented = answer.path.starts_with("/v1.0/") || answer.path.starts_with("/auth/");
    if !documented || answer.body["error"]["reason"] == "ROUTE_NOT_FOUND" {
        return;
    }
    if let Some(openapi) = DOCUMENT.get_or_init(|| OpenApi::fetch(&answer.node)).await {
        openapi.check(answer);
    }
}

impl OpenApi {
    async fn fetch(node: &str) -> Option<Self> {
        let response = reqwest::get(format!("{node}/openapi.json")).await.expect("the hub answers");
        if response.status() != 200 {
            return None;
        }
        let mut document: Value = response.json().await.expect("/openapi.json is JSON");
        seal(&mut document["components"]["schemas"]);
        Some(Self { document, validators: Mutex::default() })
    }

    #[track_caller]
    fn check(&self, answer: &Answer) {
        let pointer = self.response_pointer(answer);
        let response = self.document.pointer(&pointer).expect("the pointer was just built");
        let response = match response["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).expect("a reference that leads somewhere"),
            None => response,
        };
        if answer.body.is_null() {
            return;
        }
        let schema = &response["content"]["application/json"]["schema"];
        assert!(!schema.is_null(), "/openapi.json promises no JSON body for {answer}");
        let validator = self.validator(&pointer, schema);
        let faults: Vec<_> =
            validator.iter_errors(&answer.body).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "not what /openapi.json promises: {answer}\n{}", faults.join("\n"));
    }

    /// Where the document describes this answer.
    #[track_caller]
    fn response_pointer(&self, answer: &Answer) -> String {
        let path = self.template(answer);
        let operation = format!("/paths/{}/{}", escape(&path), answer.method.as_str().to_lowercase());
        let responses = &self.document.pointer(&operation).unwrap_or(&Value::Null)["responses"];
        let exact = answer.status.to_string();
        let class = format!("{}XX", answer.status / 100);
        let status = [exact.as_str(), class.as_str(), "default"].into_iter().find(|key| !responses[key].is_null());
        let status = status.unwrap_or_else(|| panic!("/openapi.json does not know this status: {answer}"));
        format!("{operation}/responses/{status}")
    }

    /// The path template this answer's path fits; one without parameters is preferred.
    #[track_caller]
    fn template(&self, answer: &Answer) -> String {
        let paths = self.document["paths"].as_object().expect("/openapi.json has paths");
        let mut fitting: Vec<_> = paths
            .iter()
            .filter(|(template, item)| {
                fits(template, &answer.path) && !item[answer.method.as_str().to_lowercase()].is_null()
            })
            .map(|(template, _)| template.clone())
            .collect();
        fitting.sort_by_key(|template| template.matches('{').count());
        fitting.into_iter().next().unwrap_or_else(|| panic!("/openapi.json does not know this route: {answer}"))
    }

    fn validator(&self, pointer: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no check panicked while it held the cache");
        let compile = || {
            let whole = json!({"allOf": [schema], "components": self.document["components"]});
            Arc::new(jsonschema::draft202012::new(&whole).expect("the schemas of /openapi.json compile"))
        };
        Arc::clone(validators.entry(pointer.to_owned()).or_insert_with(compile))
    }
}

/// Whether a path such as `/a/17` fits a template such as `/a/{id}`.
pub(crate) fn fits(template: &str, path: &str) -> bool {
    let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (template, path) = (parts(template), parts(path));
    template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
}

fn escape(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

/// Closes every object schema that names its fields, so that an answer with a field the document does not name fails.
/// Schemas composed by `allOf` stay open: their parts cannot know each other's fields.
pub(crate) fn seal(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let open = fields.contains_key("properties") && !fields.contains_key("additionalProperties");
            if open && !fields.contains_key("allOf") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.iter_mut().filter(|(key, _)| *key != "allOf").for_each(|(_, value)| seal(value));
        }
        Value::Array(values) => values.iter_mut().for_each(seal),
        _ => {}
    }
}
