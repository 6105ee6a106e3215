//! The actor of one socket: frames in, frames out. What they mean is the switchboard's business.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, StreamHandler};
use actix_http::ws::Item;
use actix_web::error::PayloadError;
use actix_web_actors::ws::{self, CloseCode, CloseReason, ProtocolError, WebsocketContext};
use bytes::BytesMut;

use crate::fanout::outbox::{Drain, Leaving, Verdict};
use crate::people::Verified;
use crate::wire::frames::{ClientFrame, ErrorFrame, encode};
use crate::wire::{ApiError, CloseCause, Reason};

use super::eviction::Line;
use super::follower::Session;
use super::switchboard::Switchboard;

/// Wrong frames in a row that close the socket.
const STRIKES: u8 = 5;
/// Frames of a client that wait for the one before them.
const WAITING_MAX: usize = 32;

/// One socket.
pub struct SessionActor {
    switchboard: Switchboard,
    session: Rc<Session>,
    /// Taken when the actor starts.
    drain: Option<Drain>,
    /// Wrong frames since the last right one.
    strikes: u8,
    /// Frames that wait while one is being done.
    waiting: VecDeque<ClientFrame>,
    busy: bool,
    /// A text that comes in pieces; `None` between texts.
    pieces: Option<BytesMut>,
}

impl SessionActor {
    /// The socket of this caller, opened by this request.
    #[must_use]
    pub fn new(switchboard: Switchboard, verified: Verified, request_id: String, line: Option<Line>) -> Self {
        let (session, drain) = switchboard.enter(verified, request_id, line);
        Self {
            switchboard,
            session,
            drain: Some(drain),
            strikes: 0,
            waiting: VecDeque::new(),
            busy: false,
            pieces: None,
        }
    }

    fn text(&mut self, text: &str, ctx: &mut WebsocketContext<Self>) {
        match ClientFrame::parse(text) {
            Ok(_) if self.waiting.len() >= WAITING_MAX => {
                let error = ApiError::new(Reason::RateLimitExceeded, "too many frames wait for an answer");
                self.refuse(None, &error);
            }
            Ok(frame) => {
                self.waiting.push_back(frame);
                self.next(ctx);
            }
            Err(bad) => self.refuse(bad.id, &bad.error),
        }
    }

    /// Does the next frame, one at a time and in order.
    fn next(&mut self, ctx: &mut WebsocketContext<Self>) {
        if self.busy || self.session.ended.get() {
            return;
        }
        let Some(frame) = self.waiting.pop_front() else { return };
        self.busy = true;
        let (switchboard, session) = (self.switchboard.clone(), Rc::clone(&self.session));
        let done = async move {
            match frame {
                ClientFrame::Subscribe { topics, id, since } => {
                    let done = switchboard.subscribe(&session, &topics, id.clone(), since).await;
                    (id, done)
                }
                ClientFrame::Unsubscribe { topics, id } => {
                    let done = switchboard.unsubscribe(&session, &topics, id.clone());
                    (id, done)
                }
            }
        };
        ctx.spawn(wrap_future(done).map(|(id, done), actor: &mut Self, ctx| {
            actor.busy = false;
            match done {
                Ok(()) => actor.strikes = 0,
                Err(error) => actor.refuse(id, &error),
            }
            actor.next(ctx);
        }));
    }

    fn refuse(&mut self, id: Option<String>, error: &ApiError) {
        let frame = encode(&ErrorFrame::new(id, error, &self.session.request_id));
        if self.session.outbox.push(frame) == Verdict::Overflow {
            self.switchboard.close(&self.session, CloseCause::SlowConsumer);
        }
        // That the store does not answer is not the client's fault.
        if error.reason != Reason::ServiceUnavailable {
            self.strikes += 1;
        }
        if self.strikes >= STRIKES {
            self.switchboard.close(&self.session, CloseCause::Policy);
        }
    }

    /// Puts together a text that comes in pieces, within the limit of one frame.
    fn piece(&mut self, item: Item, ctx: &mut WebsocketContext<Self>) {
        let most = self.switchboard.shared().limits.frame_bytes_max;
        let (bytes, last) = match item {
            Item::FirstText(bytes) => {
                self.pieces = Some(BytesMut::new());
                (bytes, false)
            }
            Item::FirstBinary(_) => return self.switchboard.close(&self.session, CloseCause::Unsupported),
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let Some(pieces) = &mut self.pieces else { return };
        if pieces.len() + bytes.len() > most {
            return self.switchboard.close(&self.session, CloseCause::TooLarge);
        }
        pieces.extend_from_slice(&bytes);
        if last && let Some(whole) = self.pieces.take() {
            match std::str::from_utf8(&whole) {
                Ok(text) => self.text(text, ctx),
                Err(_) => self.refuse(None, &ApiError::new(Reason::InvalidJsonBody, "the frame is not UTF-8")),
            }
        }
    }
}

impl Actor for SessionActor {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(drain) = self.drain.take() {
            ctx.add_stream(drain);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.switchboard.exit(&self.session);
    }
}

impl Drop for SessionActor {
    fn drop(&mut self) {
        // A connection that breaks off before the actor has started never stops it either.
        self.switchboard.exit(&self.session);
    }
}

impl StreamHandler<Leaving> for SessionActor {
    fn handle(&mut self, leaving: Leaving, ctx: &mut Self::Context) {
        match leaving {
            Leaving::Text(frame) => {
                ctx.text(frame);
                if !self.session.behind.borrow().is_empty() {
                    self.switchboard.go_on(&self.session);
                }
            }
            Leaving::Ping => ctx.ping(b""),
            Leaving::Close(cause) => {
                let (code, sentence) = cause.frame();
                ctx.close(Some(CloseReason { code: CloseCode::from(code), description: Some(sentence.to_owned()) }));
                ctx.stop();
            }
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<Result<ws::Message, ProtocolError>> for SessionActor {
    fn handle(&mut self, said: Result<ws::Message, ProtocolError>, ctx: &mut Self::Context) {
        self.session.heard.set(Instant::now());
        if self.session.ended.get() {
            return;
        }
        match said {
            Ok(ws::Message::Text(text)) => self.text(&text, ctx),
            Ok(ws::Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Continuation(item)) => self.piece(item, ctx),
            Ok(ws::Message::Binary(_)) => self.switchboard.close(&self.session, CloseCause::Unsupported),
            Ok(ws::Message::Close(_)) => self.switchboard.close(&self.session, CloseCause::Normal),
            Err(ProtocolError::Overflow) => self.switchboard.close(&self.session, CloseCause::TooLarge),
            // The frame's head announced too much; an error of the bytes below comes as text.
            Err(ProtocolError::Io(error)) if error.to_string() == PayloadError::Overflow.to_string() => {
                self.switchboard.close(&self.session, CloseCause::TooLarge);
            }
            Err(error) => {
                tracing::debug!(%error, request_id = self.session.request_id, "socket broke off");
                ctx.stop();
            }
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
