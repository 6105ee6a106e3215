//! `/asyncapi.json`: the socket as AsyncAPI 3.0, made from the tables of events, close causes and
//! frames, so that none of them can be there without being described. Its examples are frames of
//! the same types.
//!
//! Frames of clients are read by hand, into types that the document is made from; a test holds the
//! two together.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::model::EventKind;
use crate::people::AgentBody;
use crate::wire::CloseCause;
use crate::wire::frames::{
    AGENT_STATUS_UPDATED, AnswerFrame, ErrorFrame, EventFrame, LostReason, ResyncFrame, SubscribeFrame,
    UnsubscribeFrame,
};
use crate::wire::resources::{ChatResource, MessageResource, ParticipantResource};

mod examples;

/// Where sockets are opened; both are the same.
const CHANNELS: [(&str, &str); 2] = [("ws", "/v1.0/ws"), ("service_agents_ws", "/v1.0/service_agents/ws")];

const TOPICS: &str = "\
A topic is `<scope>:<uuid>[:<rest>]`, a plain prefix of what it matches; a `*` at its end is left out.

- `agent_id:<own id>`: every event of every chat the agent is a member of at that moment, chats joined later \
included, and the removal that ends it. `agent_id:<own id>:chat:<chat id>`: one of them.
- `customer_id:<own>`: all chats of the customer, for admins and managers.

An event matches as `...:chat:<chat id>` and as `...:<chat|chatmessage|chatparticipant>:<event>:<resource id>`; a \
status as `...:agent:agent_status_updated:<agent id>`. It reaches a connection at most once, however many topics match.";

const RESUME: &str = "\
Every event of a chat has a `cursor`, and so has every chat over REST. Hand the last one of each chat to `since`: the \
answer says in `chats` where each chat in scope stands, and behind it comes every event after your cursors, in order, \
then what happens from there on; no hole, no repeat. `recovered: false` says that this cannot be done, and why: fetch \
the chat over REST. A chat in the answer that you did not name is new to you; one you named that is not in the answer \
is no longer yours. `resync` tells a live client the same of one chat: fetch it, events go on from the frame's `cursor`.";

const PROMISE: &str = "\
Every event of a chat reaches every connected member in the order of `seq`, exactly once, or the connection is closed \
so that the client resumes. It is never silently skipped.";

/// The document. Every `$ref` in it leads somewhere.
#[must_use]
pub fn document() -> Value {
    let mut messages = client_messages();
    messages.extend(answers());
    messages.extend(events());
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Talk hub: live events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("What is said over a WebSocket, as text frames of JSON. Calls are in `/openapi.json`.\
                \n\n{PROMISE}\n\n## Topics\n\n{TOPICS}\n\n## Coming back\n\n{RESUME}\n\n## Ends\n\n{}", close_table()),
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "defaultContentType": "application/json",
        "servers": {"plain": server("ws"), "tls": server("wss")},
        "channels": CHANNELS.iter().map(|(name, path)| ((*name).to_owned(), channel(path, &messages))).collect::<Map<_, _>>(),
        "operations": CHANNELS.iter().flat_map(|(name, _)| operations(name)).collect::<Map<_, _>>(),
        "components": {"messages": messages, "schemas": schemas(), "securitySchemes": credentials()},
    })
}

fn server(protocol: &str) -> Value {
    json!({
        "host": "{host}",
        "protocol": protocol,
        "description": "Any hub: all of them hear everything.",
        "variables": {"host": {"default": "127.0.0.1:8080", "description": "Address and port of a hub."}},
        "security": credentials().keys().map(|name| reference("securitySchemes", name)).collect::<Vec<_>>(),
    })
}

fn credentials() -> Map<String, Value> {
    let text = "A token or an access key (`vb_...`). Without a good one the upgrade is answered 401, as any call.";
    let rows = [
        ("bearer", json!({"type": "http", "scheme": "bearer", "description": text})),
        ("token", json!({"type": "httpApiKey", "in": "query", "name": "token", "description": text})),
        ("token_cookie", json!({"type": "httpApiKey", "in": "cookie", "name": "token", "description": text})),
        ("accesskey", json!({"type": "httpApiKey", "in": "query", "name": "accesskey", "description": text})),
        ("accesskey_cookie", json!({"type": "httpApiKey", "in": "cookie", "name": "accesskey", "description": text})),
    ];
    rows.into_iter().map(|(name, scheme)| (name.to_owned(), scheme)).collect()
}

fn channel(path: &str, messages: &Map<String, Value>) -> Value {
    let close: Vec<_> = CloseCause::ALL
        .iter()
        .map(|cause| json!({"code": cause.frame().0, "reason": cause.frame().1, "meaning": cause.meaning()}))
        .collect();
    let refs: Map<_, _> = messages.keys().map(|name| (name.clone(), reference("messages", name))).collect();
    json!({
        "address": path,
        "title": "A connection of an agent",
        "description": "A ping comes every `server.ping_secs`; a client that says nothing, not even pong, for \
            `server.idle_secs` is closed. Frames of clients have at most `limits.frame_bytes_max` bytes. Five wrong \
            frames in a row end the connection; one does not. Fields may be added to what the hub says: a client \
            leaves alone what it does not know.",
        "messages": refs,
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        "x-close-codes": close,
    })
}

fn operations(channel: &str) -> Vec<(String, Value)> {
    let on = json!({"$ref": format!("#/channels/{channel}")});
    let messages = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({"$ref": format!("#/channels/{channel}/messages/{name}")})).collect()
    };
    let asked = |name: &str, answer: &str, summary: &str| {
        let reply = json!({"channel": on, "messages": messages(&[answer, "error"])});
        json!({"action": "receive", "channel": on, "summary": summary, "messages": messages(&[name]), "reply": reply})
    };
    let told = |names: &[&str], summary: &str| json!({"action": "send", "channel": on, "summary": summary, "messages": messages(names)});
    let mut events: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    events.push(AGENT_STATUS_UPDATED);
    let subscribe =
        "Hear topics, from now on or from where the client stands. Answered when it has an `id` or `since`.";
    let unsubscribe = "Hear topics no longer. Answered when it has an `id`.";
    let resync = "The client's copy of a chat is not the truth any more.";
    vec![
        (format!("{channel}_subscribe"), asked("subscribe", "subscribed", subscribe)),
        (format!("{channel}_unsubscribe"), asked("unsubscribe", "unsubscribed", unsubscribe)),
        (format!("{channel}_events"), told(&events, "What happens in the chats that the topics cover.")),
        (format!("{channel}_resync"), told(&["resync"], resync)),
    ]
}

/// What clients say, from the types that their frames are read into.
fn client_messages() -> Map<String, Value> {
    let hear = "Hear topics. Once it is in force, every event after it is delivered.";
    let end = "Hear topics no longer, named as they were subscribed to.";
    let rows = [
        ("subscribe", hear, frame::<SubscribeFrame>("subscribe")),
        ("unsubscribe", end, frame::<UnsubscribeFrame>("unsubscribe")),
    ];
    rows.into_iter().map(|(name, text, payload)| (name.to_owned(), message(name, text, payload))).collect()
}

/// What the hub says about a client's frames and copies.
fn answers() -> Map<String, Value> {
    let answer = "It is in force: every event after this frame is delivered.";
    let rows = [
        ("subscribed", answer, frame::<AnswerFrame>("subscribed")),
        ("unsubscribed", "The topics have ended.", frame::<AnswerFrame>("unsubscribed")),
        ("error", "A frame was refused, and nothing of it took effect.", frame::<ErrorFrame>("error")),
        ("resync", "Fetch this chat over REST; events go on from the cursor.", frame::<ResyncFrame>("resync")),
    ];
    rows.into_iter().map(|(name, text, payload)| (name.to_owned(), told(name, text, payload))).collect()
}

fn events() -> Map<String, Value> {
    let of_chats = EventKind::ALL.iter().map(|kind| {
        let name = kind.as_str();
        let mut payload = match kind {
            EventKind::ChatCreated | EventKind::ChatUpdated | EventKind::ChatDeleted => event::<ChatResource>(name),
            EventKind::MessageCreated | EventKind::MessageDeleted | EventKind::ReactionChanged => {
                event::<MessageResource>(name)
            }
            EventKind::ParticipantAdded | EventKind::ParticipantRemoved => event::<ParticipantResource>(name),
        };
        // An event of a chat always says where it stands.
        payload["required"] = json!(["type", "data", "chat_id", "seq", "cursor", "timestamp"]);
        (name.to_owned(), told(name, kind.meaning(), payload))
    });
    let mut all: Map<_, _> = of_chats.collect();
    let mut payload = event::<AgentBody>(AGENT_STATUS_UPDATED);
    if let Some(fields) = payload["properties"].as_object_mut() {
        fields.retain(|field, _| !matches!(field.as_str(), "chat_id" | "seq" | "cursor"));
    }
    let text =
        "An agent of the customer can be reached otherwise. It is of no chat, and not sent again to who was away.";
    all.insert(AGENT_STATUS_UPDATED.to_owned(), told(AGENT_STATUS_UPDATED, text, payload));
    all
}

fn event<D: ToSchema>(name: &str) -> Value {
    let mut payload = frame::<EventFrame<'static, D>>(name);
    payload["properties"]["data"] = json!({"allOf": [reference("schemas", &D::name())],
        "description": payload["properties"]["data"]["description"]});
    payload
}

/// The schema of a frame, with its one `type`.
fn frame<F: ToSchema>(kind: &str) -> Value {
    let schema = serde_json::to_value(F::schema()).unwrap_or_default();
    let mut fields = json!({"type": {"const": kind, "description": "What the frame is."}});
    if let (Some(fields), Some(more)) = (fields.as_object_mut(), schema["properties"].as_object()) {
        fields.extend(more.clone().into_iter().filter(|(name, _)| name != "type"));
    }
    let mut required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    required.retain(|name| name != "type");
    required.insert(0, json!("type"));
    json!({"type": "object", "required": required, "properties": fields})
}

/// A message of the hub's. What has no value is left out and never null.
fn told(name: &str, text: &str, mut payload: Value) -> Value {
    never_null(&mut payload);
    message(name, text, payload)
}

fn message(name: &str, text: &str, payload: Value) -> Value {
    json!({"name": name, "title": name, "summary": text, "payload": payload, "examples": examples::of(name)})
}

/// Takes null out of what a field may be: nothing that the hub says is ever null.
fn never_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(kinds)) = fields.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    fields.insert("type".to_owned(), kind);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("oneOf") {
                choices.retain(|choice| choice["type"] != "null");
            }
            fields.values_mut().for_each(never_null);
        }
        Value::Array(values) => values.iter_mut().for_each(never_null),
        _ => {}
    }
}

/// What the frames are made of.
fn schemas() -> Map<String, Value> {
    let mut found = Vec::new();
    AnswerFrame::schemas(&mut found);
    ErrorFrame::schemas(&mut found);
    ResyncFrame::schemas(&mut found);
    for (name, schema) in [
        (ChatResource::name(), ChatResource::schema()),
        (MessageResource::name(), MessageResource::schema()),
        (ParticipantResource::name(), ParticipantResource::schema()),
        (AgentBody::name(), AgentBody::schema()),
        (LostReason::name(), LostReason::schema()),
    ] {
        found.push((name.into_owned(), schema));
    }
    MessageResource::schemas(&mut found);
    let written = found.into_iter().map(|(name, schema)| {
        let mut schema = serde_json::to_value(schema).unwrap_or_default();
        never_null(&mut schema);
        (name, schema)
    });
    written.collect()
}

fn reference(part: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{part}/{name}")})
}

/// The close codes, as a table for people.
fn close_table() -> String {
    let mut table = String::from(
        "A client may come back after each of these; after 1008 only with other frames, after 4001 only with another \
         credential.\n\n| code | reason | why |\n|---|---|---|\n",
    );
    for cause in CloseCause::ALL {
        let (code, reason) = cause.frame();
        table.push_str(&format!("| {code} | {reason} | {} |\n", cause.meaning()));
    }
    table
}

#[cfg(test)]
mod tests;
