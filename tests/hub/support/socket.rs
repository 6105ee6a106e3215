//! A WebSocket client that holds every event to the promise of contract section 5: in each chat, seq by seq, once; and
//! every frame that it hears or says to the hub's own AsyncAPI document.

use std::collections::{HashMap, VecDeque};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::asyncapi::{self, AsyncApi};
use super::client::Client;
use super::eventually::in_time;
use super::people::Agent;

/// What is said about a client's frames and copies; everything else is an event.
const ANSWERS: [&str; 4] = ["subscribed", "unsubscribed", "error", "resync"];

/// The text of a message that only shows that nothing came before it.
const MARKER: &str = "a marker";

/// The last event a client saw of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) seq: u64,
    pub(crate) cursor: String,
}

/// What a socket received.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(Value),
    /// The close code and its reason; 1006 when the connection broke without one.
    Closed(u16, String),
}

/// The refusal of an upgrade.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Frames that were wrong on purpose, and are not refused yet. Each of them must be, unless the connection ends.
struct Owed(usize);

impl Drop for Owed {
    fn drop(&mut self) {
        assert!(self.0 == 0 || std::thread::panicking(), "{} wrong frames were not answered with an error", self.0);
    }
}

/// A connection of one agent.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    agent: String,
    /// Events that came while an answer was awaited, oldest first.
    waiting: VecDeque<Value>,
    /// Every event that came, oldest first.
    pub(crate) events: Vec<Value>,
    /// Where this client stands in each chat; hand it to the next socket to resume.
    pub(crate) positions: HashMap<String, Position>,
    partial: bool,
    asked: usize,
    api: &'static AsyncApi,
    owed: Owed,
}

impl Socket {
    /// A connection of `agent` on its next node.
    pub(crate) async fn open(agent: &Agent) -> Self {
        let url = format!("{}/v1.0/ws?token={}", agent.next_node(), agent.token);
        match Self::try_open(&url, &[], &agent.id).await {
            Ok(socket) => socket,
            Err(refused) => panic!("the upgrade was refused: {refused:?}"),
        }
    }

    /// A connection to any `http://` URL, with any headers.
    pub(crate) async fn try_open(url: &str, headers: &[(&str, &str)], agent: &str) -> Result<Self, Refused> {
        let url = url.replacen("http://", "ws://", 1);
        let mut request = url.as_str().into_client_request().expect("a WebSocket URL");
        for (name, value) in headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request.headers_mut().insert(name, value.parse().expect("a header value"));
        }
        let stream = match in_time("the upgrade", tokio_tungstenite::connect_async(request)).await {
            Ok((stream, _)) => stream,
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body = serde_json::from_slice(body).unwrap_or(Value::Null);
                return Err(Refused { status: response.status().as_u16(), body });
            }
            Err(error) => panic!("no connection to {url}: {error}"),
        };
        Ok(Self {
            stream,
            agent: agent.to_owned(),
            waiting: VecDeque::new(),
            events: Vec::new(),
            positions: HashMap::new(),
            partial: false,
            asked: 0,
            api: asyncapi::of(&url).await,
            owed: Owed(0),
        })
    }

    /// The same; `None` when the hub is not there, or sends the client away with 503.
    pub(crate) async fn reach(url: &str, agent: &str) -> Option<Self> {
        let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        TcpStream::connect(address).await.ok()?;
        match Self::try_open(url, &[], agent).await {
            Ok(socket) => Some(socket),
            Err(refused) => {
                assert_eq!(refused.status, 503, "{refused:?}");
                None
            }
        }
    }

    /// For topics that match only some events of a chat: then seq must grow, but may jump.
    pub(crate) fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Subscribes and waits until it is in force; the answer.
    pub(crate) async fn subscribe(&mut self, topics: &[&str]) -> Value {
        let answer = self.ask(json!({"type": "subscribe", "topics": topics})).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        answer
    }

    /// Subscribes from a position in each chat: the events after it, then what comes; the answer.
    pub(crate) async fn subscribe_since(&mut self, topics: &[&str], since: &HashMap<String, Position>) -> Value {
        let cursors: HashMap<_, _> = since.iter().map(|(chat, position)| (chat, &position.cursor)).collect();
        let frame = json!({"type": "subscribe", "topics": topics, "since": cursors});
        self.positions.extend(since.clone());
        let answer = self.ask(frame).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        answer
    }

    /// Resumes without waiting for the answer, which comes before anything else.
    pub(crate) async fn resume(&mut self, topics: &[&str], since: &HashMap<String, Position>) {
        let cursors: HashMap<_, _> = since.iter().map(|(chat, position)| (chat, &position.cursor)).collect();
        self.positions.extend(since.clone());
        self.send(&json!({"type": "subscribe", "topics": topics, "since": cursors})).await;
    }

    /// Unsubscribes and waits until it is in force.
    pub(crate) async fn unsubscribe(&mut self, topics: &[&str]) {
        let answer = self.ask(json!({"type": "unsubscribe", "topics": topics})).await;
        assert_eq!(answer["type"], "unsubscribed", "{answer}");
        self.positions.clear();
    }

    /// Sends a frame under a new id and waits for the answer that carries it; events that come first are kept.
    pub(crate) async fn ask(&mut self, frame: Value) -> Value {
        let (id, frame) = self.named(frame);
        self.send(&frame).await;
        self.answer(&id).await
    }

    /// The same with a frame that the document does not allow; the error that it is answered with.
    pub(crate) async fn ask_wrong(&mut self, frame: Value) -> Value {
        let (id, frame) = self.named(frame);
        self.send_wrong(frame.to_string()).await;
        let answer = self.answer(&id).await;
        assert_eq!(answer["type"], "error", "{answer}");
        answer
    }

    fn named(&mut self, mut frame: Value) -> (String, Value) {
        self.asked += 1;
        let id = format!("ask-{}", self.asked);
        frame["id"] = json!(id);
        (id, frame)
    }

    async fn answer(&mut self, id: &str) -> Value {
        loop {
            match self.frame().await {
                answer if answer["id"] == id => return answer,
                event => self.waiting.push_back(event),
            }
        }
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    /// Sends a text that the document does not allow. An error must come before this client is dropped.
    pub(crate) async fn send_wrong(&mut self, text: impl Into<String>) {
        let text = text.into();
        assert!(!self.allows(&text), "not wrong, by /asyncapi.json: {text}");
        self.owed.0 += 1;
        self.pass(Message::text(text)).await;
    }

    /// Whether a client may say this, by the document.
    pub(crate) fn allows(&self, text: &str) -> bool {
        self.api.allows(text)
    }

    /// Sends anything; a text must be a frame of the document.
    pub(crate) async fn send_raw(&mut self, message: Message) {
        if let Message::Text(text) = &message {
            self.api.check_said(&serde_json::from_str(text).unwrap_or_else(|_| panic!("a frame is JSON: {text}")));
        }
        self.pass(message).await;
    }

    async fn pass(&mut self, message: Message) {
        in_time("a frame is sent", self.stream.send(message)).await.expect("the connection takes the frame");
    }

    /// The next event.
    pub(crate) async fn next_event(&mut self) -> Value {
        let frame = match self.waiting.pop_front() {
            Some(frame) => frame,
            None => self.frame().await,
        };
        assert!(!ANSWERS.contains(&super::text(&frame, "type")), "not an event: {frame}");
        frame
    }

    /// The next event, which must be of this type.
    pub(crate) async fn expect_event(&mut self, kind: &str) -> Value {
        let event = self.next_event().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Events up to and including the first for which `last` holds.
    pub(crate) async fn events_until(&mut self, mut last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next_event().await;
            let done = last(&event);
            events.push(event);
            if done {
                return events;
            }
        }
    }

    /// The ids of what the events are about, up to and including this message.
    pub(crate) async fn ids_until(&mut self, last: &Value) -> Vec<String> {
        let events = self.events_until(|event| event["data"]["id"] == last["id"]).await;
        events.iter().map(|event| super::id(&event["data"])).collect()
    }

    /// The next frame, a resync because the history is another one.
    pub(crate) async fn expect_resync(&mut self) -> Value {
        let frame = self.frame().await;
        assert_eq!((&frame["type"], &frame["reason"]), (&json!("resync"), &json!("rewritten")), "{frame}");
        frame
    }

    /// The next frame, which must be an error with this reason.
    pub(crate) async fn expect_error(&mut self, reason: &str) -> Value {
        let frame = self.frame().await;
        assert_eq!((&frame["type"], &frame["error"]["reason"]), (&json!("error"), &json!(reason)), "{frame}");
        frame
    }

    /// Reads until the hub closes the connection, which must be with this code; the reason it gave.
    pub(crate) async fn expect_close(&mut self, code: u16) -> String {
        loop {
            if let Received::Closed(closed, reason) = self.receive().await {
                assert_eq!(closed, code, "closed with {closed} {reason:?}");
                return reason;
            }
        }
    }

    /// Nothing comes: `author` posts a marker into `chat`, and it is the very next event here. Markers that were posted
    /// for other sockets are passed over.
    pub(crate) async fn expect_nothing_before_a_marker(&mut self, author: &Client, chat: &str) {
        let marker = super::id(&author.say(chat, MARKER).await);
        loop {
            let event = self.next_event().await;
            assert_eq!(event["data"]["text"], MARKER, "expected nothing but a marker, got {event}");
            if event["data"]["id"] == marker.as_str() {
                return;
            }
        }
    }

    async fn frame(&mut self) -> Value {
        match self.receive().await {
            Received::Frame(frame) => frame,
            Received::Closed(code, reason) => panic!("the hub closed the connection with {code} {reason:?}"),
        }
    }

    /// The next frame from the hub, whatever it is. Pings are answered on the way, and prolong no patience.
    pub(crate) async fn receive(&mut self) -> Received {
        in_time("a frame comes", self.read()).await
    }

    async fn read(&mut self) -> Received {
        loop {
            let message = match self.stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return self.closed(1006, ""),
            };
            match message {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text).unwrap_or_else(|_| panic!("a frame is JSON: {text}"));
                    self.take_note(&frame);
                    return Received::Frame(frame);
                }
                Message::Close(Some(close)) => return self.closed(close.code.into(), &close.reason),
                Message::Close(None) => return self.closed(1005, ""),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a hub sends text only: {other:?}"),
            }
        }
    }

    fn closed(&mut self, code: u16, reason: &str) -> Received {
        self.api.check_closed(code, reason);
        self.owed.0 = 0;
        Received::Closed(code, reason.to_owned())
    }

    fn take_note(&mut self, frame: &Value) {
        self.api.check_heard(frame);
        match super::text(frame, "type") {
            "subscribed" => self.stand_where_the_answer_says(frame),
            "resync" => self.stand(super::text(frame, "chat_id"), frame),
            "unsubscribed" => {}
            "error" => self.owed.0 = self.owed.0.saturating_sub(1),
            _ => {
                self.check_event(frame);
                self.events.push(frame.clone());
            }
        }
    }

    /// Chats the client did not name, or could not be brought up to date in, go on after the position in the answer.
    fn stand_where_the_answer_says(&mut self, answer: &Value) {
        let Some(chats) = answer["chats"].as_object() else { return };
        for (chat, state) in chats {
            if state["recovered"] != json!(true) {
                self.stand(chat, state);
            }
        }
    }

    fn stand(&mut self, chat: &str, at: &Value) {
        let seq = at["seq"].as_u64().unwrap_or_else(|| panic!("no seq in {at}"));
        let cursor = super::text(at, "cursor").to_owned();
        self.positions.insert(chat.to_owned(), Position { seq, cursor });
    }

    fn check_event(&mut self, event: &Value) {
        if event["type"] == "agent_status_updated" {
            return;
        }
        let chat = super::text(event, "chat_id");
        let seq = event["seq"].as_u64().unwrap_or_else(|| panic!("no seq: {event}"));
        if let Some(before) = self.positions.get(chat) {
            let right = if self.partial { seq > before.seq } else { seq == before.seq + 1 };
            assert!(right, "seq {} was followed by {event}", before.seq);
        }
        self.stand(chat, event);
        // Whoever is removed hears nothing until added again, and goes on from there.
        if event["type"] == "chatparticipant_removed" && event["data"]["owner_id"] == self.agent.as_str() {
            self.positions.remove(chat);
        }
    }
}
