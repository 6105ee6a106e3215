//! Calls to the hub over one connection that is kept, made again until they are answered or the time
//! is over. What writes carries a key, so that a second attempt does nothing twice.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::address::Address;
use super::failure::{Failure, Result};

/// What all calls begin with.
pub(super) const BASE: &str = "/v1.0/service_agents";
/// How long one attempt may take: longer than a hub lets a call wait for its store.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long something that is only nice to know may take.
const GLIMPSE: Duration = Duration::from_secs(3);
/// The longest answer that is kept.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rows asked for at once: the most a hub gives.
pub(super) const PAGE: usize = 100;
/// The first wait between two attempts at most; each further one may be twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// The body of a request.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A page of a list.
#[derive(Deserialize)]
struct Page<T> {
    result: Vec<T>,
    next_page_token: String,
}

/// The hub, called by one agent.
pub(super) struct Client {
    pub(super) address: Address,
    /// `Bearer ...`
    credential: RefCell<Option<HeaderValue>>,
    timeout: Duration,
    connection: RefCell<Option<SendRequest<Body>>>,
}

/// One call.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    body: Option<&'a Value>,
    key: &'a str,
}

/// What came of a call, however often it was tried.
pub(super) struct Outcome<T> {
    pub(super) result: Result<T>,
    /// What the hub refused with, if it did.
    pub(super) status: Option<StatusCode>,
    /// An attempt was not answered, or not with yes or no: it may have been carried out.
    pub(super) doubt: bool,
}

/// An attempt that did not succeed.
struct Failed {
    failure: Failure,
    /// It may do better the next time, not before so long; `None`: it would not.
    again: Option<Duration>,
    /// What the hub refused with; `None`: nothing that was understood.
    status: Option<StatusCode>,
}

impl Failed {
    fn for_good(failure: Failure) -> Self {
        Self { failure, again: None, status: None }
    }

    fn lost(failure: Failure) -> Self {
        Self { failure, again: Some(Duration::ZERO), status: None }
    }
}

/// How long to wait before the next attempt: by chance, so that not all come at once, and longer each time.
pub(super) fn backoff(attempts: u32) -> Duration {
    let most = BACKOFF_FIRST.saturating_mul(1 << attempts.min(10)).min(BACKOFF_MAX);
    most.mul_f64(rand::random_range(0.1..=1.0))
}

/// A token as it goes with a call.
fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Failure::Usage(String::from("the token has characters that no token has")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A key that nobody used before.
fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Client {
    /// Connects with the first call. `timeout` is how long a call is tried again.
    ///
    /// # Errors
    /// A token that cannot stand in a header.
    pub(super) fn new(address: Address, token: Option<&str>, timeout: Duration) -> Result<Self> {
        let credential = RefCell::new(token.map(bearer).transpose()?);
        Ok(Self { address, credential, timeout, connection: RefCell::new(None) })
    }

    /// From now on calls with this token.
    ///
    /// # Errors
    /// It cannot stand in a header.
    pub(super) fn call_with(&self, token: &str) -> Result<()> {
        let credential = bearer(token)?;
        *self.credential.borrow_mut() = Some(credential);
        Ok(())
    }

    /// How long a call is tried again, and a transfer may stand still.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The credential as a header, as it is now.
    pub(super) fn credential(&self) -> Option<HeaderValue> {
        self.credential.borrow().clone()
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// The hub refuses, or is not reached in time.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.tried(Call { method: &Method::GET, path, body: None, key: "" }).await.result
    }

    /// Reads a resource that is only nice to know: `None` when it is not there soon.
    pub(super) async fn glimpse<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let call = Call { method: &Method::GET, path, body: None, key: "" };
        tokio::time::timeout(GLIMPSE, self.attempt(call)).await.ok()?.ok()
    }

    /// Makes or changes something, once, however often it has to be tried.
    ///
    /// # Errors
    /// The hub refuses, or is not reached in time; then it is not known whether it was done.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T> {
        self.outcome(method, path, body).await.result
    }

    /// The same, with what is known of how it ended.
    pub(super) async fn outcome<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Outcome<T> {
        let key = new_key();
        self.tried(Call { method: &method, path, body, key: &key }).await
    }

    /// Reads a list page by page until it ends or `take` answers `false`. `path` has a query already;
    /// `from` is the token to begin behind, or nothing.
    ///
    /// # Errors
    /// Those of [`Self::get`], and those of `take`.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        from: &str,
        mut take: impl AsyncFnMut(Vec<T>) -> Result<bool>,
    ) -> Result<()> {
        let mut token = from.to_owned();
        loop {
            let page: Page<T> = self.get(&format!("{path}&page_token={}", escaped(&token))).await?;
            if page.result.is_empty() || !take(page.result).await? {
                return Ok(());
            }
            token = page.next_page_token;
        }
    }

    /// All rows of a list, up to so many.
    ///
    /// # Errors
    /// Those of [`Self::get`].
    pub(super) async fn all<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        let path = format!("{path}?page_size={PAGE}");
        self.pages(&path, "", async |page| {
            rows.extend(page);
            Ok(rows.len() < most)
        })
        .await?;
        rows.truncate(most);
        Ok(rows)
    }

    async fn tried<T: DeserializeOwned>(&self, call: Call<'_>) -> Outcome<T> {
        let deadline = Instant::now() + self.timeout;
        let (mut attempts, mut doubt) = (0, false);
        loop {
            let limit = ATTEMPT.min(deadline.saturating_duration_since(Instant::now()));
            let outcome = tokio::time::timeout(limit, self.attempt(call)).await;
            let failed = match outcome.unwrap_or_else(|_| Err(Failed::lost(self.away("it does not answer")))) {
                Ok(answer) => return Outcome { result: Ok(answer), status: None, doubt },
                Err(failed) => failed,
            };
            doubt |= failed.status.is_none_or(|status| status.is_server_error());
            let wait = failed.again.map(|not_before| not_before + backoff(attempts));
            match wait.filter(|wait| Instant::now() + *wait < deadline) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Outcome { result: Err(failed.failure), status: failed.status, doubt },
            }
            attempts += 1;
        }
    }

    async fn attempt<T: DeserializeOwned>(&self, call: Call<'_>) -> std::result::Result<T, Failed> {
        let away = |error: io::Error| match error.kind() {
            // A certificate that is not trusted will not be, however often it is looked at.
            io::ErrorKind::InvalidData => Failed::for_good(self.away(&error.to_string())),
            _ => Failed::lost(self.away(&error.to_string())),
        };
        let body = match call.body {
            Some(body) => {
                serde_json::to_vec(body).map_err(|error| Failed::for_good(Failure::Usage(error.to_string())))?
            }
            None => Vec::new(),
        };
        let mut request = Request::builder().method(call.method).uri(call.path);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if !call.key.is_empty() {
            request = request.header("Idempotency-Key", call.key);
        }
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        let response = self.send(request, body).await.map_err(away)?;
        self.understood(response).await
    }

    /// Sends one request, over the connection there is or a new one; the head of the answer. The
    /// connection is kept only if the body is read to its end by [`Self::understood`].
    ///
    /// # Errors
    /// There was none; whether the hub did it is not known.
    pub(super) async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: Body,
    ) -> io::Result<Response<Incoming>> {
        let path = request.uri_ref().map(ToString::to_string).unwrap_or_default();
        let mut request = request
            .uri(format!("{}{path}", self.address.prefix))
            .header(HOST, &self.address.authority)
            .header(USER_AGENT, concat!("talk-hub/", env!("CARGO_PKG_VERSION")));
        if let Some(credential) = self.credential() {
            request = request.header(AUTHORIZATION, credential);
        }
        let request = request.body(body).map_err(io::Error::other)?;
        let mut kept = self.connection.borrow_mut().take();
        if let Some(connection) = &mut kept {
            // The hub may have ended it between two calls.
            if connection.ready().await.is_err() {
                kept = None;
            }
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = connection.send_request(request).await.map_err(io::Error::other)?;
        *self.connection.borrow_mut() = Some(connection);
        Ok(response)
    }

    async fn connect(&self) -> io::Result<SendRequest<Body>> {
        let stream = TokioIo::new(self.address.connect().await?);
        let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
        // Its end is seen by the sender.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }

    /// Reads an answer: a resource, or why there is none.
    async fn understood<T: DeserializeOwned>(&self, response: Response<Incoming>) -> std::result::Result<T, Failed> {
        let (head, body) = response.into_parts();
        let bytes = whole(body).await.map_err(|error| Failed::lost(self.away(&error.to_string())))?;
        if head.status.is_success() {
            let strange =
                |error| Failed::for_good(Failure::Refused(format!("the hub's answer is not understood: {error}")));
            return serde_json::from_slice(&bytes).map_err(strange);
        }
        let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        let not_before = Duration::from_secs(seconds);
        let said = refusal(head.status, &bytes);
        let (failure, again) = match head.status {
            StatusCode::TOO_MANY_REQUESTS => (Failure::Refused(said), Some(not_before)),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                (self.away(&said), Some(not_before))
            }
            _ => (Failure::Refused(said), None),
        };
        Err(Failed { failure, again, status: Some(head.status) })
    }

    /// The answer to a request that was sent without trying again.
    ///
    /// # Errors
    /// The hub refuses, or breaks off.
    pub(super) async fn answered<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T> {
        self.understood(response).await.map_err(|failed| failed.failure)
    }

    /// That the hub cannot be reached, and why.
    pub(super) fn away(&self, why: &str) -> Failure {
        Failure::Unreachable(format!("{} is not reached: {why}", self.address.url()))
    }
}

async fn whole(mut body: Incoming) -> io::Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        if bytes.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// What a refusal says, with what an operator needs to find it.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> String {
    let envelope: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| envelope["error"][name].as_str().unwrap_or_default().to_owned();
    let (message, reason, request) = (field("message"), field("reason"), field("request_id"));
    if message.is_empty() {
        return format!("the hub answers {status}");
    }
    let hint = if status == StatusCode::UNAUTHORIZED { "; talk-hub chat sign-in" } else { "" };
    format!("{message}{hint} ({reason}, {request})")
}

/// A value as it stands in a query or a path.
pub(super) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
