//! HTTP on one connection: a request at a time, the connection kept, and made anew when it was lost.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::stream::{Node, Sources};
use super::{Error, Result};

/// How long a request may take, connecting included.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The longest body that is kept.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    /// `Bearer ...`, made once for each agent.
    pub credential: Option<HeaderValue>,
    pub key: Option<HeaderValue>,
    /// JSON; none when it is empty.
    pub body: Bytes,
}

impl Call {
    /// Reads.
    #[must_use]
    pub fn get(path: String, credential: &HeaderValue) -> Self {
        Self { method: Method::GET, path, credential: Some(credential.clone()), key: None, body: Bytes::new() }
    }

    /// Writes.
    #[must_use]
    pub fn post(path: String, credential: &HeaderValue, body: String) -> Self {
        Self { method: Method::POST, path, credential: Some(credential.clone()), key: None, body: body.into() }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    /// Seconds to wait before another try.
    pub retry_after: Option<u64>,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// It was refused: the status and the body.
    pub fn good(self, path: &str) -> Result<Bytes> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(Error::Unexpected(format!("{path}: {} {}", self.status, String::from_utf8_lossy(&self.body))))
    }
}

/// A connection to a node, made when it is needed.
#[derive(Debug)]
pub struct Http {
    node: Node,
    host: HeaderValue,
    sources: Arc<Sources>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Http {
    /// To this node; connects with the first call.
    ///
    /// # Errors
    /// The node's name cannot stand in a header.
    pub fn new(node: Node, sources: Arc<Sources>) -> Result<Self> {
        let host = HeaderValue::from_str(&node.host);
        let host = host.map_err(|error| Error::Address { url: node.host.clone(), problem: error.to_string() })?;
        Ok(Self { node, host, sources, sender: None })
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// There was none. Whether the server did it is not known.
    pub async fn call(&mut self, call: &Call) -> Result<Answer> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.ask(call)).await;
        let answer = answer.unwrap_or(Err(Error::TooLate(ANSWER_WITHIN)));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn ask(&mut self, call: &Call) -> Result<Answer> {
        let failed = |doing| move |source| Error::Http { doing, source };
        let mut sender = match self.sender.take() {
            Some(mut sender) => match sender.ready().await {
                Ok(()) => sender,
                // The server has ended it between two requests, as it may.
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let request = self.request(call)?;
        let answer = sender.send_request(request).await.map_err(failed("a request"))?;
        let (head, mut body) = answer.into_parts();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let (mut whole, mut more) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(failed("an answer"))?.into_data() else { continue };
            if whole.len() + more.len() + data.len() > BODY_BYTES_MAX {
                return Err(Error::Unexpected(format!("{}: an answer of more than 16 MiB", call.path)));
            }
            // Nearly every answer comes in one piece, which need not be copied.
            if whole.is_empty() { whole = data } else { more.extend_from_slice(&data) }
        }
        self.sender = Some(sender);
        if !more.is_empty() {
            let mut all = BytesMut::from(whole.as_ref());
            all.extend_from_slice(&more);
            whole = all.freeze();
        }
        Ok(Answer { status: head.status, body: whole, retry_after })
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(&call.method).uri(call.path.as_str()).header(HOST, &self.host);
        if let Some(credential) = &call.credential {
            request = request.header(AUTHORIZATION, credential);
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(call.body.clone()));
        request.map_err(|error| Error::Unexpected(format!("{}: {error}", call.path)))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let io = |source| Error::Io { doing: "connecting", source };
        let stream = TcpStream::from_std(self.sources.begin(self.node.address)?).map_err(io)?;
        stream.writable().await.map_err(io)?;
        if let Some(error) = stream.take_error().map_err(io)? {
            return Err(io(error));
        }
        match &self.node.tls {
            None => introduce(stream).await,
            Some(tls) => {
                let (connector, name) = tls.connector();
                introduce(connector.connect(name, stream).await.map_err(io)?).await
            }
        }
    }
}

/// Speaks HTTP over a stream that is connected.
async fn introduce<S>(stream: S) -> Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |source| Error::Http { doing: "connecting", source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Its end is seen by the sender.
    tokio::spawn(async move { connection.await.ok() });
    sender.ready().await.map_err(failed)?;
    Ok(sender)
}
