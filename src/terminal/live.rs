//! A WebSocket to the hub: opened, kept alive, and noticed when it is dead; why it ended, and whether
//! to come back.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::wire::CloseCause;

use super::address::Wire;
use super::calling::{Client, refusal};
use super::failure::{Failure, Result};

/// How long the upgrade may take.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Silence after which the connection counts as dead: three pings without an answer.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// Frames, and bytes of them up to the last one, that are kept while something else is done; the hub
/// waits with the rest.
const EARLY_MAX: usize = 256;
const EARLY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a frame may take to be written.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Why a connection is over.
pub(super) enum Ended {
    /// Come back and resume; why, for whoever wants to know.
    Again(String),
    /// The credential has ended that it was opened with.
    Credential,
    /// Coming back would change nothing.
    ForGood(Failure),
}

impl From<Failure> for Ended {
    /// What a call met while events were taken in. A refusal may be of a moment, such as of a chat that
    /// was just left; the next connection knows.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) | Failure::Unreachable(why) => Self::Again(why),
            failure => Self::ForGood(failure),
        }
    }
}

/// What comes out of a socket; `None`: nothing any more.
type Heard = Option<std::result::Result<Message, Error>>;

/// A connection.
pub(super) struct Live {
    socket: WebSocketStream<Box<dyn Wire>>,
    ping: Interval,
    /// What was heard while something else was done.
    early: VecDeque<Heard>,
}

impl Live {
    /// Opens one.
    pub(super) async fn open(client: &Client) -> std::result::Result<Self, Ended> {
        let opened = tokio::time::timeout(OPEN_WITHIN, Self::open_now(client)).await;
        opened.unwrap_or_else(|_| Err(Ended::Again(String::from("the hub does not answer"))))
    }

    async fn open_now(client: &Client) -> std::result::Result<Self, Ended> {
        let again = |error: &dyn std::fmt::Display| Ended::Again(error.to_string());
        let address = &client.address;
        // Whether it is TLS was decided where the stream was made.
        let url = format!("ws://{}{}/v1.0/ws", address.authority, address.prefix);
        let mut request =
            url.into_client_request().map_err(|error| Ended::ForGood(Failure::Usage(error.to_string())))?;
        if let Some(credential) = client.credential() {
            request.headers_mut().insert(AUTHORIZATION, credential);
        }
        let stream = address.connect().await.map_err(|error| again(&error))?;
        let socket = match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let said = refusal(response.status(), body);
                let denied = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
                // Whatever stands before the hub has its own bad moments, and says anything in them.
                let by_the_hub =
                    serde_json::from_slice::<Value>(body).is_ok_and(|it| it["error"]["reason"].is_string());
                return Err(if denied && by_the_hub {
                    Ended::ForGood(Failure::Refused(said))
                } else {
                    Ended::Again(said)
                });
            }
            Err(error) => return Err(again(&error)),
        };
        Ok(Self::over(socket))
    }

    fn over(socket: WebSocketStream<Box<dyn Wire>>) -> Self {
        let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { socket, ping, early: VecDeque::new() }
    }

    /// Says something.
    pub(super) async fn say(&mut self, frame: &Value) -> std::result::Result<(), Ended> {
        self.write(Message::text(frame.to_string())).await
    }

    async fn write(&mut self, message: Message) -> std::result::Result<(), Ended> {
        match tokio::time::timeout(WRITE_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ended::Again(error.to_string())),
            Err(_) => Err(Ended::Again(String::from("the connection takes nothing any more"))),
        }
    }

    /// Does something else. What comes meanwhile is kept, up to a bound, and pings of the hub are answered.
    pub(super) async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        loop {
            let over = self.early.back().is_some_and(|heard| !matches!(heard, Some(Ok(_))));
            let bytes: usize = self.early.iter().flatten().flatten().map(Message::len).sum();
            let room = self.early.len() < EARLY_MAX && bytes < EARLY_BYTES_MAX;
            tokio::select! {
                biased;
                done = &mut other => return done,
                heard = self.socket.next(), if !over && room => self.early.push_back(heard),
            }
        }
    }

    /// The next frame. Silence counts from when this is asked: who does not listen hears nothing.
    pub(super) async fn next(&mut self) -> std::result::Result<String, Ended> {
        let mut heard = Instant::now();
        loop {
            let message = match self.early.pop_front() {
                Some(early) => early,
                None => tokio::select! {
                    // First what has come: it may have waited for longer than anything may be silent.
                    biased;
                    message = self.socket.next() => message,
                    _ = self.ping.tick() => {
                        self.write(Message::Ping(Bytes::new())).await?;
                        continue;
                    }
                    () = tokio::time::sleep_until(heard + DEAD_AFTER) => {
                        return Err(Ended::Again(format!("nothing heard for {} s", DEAD_AFTER.as_secs())));
                    }
                },
            };
            heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return Err(closed(frame.as_ref())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Ended::Again(error.to_string())),
                None => return Err(Ended::Again(String::from("the connection broke"))),
            }
        }
    }
}

/// What a close code asks for.
fn closed(frame: Option<&CloseFrame>) -> Ended {
    let Some(frame) = frame else { return Ended::Again(String::from("the hub closed the connection")) };
    let code = u16::from(frame.code);
    let is = |cause: CloseCause| cause.frame().0 == code;
    if is(CloseCause::CredentialEnded) {
        return Ended::Credential;
    }
    if is(CloseCause::Policy) || is(CloseCause::TooLarge) {
        return Ended::ForGood(Failure::Refused(format!("the hub closed the connection: {} ({code})", frame.reason)));
    }
    Ended::Again(format!("{} ({code})", frame.reason))
}

/// What a frame that refuses a subscription asks for.
pub(super) fn refused(frame: &Value) -> Ended {
    let error = &frame["error"];
    let field = |name: &str| error[name].as_str().unwrap_or_default();
    let said = format!("{} ({}, {})", field("message"), field("reason"), field("request_id"));
    match field("status") {
        "UNAVAILABLE" | "INTERNAL" => Ended::Again(said),
        _ => Ended::ForGood(Failure::Refused(said)),
    }
}

/// What a frame holds.
///
/// # Errors
/// It is not understood.
pub(super) fn understood<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Failure::Refused(format!("a frame of the hub is not understood: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::Role;

    #[tokio::test]
    async fn who_does_something_else_answers_pings_and_misses_nothing() {
        let (near, far) = tokio::io::duplex(4_096);
        let near: Box<dyn Wire> = Box::new(near);
        let mut live = Live::over(WebSocketStream::from_raw_socket(near, Role::Client, None).await);
        let mut hub = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        let asked = async {
            hub.send(Message::text("early")).await.expect("sent");
            hub.send(Message::Ping(Bytes::from_static(b"?"))).await.expect("sent");
            hub.next().await.expect("an answer").expect("a frame")
        };
        let answer = tokio::time::timeout(WRITE_WITHIN, live.meanwhile(asked)).await.expect("answered meanwhile");
        assert_eq!(answer, Message::Pong(Bytes::from_static(b"?")));
        assert_eq!(live.next().await.ok().as_deref(), Some("early"));
    }
}
