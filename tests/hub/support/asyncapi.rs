//! The hub's own AsyncAPI document, held against every frame that passes a socket of the tests: one it does not know,
//! a field it does not name, a missing one or a value of another form is a failure; so is a close it does not list.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::eventually::in_time;
use super::openapi::seal;

/// The document is the same on every hub of this build, so one copy serves all tests of the process.
static DOCUMENT: OnceCell<AsyncApi> = OnceCell::const_new();

/// What may be said, by whom.
pub(crate) struct AsyncApi {
    pub(crate) document: Value,
    from_hub: HashMap<String, Validator>,
    from_client: HashMap<String, Validator>,
    closes: Vec<(u16, String)>,
}

/// The document of the hub at this `http://` or `ws://` address, whatever comes behind its authority. One that is
/// already known is not asked for again.
pub(crate) async fn of(url: &str) -> &'static AsyncApi {
    DOCUMENT.get_or_init(|| AsyncApi::fetch(url)).await
}

impl AsyncApi {
    async fn fetch(url: &str) -> Self {
        let authority = url.split("//").last().and_then(|rest| rest.split(['/', '?']).next()).expect("an address");
        let asked = reqwest::get(format!("http://{authority}/asyncapi.json"));
        let document = in_time("the document comes", asked).await.expect("the hub answers").json().await;
        Self::compile(document.expect("/asyncapi.json is JSON"))
    }

    fn compile(document: Value) -> Self {
        let operations = document["operations"].as_object().expect("operations");
        let (mut from_hub, mut from_client) = (HashMap::new(), HashMap::new());
        for operation in operations.values() {
            let said = if operation["action"] == "receive" { &mut from_client } else { &mut from_hub };
            said.extend(messages(&document, &operation["messages"], operation["action"] == "send"));
            from_hub.extend(messages(&document, &operation["reply"]["messages"], true));
        }
        let channels = document["channels"].as_object().expect("channels").values();
        let rows = channels.flat_map(|channel| channel["x-close-codes"].as_array().expect("close codes"));
        let closes =
            rows.map(|row| (row["code"].as_u64().expect("a code") as u16, super::text(row, "reason").to_owned()));
        let closes = closes.collect();
        Self { from_hub, from_client, closes, document }
    }

    /// Holds a frame that the hub sent to the document.
    #[track_caller]
    pub(crate) fn check_heard(&self, frame: &Value) {
        let faults = faults(&self.from_hub, frame);
        assert!(faults.is_empty(), "not what /asyncapi.json says of the hub: {frame}\n{}", faults.join("\n"));
    }

    /// Holds a frame that a client sends to the document.
    #[track_caller]
    pub(crate) fn check_said(&self, frame: &Value) {
        let faults = faults(&self.from_client, frame);
        assert!(faults.is_empty(), "not what /asyncapi.json says of clients: {frame}\n{}", faults.join("\n"));
    }

    /// Whether a client may say this text, by the document.
    pub(crate) fn allows(&self, text: &str) -> bool {
        serde_json::from_str(text).is_ok_and(|frame| faults(&self.from_client, &frame).is_empty())
    }

    /// Holds the way the hub closed a connection to the document. 1006 is no word of the hub's: the connection broke.
    #[track_caller]
    pub(crate) fn check_closed(&self, code: u16, reason: &str) {
        let known = self.closes.iter().any(|row| (row.0, row.1.as_str()) == (code, reason));
        let known = known || code == 1006;
        assert!(known, "not a close of /asyncapi.json: {code} {reason:?}");
    }
}

/// The messages that these references lead to, by the type of their frames.
fn messages(document: &Value, references: &Value, sealed: bool) -> Vec<(String, Validator)> {
    let references = references.as_array().into_iter().flatten();
    let compile = |reference: &Value| {
        let message = followed(document, followed(document, reference));
        let mut components = json!({"schemas": document["components"]["schemas"]});
        let mut payload = message["payload"].clone();
        let kind = super::text(&payload["properties"]["type"], "const").to_owned();
        if sealed {
            seal(&mut components["schemas"]);
            seal(&mut payload);
        }
        let whole = json!({"allOf": [payload], "components": components});
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        (kind, options.build(&whole).expect("the schemas of /asyncapi.json compile"))
    };
    references.map(compile).collect()
}

fn followed<'a>(document: &'a Value, reference: &'a Value) -> &'a Value {
    let path = super::text(reference, "$ref");
    document.pointer(&path[1..]).unwrap_or_else(|| panic!("{path} leads nowhere in /asyncapi.json"))
}

fn faults(known: &HashMap<String, Validator>, frame: &Value) -> Vec<String> {
    let Some(validator) = frame["type"].as_str().and_then(|kind| known.get(kind)) else {
        return vec!["no frame of this type".to_owned()];
    };
    validator.iter_errors(frame).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}
