//! Uploads and downloads over a real socket, on an embedded store.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::*;
use crate::chat::trial;
use crate::http::{State, request_id};
use crate::model::message::{Media, Owner, Post};
use crate::model::{AgentId, ChatKind, CustomerId, Event, Micros, Nonce, ParticipantId};
use crate::people::{NewAgent, People, Steward};
use crate::settings::Settings;
use crate::store::embedded::{self, EmbeddedSettings};
use crate::store::{Commit, Entry, Expect, Store};

/// Who is in which chat, as the test says.
#[derive(Default)]
struct Members(Mutex<HashSet<(AgentId, ChatId)>>);

#[async_trait]
impl Membership for Members {
    async fn is_member(&self, caller: &Caller, chat: ChatId) -> Result<bool, ApiError> {
        Ok(self.0.lock().expect("not poisoned").contains(&(caller.agent, chat)))
    }
}

struct Desk {
    dir: tempfile::TempDir,
    url: String,
    http: reqwest::Client,
    people: People,
    store: Store,
    files: Files,
    members: Arc<Members>,
}

struct Person {
    caller: Caller,
    token: String,
}

impl Desk {
    async fn open() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let environment = [
            at("TALK__STORE__DIR", &dir.path().display().to_string()),
            at("TALK__LIMITS__FILE_BYTES_MAX", "300000"),
            at("TALK__FILES__CHUNK_BYTES", "65536"),
            at("TALK__FILES__UPLOADS_MAX", "2"),
            at("TALK__AUTH__SECRET", "a secret for this test"),
        ];
        let settings = Settings::load(None, environment).expect("settings");
        let bounds =
            EmbeddedSettings { queue_max: 64, batch_max: 64, heard_max: 64, cache_bytes: 1 << 20, wait_ms: 5000 };
        let store = embedded::open(dir.path(), bounds).expect("a store").store;
        let people = People::new(store.clone(), &settings.auth).expect("people");
        let url = settings.files_url().expect("a folder");
        let files = Files::open(&url, &settings.files, &settings.limits, &store).expect("files");
        let members = Arc::new(Members::default());
        let desk = web::Data::new(FileDesk {
            files: files.clone(),
            membership: members.clone(),
            public_url: String::from("https://talk.test"),
            wait: Duration::from_secs(5),
        });
        let state = web::Data::new(State::new(
            people.clone(),
            trial::chats(&store, &settings),
            settings.limits.clone(),
            &settings.auth,
        ));
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1.0/service_agents/files", socket.local_addr().expect("an address"));
        let server = HttpServer::new(move || {
            let app = App::new().app_data(state.clone()).app_data(desk.clone()).configure(routes);
            app.wrap(from_fn(request_id::stamp))
        });
        actix_web::rt::spawn(server.workers(1).disable_signals().listen(socket).expect("listening").run());
        Self { dir, url, http: reqwest::Client::new(), people, store, files, members }
    }

    async fn customer(&self) -> CustomerId {
        self.people.create_customer("Customer", "").await.expect("a customer").id
    }

    async fn person(&self, customer: CustomerId, name: &str) -> Person {
        let new = NewAgent {
            username: format!("{name}@{customer}.test"),
            password: "a password".to_owned(),
            name: name.to_owned(),
            detail: String::new(),
            permission: None,
        };
        let agent = self.people.create_agent(&Steward::Operator, customer, new).await.expect("an agent");
        let (token, _) = self.people.mint(&agent.caller()).expect("a token");
        Person { caller: agent.caller(), token }
    }

    async fn send(&self, who: &Person, form: Form) -> (u16, Value) {
        let call = self.http.post(&self.url).bearer_auth(&who.token).multipart(form);
        let response = call.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    async fn upload(&self, who: &Person, content: &[u8], name: &str, mime: &str) -> Value {
        let part = Part::bytes(content.to_vec()).file_name(name.to_owned()).mime_str(mime).expect("a type");
        let (status, body) = self.send(who, Form::new().text("type", "talk").part("file", part)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn get(&self, who: &Person, path: &str) -> (u16, Value) {
        let response = self.fetch(who, path, &[]).await;
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    async fn fetch(&self, who: &Person, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut call = self.http.get(format!("{}{path}", self.url)).bearer_auth(&who.token);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        call.send().await.expect("an answer")
    }

    /// A chat of this agent in which a message carries the file.
    async fn attach(&self, who: &Person, file: FileId) -> ChatId {
        let member = |chat: ChatId| self.membership(who, chat);
        let file = self.files.resolve(&who.caller, file, member).await.expect("an answer").expect("seen");
        let chat = ChatId::random();
        self.files.attach(&file, chat).await.expect("noted");
        let entry = |event| Entry { nonce: Nonce::random(), event, touch: None };
        let created = Event::ChatCreated {
            customer: who.caller.customer,
            kind: ChatKind::Group,
            name: String::new(),
            detail: String::new(),
            members: vec![(who.caller.agent, ParticipantId::random())],
        };
        let medias = vec![Media::File { file: file.id, name: file.name.clone() }];
        let said = Post { owner: Owner::Agent(who.caller.agent), parent: None, text: String::new(), medias };
        let at = self.store.log.now(chat.key()).await.expect("the time");
        let commit =
            |expect, event| Commit { chat, expect, retry_after: None, known: None, entries: vec![entry(event)] };
        self.store.log.commit(&commit(Expect::Absent { at }, created)).await.expect("a chat");
        self.store.log.commit(&commit(Expect::Rules(1), Event::MessageCreated(said))).await.expect("a message");
        self.members.0.lock().expect("not poisoned").insert((who.caller.agent, chat));
        chat
    }

    async fn membership(&self, who: &Person, chat: ChatId) -> Result<bool, ApiError> {
        self.members.is_member(&who.caller, chat).await
    }

    /// How many contents there are, half-written ones included.
    fn contents(&self) -> usize {
        fn count(dir: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.dir.path().join("files"))
    }
}

fn id(body: &Value) -> FileId {
    FileId::parse(body["id"].as_str().expect("an id")).expect("a UUID")
}

fn reason(body: &Value) -> &str {
    body["error"]["reason"].as_str().unwrap_or_default()
}

#[actix_web::test]
async fn a_file_goes_in_and_comes_out() {
    let desk = Desk::open().await;
    let alice = desk.person(desk.customer().await, "alice").await;
    let content: Vec<u8> = (0..200_000u32).map(|n| (n % 253) as u8).collect();
    let file = desk.upload(&alice, &content, "dir/März \"1\".png", "image/png").await;
    assert_eq!(file["name"], "März \"1\".png");
    assert_eq!((&file["mime"], &file["size"], &file["type"]), (&json!("image/png"), &json!(200_000), &json!("talk")));
    assert_eq!(file["url"], format!("https://talk.test/v1.0/service_agents/files/{}/file", id(&file)));
    assert_eq!(file["tm_delete"], "");
    assert_eq!(desk.get(&alice, &format!("/{}", id(&file))).await, (200, file.clone()));

    let path = format!("/{}/file", id(&file));
    let whole = desk.fetch(&alice, &path, &[]).await;
    let header = |name: &str| whole.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-length"), "200000");
    let disposition = header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"M_rz _1_.png\"; "), "{disposition}");
    assert!(disposition.contains("filename*=UTF-8''M%C3%A4rz%20%221%22.png"), "{disposition}");
    let tag = header("etag");
    assert!(whole.bytes().await.expect("the content") == content);

    let range = |got: &reqwest::Response| got.headers()["content-range"].to_str().expect("text").to_owned();
    let part = desk.fetch(&alice, &path, &[("range", "bytes=1000-1999")]).await;
    assert_eq!((part.status().as_u16(), range(&part)), (206, "bytes 1000-1999/200000".to_owned()));
    assert!(part.bytes().await.expect("the stretch") == content[1000..2000]);
    let beyond = desk.fetch(&alice, &path, &[("range", "bytes=200000-")]).await;
    assert_eq!((beyond.status().as_u16(), range(&beyond)), (416, "bytes */200000".to_owned()));
    assert!(beyond.headers().contains_key("x-request-id"));
    assert_eq!(reason(&beyond.json().await.expect("JSON")), "INVALID_REQUEST_PARAMETER");
    let known = desk.fetch(&alice, &path, &[("if-none-match", &tag)]).await;
    assert_eq!((known.status().as_u16(), known.bytes().await.expect("nothing").len()), (304, 0));
    let other = desk.fetch(&alice, &path, &[("range", "bytes=0-9"), ("if-range", "\"another\"")]).await;
    assert_eq!((other.status().as_u16(), other.bytes().await.expect("all").len()), (200, 200_000));
}

#[actix_web::test]
async fn only_its_owner_and_members_of_a_chat_that_carries_it_see_a_file() {
    let desk = Desk::open().await;
    let (one, other) = (desk.customer().await, desk.customer().await);
    let (alice, bob) = (desk.person(one, "alice").await, desk.person(one, "bob").await);
    let eve = desk.person(other, "eve").await;
    let file = desk.upload(&alice, b"hello", "a.txt", "text/plain").await;
    let path = format!("/{}", id(&file));
    let status = async |who: &Person| {
        let (record, body) = desk.get(who, &path).await;
        let content = desk.fetch(who, &format!("{path}/file"), &[]).await.status().as_u16();
        assert_eq!(record, content, "record and content are for the same people");
        (record, reason(&body).to_owned())
    };
    assert_eq!(status(&bob).await, (403, "PERMISSION_DENIED".to_owned()));
    let chat = desk.attach(&alice, id(&file)).await;
    assert_eq!(status(&bob).await.0, 403, "not a member");
    desk.members.0.lock().expect("not poisoned").insert((bob.caller.agent, chat));
    assert_eq!(status(&bob).await.0, 200);
    desk.members.0.lock().expect("not poisoned").insert((eve.caller.agent, chat));
    assert_eq!(status(&eve).await, (404, "FILE_NOT_FOUND".to_owned()), "another customer's does not exist");

    let noted = ChatId::random();
    let record = desk.files.get(&alice.caller, id(&file)).await.expect("an answer").expect("a file");
    desk.files.attach(&record, noted).await.expect("noted");
    let carol = desk.person(one, "carol").await;
    desk.members.0.lock().expect("not poisoned").insert((carol.caller.agent, noted));
    assert_eq!(status(&carol).await.0, 403, "noted, but no message carries it");

    let delete = async |who: &Person| {
        let call = desk.http.delete(format!("{}{path}", desk.url)).bearer_auth(&who.token);
        let response = call.send().await.expect("an answer");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(delete(&bob).await.0, 403);
    assert_eq!(delete(&eve).await.0, 404);
    let (deleted, body) = delete(&alice).await;
    assert_eq!((deleted, body["tm_delete"] == ""), (200, false), "{body}");
    assert_eq!(body["tm_update"], body["tm_delete"]);
    assert_eq!(delete(&alice).await.0, 404);
    assert_eq!(status(&alice).await.0, 404);
    assert_eq!(desk.contents(), 0);
}

#[actix_web::test]
async fn the_list_has_the_callers_files_page_by_page() {
    let desk = Desk::open().await;
    let customer = desk.customer().await;
    let (alice, bob) = (desk.person(customer, "alice").await, desk.person(customer, "bob").await);
    desk.upload(&bob, b"his", "b", "text/plain").await;
    let mut mine = Vec::new();
    for number in 0..5 {
        mine.push(desk.upload(&alice, b"x", &format!("{number}"), "text/plain").await);
    }
    mine.reverse();
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let (status, page) = desk.get(&alice, &format!("?page_size=2&page_token={token}")).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["result"].as_array().expect("rows").clone();
        token = url::form_urlencoded::byte_serialize(page["next_page_token"].as_str().expect("a token").as_bytes())
            .collect();
        assert_eq!(rows.is_empty(), token.is_empty());
        if rows.is_empty() {
            break;
        }
        seen.extend(rows);
    }
    assert_eq!(seen, mine);
}

#[actix_web::test]
async fn what_is_no_upload_is_refused_and_leaves_nothing_behind() {
    let desk = Desk::open().await;
    let alice = desk.person(desk.customer().await, "alice").await;
    let part = |size: usize| Part::bytes(vec![7; size]).file_name("a");
    for (form, status, why) in [
        (Form::new().part("file", part(300_001)), 400, "PAYLOAD_TOO_LARGE"),
        (Form::new().part("file", part(3_000_000)), 400, "PAYLOAD_TOO_LARGE"),
        (Form::new().text("type", "talk"), 400, "INVALID_ARGUMENT"),
        (Form::new().text("type", "call").part("file", part(200_000)), 400, "INVALID_ARGUMENT"),
        (Form::new().part("file", part(100_000)).part("file", part(100_000)), 400, "INVALID_ARGUMENT"),
        (Form::new().text("note", "x".repeat(2_000)).part("file", part(10)), 400, "INVALID_ARGUMENT"),
        (Form::new().part("file", part(300_000)), 200, ""),
        (Form::new().part("file", part(0)), 200, ""),
    ] {
        let (got, body) = desk.send(&alice, form).await;
        assert_eq!((got, reason(&body)), (status, why), "{body}");
    }
    let raw = async |kind: Option<&str>, body: &'static str| {
        let call = desk.http.post(&desk.url).bearer_auth(&alice.token).body(body);
        let call = kind.map_or(call.try_clone().expect("a call"), |kind| call.header("content-type", kind));
        let response = call.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, reason(&response.json().await.expect("JSON")).to_owned())
    };
    let refused = (400, "INVALID_ARGUMENT".to_owned());
    let form = Some("multipart/form-data; boundary=xx");
    assert_eq!(raw(None, "{}").await, refused);
    assert_eq!(raw(Some("application/json"), "{}").await, refused);
    assert_eq!(raw(Some("multipart/form-data"), "--xx").await, refused);
    assert_eq!(raw(form, "").await, refused);
    assert_eq!(raw(form, "nothing of the kind").await, refused);
    let cut = "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nand then";
    assert_eq!(raw(form, cut).await, refused);
    while desk.contents() > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.http.post(&desk.url).send().await.expect("an answer").status().as_u16(), 401);
}

#[actix_web::test]
async fn an_upload_whose_client_goes_away_leaves_nothing_behind_and_frees_its_place() {
    use tokio::io::AsyncWriteExt;

    let desk = Desk::open().await;
    let alice = desk.person(desk.customer().await, "alice").await;
    let address = desk.url.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.expect("connected");
    let head = format!(
        "POST /v1.0/service_agents/files HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: \
         250000\r\nContent-Type: multipart/form-data; boundary=xx\r\n\r\n--xx\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"a\"\r\n\r\n",
        alice.token
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    socket.write_all(&[b'x'; 200_000]).await.expect("sent");
    while desk.contents() == 0 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    while desk.contents() > 0 {
        tokio::task::yield_now().await;
    }
    let at = Micros(0);
    assert!(
        desk.files
            .list(&alice.caller, alice.caller.agent, crate::store::Around::After(at, Uuid::nil()), 10)
            .await
            .expect("a list")
            .is_empty()
    );
    for _ in 0..3 {
        desk.upload(&alice, b"x", "a", "text/plain").await;
    }
}
