//! The program `talk-lab` as anybody has it: what it says and how it exits, on records that lie on disk. Needs no hub.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use talk_load::lab::record::{Book, Call, Chat, Deed, Event, Kind, Line, Message, Run, State};
use uuid::Uuid;

const ALICE: Uuid = Uuid::from_u128(0xa);

fn lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_talk-lab")).args(args).output().expect("talk-lab runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write(dir: &Path, name: &str, lines: impl IntoIterator<Item = Line>) {
    let mut book = Book::new(dir, name).expect("a file");
    lines.into_iter().for_each(|line| book.note(&line));
    book.close().expect("written");
}

/// One chat, in which Alice was told of events 2 to 4; the events in `seen` are those that came.
fn record(dir: &Path, seen: &[u64]) {
    let (id, members) = (|s: u64| Uuid::from_u128(u128::from(s)), vec![ALICE]);
    let event = |n: u32, s: u64| {
        let (k, x, m) = (Kind::MessageCreated, s, id(s));
        Event { t: s * 1000, n, c: 0, s, k, x, m, o: None, p: None, f: 0 }
    };
    let call = |s: u64| {
        let (key, id) = (format!("key-{s}"), Some(id(s)));
        let (t, done) = (s * 1000 - 10, s * 1000 + 10);
        Call { t, done, c: 0, deed: Deed::Send, key, status: 200, tries: 1, unsure: false, id, who: None, f: 0 }
    };
    let message = |s: u64| {
        let key = format!("key-{s}");
        Message { node: 0, c: 0, id: id(s), s, key, p: None, deleted: false, f: 0, replies: 0 }
    };
    let run = Run { part: "by-hand".to_owned(), keeps: true, ..Run::default() };
    let chat = Chat { c: 0, id: id(1), quiet: false, members: members.clone(), seq: 1 };
    write(dir, "run", [Line::Run(run), Line::Chat(chat)]);
    write(dir, "writer-0", (2..=4).map(|s| Line::Call(call(s))));
    let state = Line::State(State { node: 0, c: 0, seq: 4, members, member_count: 1, f: 0 });
    let shown = (2..=4).flat_map(|s| [Line::Logged(event(0, s)), Line::Message(message(s))]);
    write(dir, "final-0", std::iter::once(state).chain(shown));
    let begin = [
        Line::Who { reader: "alice".to_owned(), agent: ALICE },
        Line::At { t: 0, n: 0, c: 0, s: 1, told: String::new() },
        Line::Open { t: 1, n: 1, node: 0 },
        Line::Live { t: 2, n: 1 },
    ];
    write(dir, "reader-0", begin.into_iter().chain(seen.iter().map(|s| Line::Event(event(1, *s)))));
}

#[test]
fn a_record_is_judged_and_a_table_printed_over_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    record(dir.path(), &[2, 3, 4]);
    let judged = lab(&["check", path]);
    assert_eq!(judged.status.code(), Some(0), "{}", text(&judged));
    let printed = lab(&["table", path]);
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed));
    assert!(text(&printed).contains("| by-hand |"), "{}", text(&printed));
}

#[test]
fn a_violation_is_named_and_ends_with_exit_code_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    record(dir.path(), &[2, 4]);
    let judged = lab(&["check", path]);
    assert_eq!(judged.status.code(), Some(1), "{}", text(&judged));
    assert!(text(&judged).contains("Hole: 1"), "{}", text(&judged));
    assert_eq!(lab(&["table", path]).status.code(), Some(1));
}

#[test]
fn what_cannot_be_run_ends_with_exit_code_2() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    assert_eq!(lab(&["check", path]).status.code(), Some(2), "no record is there");
    assert_eq!(lab(&["--hub", "/nowhere/talk-hub", "smoke"]).status.code(), Some(2), "no hub is there");
}
