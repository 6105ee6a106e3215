//! REST as one caller against one or several nodes. Every answer is checked against what holds for all answers, and
//! against the hub's own OpenAPI document, before a test sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::deployment::Hubs;
use super::eventually::in_time;
use super::openapi;

/// One way to say who is calling.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    QueryToken(String),
    Bearer(String),
    CookieToken(String),
    QueryKey(String),
    CookieKey(String),
}

impl Credential {
    /// Every way to present the same token or key, the one that wins first.
    pub(crate) fn every_way(secret: &str) -> [Self; 5] {
        let ways: [fn(String) -> Self; 5] =
            [Self::QueryToken, Self::Bearer, Self::CookieToken, Self::QueryKey, Self::CookieKey];
        ways.map(|way| way(secret.to_owned()))
    }

    /// The token or key itself.
    pub(crate) fn secret(&self) -> &str {
        match self {
            Self::QueryToken(secret) | Self::Bearer(secret) | Self::CookieToken(secret) => secret,
            Self::QueryKey(secret) | Self::CookieKey(secret) => secret,
        }
    }
}

/// A caller. Calls go to the nodes in turn, so that on two nodes a test alternates between them.
#[derive(Clone)]
pub(crate) struct Client {
    hubs: Hubs,
    turn: Arc<AtomicUsize>,
    credentials: Vec<Credential>,
}

impl Client {
    pub(crate) fn new(hubs: &Hubs, credentials: impl Into<Vec<Credential>>) -> Self {
        Self { hubs: hubs.clone(), turn: Arc::default(), credentials: credentials.into() }
    }

    /// The same hubs under other credentials.
    pub(crate) fn presenting(&self, credentials: impl Into<Vec<Credential>>) -> Self {
        Self { credentials: credentials.into(), ..self.clone() }
    }

    /// The same caller on one node only.
    pub(crate) fn on_node(&self, node: usize) -> Self {
        let mut hubs = self.hubs.clone();
        hubs.nodes = vec![hubs.nodes[node % hubs.nodes.len()].clone()];
        Self { hubs, ..self.clone() }
    }

    /// The address of the node whose turn it is.
    pub(crate) fn next_node(&self) -> &str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.hubs.nodes[turn % self.hubs.nodes.len()]
    }

    /// A call to `path`, which starts with a slash, with this caller's credentials.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let node = self.next_node().to_owned();
        let mut request = self.hubs.http.request(method.clone(), format!("{node}{path}"));
        let mut cookies = Vec::new();
        for credential in &self.credentials {
            request = match credential {
                Credential::QueryToken(token) => request.query(&[("token", token)]),
                Credential::QueryKey(key) => request.query(&[("accesskey", key)]),
                Credential::Bearer(token) => request.bearer_auth(token),
                Credential::CookieToken(token) => {
                    cookies.push(format!("token={token}"));
                    request
                }
                Credential::CookieKey(key) => {
                    cookies.push(format!("accesskey={key}"));
                    request
                }
            };
        }
        if !cookies.is_empty() {
            request = request.header("Cookie", cookies.join("; "));
        }
        Call { request, method, path: path.split('?').next().unwrap_or(path).to_owned(), node }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path).json(body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// Every row of a list, by following page tokens until a page is empty.
    pub(crate) async fn walk(&self, path: &str, query: &[(&str, &str)], page_size: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut token = String::new();
        loop {
            let mut call = self.call(Method::GET, path).query(query).query(&[("page_size", &page_size.to_string())]);
            if !token.is_empty() {
                call = call.query(&[("page_token", &token)]);
            }
            let page = call.send().await.ok();
            let result = super::rows(&page);
            assert!(result.len() <= page_size, "a page of {page_size} holds {} rows", result.len());
            let next = super::text(&page, "next_page_token").to_owned();
            assert_eq!(result.is_empty(), next.is_empty(), "the token is empty exactly when the page is: {page}");
            if result.is_empty() {
                return rows;
            }
            assert_ne!(token, next, "the token moves on");
            rows.extend(result);
            token = next;
        }
    }
}

/// A call on its way.
pub(crate) struct Call {
    request: reqwest::RequestBuilder,
    method: Method,
    path: String,
    node: String,
}

impl Call {
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// A body as it is.
    pub(crate) fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.body(body);
        self
    }

    /// A body as it is, called JSON.
    pub(crate) fn raw_json(self, body: impl Into<reqwest::Body>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    pub(crate) fn multipart(mut self, form: reqwest::multipart::Form) -> Self {
        self.request = self.request.multipart(form);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn query(mut self, query: &[(&str, &str)]) -> Self {
        self.request = self.request.query(query);
        self
    }

    /// Sends it, and holds the answer to everything the contract says about all answers.
    pub(crate) async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.try_send().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        answer.hold_to_the_contract();
        openapi::check(&answer).await;
        answer
    }

    /// Sends it to a hub that may be gone by then; only the transport's outcome is judged by the caller.
    pub(crate) async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let what = format!("{} {}", self.method, self.path);
        let received = async {
            let response = self.request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok((status, headers, response.bytes().await?.to_vec()))
        };
        let (status, headers, bytes) = in_time(&what, received).await?;
        let body = match headers.get("content-type").map(|value| value.as_bytes().starts_with(b"application/json")) {
            Some(true) => serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{what}: not JSON: {error}")),
            _ => Value::Null,
        };
        Ok(Answer { method: self.method, path: self.path, node: self.node, status, headers, body, bytes })
    }
}

/// What a hub answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) node: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body if it is JSON, else null.
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The body of a success, which is always a 200.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.body
    }

    /// The error object of a refusal with this HTTP status and reason.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, reason: &str) -> Value {
        assert_eq!((self.status, self.body["error"]["reason"].as_str()), (status, Some(reason)), "{self}");
        self.body["error"].clone()
    }

    /// The error object of a refusal for a body that is wrong: which field, or that it is missing, is in the message.
    #[track_caller]
    pub(crate) fn invalid(self) -> Value {
        let reason = self.body["error"]["reason"].as_str().unwrap_or_default();
        let fits = ["INVALID_ARGUMENT", "INVALID_JSON_BODY", "INVALID_ID"].contains(&reason);
        assert!(self.status == 400 && fits, "{self}");
        self.body["error"].clone()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self}"));
        value.to_str().expect("a header of plain text")
    }

    /// What holds for every answer: a request id, a success that is a 200, an error in its envelope, times in their form.
    #[track_caller]
    fn hold_to_the_contract(&self) {
        let request_id = self.header("x-request-id");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!((1..=64).contains(&request_id.len()) && request_id.chars().all(plain), "request id: {self}");
        match self.status {
            200..=399 => assert!([200, 206, 304].contains(&self.status), "a success is a 200: {self}"),
            416 => {}
            _ if self.path.starts_with("/health/") => {}
            _ => self.hold_to_the_envelope(request_id),
        }
        if !["/openapi.json", "/asyncapi.json"].contains(&self.path.as_str()) {
            check_times(&self.body, self);
        }
    }

    #[track_caller]
    fn hold_to_the_envelope(&self, request_id: &str) {
        let error = &self.body["error"];
        let status = error["status"].as_str().unwrap_or_else(|| panic!("no envelope: {self}"));
        let expected = match status {
            "INVALID_ARGUMENT" => 400,
            "UNAUTHENTICATED" => 401,
            "PERMISSION_DENIED" => 403,
            "NOT_FOUND" => 404,
            "ALREADY_EXISTS" | "FAILED_PRECONDITION" => 409,
            "RESOURCE_EXHAUSTED" => 429,
            "UNAVAILABLE" => 503,
            _ => panic!("an error no input should bring about: {self}"),
        };
        assert_eq!(self.status, expected, "HTTP status and envelope disagree: {self}");
        assert_eq!(error["request_id"], request_id, "{self}");
        assert!(REASONS.contains(&error["reason"].as_str().unwrap_or_default()), "unknown reason: {self}");
        assert!(!error["message"].as_str().unwrap_or_default().is_empty(), "no message: {self}");
        let known = ["status", "reason", "message", "request_id", "details"];
        let fields = error.as_object().expect("the envelope is an object");
        assert!(fields.keys().all(|key| known.contains(&key.as_str())), "unknown field in the envelope: {self}");
        if [429, 503].contains(&self.status) {
            let secs: u64 = self.header("retry-after").parse().expect("Retry-After is a number of seconds");
            assert!(secs > 0, "{self}");
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, node, status, body, bytes, .. } = self;
        match body {
            Value::Null => write!(f, "{method} {path} on {node}: {status}, {} bytes", bytes.len()),
            body => write!(f, "{method} {path} on {node}: {status} {body}"),
        }
    }
}

/// Every reason the contract knows, INTERNAL left out: no test may bring it about.
pub(crate) const REASONS: [&str; 20] = [
    "AUTHENTICATION_REQUIRED",
    "INVALID_CREDENTIALS",
    "PERMISSION_DENIED",
    "INVALID_JSON_BODY",
    "INVALID_ID",
    "INVALID_ARGUMENT",
    "INVALID_REQUEST_PARAMETER",
    "ROUTE_NOT_FOUND",
    "CHAT_NOT_FOUND",
    "TALK_MESSAGE_NOT_FOUND",
    "PARTICIPANT_NOT_FOUND",
    "AGENT_NOT_FOUND",
    "FILE_NOT_FOUND",
    "ACCESSKEY_NOT_FOUND",
    "STATE_INVALID",
    "AGENT_ALREADY_EXISTS",
    "IDEMPOTENCY_KEY_REUSED",
    "RATE_LIMIT_EXCEEDED",
    "PAYLOAD_TOO_LARGE",
    "SERVICE_UNAVAILABLE",
];

/// Whether `text` is `YYYY-MM-DD HH:MM:SS.ffffff`, digit by digit.
pub(crate) fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00 00:00:00.000000";
    let fits = |(have, form): (&u8, &u8)| if *form == b'0' { have.is_ascii_digit() } else { have == form };
    text.len() == FORM.len() && text.as_bytes().iter().zip(FORM).all(fits)
}

/// Every `tm_…` of a resource is a time; only one that may never come is empty until it does.
#[track_caller]
fn check_times(value: &Value, answer: &Answer) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key.starts_with("tm_") {
                    let text = value.as_str().unwrap_or_else(|| panic!("{key} is no string: {answer}"));
                    let never = text.is_empty() && ["tm_delete", "tm_expire"].contains(&key.as_str());
                    assert!(is_time(text) || never, "{key} is {text:?}: {answer}");
                }
                check_times(value, answer);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| check_times(value, answer)),
        _ => {}
    }
}
