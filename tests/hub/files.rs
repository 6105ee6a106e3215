//! Files: uploaded once, downloaded by those who may, whole or in ranges, and never run by a browser.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::support::calls::{CHATS, FILES};
use crate::support::eventually::eventually;
use crate::support::{Agent, Answer, HubSettings, Hubs, TestHub, column, id, random_id, text};

const MIB: usize = 1024 * 1024;

/// Bytes that differ from place to place, so that a wrong range shows.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}

async fn range(agent: &Agent, file: &str, range: &str) -> Answer {
    agent.call(Method::GET, &format!("{FILES}/{file}/file")).header("Range", range).send().await
}

async fn attach(agent: &Agent, chat: &str, file: &str) -> Answer {
    let body = json!({"chat_id": chat, "type": "normal", "text": "", "medias": [{"type": "file", "file_id": file}]});
    agent.post_message(&body).await
}

async fn what_was_uploaded_comes_back_on_any_node(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    for len in [1, 1000, 3 * MIB] {
        let bytes = content(len);
        let file = alice.upload_file("photo of us.png", "image/png", bytes.clone()).await.ok();
        assert_eq!(text(&file, "customer_id"), alice.customer_id);
        assert_eq!(alice.get_file(&id(&file)).await.ok(), file);
        assert!(column(&alice.get(FILES).await.ok(), "id").contains(&id(&file)));
        let download = alice.download_file(&id(&file)).await;
        assert_eq!(download.status, 200);
        assert!(download.bytes == bytes, "{} of {len} bytes came back, or others", download.bytes.len());
        assert_eq!(download.header("x-content-type-options"), "nosniff");
        assert!(download.header("content-disposition").contains("photo of us.png"), "{download}");
        assert_eq!(download.header("content-length"), len.to_string());
    }
}

async fn ranges_are_served(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let bytes = content(1000);
    let file = id(&alice.upload_file("a.bin", "application/octet-stream", bytes.clone()).await.ok());
    assert_eq!(alice.download_file(&file).await.header("accept-ranges"), "bytes");
    for (asked, from, to) in
        [("0-0", 0, 0), ("2-5", 2, 5), ("990-", 990, 999), ("-10", 990, 999), ("900-5000", 900, 999)]
    {
        let answer = range(&alice, &file, &format!("bytes={asked}")).await;
        assert_eq!(answer.status, 206, "{asked}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{to}/1000"));
        assert_eq!(answer.bytes, bytes[from..=to], "{asked}");
    }
    let answer = range(&alice, &file, "bytes=1000-").await;
    assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */1000"));
}

async fn a_file_is_its_owners_until_it_is_shared_in_a_chat(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let file = id(&alice.new_file("plan.txt", "the plan").await);
    let chat = alice.new_group(&[&bob]).await;
    for other in [&bob, &carol] {
        let answers = [other.get_file(&file).await, other.download_file(&file).await, other.delete_file(&file).await];
        assert!(answers.iter().all(|answer| [403, 404].contains(&answer.status)), "{answers:?}");
    }
    attach(&alice, &chat, &file).await.ok();
    assert_eq!(id(&bob.get_file(&file).await.ok()), file);
    assert_eq!(bob.download_file(&file).await.bytes, b"the plan");
    for answer in [carol.get_file(&file).await, carol.download_file(&file).await] {
        assert!([403, 404].contains(&answer.status), "{answer}");
    }
    for answer in
        [stranger.get_file(&file).await, stranger.download_file(&file).await, stranger.delete_file(&file).await]
    {
        answer.refused(404, "FILE_NOT_FOUND");
    }
    assert!(column(&bob.get(FILES).await.ok(), "id").is_empty(), "the list is of one's own");

    alice.add_participant(&chat, &carol.id).await.ok();
    assert_eq!(carol.download_file(&file).await.bytes, b"the plan", "a new member reads all of the chat");
    let record = id(&alice.participant(&chat, &bob).await.unwrap());
    alice.remove_participant(&chat, &record).await.ok();
    let answer = bob.download_file(&file).await;
    assert!([403, 404].contains(&answer.status), "{answer}");
}

async fn a_file_is_no_longer_shared_when_its_message_is_deleted(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let file = id(&alice.new_file("plan.txt", "the plan").await);
    let messages = [id(&attach(&alice, &chat, &file).await.ok()), id(&attach(&alice, &chat, &file).await.ok())];
    alice.delete_message(&messages[0]).await.ok();
    assert_eq!(bob.download_file(&file).await.status, 200, "the other message still shares it");
    alice.delete_message(&messages[1]).await.ok();
    let answer = bob.download_file(&file).await;
    assert!([403, 404].contains(&answer.status), "{answer}");
    assert_eq!(alice.download_file(&file).await.status, 200);
}

async fn only_its_owner_deletes_a_file(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let file = id(&alice.new_file("plan.txt", "the plan").await);
    let message = id(&attach(&alice, &chat, &file).await.ok());
    bob.delete_file(&file).await.refused(403, "PERMISSION_DENIED");
    assert_eq!(id(&alice.delete_file(&file).await.ok()), file);
    for agent in [&alice, &bob] {
        agent.get_file(&file).await.refused(404, "FILE_NOT_FOUND");
        agent.download_file(&file).await.refused(404, "FILE_NOT_FOUND");
    }
    assert!(column(&alice.get(FILES).await.ok(), "id").is_empty());
    attach(&alice, &chat, &file).await.refused(400, "INVALID_ARGUMENT");
    assert_eq!(text(&bob.get_message(&message).await.ok()["medias"][0], "file_id"), file, "the message stays");
}

async fn only_a_file_the_sender_can_read_can_be_attached(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let hidden = id(&bob.new_file("b.txt", "of Bob").await);
    let foreign = id(&stranger.new_file("s.txt", "of a stranger").await);
    for file in [random_id(), hidden.clone(), foreign, "not-a-uuid".to_owned(), String::new()] {
        attach(&alice, &chat, &file).await.invalid();
    }
    attach(&bob, &chat, &hidden).await.ok();
    attach(&alice, &chat, &hidden).await.ok();
    assert_eq!(alice.messages_of(&chat).await.len(), 2);
}

async fn a_hostile_file_is_kept_harmless(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let page = "<script>alert(document.cookie)</script>";
    for name in ["../../../etc/passwd", "..", "a\"b;c.html", "übung.html", "x\\y.html", "CON.html", "a\tb"] {
        let part = Part::text(page).file_name(name.to_owned()).mime_str("text/html").unwrap();
        let form = Form::new().part("file", part).text("type", "talk");
        let file = alice.call(Method::POST, FILES).multipart(form).send().await.ok();
        let download = alice.download_file(&id(&file)).await;
        assert_eq!(download.bytes, page.as_bytes(), "{name}");
        assert_eq!(download.header("x-content-type-options"), "nosniff");
        let disposition = download.headers.get("content-disposition").unwrap().as_bytes();
        assert!(disposition.starts_with(b"attachment"), "HTML is saved, not shown: {name}");
        assert!(!disposition.contains(&b'/') || disposition.windows(3).any(|w| w == b"%2F"), "{name}");
    }
}

async fn an_upload_that_is_not_one_is_refused(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let wrong_forms = [Form::new().text("type", "talk"), Form::new().text("type", "talk").text("not-file", "x")];
    for form in wrong_forms {
        alice.call(Method::POST, FILES).multipart(form).send().await.invalid();
    }
    let not_multipart = [
        alice.post(FILES, &json!({"file": "x"})).await,
        alice.call(Method::POST, FILES).send().await,
        alice.call(Method::POST, FILES).header("Content-Type", "multipart/form-data").send().await,
        alice.call(Method::POST, FILES).header("Content-Type", "multipart/form-data; boundary=x").send().await,
    ];
    for answer in not_multipart {
        answer.invalid();
    }
    assert!(column(&alice.get(FILES).await.ok(), "id").is_empty());
    for file in [random_id(), alice.id.clone()] {
        alice.get_file(&file).await.refused(404, "FILE_NOT_FOUND");
        alice.download_file(&file).await.refused(404, "FILE_NOT_FOUND");
        alice.delete_file(&file).await.refused(404, "FILE_NOT_FOUND");
    }
    alice.get_file("not-a-uuid").await.refused(400, "INVALID_ID");
    alice.get(CHATS).await.ok();
}

async fn thirty_mebibytes_are_the_limit(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let upload = async |len: usize| alice.upload_file("big.bin", "application/octet-stream", vec![7; len]).await;
    let fits = upload(30 * MIB).await.ok();
    assert_eq!(alice.download_file(&id(&fits)).await.bytes.len(), 30 * MIB);
    upload(30 * MIB + 1).await.refused(400, "PAYLOAD_TOO_LARGE");
    upload(34 * MIB).await.refused(400, "PAYLOAD_TOO_LARGE");
    assert_eq!(column(&alice.get(FILES).await.ok(), "id"), [id(&fits)]);
}

#[tokio::test]
async fn a_file_is_never_held_whole_in_memory() {
    const UPLOADS: usize = 6;
    let hub = TestHub::start(HubSettings::embedded()).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let small = id(&alice.upload_file("warm.bin", "application/octet-stream", content(MIB)).await.ok());
    alice.download_file(&small).await;
    let before = hub.resident_bytes();
    let uploads = (0..UPLOADS).map(async |_| alice.upload_file("big.bin", "video/mp4", vec![7; 29 * MIB]).await.ok());
    for file in futures_util::future::join_all(uploads).await {
        assert_eq!(alice.download_file(&id(&file)).await.bytes.len(), 29 * MIB);
    }
    // What pieces took is given back with what the hub does next.
    eventually("files of 29 MiB made the hub grow by less than one", async || {
        alice.download_file(&small).await;
        (hub.resident_bytes().saturating_sub(before) as usize / MIB < 29).then_some(())
    })
    .await;
}

on_every_deployment!(
    what_was_uploaded_comes_back_on_any_node,
    ranges_are_served,
    a_file_is_its_owners_until_it_is_shared_in_a_chat,
    a_file_is_no_longer_shared_when_its_message_is_deleted,
    only_its_owner_deletes_a_file,
    only_a_file_the_sender_can_read_can_be_attached,
    a_hostile_file_is_kept_harmless,
    an_upload_that_is_not_one_is_refused,
    thirty_mebibytes_are_the_limit,
);
