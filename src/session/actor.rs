//! The actor of one socket: frames in, frames out. What they mean is the switchboard's business.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::time::Instant;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, StreamHandler};
use actix_http::ws::{Frame, Item, ProtocolError};
use actix_web::rt::net::TcpStream;
use bytes::BytesMut;
use tokio::sync::oneshot;

use crate::fanout::outbox::Verdict;
use crate::people::Verified;
use crate::wire::frames::{ClientFrame, ErrorFrame, SubscribeFrame, UnsubscribeFrame, encode};
use crate::wire::{ApiError, CloseCause, Reason};

use super::follower::Session;
use super::incoming::Incoming;
use super::seats::Seat;
use super::switchboard::Switchboard;

/// Wrong frames in a row that close the socket.
const STRIKES: u8 = 5;
/// Frames of a client that wait for the one before them.
const WAITING_MAX: usize = 32;

/// One socket.
pub struct SessionActor {
    switchboard: Switchboard,
    session: Rc<Session>,
    /// What came behind the request already; taken when the actor starts.
    first: BytesMut,
    /// Wrong frames since the last right one.
    strikes: u8,
    /// Frames that wait while one is being done.
    waiting: VecDeque<ClientFrame>,
    busy: bool,
    /// A text that comes in pieces; `None` between texts.
    pieces: Option<BytesMut>,
    /// Dropped with the actor: whoever keeps the connection sees that it has ended.
    _alive: oneshot::Sender<()>,
}

/// Who opened a socket, and by which request.
#[derive(Debug)]
pub struct Opener {
    pub verified: Verified,
    pub request_id: String,
    pub seat: Seat,
}

impl SessionActor {
    /// Serves a connection that has just become a WebSocket; `first` came behind the request
    /// already. Returns when the socket has ended.
    pub fn serve(
        switchboard: Switchboard,
        opener: Opener,
        stream: TcpStream,
        first: BytesMut,
    ) -> impl Future<Output = ()> + 'static {
        let Opener { verified, request_id, seat } = opener;
        let session = switchboard.enter(verified, request_id, seat, stream);
        let (alive, ended) = oneshot::channel();
        let (waiting, pieces) = (VecDeque::new(), None);
        Self { switchboard, session, first, strikes: 0, waiting, busy: false, pieces, _alive: alive }.start();
        async move {
            // Nothing is ever sent: it ends by being dropped.
            let _ = ended.await;
        }
    }

    fn text(&mut self, bytes: &[u8], ctx: &mut Context<Self>) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.refuse(None, &ApiError::new(Reason::InvalidJsonBody, "the frame is not UTF-8"));
        };
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
    fn next(&mut self, ctx: &mut Context<Self>) {
        if self.busy || self.session.ended.get() {
            return;
        }
        let Some(frame) = self.waiting.pop_front() else { return };
        self.busy = true;
        let (switchboard, session) = (self.switchboard.clone(), Rc::clone(&self.session));
        let done = async move {
            match frame {
                ClientFrame::Subscribe(SubscribeFrame { topics, id, since }) => {
                    let done = switchboard.subscribe(&session, &topics, id.clone(), since).await;
                    (id, done)
                }
                ClientFrame::Unsubscribe(UnsubscribeFrame { topics, id }) => {
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
        if self.session.socket.push(frame) == Verdict::Overflow {
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
    fn piece(&mut self, item: Item, ctx: &mut Context<Self>) {
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
            self.text(&whole, ctx);
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let most = self.switchboard.shared().limits.frame_bytes_max;
        let first = std::mem::take(&mut self.first);
        ctx.add_stream(Incoming::new(Rc::clone(&self.session), first, most));
        let session = Rc::clone(&self.session);
        ctx.spawn(wrap_future(poll_fn(move |context| session.socket.poll_unblocked(context))));
    }
}

impl Drop for SessionActor {
    fn drop(&mut self) {
        self.switchboard.exit(&self.session);
    }
}

impl StreamHandler<Result<Frame, ProtocolError>> for SessionActor {
    fn handle(&mut self, said: Result<Frame, ProtocolError>, ctx: &mut Self::Context) {
        self.session.heard.set(Instant::now());
        if self.session.ended.get() {
            return;
        }
        match said {
            Ok(Frame::Text(text)) => self.text(&text, ctx),
            Ok(Frame::Ping(payload)) => self.session.socket.pong(payload),
            Ok(Frame::Pong(_)) => {}
            Ok(Frame::Continuation(item)) => self.piece(item, ctx),
            Ok(Frame::Binary(_)) => self.switchboard.close(&self.session, CloseCause::Unsupported),
            Ok(Frame::Close(_)) => self.switchboard.close(&self.session, CloseCause::Normal),
            Err(ProtocolError::Overflow) => self.switchboard.close(&self.session, CloseCause::TooLarge),
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
