//! `follow`: everything, once, in order, over everything that happens to the connection and to the hub.

use serde_json::Value;
use talk_load::rig::proxy::{EVERYBODY, Fault, Proxy};

use crate::support::{Agent, HubSettings, Hubs, TestHub, id};

use super::agents;
use super::kit::{Terminal, port_of};

/// A hub of one's own, a wire to it that can be cut, and people.
struct Stage {
    hub: TestHub,
    wire: Proxy,
    alice: Agent,
    bob: Agent,
    chat: String,
}

impl Stage {
    async fn set(settings: HubSettings) -> Self {
        let hub = TestHub::start(settings).await;
        let wire = Proxy::to(port_of(hub.base())).await.expect("a wire");
        let [alice, bob] = Hubs::of(&hub).agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        Self { hub, wire, alice, bob, chat }
    }

    /// Bob's terminal, at the other end of the wire.
    fn terminal(&self) -> Terminal {
        Terminal::at(&format!("http://127.0.0.1:{}", self.wire.port()), &self.bob)
    }
}

#[tokio::test]
async fn first_what_was_said_then_what_is_said() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let (chat, other) = (alice.new_group(&[&bob]).await, alice.new_group(&[&bob]).await);
    for number in 0..15 {
        alice.say(&chat, &format!("number {number}")).await;
    }
    let mut his = Terminal::of(&bob).start(&["follow", &chat]);
    assert!(his.line().await.starts_with("── "));
    for number in 5..15 {
        assert!(his.line().await.ends_with(&format!("Alice: number {number}")));
    }
    alice.say(&other, "elsewhere").await;
    let said = alice.say(&chat, "live").await;
    assert!(his.line().await.ends_with("Alice: live"));
    alice.add_reaction(&id(&said), "🎉").await.ok();
    assert!(his.line().await.ends_with("· 🎉 1 to Alice: live"));
    alice.delete_message(&id(&said)).await.ok();
    assert!(his.line().await.contains("· Alice deleted a message of "));
    his.signal("INT");
    assert_eq!(his.ended().await, Some(0));
}

#[tokio::test]
async fn all_chats_are_followed_and_new_ones_too() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let old = alice.new_chat("group", "Old", &[&bob]).await;
    let mut his = Terminal::of(&bob).start(&["follow"]);
    // A follower that listens has heard the first of these; which one that is does not matter.
    let heard = crate::support::eventually::eventually("it listens", async || {
        alice.say(&id(&old), "old").await;
        let line = tokio::time::timeout(std::time::Duration::from_millis(200), his.line());
        line.await.ok()
    });
    heard.await;
    let new = alice.new_direct(&bob).await;
    alice.say(&new, "in private").await;
    let mut lines = Vec::new();
    while !lines.iter().any(|line: &String| line.ends_with("@Alice Alice: in private")) {
        lines.push(his.line().await);
    }
    let new: Vec<_> = lines.iter().filter(|line| !line.ends_with("Old Alice: old")).collect();
    assert!(new[0].ends_with("@Alice · @Alice begins") && new.len() == 2, "{lines:?}");
}

#[tokio::test]
async fn nothing_is_lost_or_shown_twice_over_cuts_and_over_a_hub_that_is_killed() {
    let mut stage = Stage::set(HubSettings::embedded()).await;
    let mut his = stage.terminal().start(&["follow", "--json", &stage.chat]);
    let (mut said, mut shown) = (Vec::new(), Vec::new());
    for round in 0..8 {
        for number in 0..10 {
            let text = format!("round {round} number {number}");
            stage.alice.say_for_sure(&stage.chat, &text).await;
            said.push(text);
            if number == 5 {
                stage.wire.cut(&EVERYBODY);
            }
        }
        match round {
            2 => {
                stage.hub.kill();
                stage.hub.start_again().await;
            }
            5 => {
                stage.hub.stop().await;
                stage.hub.start_again().await;
            }
            _ => {}
        }
        while shown.len() < said.len() {
            shown.push(his.message().await);
        }
        assert_eq!(shown, said, "round {round}");
    }
}

#[tokio::test]
async fn what_can_not_be_resumed_is_read() {
    let stage = Stage::set(HubSettings::embedded().set("limits.resume_events_max", 1_000)).await;
    let mut his = stage.terminal().start(&["follow", "--json"]);
    crate::support::eventually::eventually("it listens", async || {
        stage.alice.say(&stage.chat, "are you there").await;
        tokio::time::timeout(std::time::Duration::from_millis(200), his.message()).await.ok()
    })
    .await;
    let mut said = Vec::new();
    stage.wire.set(&EVERYBODY, Fault::refuse());
    for number in 0..1_010 {
        said.push(format!("meanwhile {number}"));
        stage.alice.say(&stage.chat, &said[number]).await;
    }
    let new = stage.alice.new_group(&[&stage.bob]).await;
    stage.alice.say(&new, "in a new chat").await;
    stage.wire.heal();
    let mut shown = Vec::new();
    while shown.len() < said.len() + 1 {
        shown.push(his.message().await);
    }
    stage.alice.say(&stage.chat, "live again").await;
    assert_eq!(his.message().await, "live again");
    shown.retain(|text| text != "are you there");
    shown.sort_by_key(|text| text == "in a new chat");
    said.push(String::from("in a new chat"));
    assert_eq!(shown, said);
}

#[tokio::test]
async fn it_ends_when_nobody_reads_and_when_the_credential_ends() {
    let [alice] = agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "hello").await;
    let mut unread = Terminal::of(&alice).start(&["follow", "--json", &chat]);
    let event: Value = unread.event().await;
    assert_eq!((&event["data"]["text"], &event["fetched"]), (&Value::from("hello"), &Value::from(true)));
    assert_eq!(unread.unread().await, Some(0));

    let customer = crate::support::Deployment::Embedded.hubs().await.customer().await;
    let (admin, bob) = (customer.admin("Admin").await, customer.agent("Bob").await);
    let chat = bob.new_group(&[&admin]).await;
    bob.say(&chat, "hello").await;
    let mut his = Terminal::of(&bob).start(&["follow", "--json", &chat]);
    assert_eq!(his.message().await, "hello");
    admin.say(&chat, "good bye").await;
    assert_eq!(his.message().await, "good bye");
    admin.delete_agent(&bob.id).await.ok();
    assert_eq!(his.ended().await, Some(1));
}
