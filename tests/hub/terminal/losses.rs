//! What gets lost on the way, or has no place to go: nothing is done twice, nothing is lost in silence, and what is not
//! known is said.

use talk_load::rig::proxy::{EVERYBODY, Fault, Proxy};

use crate::support::calls::FILES;
use crate::support::eventually::eventually;
use crate::support::{column, id, text};

use super::agents;
use super::kit::{Terminal, names_in, port_of, wire_that_loses};

const MESSAGES: &str = "POST /v1.0/service_agents/talk_messages";
const UPLOADS: &str = "POST /v1.0/service_agents/files";
/// What a gateway says that knows of no hub.
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn what_is_sent_is_there_once_although_the_answer_was_lost() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let wire = wire_that_loses(alice.next_node(), MESSAGES, &[""]).await;
    let sent = Terminal::at(&wire, &alice).run(&["send", &chat, "once"]).await.ok();
    assert_eq!(bob.ids_of(&chat).await, [sent.trim()]);
}

#[tokio::test]
async fn an_attachment_of_what_may_have_been_said_stays() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    // The first attempt is said, and its answer lost; the second is refused.
    let hers = Terminal::at(&wire_that_loses(alice.next_node(), MESSAGES, &["", FORBIDDEN]).await, &alice);
    std::fs::write(hers.home.join("notes"), "content").expect("written");
    hers.run(&["send", &chat, "look", "-f", "notes"]).await.failed(1);
    let said = bob.messages_of(&chat).await;
    let file = text(&said[0]["medias"][0], "file_id").to_owned();
    assert_eq!(bob.download_file(&file).await.status, 200);
    // What was refused without a doubt is not said, and its attachment goes.
    let hers = Terminal::at(&wire_that_loses(alice.next_node(), MESSAGES, &[FORBIDDEN]).await, &alice);
    std::fs::write(hers.home.join("notes"), "content").expect("written");
    hers.run(&["send", &chat, "look", "-f", "notes"]).await.failed(1);
    assert_eq!(column(&alice.get(FILES).await.ok(), "id").len(), 1);
}

#[tokio::test]
async fn a_file_whose_answer_was_lost_is_not_sent_twice() {
    let [alice] = agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let hers = Terminal::at(&wire_that_loses(alice.next_node(), UPLOADS, &[""]).await, &alice);
    std::fs::write(hers.home.join("notes"), "content").expect("written");
    let said = hers.run(&["send", &chat, "look", "-f", "notes"]).await.failed(3);
    assert!(said.contains("notes may have arrived"), "{said}");
    assert_eq!(column(&alice.get(FILES).await.ok(), "id").len(), 1);
}

#[tokio::test]
async fn who_left_has_left_although_the_answer_was_lost() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    for chat in [alice.new_group(&[&bob]).await, alice.new_channel("open", &[&bob]).await] {
        let wire = wire_that_loses(bob.next_node(), "DELETE /v1.0/service_agents/talk_chats", &[""]).await;
        Terminal::at(&wire, &bob).run(&["leave", &chat]).await.ok();
        assert_eq!(alice.get_chat(&chat).await.ok()["member_count"], 1);
    }
}

#[tokio::test]
async fn a_gateway_that_knows_no_hub_for_a_moment_ends_no_follower() {
    let [alice, bob] = agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let wire = wire_that_loses(bob.next_node(), "GET /v1.0/ws", &[NOT_FOUND, FORBIDDEN]).await;
    alice.say(&chat, "first").await;
    let mut his = Terminal::at(&wire, &bob).start(&["follow", "--json", &chat]);
    assert_eq!(his.message().await, "first");
    alice.say(&chat, "second").await;
    assert_eq!(his.message().await, "second");
}

#[tokio::test]
async fn a_disk_that_is_full_ends_it_and_says_so() {
    let [alice] = agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "hello").await;
    let hers = Terminal::of(&alice);
    for arguments in [&["history", &chat][..], &["follow", &chat], &["completions", "bash"]] {
        let said = hers.run_on_a_full_disk(arguments).await;
        assert!(said.code == Some(1) && said.err.contains("cannot write: No space left"), "{said:?}");
    }
    // Also for what comes as an event.
    for form in ["--json", "--ids"] {
        let arguments = ["follow", "-n", "0", form, chat.as_str()];
        let talk = async {
            eventually("it ends", async || {
                alice.say(&chat, "more").await;
                None::<()>
            })
            .await;
        };
        let said = tokio::select! {
            said = hers.run_on_a_full_disk(&arguments) => said,
            () = talk => unreachable!("it goes on for ever"),
        };
        assert!(said.code == Some(1) && said.err.contains("cannot write: No space left"), "{said:?}");
    }
}

#[tokio::test]
async fn a_download_that_is_given_up_leaves_nothing() {
    let [alice] = agents(["Alice"]).await;
    let file = alice.new_file("big", &"x".repeat(2_000_000)).await;
    let wire = Proxy::to(port_of(alice.next_node())).await.expect("a wire");
    let hers = Terminal::at(&format!("http://127.0.0.1:{}", wire.port()), &alice);
    wire.set(&EVERYBODY, Fault::throttle(100_000));
    let download = hers.start(&["download", &id(&file)]);
    eventually("it begins", async || names_in(&hers.home).iter().any(|name| name.ends_with(".part")).then_some(()))
        .await;
    download.signal("INT");
    assert_eq!(download.ended().await, Some(130));
    assert_eq!(names_in(&hers.home), Vec::<String>::new());
}
