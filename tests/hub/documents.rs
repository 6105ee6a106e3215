//! What the documents show is what the hub says: frames and bodies in them are held to the hub's own descriptions, and
//! the tests that they cite exist.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{HubSettings, TestHub, asyncapi, text};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAGES: [&str; 3] = ["docs/guide.md", "docs/protocol.md", "docs/moving-from-voipbin.md"];

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of code of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let body: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            found.push((kind.to_owned(), body.join("\n")));
        }
    }
    found
}

#[tokio::test]
async fn every_frame_and_every_body_in_the_pages_is_one_of_the_hubs() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let frames = asyncapi::of(hub.base()).await;
    let calls: Value = reqwest::get(format!("{}/openapi.json", hub.base())).await.unwrap().json().await.unwrap();
    let (mut heard, mut said, mut bodies) = (0, 0, 0);
    for page in PAGES {
        for (kind, body) in blocks(&read(page)) {
            let Some(kind) = kind.strip_prefix("json") else { continue };
            let value: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{page}: {error}: {body}"));
            match kind.trim() {
                "hub" => frames.check_heard(&value),
                "client" => frames.check_said(&value),
                kind => {
                    let name = kind.strip_prefix("schema=").unwrap_or_else(|| panic!("{page}: whose is this? {body}"));
                    let schema =
                        json!({"$ref": format!("#/components/schemas/{name}"), "components": calls["components"]});
                    let validator = jsonschema::draft202012::new(&schema).expect("the schema compiles");
                    assert!(validator.is_valid(&value), "{page}: no {name}: {body}");
                }
            }
            let count = if kind.contains("hub") {
                &mut heard
            } else if kind.contains("client") {
                &mut said
            } else {
                &mut bodies
            };
            *count += 1;
        }
    }
    assert!(heard >= 5 && said >= 3 && bodies >= 1, "{heard} {said} {bodies}");
}

#[tokio::test]
async fn every_example_of_the_events_document_is_a_frame() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let frames = asyncapi::of(hub.base()).await;
    let messages = frames.document["components"]["messages"].as_object().expect("messages");
    for (name, message) in messages {
        let examples = message["examples"].as_array().unwrap_or_else(|| panic!("{name} has no example"));
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            match name.as_str() {
                "subscribe" | "unsubscribe" => frames.check_said(&example["payload"]),
                _ => frames.check_heard(&example["payload"]),
            }
        }
    }
}

#[tokio::test]
async fn the_protocol_page_has_every_event_close_and_reason() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let (page, document) = (read("docs/protocol.md"), &asyncapi::of(hub.base()).await.document);
    for row in document["channels"]["ws"]["x-close-codes"].as_array().expect("close codes") {
        let row = format!("| {} | {} |", row["code"], text(row, "reason"));
        assert!(page.contains(&row), "not in the table of ends: {row}");
    }
    let about_frames = ["subscribe", "unsubscribe", "subscribed", "unsubscribed", "error", "resync"];
    for name in document["components"]["messages"].as_object().expect("messages").keys() {
        assert!(about_frames.contains(&name.as_str()) || page.contains(&format!("| `{name}` |")), "{name}");
    }
    for reason in document["components"]["schemas"]["LostReason"]["enum"].as_array().expect("reasons") {
        assert!(page.contains(&format!("| `{}` |", reason.as_str().expect("a word"))), "{reason}");
    }
}

#[test]
fn every_test_that_a_page_cites_exists() {
    let mut cited = 0;
    for page in PAGES {
        let page = read(page);
        let quoted = page.split('`').skip(1).step_by(2).filter_map(|words| words.split_once("::"));
        for (module, name) in quoted.filter(|(_, name)| *name != "...") {
            let file = PathBuf::from("tests/hub").join(format!("{module}.rs"));
            assert!(read(&file).contains(&format!("fn {name}(")), "{module}::{name} is in no test file");
            cited += 1;
        }
    }
    assert!(cited > 40, "{cited}");
}
