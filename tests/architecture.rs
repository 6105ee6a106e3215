//! Rules about the code that no compiler checks: which room may look into which, how a file opens,
//! how long it may be, and that the documents point at what is there. Runs without a hub.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The rooms along the way of a message. Each may name those before it, and itself.
const LINE: &[&str] = &[
    "sabotage",
    "model",
    "settings",
    "telemetry",
    "wire",
    "store",
    "people",
    "files",
    "fanout",
    "chat",
    "session",
    "http",
    "demo",
    "hub",
    "probe",
    "main",
];

/// `wire` and `store` may name each other's plain types: errors and places in lists.
const NEIGHBOURS: (&str, &str) = ("wire", "store");

/// Crates that have a door: only files below these paths may name them.
const DOORS: &[(&str, &[&str])] = &[
    ("actix_web_actors", &["src/http/ws.rs"]),
    ("actix_server", &["src/http/server.rs", "src/hub.rs"]),
    ("redis", &["src/store/redis"]),
    ("deadpool_redis", &["src/store/redis"]),
    ("redb", &["src/store/embedded"]),
    ("object_store", &["src/files"]),
    ("config", &["src/settings"]),
];

/// Crates that a room must not know.
const BANNED: &[(&str, &[&str])] = &[
    ("src/model", &["serde_json", "actix", "actix_web", "tokio", "redis", "chrono", "tracing", "metrics"]),
    ("src/store", &["actix", "actix_web"]),
    ("src/people", &["actix", "actix_web"]),
    ("src/files", &["actix", "actix_web"]),
];

const LINES_MAX: usize = 400;

/// Endings of what browsers run, and how each opens its comment.
const BROWSER_FILES: &[(&str, &[&str])] = &[
    (".js", &["// ", "/**", "/* "]),
    (".mjs", &["// ", "/**", "/* "]),
    (".ts", &["// ", "/**", "/* "]),
    (".css", &["/* ", "/**"]),
    (".html", &["<!-- "]),
];

struct Source {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are code, each with its number.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    /// The room a file of `src` belongs to.
    fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }
}

fn below(folder: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = fs::read_to_string(&path).expect("a text");
                let path = path.strip_prefix(ROOT).expect("below the root").to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn sources() -> Vec<Source> {
    ["src", "tests", "load"].iter().flat_map(|folder| below(folder, ".rs")).collect()
}

fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words that follow `crate::` in a text: one, or all at the top of a brace.
fn rooms_named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (place, _) in text.match_indices("crate::") {
        if text[..place].ends_with(is_word) {
            continue;
        }
        let rest = &text[place + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(rest.chars().take_while(|c| is_word(*c)).collect());
            continue;
        };
        let mut depth = 0;
        let mut path = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    rooms.push(path.trim().split("::").next().unwrap_or_default().to_owned());
                    path.clear();
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ if depth == 0 => path.push(c),
                _ => {}
            }
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

/// Whether a line names a crate: as `krate::` or `use krate`, not as the end of another path.
fn names_crate(line: &str, krate: &str) -> bool {
    line.match_indices(krate).any(|(place, _)| {
        let (before, after) = (&line[..place], &line[place + krate.len()..]);
        let starts = !before.ends_with(is_word) && (!before.ends_with("::") || before.ends_with(" ::"));
        let used = before.trim_start().starts_with("use ") && before.trim_end().ends_with("use");
        starts && (after.starts_with("::") || (used && after.starts_with([';', ' '])))
    })
}

#[test]
fn imports_only_look_left() {
    let place = |room: &str| LINE.iter().position(|name| *name == room);
    let mut wrong = Vec::new();
    for source in below("src", ".rs") {
        let room = source.room().expect("a room");
        if room == "lib" {
            continue;
        }
        let Some(own) = place(room) else {
            wrong.push(format!("{}: the room {room} is not on the line", source.path));
            continue;
        };
        let code: String = source.code().map(|(_, line)| format!("{line}\n")).collect();
        for named in rooms_named(&code) {
            let neighbours = [(room, named.as_str()), (named.as_str(), room)].contains(&NEIGHBOURS);
            match place(&named) {
                Some(other) if other <= own || neighbours => {}
                Some(_) => wrong.push(format!("{}: {room} looks right, at {named}", source.path)),
                None => wrong.push(format!("{}: crate::{named} is not a room on the line", source.path)),
            }
        }
    }
    assert_none(&wrong, &format!("imports look left along {}", LINE.join(" · ")));
}

#[test]
fn the_reading_of_imports_reads_them() {
    assert_eq!(rooms_named("use crate::model::Chat; pub(crate) fn a() { $crate::wire::x() }"), ["model", "wire"]);
    assert_eq!(
        rooms_named("use crate::{\n    chat::{Room, actor::{A, B}},\n    http,\n    model::Id,\n};"),
        ["chat", "http", "model"]
    );
    assert!(names_crate("use redis::aio;", "redis") && names_crate("let x = ::redis::cmd();", "redis"));
    assert!(names_crate("use redis;", "redis") && names_crate("    redis::pipe()", "redis"));
    for line in ["pub mod redis;", "use crate::store::redis::Redis;", "deadpool_redis::Pool", "let redis = 1;"] {
        assert!(!names_crate(line, "redis"), "{line}");
    }
}

#[test]
fn each_crate_with_a_door_is_named_behind_it_only() {
    let mut wrong = Vec::new();
    for source in below("src", ".rs") {
        for (krate, doors) in DOORS {
            if !doors.iter().any(|door| source.path.starts_with(door)) {
                wrong.extend(naming(&source, krate));
            }
        }
        for (room, crates) in BANNED {
            if source.path.starts_with(room) {
                wrong.extend(crates.iter().flat_map(|krate| naming(&source, krate)));
            }
        }
    }
    assert_none(&wrong, "named where they must not be");
}

fn naming(source: &Source, krate: &str) -> Vec<String> {
    let lines = source.code().filter(|(_, line)| names_crate(line, krate));
    lines.map(|(number, _)| format!("{}:{number} names {krate}", source.path)).collect()
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not open with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines, more than {LINES_MAX}", source.path));
        }
        for attic in ["utils", "util", "common", "helpers", "helper", "misc"] {
            if source.path.split(['/', '.']).any(|part| part == attic) {
                wrong.push(format!("{}: {attic} says nothing; name it after what is in it", source.path));
            }
        }
    }
    assert_none(&wrong, "files");
}

/// What browsers run is held to the same: it says what it is, and is short. Its tests too.
#[test]
fn every_file_for_browsers_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (ending, opening) in BROWSER_FILES {
        let files = ["src/web", "tests/browser"].iter().flat_map(|folder| below(folder, ending));
        for source in files.filter(|source| !source.path.contains("/node_modules/")) {
            seen += 1;
            let first = source.text.trim_start_matches("#!/usr/bin/env node\n").trim_start_matches("<!doctype html>\n");
            if !opening.iter().any(|opening| first.starts_with(opening)) {
                wrong.push(format!("{} does not open with a comment", source.path));
            }
            let lines = source.text.lines().count();
            if lines > LINES_MAX {
                wrong.push(format!("{} has {lines} lines, more than {LINES_MAX}", source.path));
            }
        }
    }
    assert!(seen > 10, "the files are gone");
    assert_none(&wrong, "files for browsers");
}

/// Tests wait for events. Where one must poll, it does so at the one interval of its binary.
#[test]
fn tests_do_not_sleep() {
    let mut wrong = Vec::new();
    for source in below("tests", ".rs").into_iter().filter(|source| source.path != "tests/architecture.rs") {
        for (number, line) in source.code() {
            if line.contains("sleep(") && !line.contains("sleep(POLL_EVERY)") {
                wrong.push(format!("{}:{number} {}", source.path, line.trim()));
            }
        }
    }
    assert_none(&wrong, "wait for what is to happen, and poll with sleep(POLL_EVERY)");
}

#[test]
fn errors_are_said_in_lower_case_without_a_full_stop() {
    let mut wrong = Vec::new();
    for source in below("src", ".rs") {
        for (number, line) in source.code() {
            let Some(text) = line.trim().strip_prefix("#[error(\"").and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            if text.starts_with(char::is_uppercase) || text.ends_with('.') {
                wrong.push(format!("{}:{number} {text}", source.path));
            }
        }
    }
    assert_none(&wrong, "error texts");
}

fn documents() -> Vec<Source> {
    let mut documents: Vec<Source> =
        ["docs", "docker", "load", "src/web", "tests"].iter().flat_map(|f| below(f, ".md")).collect();
    documents.retain(|document| !document.path.contains("/node_modules/"));
    let readme = PathBuf::from(ROOT).join("README.md");
    documents.push(Source { path: "README.md".to_owned(), text: fs::read_to_string(readme).expect("README.md") });
    documents
}

/// Where the links of a document lead, addresses on the web left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| is_word(*c) || *c == '-').collect()
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let folder = Path::new(ROOT).join(&document.path).parent().expect("a folder").to_owned();
        for link in links(&document.text) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { Path::new(ROOT).join(&document.path) } else { folder.join(file) };
            if !target.exists() {
                wrong.push(format!("{}: {link} is not there", document.path));
            } else if !fragment.is_empty() {
                let text = fs::read_to_string(&target).unwrap_or_default();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                if !headings.any(|heading| anchor(heading.trim_start_matches('#')) == fragment) {
                    wrong.push(format!("{}: {link} has no such heading", document.path));
                }
            }
        }
    }
    assert_none(&wrong, "links");
}

#[test]
fn every_metric_is_explained_to_operators() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/operations.md")).expect("docs/operations.md");
    let missing: Vec<_> = talk_hub::telemetry::metric::ALL
        .iter()
        .filter(|(name, _)| !text.contains(&format!("`{name}`")))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_none(&missing, "not in docs/operations.md");
}

#[test]
fn the_limits_in_the_readme_are_those_of_the_settings() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("README.md");
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in readme.lines().filter_map(|line| line.strip_prefix("| `limits.")) {
        let (key, rest) = row.split_once("` | ").expect("a key and a value");
        let value = rest.split(' ').next().unwrap_or_default().replace(',', "");
        rows += 1;
        if !talk_hub::settings::BASE.contains(&format!("\n{key} = {value}\n")) {
            wrong.push(format!("limits.{key} is not {value}"));
        }
    }
    assert!(rows > 10, "the table is gone");
    assert_none(&wrong, "README.md and config/base.toml differ");
}

/// At the top there is only what a newcomer needs; the rest has its folder or begins with a dot.
#[test]
fn the_top_of_the_repository_is_tidy() {
    let known = ["Cargo.toml", "Cargo.lock", "src", "config", "tests", "load", "docker", "docs", "README.md"];
    // What is kept, not what happens to lie about. An unpacked archive has no git to ask.
    let Ok(output) = std::process::Command::new("git").args(["ls-files"]).current_dir(ROOT).output() else { return };
    let kept = String::from_utf8_lossy(&output.stdout).into_owned();
    let tops = kept.lines().filter_map(|path| path.split('/').next());
    let wrong: Vec<_> = tops.filter(|name| !name.starts_with('.') && !known.contains(name)).map(String::from).collect();
    assert_none(&wrong, "at the top");
}
