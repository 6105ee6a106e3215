//! What people may do in chats, where the edge has its part in it: lists, repeats, and who may know
//! what.

use super::*;
use crate::chat::Command;
use crate::chat::idempotency::Once;
use crate::model::{AgentId, CustomerId, Permissions};
use crate::store::{Around, ChatList, Scope};

const CHATS: &str = "/v1.0/service_agents/talk_chats";
const MESSAGES: &str = "/v1.0/service_agents/talk_messages";

fn caller(founded: &Founded) -> Caller {
    Caller {
        customer: CustomerId::parse(&founded.customer).expect("an id"),
        agent: AgentId::parse(&founded.alice_id).expect("an id"),
        name: "Alice".to_owned(),
        permissions: Permissions::AGENT,
    }
}

fn chat_id(value: &Value) -> ChatId {
    ChatId::parse(value["id"].as_str().unwrap_or_default()).expect("an id")
}

async fn chat(hub: &Client<'_>, token: &str, kind: &str, others: &[&str]) -> Value {
    let others: Vec<_> = others.iter().map(|id| json!({"owner_type": "agent", "owner_id": id})).collect();
    hub.fine("POST", CHATS, token, json!({"type": kind, "name": "n", "participants": others})).await
}

#[actix_web::test]
async fn a_list_shows_each_chat_once_whatever_the_moments_in_the_index() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let founded = hub.founded().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(chat(&hub, &founded.alice, "group", &[]).await);
    }
    // The index may have another moment than the chat: of an attempt that was beaten to it.
    let caller = caller(&founded);
    for (which, ago) in [(0, 0), (1, 3_000_000), (4, 9_000_000)] {
        let at = crate::wire::time::parse(&text(&made[which]["tm_create"])).expect("a moment");
        let scope = Scope { agents: &[caller.agent], channel: false, created: true };
        let at = crate::model::Micros(at.0 - ago + 1);
        home.opened.store.index.announce(caller.customer, chat_id(&made[which]), at, scope).await.expect("announced");
    }
    for order in ["desc", "asc"] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{CHATS}?page_size=1&order={order}&page_token={}", token.replace(' ', "%20"));
            let page = hub.fine("GET", &path, &founded.alice, Value::Null).await;
            token = text(&page["next_page_token"]);
            let Some(row) = page["result"].get(0) else { break };
            seen.push(text(&row["id"]));
            assert!(seen.len() <= 5, "{order}: {seen:?}");
        }
        seen.sort();
        let mut all: Vec<_> = made.iter().map(|chat| text(&chat["id"])).collect();
        all.sort();
        assert_eq!(seen, all, "{order}");
    }
}

#[actix_web::test]
async fn lists_take_no_room_in_memory_and_stop_at_their_limit() {
    let home = home(|settings| settings.limits.chats_in_memory_max = 3);
    let app = app!(home);
    let hub = client!(app);
    let founded = hub.founded().await;
    for number in 0..3 {
        let made = chat(&hub, &founded.alice, "talk", &[]).await;
        let said = json!({"chat_id": made["id"], "type": "normal", "text": number.to_string()});
        hub.fine("POST", MESSAGES, &founded.alice, said).await;
    }
    // A node that has none of them in memory, and no room for any.
    let mut settings = Settings::load(None, []).expect("the base settings");
    settings.limits.chats_in_memory_max = 0;
    settings.limits.listed_rows_max = 2;
    let elsewhere = trial::chats(&home.opened.store, &settings);
    let page = crate::wire::page::PageQuery::default().parse().expect("a page");
    let caller = caller(&founded);
    let of = ChatList::Agent(caller.agent);
    assert_eq!(elsewhere.list(&caller, of, &page, &|_| true).await.expect("a list").len(), 2);
    assert!(elsewhere.list(&caller, of, &page, &|_| false).await.expect("a list").is_empty());
    settings.limits.listed_rows_max = 100;
    let elsewhere = trial::chats(&home.opened.store, &settings);
    let merged = elsewhere.merged_messages(&caller, &page).await.expect("messages");
    assert_eq!(merged.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["2", "1", "0"]);
    let stranger = Caller { agent: AgentId::random(), ..caller.clone() };
    let seen = elsewhere.list(&stranger, ChatList::Channels, &page, &|view| !view.member).await.expect("a list");
    assert_eq!(seen.len(), 3, "channels are for everybody");
    assert!(elsewhere.list(&stranger, of, &page, &|view| view.member).await.expect("a list").is_empty());
}

#[actix_web::test]
async fn replies_to_a_message_of_strangers_are_as_unknown_as_any() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let ours = hub.founded().await;
    let made = chat(&hub, &ours.alice, "group", &[]).await;
    let said = hub.fine("POST", MESSAGES, &ours.alice, json!({"chat_id": made["id"], "text": "x"})).await;
    let customer = text(&hub.fine("POST", "/v1.0/customers", ADMIN, json!({"name": "Other"})).await["id"]);
    let mallory = json!({"customer_id": customer, "username": "mallory@demo.test", "password": "demo", "name": "M"});
    hub.fine("POST", "/v1.0/agents", ADMIN, mallory).await;
    let mallory = hub.login("mallory@demo.test", "demo").await;
    let there = format!("{MESSAGES}?parent_id={}", text(&said["id"]));
    let invented = crate::model::MessageId::new(crate::model::Micros(7), ChatId::random().key());
    let nowhere = format!("{MESSAGES}?parent_id={invented}");
    for path in [&there, &nowhere] {
        assert_eq!(hub.refused("GET", path, &mallory, json!({})).await, reason(404, "TALK_MESSAGE_NOT_FOUND"));
    }
    // Of one's own customer, outside of the chat: that is said.
    assert_eq!(hub.refused("GET", &there, &ours.bob, json!({})).await, reason(403, "PERMISSION_DENIED"));
}

#[actix_web::test]
async fn who_may_not_take_an_agent_in_does_not_touch_that_agents_list() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let founded = hub.founded().await;
    let group = chat(&hub, &founded.bob, "group", &[]).await;
    let talk = chat(&hub, &founded.bob, "talk", &[]).await;
    let direct = chat(&hub, &founded.bob, "direct", &[&founded.alice_id]).await;
    let victim = json!({"owner_type": "agent", "owner_id": founded.alice_id});
    let carol = json!({"username": "carol@demo.test", "password": "demo", "name": "Carol"});
    let carol_id = text(&hub.fine("POST", "/v1.0/agents", &founded.bob, carol).await["id"]);
    let carol = hub.login("carol@demo.test", "demo").await;
    for chat in [&group, &talk] {
        let path = format!("{CHATS}/{}/participants", text(&chat["id"]));
        assert_eq!(hub.refused("POST", &path, &carol, victim.clone()).await, reason(403, "PERMISSION_DENIED"));
    }
    let third = json!({"owner_type": "agent", "owner_id": carol_id});
    let path = format!("{CHATS}/{}/participants", text(&direct["id"]));
    assert_eq!(hub.refused("POST", &path, &founded.bob, third.clone()).await, reason(409, "STATE_INVALID"));
    hub.fine("POST", &path, &founded.bob, victim.clone()).await;
    hub.fine("DELETE", &format!("{CHATS}/{}", text(&group["id"])), &founded.bob, Value::Null).await;
    let path = format!("{CHATS}/{}/participants", text(&group["id"]));
    assert_eq!(hub.refused("POST", &path, &founded.bob, third).await, reason(409, "STATE_INVALID"));
    let listed = async |agent: &str| {
        let list = ChatList::Agent(AgentId::parse(agent).expect("an id"));
        let customer = CustomerId::parse(&founded.customer).expect("an id");
        home.opened.store.index.chats(customer, list, Around::Newest, 10).await.expect("a list").len()
    };
    assert_eq!((listed(&founded.alice_id).await, listed(&carol_id).await), (1, 0), "alice has the direct chat");
    // For a channel it is enough to be the one who comes in.
    let path = format!("{CHATS}/{}/participants", text(&talk["id"]));
    hub.fine("POST", &path, &carol, json!({"owner_id": carol_id})).await;
    assert_eq!(listed(&carol_id).await, 1);
}

#[actix_web::test]
async fn a_repeat_gives_what_the_first_attempt_made_although_it_would_be_refused_now() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let founded = hub.founded().await;
    let made = chat(&hub, &founded.alice, "group", &[]).await;
    let (caller, chat) = (caller(&founded), chat_id(&made));
    let chats = &home.state.chats;
    let again = async |path: &str, key: &'static str, body: &str| {
        let request = call::TestRequest::post().uri(path).insert_header(("Idempotency-Key", key));
        let request = request.insert_header(("Authorization", format!("Bearer {}", founded.alice)));
        let request = request.insert_header(("Content-Type", "application/json")).set_payload(body.to_owned());
        (hub.app)(request).await
    };
    // The first attempt was lost after its event was in the log, before its answer was kept; and
    // the file that it carried is gone.
    let gone = uuid::Uuid::new_v4();
    let body = json!({"chat_id": made["id"], "text": "x", "medias": [{"type": "file", "file_id": gone}]}).to_string();
    let once = Once::new("k", &format!("POST {MESSAGES}"), body.as_bytes()).expect("a key");
    let claimed = chats.claim(&caller, &once, 1, None).await.expect("claimed");
    let post = Command::Post { parent: None, text: "x".to_owned(), medias: Vec::new() };
    let attempt = claimed.claim.attempt(false);
    let first = chats.make(&caller, Whom::Chat(chat), post, attempt).await.expect("made");
    let first = first.into_message().expect("a message");
    for _ in 0..2 {
        let (status, repeat) = again(MESSAGES, "k", &body).await;
        assert_eq!((status, text(&repeat["id"])), (200, first.id.to_string()), "{repeat}");
    }
    let (status, other) = again(MESSAGES, "k", &body.replace("\"x\"", "\"y\"")).await;
    assert_eq!((status, text(&other["error"]["reason"])), (409, "IDEMPOTENCY_KEY_REUSED".to_owned()));

    // Likewise for a member that has been removed from the directory since.
    let ghost = AgentId::random();
    let path = format!("{CHATS}/{chat}/participants");
    let body = json!({"owner_id": ghost.0}).to_string();
    let once = Once::new("k2", &format!("POST {path}"), body.as_bytes()).expect("a key");
    let claimed = chats.claim(&caller, &once, 1, None).await.expect("claimed");
    let add = Command::Add { agent: ghost, name: "Ghost".to_owned(), joins: false };
    let first = chats.make(&caller, Whom::Chat(chat), add, claimed.claim.attempt(false)).await.expect("made");
    let first = first.into_participant().expect("a participant");
    let (status, repeat) = again(&path, "k2", &body).await;
    assert_eq!((status, text(&repeat["id"])), (200, first.id.to_string()), "{repeat}");
}

#[actix_web::test]
async fn a_media_is_refused_rather_than_cut_and_files_need_membership() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    let founded = hub.founded().await;
    let made = chat(&hub, &founded.alice, "talk", &[]).await;
    let media = |length: usize| json!([{"type": "image/png", "url": "https://x.test/p", "name": "n".repeat(length)}]);
    let post = |medias: Value| json!({"chat_id": made["id"], "medias": medias});
    hub.fine("POST", MESSAGES, &founded.alice, post(media(255))).await;
    let long = hub.refused("POST", MESSAGES, &founded.alice, post(media(256))).await;
    assert_eq!(long, reason(400, "INVALID_ARGUMENT"));
    // Said before it is said whether there is such a file.
    let file = json!([{"type": "file", "file_id": uuid::Uuid::new_v4()}]);
    let outside = hub.refused("POST", MESSAGES, &founded.bob, post(file.clone())).await;
    assert_eq!(outside, reason(403, "PERMISSION_DENIED"));
    assert_eq!(hub.refused("POST", MESSAGES, &founded.alice, post(file)).await, reason(400, "INVALID_ARGUMENT"));
}

#[actix_web::test]
async fn a_leaving_node_says_that_it_is_leaving() {
    let home = home(|_| {});
    let app = app!(home);
    let hub = client!(app);
    assert_eq!(hub.get("/health/ready", "").await, (200, json!({"status": "ok"})));
    home.leaving.store(true, Ordering::Release);
    assert_eq!(hub.get("/health/ready", "").await, (503, json!({"status": "draining"})));
}
