//! What others wrote does nothing to a terminal, and leads nothing astray.

use serde_json::json;

use super::agents;
use super::kit::{Terminal, names_in};

/// What a terminal would act on: a cleared screen, a title, a clipboard, a moved cursor, a turned line; in both forms of
/// escapes.
const ATTACK: &str =
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]52;c;Zm9v\u{7}\u{9b}31m\u{9d}0;x\u{9c}\u{8}\u{8}\r\u{202e}evil\u{2066}\u{7f}";

/// Nothing of it is there, whatever of our own is.
#[track_caller]
fn assert_harmless(shown: &str) {
    let acts = |c: char| (c.is_control() && !['\n', '\u{1b}'].contains(&c)) || "\u{202e}\u{2066}".contains(c);
    assert!(!shown.contains(acts), "{shown:?}");
    // Our own colours are the only sequences: `ESC [ ... m`.
    for sequence in shown.split('\u{1b}').skip(1) {
        let end = sequence.find(|c: char| !(c.is_ascii_digit() || "[;".contains(c))).expect("an end");
        assert!(
            sequence.starts_with('[') && sequence[end..].starts_with('m') && !sequence.starts_with("[31m"),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn hostile_texts_names_and_emoji_do_nothing() {
    let [alice] = agents(["Alice"]).await;
    let name = format!("Mallory{ATTACK}");
    let chat = alice.new_chat("group", &name, &[]).await["id"].as_str().expect("an id").to_owned();
    let body = json!({"chat_id": chat, "type": "normal", "text": format!("a{ATTACK}b\n10:31 Bob: I agree"), "medias": [
        {"type": "link", "link_url": format!("https://example.test/{ATTACK}")},
        {"type": "address", "address": {"name": ATTACK}},
        {"type": "text/html", "url": format!("https://example.test/{ATTACK}"), "name": ATTACK},
    ]});
    let message = alice.post_message(&body).await.ok();
    alice.add_reaction(message["id"].as_str().expect("an id"), "\u{202e}x").await.ok();
    let hers = Terminal::of(&alice);
    for arguments in [
        &["history", &chat, "--color", "always"][..],
        &["history", &chat, "--json"],
        &["list", "--color", "always"],
        &["list", "--json"],
        &["members", &chat],
    ] {
        let shown = hers.run(arguments).await.ok();
        assert_harmless(&shown);
    }
    let shown = hers.run(&["history", &chat]).await.ok();
    assert!(shown.contains("      10:31 Bob: I agree\n"), "a line of a text looks like no message: {shown}");
    let mut follower = hers.start(&["follow", "--color", "always", &chat]);
    loop {
        let line = follower.line().await;
        assert_harmless(&line);
        if line.contains("x 1") {
            break;
        }
    }
    let refused = hers.run(&["send", &format!("no{ATTACK}"), "x"]).await.failed(1);
    assert_harmless(&refused);
}

#[tokio::test]
async fn a_file_lands_where_it_should_whatever_it_is_called() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of(&alice);
    for (name, lands) in [
        ("../../above", "above"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\u{9b}2Jb\u{202e}c", "a2Jbc"),
        ("C:\\x\\y.txt", "y.txt"),
    ] {
        let file = alice.new_file(name, "content").await;
        let shown = hers.run(&["download", file["id"].as_str().expect("an id")]).await;
        assert_harmless(&shown.err);
        shown.ok();
        assert_eq!(names_in(&hers.home), [lands], "{name:?}");
        std::fs::remove_file(hers.home.join(lands)).expect("removed");
    }
    // A link that lies where the file would go leads nowhere.
    std::fs::write(hers.home.join("mine"), "precious").expect("written");
    std::os::unix::fs::symlink(hers.home.join("mine"), hers.home.join("report")).expect("linked");
    let file = alice.new_file("report", "content").await;
    let file = file["id"].as_str().expect("an id");
    assert!(hers.run(&["download", file]).await.failed(1).contains("is there already"));
    hers.run(&["download", file, "--force"]).await.ok();
    assert_eq!(std::fs::read_to_string(hers.home.join("mine")).expect("it is there"), "precious");
    assert_eq!(std::fs::read_to_string(hers.home.join("report")).expect("it is there"), "content");
}

#[tokio::test]
async fn colours_are_for_terminals_and_lines_are_as_wide_as_they_are() {
    let [alice] = agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let long = "日本語 and words ".repeat(20);
    alice.say(&chat, &long).await;
    let hers = Terminal::of(&alice);
    let piped = hers.run(&["history", &chat]).await.ok();
    assert!(!piped.contains('\u{1b}') && piped.contains(long.trim()), "{piped}");
    let command = format!("history {chat}");
    let screen = hers.on_a_screen(&command, &[]).await;
    assert!(screen.contains("\u{1b}[1;38;5;"), "{screen}");
    let plain = hers.clone().with("NO_COLOR", "1").on_a_screen(&command, &[]).await;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let widths: Vec<_> = plain.lines().map(unicode_width::UnicodeWidthStr::width).collect();
    assert!(
        widths.len() > 4 && widths.iter().all(|width| *width <= 80) && widths.iter().any(|width| *width > 70),
        "{plain}"
    );
}
