//! `talk-hub chat`, as people in terminals and scripts use it.

mod following;
mod hostile;
mod kit;
mod losses;
mod signing;

use serde_json::{Value, json};

use crate::support::{Agent, Deployment, id, random_id, text};
use kit::Terminal;

async fn agents<const N: usize>(names: [&str; N]) -> [Agent; N] {
    Deployment::Embedded.hubs().await.agents(names).await
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[tokio::test]
async fn a_talk_from_beginning_to_end() {
    let [alice, bob, carol] = agents(["Alice", "Bob", "Carol"]).await;
    let (hers, his) = (Terminal::of(&alice), Terminal::of(&bob));
    let chat = hers.run(&["new", "--group", "Night shift", "@bob", "Carol"]).await.ok();
    assert_eq!(alice.get_chat(chat.trim()).await.ok()["member_count"], 3);
    let hello = hers.run(&["send", "Night shift", "hello, all"]).await.ok();
    his.run(&["send", "night shift", "--reply-to", hello.trim(), "hello, you"]).await.ok();
    his.run(&["react", hello.trim(), "👍"]).await.ok();
    let gone = his.pipe("what I regret\n", &["send", "Night shift"]).await.ok();
    his.run(&["delete", gone.trim()]).await.ok();
    let shown = Terminal::of(&carol).run(&["history", "Night shift"]).await.ok();
    let shown: Vec<_> = shown.lines().skip(1).map(|line| line.get(6..).unwrap_or(line)).collect();
    let expected = ["Alice: hello, all", "👍 1", "1 reply", "↳ Alice: hello, all", "Bob: hello, you", "Bob: deleted"];
    assert_eq!(shown, expected);
    his.run(&["react", "--remove", hello.trim(), "👍"]).await.ok();
    his.run(&["leave", "Night shift"]).await.ok();
    let shown = hers.run(&["history", "Night shift", "-n", "1"]).await.ok();
    assert!(shown.ends_with("· Bob left the conversation.\n"), "{shown}");
    assert!(his.run(&["history", chat.trim()]).await.failed(1).contains("PERMISSION_DENIED"));
}

#[tokio::test]
async fn channels_are_found_joined_and_left() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let (hers, his) = (Terminal::of(&alice), Terminal::of(&bob));
    hers.run(&["new", "--channel", "general"]).await.ok();
    assert!(his.run(&["send", "#general", "hello"]).await.failed(1).contains("no chat is called #general"));
    assert!(his.run(&["list", "--channels"]).await.ok().contains("#general"));
    his.run(&["join", "general"]).await.ok();
    his.run(&["join", "general"]).await.ok();
    his.run(&["send", "#general", "hello"]).await.ok();
    his.run(&["status", "busy"]).await.ok();
    let members = hers.run(&["members", "general"]).await.ok();
    assert_eq!(
        members.split_whitespace().filter(|word| ["Alice", "Bob", "busy"].contains(word)).count(),
        3,
        "{members}"
    );
    let listed = his.run(&["list", "--json"]).await.ok();
    let row: Value = serde_json::from_str(&listed).expect("one chat, as JSON");
    assert_eq!((text(&row, "title"), text(&row, "type")), ("#general", "talk"));
    let who: Value = serde_json::from_str(&his.run(&["who", "--json"]).await.ok()).expect("JSON");
    assert_eq!((&who["me"]["name"], &who["customer"]["name"]), (&json!("Bob"), &json!("Test customer")));
}

#[tokio::test]
async fn a_chat_is_named_by_id_by_its_beginning_by_name_or_by_person() {
    let [alice, bob, _bobby] = agents(["Alice", "Bob", "Bobby"]).await;
    let hers = Terminal::of(&alice);
    assert!(hers.run(&["history", "@bob"]).await.failed(1).contains("there is no direct chat with Bob"));
    assert!(bob.list_chats().await.ok()["result"].as_array().expect("chats").is_empty(), "reading begins nothing");
    hers.run(&["send", "@Bob", "psst"]).await.ok();
    assert!(hers.run(&["history", "@bob"]).await.ok().ends_with("Alice: psst\n"));
    assert!(hers.run(&["list"]).await.ok().contains("  @Bob  "));
    assert!(Terminal::of(&bob).run(&["list"]).await.ok().contains("  @Alice  "));
    let (one, two) = (alice.new_chat("group", "Ops", &[]).await, alice.new_chat("group", "ops", &[]).await);
    alice.say(text(&one, "id"), "in the one").await;
    assert!(hers.run(&["history", "Ops"]).await.ok().contains("in the one"));
    assert!(hers.run(&["history", &text(&one, "id")[..13]]).await.ok().contains("in the one"));
    let candidates = hers.run(&["history", "OPS"]).await.failed(2);
    assert!(candidates.contains(text(&one, "id")) && candidates.contains(text(&two, "id")), "{candidates}");
    let candidates = hers.run(&["send", "@bo", "x"]).await.failed(2);
    assert!(candidates.contains("Bob") && candidates.contains("Bobby"), "{candidates}");
}

#[tokio::test]
async fn history_shows_as_much_as_is_asked_for() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut said = Vec::new();
    for number in 0..230 {
        said.push(alice.say(&chat, &format!("number {number}")).await);
    }
    let hers = Terminal::of(&alice);
    let shown = async |more: &[&str]| {
        let shown = hers.run(&[&["history", &chat, "--json"], more].concat()).await.ok();
        let rows = shown.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        rows.map(|row| id(&row)).collect::<Vec<_>>()
    };
    let ids: Vec<_> = said.iter().map(id).collect();
    assert_eq!(shown(&[]).await, ids[180..]);
    assert_eq!(shown(&["--count", "205"]).await, ids[25..]);
    assert_eq!(shown(&["--all"]).await, ids);
    let since = text(&said[99], "tm_create").replace(' ', "T") + "Z";
    assert_eq!(shown(&["--since", &since]).await, ids[100..]);
    assert_eq!(shown(&["--since", &since, "-n", "3"]).await, ids[100..103]);
    assert_eq!(shown(&["--since", "1h"]).await, ids);
    let reply = alice.reply(&chat, &ids[7], "an answer").await;
    assert_eq!(shown(&["--thread", &ids[7]]).await, [ids[7].clone(), id(&reply)]);
    let shown = hers.run(&["history", &chat, "--ids", "-n", "1"]).await.ok();
    assert!(shown.contains(&id(&reply)), "{shown}");
    assert!(hers.run(&["history", &chat, "--since", "tomorrow"]).await.failed(2).contains("no moment"));
}

#[tokio::test]
async fn files_go_up_and_come_down_as_they_are() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let (hers, his) = (Terminal::of(&alice), Terminal::of(&bob));
    let content: Vec<u8> = (0..3_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(hers.home.join("a \"picture\".png"), &content).expect("written");
    std::fs::write(hers.home.join("empty.txt"), "").expect("written");
    let sent = hers.run(&["send", &chat, "look", "-f", "a \"picture\".png", "--file", "empty.txt"]).await;
    assert!(sent.err.starts_with("uploading a \"picture\".png (2.9 MiB)\nuploaded"), "{}", sent.err);
    let message = alice.get_message(sent.ok().trim()).await.ok();
    let file = text(&message["medias"][0], "file_id");
    let shown = his.run(&["history", &chat]).await.ok();
    assert!(shown.contains(&format!("[file] a \"picture\".png  {file}")), "{shown}");
    his.run(&["download", file]).await.ok();
    assert_eq!(std::fs::read(his.home.join("a \"picture\".png")).expect("it is there"), content);
    assert!(his.run(&["download", file]).await.failed(1).contains("is there already"));
    his.run(&["download", file, "--force"]).await.ok();
    his.run(&["download", text(&message["medias"][1], "file_id"), "-o", "nothing"]).await.ok();
    assert_eq!(kit::names_in(&his.home), ["a \"picture\".png", "nothing"]);
    assert!(his.run(&["download", &random_id()]).await.failed(1).contains("FILE_NOT_FOUND"));
    assert!(hers.run(&["send", &chat, "-f", "missing"]).await.failed(1).contains("missing"));
}

#[tokio::test]
async fn exit_codes_say_how_it_went() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of(&alice);
    hers.run(&["who"]).await.ok();
    assert!(hers.run(&["history", &random_id()]).await.failed(1).contains("CHAT_NOT_FOUND"));
    assert!(hers.run(&["send", "x", ""]).await.failed(2).contains("nothing to send"));
    assert!(hers.run(&["shout"]).await.failed(2).contains("shout"));
    assert!(hers.run(&["--hub", "nowhere", "who"]).await.failed(2).contains("not the address of a hub"));
    let nobody = format!("http://127.0.0.1:{}", crate::support::redis::free_port());
    assert!(Terminal::at(&nobody, &alice).run(&["--timeout", "1", "who"]).await.failed(3).contains("is not reached"));
    let wrong = hers.run(&["--token", "wrong", "who"]).await.failed(1);
    assert!(wrong.contains("INVALID_CREDENTIALS") && wrong.contains("sign-in"), "{wrong}");
}

#[tokio::test]
async fn there_are_completions_and_help_for_everything() {
    let nobody = Terminal::of_nobody("");
    for shell in ["bash", "zsh", "fish"] {
        assert!(nobody.run(&["completions", shell]).await.ok().contains("sign-in"), "{shell}");
        assert_eq!(nobody.start(&["completions", shell]).unread().await, Some(0), "{shell} into `head`");
    }
    let help = nobody.run(&["--help"]).await.ok();
    let commands = lines(&help).into_iter().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<_> = commands.take_while(|line| !line.is_empty()).collect();
    assert!(commands.len() > 14, "{help}");
    for line in commands {
        let (name, says) = line.trim().split_once(' ').expect("a name and what it does");
        assert!(!says.trim().is_empty(), "{name}");
        if name != "help" {
            nobody.run(&[name, "--help"]).await.ok();
        }
    }
}
