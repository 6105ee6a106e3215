//! The route table against the documents about it.

use std::collections::BTreeSet;

use actix_web::introspection::{IntrospectionNode, IntrospectionTree};
use actix_web::{App, test as call, web};
use serde_json::Value;

use super::*;

/// A method and a path.
type Call = (String, String);

/// What the app itself says that it answers.
async fn routed() -> BTreeSet<Call> {
    let app = call::init_service(App::new().configure(routes)).await;
    let answer = call::call_service(&app, call::TestRequest::with_uri("/ping").to_request()).await;
    let tree = answer.request().app_data::<web::Data<IntrospectionTree>>().expect("the app's own report");
    let mut found = BTreeSet::new();
    collect(&tree.root, &mut found);
    found
}

fn collect(node: &IntrospectionNode, found: &mut BTreeSet<Call>) {
    // Without a method, a resource would answer all of them, which no route of ours does.
    assert!(node.patterns.is_empty() || !node.methods.is_empty(), "{} takes any method", node.full_path);
    found.extend(node.methods.iter().map(|method| (method.to_string(), node.full_path.clone())));
    node.children.iter().for_each(|child| collect(child, found));
}

fn written() -> Value {
    serde_json::to_value(document()).expect("json")
}

fn calls(document: &Value) -> impl Iterator<Item = (Call, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, item)| {
        let calls = item.as_object().expect("calls").iter();
        calls.map(move |(method, call)| ((method.to_uppercase(), path.clone()), call))
    })
}

#[actix_web::test]
async fn every_route_is_documented_and_every_documented_call_has_a_route() {
    let routed = routed().await;
    let document = written();
    let documented: BTreeSet<Call> = calls(&document).map(|(call, _)| call).collect();
    let silent: Vec<_> = routed.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&routed).collect();
    assert!(
        silent.is_empty() && invented.is_empty(),
        "not in /openapi.json: {silent:?}; without a route: {invented:?}"
    );
    assert!(routed.len() > 40, "{routed:?}");
}

#[test]
fn every_call_can_be_read_about() {
    let document = written();
    let tags = document["tags"].as_array().expect("tags");
    assert!(tags.iter().all(|tag| !tag["description"].as_str().unwrap_or_default().is_empty()));
    let mut names = BTreeSet::new();
    for ((method, path), call) in calls(&document) {
        let name = call["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "{name} is there twice");
        assert!(!call["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}: no summary");
        assert!(tags.iter().any(|tag| tag["name"] == call["tags"][0]), "{method} {path}: no tag");
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{method} {path}: {}", parameter["name"]);
        }
        for (status, answer) in call["responses"].as_object().expect("answers") {
            assert!(!answer["description"].as_str().unwrap_or_default().is_empty(), "{method} {path}: {status}");
        }
        let body = call["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
        if let Some(schema) = body.and_then(|body| document.pointer(&body[1..])) {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let shown =
                !schema["example"].is_null() || properties.clone().any(|(_, field)| !field["example"].is_null());
            assert!(shown, "{method} {path}: its body has no example");
        }
        let open = call["security"] == serde_json::json!([{}]);
        let session = path.ends_with("/auth/login") || path.ends_with("/auth/logout");
        let public = session || !(path.starts_with("/v1.0/") || path == "/auth/renew");
        assert_eq!(open, public, "{method} {path}: its security");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [written(), events_doc::document()] {
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            let found = document.pointer(reference);
            assert!(found.is_some(), "{reference}");
        }
    }
}
