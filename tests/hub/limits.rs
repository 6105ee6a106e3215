//! Every limit of contract section 3: what just fits is taken, one more is refused with a sentence, nothing is cut.

use serde_json::{Value, json};

use crate::support::calls::{CHATS, ME, MESSAGES};
use crate::support::people::PASSWORD;
use crate::support::{Agent, HubSettings, Hubs, TestHub, id, rows, text};

/// Refused with a message that names the field.
fn assert_names(error: &Value, field: &str) {
    assert!(text(error, "message").contains(field), "the message does not name `{field}`: {error}");
}

async fn names_have_255_characters_and_details_2000(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    for letter in ["x", "é", "👍"] {
        let fits = json!({"type": "group", "name": letter.repeat(255), "detail": letter.repeat(2000)});
        let chat = alice.create_chat(&fits).await.ok();
        assert_eq!((&chat["name"], &chat["detail"]), (&fits["name"], &fits["detail"]));
        for (field, longest) in [("name", 255), ("detail", 2000)] {
            let mut body = fits.clone();
            body[field] = json!(letter.repeat(longest + 1));
            assert_names(&alice.create_chat(&body).await.refused(400, "INVALID_ARGUMENT"), field);
            let change = json!({field: letter.repeat(longest + 1)});
            assert_names(&alice.update_chat(&id(&chat), &change).await.refused(400, "INVALID_ARGUMENT"), field);
        }
        assert_eq!(alice.get_chat(&id(&chat)).await.ok(), chat);
    }
}

async fn a_text_has_16_kib(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    for letter in ["x", "é", "👍"] {
        let fits = letter.repeat(16 * 1024 / letter.len());
        assert_eq!(alice.say(&chat, &fits).await["text"], fits);
        let body = json!({"chat_id": chat, "type": "normal", "text": format!("{fits}x")});
        assert_names(&alice.post_message(&body).await.refused(400, "INVALID_ARGUMENT"), "text");
    }
    assert_eq!(alice.messages_of(&chat).await.len(), 3);
}

async fn a_message_has_32_medias(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let links = |count| vec![json!({"type": "link", "link_url": "https://example.test"}); count];
    let body = |count| json!({"chat_id": chat, "type": "normal", "text": "", "medias": links(count)});
    assert_eq!(alice.post_message(&body(32)).await.ok()["medias"], json!(links(32)));
    assert_names(&alice.post_message(&body(33)).await.refused(400, "INVALID_ARGUMENT"), "medias");
}

async fn a_body_has_256_kib(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let padded = |len: usize| {
        let short = json!({"type": "group", "name": "padded", "ignored": ""}).to_string();
        let padding = "x".repeat(len - short.len());
        json!({"type": "group", "name": "padded", "ignored": padding}).to_string()
    };
    let send = async |body: String| alice.call(reqwest::Method::POST, CHATS).raw_json(body).send().await;
    send(padded(256 * 1024)).await.ok();
    send(padded(256 * 1024 + 1)).await.refused(400, "PAYLOAD_TOO_LARGE");
    send(padded(2 * 1024 * 1024)).await.refused(400, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_chat_is_full_at_its_limit_of_members() {
    let hub = TestHub::start(HubSettings::embedded().set("limits.members_max", 3)).await;
    let [alice, bob, carol, dave] = Hubs::of(&hub).agents(["Alice", "Bob", "Carol", "Dave"]).await;
    let others = [&bob, &carol, &dave].map(Agent::as_participant);
    let body = json!({"type": "group", "participants": others});
    alice.create_chat(&body).await.refused(400, "INVALID_ARGUMENT");
    assert!(rows(&alice.list_chats().await.ok()).is_empty());
    let channel = alice.new_channel("open", &[&bob, &carol]).await;
    alice.add_participant(&channel, &dave.id).await.refused(400, "INVALID_ARGUMENT");
    dave.join(&channel).await.refused(400, "INVALID_ARGUMENT");
    alice.add_participant(&channel, &carol.id).await.ok();
    let carols = id(&carol.participant(&channel, &carol).await.unwrap());
    carol.remove_participant(&channel, &carols).await.ok();
    dave.join(&channel).await.ok();
}

#[tokio::test]
async fn calls_of_an_agent_beyond_the_rate_are_told_when_to_come_back() {
    let hub = TestHub::start(HubSettings::embedded().set("limits.agent_per_second", 5)).await;
    let [alice, bob] = Hubs::of(&hub).agents(["Alice", "Bob"]).await;
    let calls = futures_util::future::join_all((0..40).map(async |_| alice.get(ME).await)).await;
    let (taken, refused): (Vec<_>, Vec<_>) = calls.into_iter().partition(|answer| answer.status == 200);
    assert!((10..=20).contains(&taken.len()), "a burst of 10 and what a second or two bring: {}", taken.len());
    for answer in refused {
        answer.refused(429, "RATE_LIMIT_EXCEEDED");
    }
    bob.get(ME).await.ok();
    crate::support::eventually::eventually("Alice is served again", async || {
        (alice.get(ME).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn guesses_from_an_address_beyond_the_rate_are_told_when_to_come_back() {
    let hub = TestHub::start(HubSettings::embedded().set("limits.auth_per_second", 2)).await;
    let hubs = Hubs::of(&hub);
    let [alice] = hubs.agents(["Alice"]).await;
    let nobody = hubs.nobody();
    let calls =
        futures_util::future::join_all((0..30).map(async |_| nobody.login(&alice.username, "guess").await)).await;
    let refused: Vec<_> = calls.into_iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 10, "only {} of 30 guesses were held back", refused.len());
    for answer in refused {
        answer.refused(429, "RATE_LIMIT_EXCEEDED");
    }
    crate::support::eventually::eventually("the right password is taken again", async || {
        (nobody.login(&alice.username, PASSWORD).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_rate_of_zero_is_no_limit() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    futures_util::future::join_all((0..300).map(async |_| alice.get(ME).await.ok())).await;
    assert_eq!(
        alice.post(MESSAGES, &json!({"chat_id": chat, "type": "normal", "text": "still here"})).await.status,
        200
    );
}

on_every_deployment!(
    names_have_255_characters_and_details_2000,
    a_text_has_16_kib,
    a_message_has_32_medias,
    a_body_has_256_kib,
);
