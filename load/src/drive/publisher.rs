//! Sends to a baseline: one connection, on which each event is a frame with the next number.
//!
//! An event has the shape and the length of the hub's for a message with the same text, so that both carry the same bytes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::hall::Hall;
use super::sender::Work;
use crate::client::event::Stamp;
use crate::client::frames::{self, Found, Kind};
use crate::client::handshake::{self, Next, Role, Upgraded};
use crate::client::{Error, Result};
use crate::gauge::tally::Span;

/// How long coming up may take.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// The chat of a baseline, which has only one.
pub const CHAT: &str = "113b002a-93e5-49ce-baf2-3b70c1c43c86";
const READ_BYTES: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Publisher {
    work: Arc<Work>,
    stream: TcpStream,
    /// What came and is not a whole frame yet.
    rest: Vec<u8>,
    seq: u64,
}

impl Publisher {
    /// Connects and waits until it is up.
    ///
    /// # Errors
    /// It does not come up in time.
    pub async fn connect(work: Arc<Work>) -> Result<Self> {
        let up = tokio::time::timeout(UP_WITHIN, Self::come_up(work)).await;
        up.unwrap_or(Err(Error::TooLate(UP_WITHIN)))
    }

    async fn come_up(work: Arc<Work>) -> Result<Self> {
        let hall = Arc::clone(&work.hall);
        let node = hall.nodes.first().ok_or_else(|| Error::Unexpected("no nodes".to_owned()))?;
        if node.tls.is_some() {
            return Err(Error::Unexpected("TLS is spoken with hubs only".to_owned()));
        }
        let stream = TcpStream::from_std(hall.sources.begin(node.address)?).map_err(io("connecting"))?;
        stream.writable().await.map_err(io("connecting"))?;
        let mut publisher = Self { work, stream, rest: Vec::new(), seq: 0 };
        let upgrade = handshake::upgrade(hall.dialect, Role::Publisher, &node.host, "");
        publisher.write(&upgrade).await?;
        loop {
            publisher.read().await?;
            match handshake::upgraded(&publisher.rest) {
                Upgraded::Part => {}
                Upgraded::Yes(end) => {
                    publisher.rest.drain(..end);
                    break;
                }
                refused => return Err(Error::Unexpected(format!("a publisher was refused: {refused:?}"))),
            }
        }
        while !handshake::up_at_once(hall.dialect) {
            match publisher.frame(&hall)? {
                Some(Next::Up) => break,
                Some(Next::Say(bytes)) => publisher.write(&bytes).await?,
                Some(Next::Refused(words)) => return Err(Error::Unexpected(words)),
                Some(Next::Wait) => {}
                None => publisher.read().await?,
            }
        }
        Ok(publisher)
    }

    /// Sends what is due until there is no more.
    pub async fn run(mut self) {
        let work = Arc::clone(&self.work);
        loop {
            let mut bytes = [0; READ_BYTES];
            let outcome = tokio::select! {
                job = work.next() => match job {
                    Some(job) => self.publish(job.due).await,
                    None => return,
                },
                read = self.stream.read(&mut bytes) => match read {
                    Ok(0) | Err(_) => Err(Error::Unexpected("it was closed".to_owned())),
                    Ok(count) => {
                        self.rest.extend_from_slice(bytes.get(..count).unwrap_or_default());
                        self.live(&work.hall).await
                    }
                },
            };
            if let Err(error) = outcome {
                work.hall.violations.add(|| format!("the publisher ended: {error}"));
                return;
            }
        }
    }

    async fn publish(&mut self, due: u64) -> Result<()> {
        self.seq += 1;
        let text = Stamp { micros: due, node: 0 }.text(self.work.scenario.text_bytes);
        let frame = handshake::publish(self.work.hall.dialect, &event(self.seq, &text));
        if let Some(chat) = self.work.hall.chats.first() {
            chat.written(self.seq);
        }
        self.write(&frame).await?;
        let took = self.work.hall.clock.now().saturating_sub(due);
        let mut tally = self.work.tally.fill();
        tally.counts.sent += 1;
        tally.counts.acknowledged += 1;
        tally.took(Span::Send, took);
        drop(tally);
        if !self.work.waits_for_hearers() {
            self.work.done(&super::jobs::Job { due, agent: None }, false);
        }
        Ok(())
    }

    /// Answers whoever asks whether it is still there.
    async fn live(&mut self, hall: &Hall) -> Result<()> {
        let mut answers = Vec::new();
        let mut at = 0;
        while let Found::Frame(kind, range) = frames::find(&self.rest, at) {
            at = range.end;
            let payload = self.rest.get(range).unwrap_or_default();
            match kind {
                Kind::Ping => frames::write(&mut answers, Kind::Pong, payload),
                Kind::Text => answers.extend(handshake::sign_of_life(hall.dialect, payload).unwrap_or_default()),
                Kind::Close => return Err(Error::Unexpected("it was closed".to_owned())),
                Kind::Binary | Kind::Pong => {}
            }
        }
        self.rest.drain(..at);
        self.write(&answers).await
    }

    fn frame(&mut self, hall: &Hall) -> Result<Option<Next>> {
        match frames::find(&self.rest, 0) {
            Found::Frame(_, range) => {
                let next = handshake::next(hall.dialect, self.rest.get(range.clone()).unwrap_or_default());
                self.rest.drain(..range.end);
                Ok(Some(next))
            }
            Found::Part(_) => Ok(None),
            Found::Wrong(what) => Err(Error::Unexpected(what.to_owned())),
        }
    }

    async fn read(&mut self) -> Result<()> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes).await.map_err(io("reading"))? {
            0 => Err(Error::Unexpected("a publisher was refused".to_owned())),
            count => {
                self.rest.extend_from_slice(bytes.get(..count).unwrap_or_default());
                Ok(())
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.map_err(io("writing"))
    }
}

fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { doing, source }
}

/// As the hub says it.
fn event(seq: u64, text: &str) -> String {
    const MOMENT: &str = "2026-01-01 00:00:00.000000";
    format!(
        r#"{{"type":"chatmessage_created","data":{{"id":"{CHAT}","customer_id":"{CHAT}","owner_type":"agent","owner_id":"{CHAT}","chat_id":"{CHAT}","type":"normal","text":"{text}","medias":[],"metadata":{{"reactions":[]}},"tm_create":"{MOMENT}","tm_update":"{MOMENT}","tm_delete":"","seq":{seq}}},"chat_id":"{CHAT}","seq":{seq},"cursor":"AcHEPIYAAAAAAgAGYOJlppaHXu--Jh2aW5c","timestamp":"{MOMENT}"}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::event::{Finders, Said};

    #[test]
    fn an_event_is_as_long_as_the_hubs_and_read_like_it() {
        // A frame of the hub with the text `~hello~`, number 2, is 579 bytes long.
        assert_eq!(event(2, "~hello~").len(), 579);
        let event = event(42, &Stamp { micros: 9, node: 0 }.text(200));
        let Said::Event(read) = Finders::default().look(event.as_bytes()) else { panic!("no event") };
        assert_eq!((read.seq, read.stamp.map(|stamp| stamp.micros)), (42, Some(9)));
    }
}
