//! Signing in and out: what is kept, for whom, and what nobody gets to see.

use crate::support::calls::ME;
use crate::support::eventually::eventually;
use crate::support::people::PASSWORD;
use crate::support::{Agent, Credential, HubSettings, Hubs, TestHub, text};
use serde_json::{Value, json};

use super::agents;
use super::kit::{Terminal, mode};

/// No secret of the agent is in what was shown.
#[track_caller]
fn assert_shows_no_secret(shown: &str, agent: &Agent, account: &Value) {
    for secret in [PASSWORD, &agent.token, text(account, "token")] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn account(terminal: &Terminal) -> Value {
    serde_json::from_str(&std::fs::read_to_string(terminal.account()).expect("kept")).expect("JSON")
}

#[tokio::test]
async fn who_signed_in_stays_so_and_nobody_else_can_read_it() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of_nobody(alice.next_node());
    assert!(hers.run(&["who"]).await.failed(1).contains("nobody is signed in"));
    let signed_in = hers.pipe(&format!("{PASSWORD}\n"), &["sign-in", &alice.username]).await;
    let account = account(&hers);
    assert_eq!((mode(&hers.account()), mode(hers.account().parent().expect("a folder"))), (0o600, 0o700));
    assert_shows_no_secret(&format!("{signed_in:?}"), &alice, &account);
    signed_in.ok();
    assert!(hers.run(&["who"]).await.ok().starts_with(&format!("Alice ({})", alice.username)));
    hers.run(&["sign-out"]).await.ok();
    assert!(!hers.account().exists());
    assert!(hers.run(&["who"]).await.failed(1).contains("nobody is signed in"));
}

#[tokio::test]
async fn a_wrong_password_keeps_nothing() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of_nobody(alice.next_node());
    assert!(hers.pipe("wrong\n", &["sign-in", &alice.username]).await.failed(1).contains("INVALID_CREDENTIALS"));
    assert!(!hers.account().exists());
}

#[tokio::test]
async fn a_password_is_typed_without_an_echo() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of_nobody(alice.next_node());
    let answers = [("Username: ", alice.username.as_str()), ("Password: ", PASSWORD)];
    let screen = hers.on_a_screen("sign-in", &answers).await;
    assert!(screen.contains(&format!("Username: {}", alice.username)), "the name has its echo: {screen}");
    assert!(screen.contains("signed in at"), "{screen}");
    assert_shows_no_secret(&screen, &alice, &account(&hers));
}

#[tokio::test]
async fn an_access_key_signs_in_too() {
    let [alice] = agents(["Alice"]).await;
    let made = alice.create_accesskey(&json!({"name": "terminal"})).await.ok();
    let key = text(&made, "token");
    let hers = Terminal::of_nobody(alice.next_node());
    let signed_in = hers.pipe(&format!("{key}\n"), &["sign-in", "--access-key"]).await;
    assert!(!format!("{signed_in:?}").contains(key));
    signed_in.ok();
    assert_eq!(text(&account(&hers), "token"), key);
    hers.run(&["who"]).await.ok();
    alice.delete_accesskey(text(&made, "id")).await.ok();
    assert!(hers.run(&["who"]).await.failed(1).contains("INVALID_CREDENTIALS"));
}

#[tokio::test]
async fn neither_the_list_of_processes_nor_the_help_shows_a_token() {
    let [alice] = agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "hello").await;
    let hers = Terminal::of(&alice);
    let mut follower = hers.start(&["follow", "--json", &chat]);
    assert_eq!(follower.message().await, "hello");
    assert!(!follower.arguments().contains(&alice.token), "{}", follower.arguments());
    assert!(!hers.run(&["follow", "--help"]).await.ok().contains(&alice.token));
}

#[tokio::test]
async fn a_token_that_is_kept_goes_to_no_other_hub() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of_nobody(alice.next_node());
    hers.pipe(&format!("{PASSWORD}\n"), &["sign-in", &alice.username]).await.ok();
    let other = TestHub::start(HubSettings::embedded()).await;
    let refused = hers.run(&["--hub", other.base(), "who"]).await.failed(1);
    assert!(refused.contains("nobody is signed in at"), "{refused}");
}

#[tokio::test]
async fn a_token_that_is_given_needs_the_name_of_its_hub() {
    let [alice] = agents(["Alice"]).await;
    let hers = Terminal::of_nobody(alice.next_node());
    hers.pipe(&format!("{PASSWORD}\n"), &["sign-in", &alice.username]).await.ok();
    let elsewhere = hers.with("TALK_HUB", "");
    elsewhere.run(&["who"]).await.ok();
    for command in [&["--token", "of another hub", "who"][..], &["--token", "of another hub", "sign-in"]] {
        assert!(elsewhere.run(command).await.failed(2).contains("name that by --hub or TALK_HUB"));
    }
}

#[tokio::test]
async fn who_signed_in_stays_so_for_longer_than_a_token_lasts() {
    let hub = TestHub::start(HubSettings::embedded().set("auth.token_ttl_secs", 5)).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let hers = Terminal::of_nobody(hub.base());
    hers.pipe(&format!("{PASSWORD}\n"), &["sign-in", &alice.username]).await.ok();
    let token = || text(&account(&hers), "token").to_owned();
    let first = token();
    // A command that comes late enough renews it.
    eventually("a command renews the token", async || {
        hers.run(&["who"]).await.ok();
        (token() != first).then_some(())
    })
    .await;
    assert_eq!(mode(&hers.account()), 0o600);
    // A follower does so by itself, and goes on over the end of the token it began with.
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "before").await;
    let mut follower = hers.start(&["follow", "--json", &chat]);
    assert_eq!(follower.message().await, "before");
    let second = token();
    let caller = alice.with(Credential::Bearer(second.clone()));
    eventually("the token ends", async || (caller.get(ME).await.status == 401).then_some(())).await;
    assert_ne!(token(), second);
    alice.say(&chat, "after").await;
    assert_eq!(follower.message().await, "after");
    // Who signs out is not signed in again by it.
    hers.run(&["sign-out"]).await.ok();
    assert_eq!(follower.ended().await, Some(1));
    assert!(!hers.account().exists());
}
