//! A server that fans out, and can be told to do it wrong.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

/// What it does wrong, always to the first of its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Leaves the fifth event out.
    Skips,
    /// Says the fifth twice.
    Repeats,
    /// Says nothing from the fifth on.
    EndsEarly,
    /// Hangs up instead of saying the fifth.
    HangsUp,
    /// Closes with code 4008 after the fifth.
    Closes,
}

type Subscribers = Arc<Mutex<Vec<Option<WebSocket<TcpStream>>>>>;

/// Starts one, which runs until the test ends; its address.
pub(crate) fn start(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let subscribers = Subscribers::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let subscribers = Arc::clone(&subscribers);
            // A publisher's connection is read for as long as it lasts.
            std::thread::spawn(move || serve(stream, &subscribers, fault));
        }
    });
    format!("ws://{address}")
}

#[expect(clippy::result_large_err, reason = "the type of the callback is not ours")]
fn serve(stream: TcpStream, subscribers: &Subscribers, fault: Fault) {
    let mut publishes = false;
    let look = |request: &Request, response: Response| {
        publishes = request.uri().path() == "/publish";
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr(stream, look) else { return };
    if !publishes {
        subscribers.lock().expect("nobody panicked").push(Some(socket));
        return;
    }
    let mut number = 0;
    while let Ok(Message::Text(event)) = socket.read() {
        number += 1;
        for (place, subscriber) in subscribers.lock().expect("nobody panicked").iter_mut().enumerate() {
            let wrong = place == 0 && (number == 5 || (number > 5 && fault == Fault::EndsEarly));
            let times = match fault {
                Fault::Skips | Fault::EndsEarly if wrong => 0,
                Fault::Repeats if wrong => 2,
                Fault::HangsUp if wrong => {
                    *subscriber = None;
                    0
                }
                _ => 1,
            };
            if wrong && fault == Fault::Closes {
                let frame = CloseFrame { code: CloseCode::Library(4008), reason: "slow".into() };
                subscriber.as_mut().expect("it is there").close(Some(frame)).expect("said");
                *subscriber = None;
            }
            for _ in 0..times {
                if let Some(subscriber) = subscriber {
                    subscriber.send(Message::Text(event.clone())).expect("a subscriber that reads");
                }
            }
        }
    }
}
