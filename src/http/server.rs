//! The server: binds the address and gives each worker an app for requests, and the same app once
//! more for those that want to become sockets.
//!
//! A request to upgrade is answered by the app like any other; if the answer is yes, its connection
//! is taken out of HTTP with everything that HTTP keeps for it, and given to a session. Nobody else
//! holds it then: a socket costs what a session costs.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::{BoxBody, EitherBody, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, HttpMessage, HttpService, KeepAlive, Request, Response};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_web::Error;
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use bytes::BytesMut;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::timeout;

use crate::session::{Opener, SessionActor, Switchboard};
use crate::settings;

/// Seconds that answers under way have to be finished at a stop.
const FINISH_SECS: u64 = 5;
/// How long a peer may go on sending what nobody reads, once it was refused: it must be able to read why.
const LINGER: Duration = Duration::from_secs(1);
/// How long a peer may take to read the answer to its request to upgrade.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Marks requests whose connection becomes a socket when the answer is yes. Others look like them, such
/// as one with a body in chunks, and must not get that answer.
#[derive(Clone, Copy, Debug)]
pub struct Upgradable;

/// Binds the address and starts the workers. Each asks `worker` once, on its own thread, for its
/// switchboard and for what makes its apps.
///
/// # Errors
/// The address cannot be had.
pub fn serve<W, A, I, S, B>(limits: &settings::Server, worker: W) -> io::Result<(Server, SocketAddr)>
where
    W: Fn() -> (Switchboard, A) + Clone + Send + 'static,
    A: Fn() -> I,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error>,
    S::InitError: Debug,
    S::Response: Into<Response<B>>,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let listener = listen(limits.bind, limits.backlog)?;
    let address = listener.local_addr()?;
    let workers = limits.worker_threads();
    let request_time = Duration::from_secs(limits.request_secs);
    let keep_alive = KeepAlive::Timeout(Duration::from_secs(limits.keep_alive_secs));
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(limits.tcp_connections_max.div_ceil(workers))
        .shutdown_timeout(FINISH_SECS)
        .disable_signals();
    let leaving = server.graceful_shutdown_signal();
    let server = server.listen("hub", listener, move || {
        let (switchboard, apps) = worker();
        let app = || map_config(apps(), |()| AppConfig::default());
        let leaving = leaving.clone();
        HttpService::build()
            .keep_alive(keep_alive)
            .client_request_timeout(request_time)
            .client_disconnect_timeout(LINGER)
            .tcp_nodelay(true)
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let leaving = leaving.clone();
                async move { leaving.notified().await }
            })
            .upgrade(sockets(app(), switchboard))
            .finish(app().map_err(refusal))
            .tcp()
    })?;
    Ok((server.run(), address))
}

fn listen(bind: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(bind), Type::STREAM, Some(Protocol::TCP))?;
    // A hub that is started again at once finds connections of the one before.
    socket.set_reuse_address(true)?;
    socket.bind(&bind.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn refusal(error: impl Into<Error>) -> Response<BoxBody> {
    error.into().error_response().into()
}

/// What serves requests to upgrade, and the sockets that come of them.
fn sockets<S, B>(
    app: S,
    switchboard: Switchboard,
) -> impl ServiceFactory<
    (Request, Framed<TcpStream, Codec>),
    Config = (),
    Response = (),
    Error = actix_http::Error,
    InitError = S::InitError,
    Future: 'static,
>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Error>,
    S::Response: Into<Response<B>>,
    S::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    fn_factory(move || {
        let (app, switchboard) = (app.new_service(()), switchboard.clone());
        async move {
            let app = Rc::new(app.await?);
            Ok(fn_service(move |(request, connection)| {
                let (app, switchboard) = (Rc::clone(&app), switchboard.clone());
                async move {
                    // In a box of its own: what answering took is given back before the socket lives.
                    if let Some((opener, stream, first)) = Box::pin(answer(app, request, connection)).await {
                        SessionActor::serve(switchboard, opener, stream, first).await;
                    }
                    Ok(())
                }
            }))
        }
    })
}

/// Answers a request to upgrade. If the answer is yes: who opened the socket, its connection, and
/// what has come over it since the request.
async fn answer<A, B>(
    app: Rc<A>,
    request: Request,
    mut connection: Framed<TcpStream, Codec>,
) -> Option<(Opener, TcpStream, BytesMut)>
where
    A: Service<Request>,
    A::Error: Into<Error>,
    A::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    request.extensions_mut().insert(Upgradable);
    let mut response = match app.call(request).await {
        Ok(response) => response.into().map_body(|_, body| EitherBody::left(body)),
        Err(error) => refusal(error).map_body(|_, body| EitherBody::right(body)),
    };
    let opener = response.extensions_mut().remove::<Opener>();
    if opener.is_none() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let sent = timeout(ANSWER_WITHIN, send(&mut connection, response)).await;
    if let Err(error) = sent.unwrap_or_else(|late| Err(late.into())) {
        tracing::debug!(%error, "a connection broke off while its upgrade was answered");
        return None;
    }
    let parts = connection.into_parts();
    opener.map(|opener| (opener, parts.io, parts.read_buf))
}

/// Writes a response and waits until the kernel has all of it.
async fn send<B: MessageBody>(
    connection: &mut Framed<TcpStream, Codec>,
    response: Response<B>,
) -> Result<(), Box<dyn StdError>> {
    let (head, body) = response.into_parts();
    let mut body = pin!(body);
    let mut connection = Pin::new(connection);
    connection.as_mut().write(Message::Item((head, body.size())))?;
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        connection.as_mut().write(Message::Chunk(Some(chunk.map_err(Into::into)?)))?;
        if connection.is_write_buf_full() {
            poll_fn(|context| connection.as_mut().flush(context)).await?;
        }
    }
    connection.as_mut().write(Message::Chunk(None))?;
    poll_fn(|context| connection.as_mut().flush(context)).await?;
    Ok(())
}
