//! The specification's curl calls and sample answers as they are printed, and what a shell and curl make of them.

use reqwest::Method;
use serde_json::Value;

const SPECIFICATION: &str = include_str!("specification.txt");
const HOST: &str = "https://api.voipbin.net";

/// A call as printed, and the answer printed below it.
pub(super) struct Step {
    pub(super) command: &'static str,
    pub(super) sample: Option<Value>,
}

/// All calls of the specification in its order.
pub(super) fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in SPECIFICATION.split("\n\n") {
        match block.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command, sample: None }),
            None => steps.last_mut().unwrap().sample = Some(serde_json::from_str(block).unwrap()),
        }
    }
    steps
}

/// What curl would send.
#[derive(Debug, Default)]
pub(super) struct Curl {
    pub(super) method: Method,
    /// The URL without its host.
    pub(super) path: String,
    pub(super) headers: Vec<String>,
    pub(super) body: Option<String>,
}

impl Curl {
    pub(super) fn parse(command: &str) -> Self {
        let mut curl = Self::default();
        let mut words = words(command).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"));
        while let Some(word) = words.next() {
            match word.as_str() {
                "--location" => {}
                "-X" | "--request" => curl.method = words.next().unwrap().parse().unwrap(),
                "--header" => curl.headers.extend(words.next()),
                "--data" | "--data-raw" => curl.body = words.next(),
                url => curl.path = url.strip_prefix(HOST).unwrap_or_else(|| panic!("not a URL: {url}")).to_owned(),
            }
        }
        curl
    }
}

/// The words a shell makes of a command: quotes and continued lines are all that the specification uses.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut characters = command.chars();
    while let Some(c) = characters.next() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if !quoted => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
