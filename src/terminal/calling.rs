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
    credential: Option<HeaderValue>,
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

/// How an attempt ended that did not succeed.
enum Attempt {
    /// It may do better the next time, not before so long.
    Again(Failure, Duration),
    Failed(Failure),
}

/// How long to wait before the next attempt: by chance, so that not all come at once, and longer each time.
pub(super) fn backoff(attempts: u32) -> Duration {
    let most = BACKOFF_FIRST.saturating_mul(1 << attempts.min(10)).min(BACKOFF_MAX);
    most.mul_f64(rand::random_range(0.1..=1.0))
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
        let credential = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| Failure::Usage(String::from("the token has characters that no token has")))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { address, credential: credential.transpose()?, timeout, connection: RefCell::new(None) })
    }

    /// How long a call is tried again, and a transfer may stand still.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The credential as a header.
    pub(super) fn credential(&self) -> Option<&HeaderValue> {
        self.credential.as_ref()
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// The hub refuses, or is not reached in time.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.tried(Call { method: &Method::GET, path, body: None, key: "" }).await
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

    async fn tried<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        let deadline = Instant::now() + self.timeout;
        for attempts in 0.. {
            let limit = ATTEMPT.min(deadline.saturating_duration_since(Instant::now()));
            let outcome = tokio::time::timeout(limit, self.attempt(call)).await;
            let outcome =
                outcome.unwrap_or_else(|_| Err(Attempt::Again(self.away("it does not answer"), Duration::ZERO)));
            let (failure, not_before) = match outcome {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Failed(failure)) => return Err(failure),
                Err(Attempt::Again(failure, not_before)) => (failure, not_before),
            };
            let wait = not_before + backoff(attempts);
            if Instant::now() + wait >= deadline {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
        }
        Err(self.away("it does not answer"))
    }

    async fn attempt<T: DeserializeOwned>(&self, call: Call<'_>) -> std::result::Result<T, Attempt> {
        let away = |error: io::Error| match error.kind() {
            // A certificate that is not trusted will not be, however often it is looked at.
            io::ErrorKind::InvalidData => Attempt::Failed(self.away(&error.to_string())),
            _ => Attempt::Again(self.away(&error.to_string()), Duration::ZERO),
        };
        let body = match call.body {
            Some(body) => {
                serde_json::to_vec(body).map_err(|error| Attempt::Failed(Failure::Usage(error.to_string())))?
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
        if let Some(credential) = &self.credential {
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
    async fn understood<T: DeserializeOwned>(&self, response: Response<Incoming>) -> std::result::Result<T, Attempt> {
        let again = |error: io::Error| Attempt::Again(self.away(&error.to_string()), Duration::ZERO);
        let (head, body) = response.into_parts();
        let bytes = whole(body).await.map_err(again)?;
        if head.status.is_success() {
            let strange =
                |error| Attempt::Failed(Failure::Refused(format!("the hub's answer is not understood: {error}")));
            return serde_json::from_slice(&bytes).map_err(strange);
        }
        let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        let not_before = Duration::from_secs(seconds);
        let said = refusal(head.status, &bytes);
        Err(match head.status {
            StatusCode::TOO_MANY_REQUESTS => Attempt::Again(Failure::Refused(said), not_before),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                Attempt::Again(self.away(&said), not_before)
            }
            _ => Attempt::Failed(Failure::Refused(said)),
        })
    }

    /// The answer to a request that was sent without trying again.
    ///
    /// # Errors
    /// The hub refuses, or breaks off.
    pub(super) async fn answered<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T> {
        match self.understood(response).await {
            Ok(answer) => Ok(answer),
            Err(Attempt::Again(failure, _) | Attempt::Failed(failure)) => Err(failure),
        }
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
