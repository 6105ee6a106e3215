//! The edge over an embedded store: who comes in, who does not, and what people may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::test as call;
use actix_web::{App, web};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use crate::chat::registry::Whom;
use crate::chat::{Answer, Chats, Question, trial};
use crate::files::Files;
use crate::model::{Caller, ChatId};
use crate::people::{AuthSettings, People, Secret};
use crate::settings::Settings;
use crate::store::Opened;
use crate::store::embedded::{self, EmbeddedSettings};
use crate::telemetry::Metrics;
use crate::wire::ApiError;

use super::State;
use super::files::{FileDesk, Membership};
use super::health::Vitals;

const ADMIN: &str = "the operator's token, long enough";
const SECRET: &str = "a secret that is long enough for everybody";
/// Longer than any test takes to tell what it has to tell.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// A store in a directory of its own, with what was heard on its link.
struct Home {
    _dir: tempfile::TempDir,
    opened: Opened,
    state: web::Data<State>,
    desk: web::Data<FileDesk>,
    vitals: web::Data<Vitals>,
    leaving: Arc<AtomicBool>,
}

/// Who is in a chat, by asking it.
struct AskChats(Chats);

#[async_trait::async_trait]
impl Membership for AskChats {
    async fn is_member(&self, caller: &Caller, chat: ChatId) -> Result<bool, ApiError> {
        let asked = self.0.question(caller, Whom::Chat(chat), Question::Chat).await;
        Ok(asked.and_then(Answer::into_chat).is_ok_and(|view| view.member))
    }
}

fn home(change: impl Fn(&mut Settings)) -> Home {
    let mut settings = Settings::load(None, []).expect("the base settings");
    settings.auth.secret = Secret::new(SECRET);
    settings.auth.admin_token = Secret::new(ADMIN);
    settings.limits.auth_per_second = 0;
    change(&mut settings);
    let bounds =
        EmbeddedSettings { queue_max: 64, batch_max: 16, heard_max: 1_024, cache_bytes: 1 << 20, wait_ms: 5_000 };
    let dir = tempfile::tempdir().expect("a directory");
    settings.store.dir = dir.path().to_owned();
    let opened = embedded::open(dir.path(), bounds).expect("a store");
    let auth: &AuthSettings = &settings.auth;
    let people = People::new(opened.store.clone(), auth).expect("people");
    let chats = trial::chats(&opened.store, &settings);
    let url = settings.files_url().expect("a folder");
    let files = Files::open(&url, &settings.files, &settings.limits, &opened.store).expect("files");
    let membership = Arc::new(AskChats(chats.clone()));
    let desk = web::Data::new(FileDesk { files, membership, public_url: String::new(), wait: SOON });
    let leaving = Arc::<AtomicBool>::default();
    let vitals = web::Data::new(Vitals {
        link: Arc::clone(&opened.store.link),
        leaving: Box::new({
            let leaving = Arc::clone(&leaving);
            move || leaving.load(Ordering::Acquire)
        }),
        metrics: Metrics::installed().expect("metrics"),
    });
    let state = web::Data::new(State::new(people, chats, settings.limits.clone(), auth));
    Home { _dir: dir, opened, state, desk, vitals, leaving }
}

macro_rules! app {
    ($home:expr) => {
        call::init_service(
            App::new()
                .app_data($home.state.clone())
                .app_data($home.desk.clone())
                .app_data($home.vitals.clone())
                .configure(crate::http::health::routes)
                .configure(crate::http::login::routes)
                .configure(crate::http::customers::routes)
                .configure(crate::http::agents::routes)
                .configure(crate::http::access_keys::routes)
                .configure(crate::http::chats::routes)
                .configure(crate::http::participants::routes)
                .configure(crate::http::messages::routes)
                .wrap(from_fn(crate::http::request_id::stamp)),
        )
        .await
    };
}

/// What was answered: status, and body.
type Answered<'a> = LocalBoxFuture<'a, (u16, Value)>;

/// Somebody who calls the app, whatever the type of that.
struct Client<'a> {
    app: Box<dyn Fn(call::TestRequest) -> Answered<'a> + 'a>,
}

macro_rules! client {
    ($app:expr) => {
        Client {
            app: Box::new(|request: call::TestRequest| {
                Box::pin(async {
                    let response = call::call_service(&$app, request.to_request()).await;
                    assert!(response.headers().contains_key("x-request-id"));
                    (response.status().as_u16(), call::read_body_json(response).await)
                })
            }),
        }
    };
}

impl Client<'_> {
    async fn send(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = call::TestRequest::with_uri(path).method(method);
        if !token.is_empty() {
            request = request.insert_header(("Authorization", format!("Bearer {token}")));
        }
        if let Some(body) = body {
            request = request.set_json(body);
        }
        (self.app)(request).await
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.send("GET", path, token, None).await
    }

    async fn fine(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let body = (method != "GET" && method != "DELETE").then_some(body);
        let (status, answer) = self.send(method, path, token, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    async fn refused(&self, method: &str, path: &str, token: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.send(method, path, token, Some(body)).await;
        (status, answer["error"]["reason"].as_str().unwrap_or_default().to_owned())
    }

    async fn login(&self, username: &str, password: &str) -> String {
        let body = json!({"username": username, "password": password});
        text(&self.fine("POST", "/auth/login", "", body).await["token"])
    }

    /// A customer with an admin (bits 32) and an agent; tokens of both, and their ids.
    async fn founded(&self) -> Founded {
        let customer = text(&self.fine("POST", "/v1.0/customers", ADMIN, json!({"name": "Demo"})).await["id"]);
        let bob = json!({"customer_id": customer, "username": "Bob@demo.test", "password": "demo", "name": "Bob",
            "permission": 32});
        let bob_id = text(&self.fine("POST", "/v1.0/agents", ADMIN, bob).await["id"]);
        let bob = self.login("bob@DEMO.test", "demo").await;
        let alice = json!({"username": "alice@demo.test", "password": "demo", "name": "Alice"});
        let alice_id = text(&self.fine("POST", "/v1.0/agents", &bob, alice).await["id"]);
        let alice = self.login("alice@demo.test", "demo").await;
        Founded { customer, bob, bob_id, alice, alice_id }
    }
}

struct Founded {
    customer: String,
    bob: String,
    bob_id: String,
    alice: String,
    alice_id: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn reason(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}

// After the macros, which they use.
mod coming_in;
mod people;
mod talking;
