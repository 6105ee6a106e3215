//! The test kit: real hub processes, a real Redis, and clients that check every answer they get.
//!
//! A test body is an async function that takes [`Hubs`]; `on_every_deployment!` runs it over the embedded store, over
//! Redis, and over two hub processes on one Redis. Every test makes its own customers, so tests share hubs and never
//! see each other.

pub(crate) mod asyncapi;
pub(crate) mod calls;
pub(crate) mod caretaker;
pub(crate) mod client;
#[macro_use]
pub(crate) mod deployment;
pub(crate) mod eventually;
pub(crate) mod hub;
pub(crate) mod luck;
pub(crate) mod openapi;
pub(crate) mod outage;
pub(crate) mod people;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod replica;
pub(crate) mod socket;
pub(crate) mod token;

pub(crate) use client::{Answer, Client, Credential};
pub(crate) use deployment::{Deployment, Hubs};
pub(crate) use hub::{HubSettings, TestHub};
pub(crate) use people::{Agent, Customer};
pub(crate) use socket::Socket;

use serde_json::Value;

/// The string under `key`, which must be there.
pub(crate) fn text<'a>(resource: &'a Value, key: &str) -> &'a str {
    resource[key].as_str().unwrap_or_else(|| panic!("no string `{key}` in {resource}"))
}

/// The id of a resource.
pub(crate) fn id(resource: &Value) -> String {
    text(resource, "id").to_owned()
}

/// The rows of a list answer.
pub(crate) fn rows(list: &Value) -> Vec<Value> {
    let rows = if list.is_array() { list } else { &list["result"] };
    rows.as_array().unwrap_or_else(|| panic!("no rows in {list}")).clone()
}

/// The values of `key` over the rows of a list answer.
pub(crate) fn column(list: &Value, key: &str) -> Vec<String> {
    rows(list).iter().map(|row| text(row, key).to_owned()).collect()
}

/// A uuid nobody has.
pub(crate) fn random_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The resource without these fields.
pub(crate) fn without(resource: &Value, keys: &[&str]) -> Value {
    let mut fields = resource.as_object().unwrap_or_else(|| panic!("not an object: {resource}")).clone();
    fields.retain(|key, _| !keys.contains(&key.as_str()));
    Value::Object(fields)
}

/// The names of a resource's fields, sorted.
pub(crate) fn fields(resource: &Value) -> Vec<&str> {
    let fields = resource.as_object().unwrap_or_else(|| panic!("not an object: {resource}"));
    let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// `items` sorted, to compare what has no order.
pub(crate) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.into_iter().collect();
    items.sort_unstable();
    items
}
