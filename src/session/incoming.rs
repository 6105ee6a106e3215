//! What a peer says, frame by frame.
//!
//! A frame is refused as soon as its head announces more than `limits.frame_bytes_max`, so that a
//! socket holds one frame and one reading of memory, however much its peer sends; between frames it
//! holds nothing.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, ProtocolError};
use bytes::BytesMut;
use futures_util::Stream;

use super::follower::Session;

/// The frames of a session. Ends when the connection does.
///
/// Once the socket is being closed, or a frame was wrong, what comes is thrown away: the peer must be
/// able to read the close frame, which it cannot when we end the connection with its bytes unread.
pub(super) struct Incoming {
    session: Rc<Session>,
    frames: FrameReader,
    failed: bool,
}

impl Incoming {
    /// The frames of this session, the first of which may have begun in `bytes`.
    #[must_use]
    pub(super) fn new(session: Rc<Session>, bytes: BytesMut, frame_bytes_max: usize) -> Self {
        Self { session, frames: FrameReader::new(bytes, frame_bytes_max), failed: false }
    }
}

impl Stream for Incoming {
    type Item = Result<Frame, ProtocolError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.failed || this.session.ended.get() {
                this.frames.bytes.clear();
            } else if let Some(frame) = this.frames.next().transpose() {
                this.failed = frame.is_err();
                return Poll::Ready(Some(frame));
            }
            match ready!(this.session.socket.poll_read(context, &mut this.frames.bytes)) {
                Ok(0) | Err(_) => return Poll::Ready(None),
                Ok(_) => {}
            }
        }
    }
}

/// Cuts what was read into frames.
struct FrameReader {
    codec: Codec,
    /// What was read of frames that were not taken yet.
    bytes: BytesMut,
    frame_bytes_max: usize,
}

impl FrameReader {
    fn new(bytes: BytesMut, frame_bytes_max: usize) -> Self {
        Self { codec: Codec::new().max_size(frame_bytes_max), bytes, frame_bytes_max }
    }

    /// The next frame, if all of it was read.
    fn next(&mut self) -> Result<Option<Frame>, ProtocolError> {
        if announced(&self.bytes).is_some_and(|length| length > self.frame_bytes_max as u64) {
            return Err(ProtocolError::Overflow);
        }
        let frame = self.codec.decode(&mut self.bytes)?;
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
        Ok(frame)
    }
}

/// The length of the payload that a frame's head announces, once that part of the head is there.
fn announced(head: &[u8]) -> Option<u64> {
    match head.get(1)? & 0x7f {
        126 => Some(u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?))),
        127 => Some(u64::from_be_bytes(head.get(2..10)?.try_into().ok()?)),
        short => Some(u64::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use actix_http::ws::{OpCode, Parser};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 70_000;
    /// The longest head of a client's frame.
    const HEAD_BYTES: usize = 14;

    /// Frames as a client sends them.
    fn sent(payloads: &[usize]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for payload in payloads {
            Parser::write_message(&mut bytes, "x".repeat(*payload), OpCode::Text, true, true);
        }
        bytes
    }

    /// The lengths of the frames read from these bytes when they come in pieces of these lengths, over
    /// and over; whether the last was refused; the most bytes that were held, without the latest piece.
    fn read(bytes: &[u8], cuts: &[usize]) -> (Vec<usize>, bool, usize) {
        let mut reader = FrameReader::new(BytesMut::new(), MOST);
        let (mut rest, mut frames, mut held) = (bytes, Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            rest = after;
            reader.bytes.extend_from_slice(piece);
            loop {
                match reader.next() {
                    Ok(Some(Frame::Text(text))) => frames.push(text.len()),
                    Ok(Some(other)) => panic!("{other:?}"),
                    Ok(None) => break,
                    Err(ProtocolError::Overflow) => return (frames, true, held),
                    Err(error) => panic!("{error}"),
                }
            }
            held = held.max(reader.bytes.len());
            if reader.bytes.is_empty() {
                assert_eq!(reader.bytes.capacity(), 0, "between frames nothing is held");
            }
        }
        (frames, false, held)
    }

    fn payloads() -> impl Strategy<Value = Vec<usize>> {
        let edges = prop::sample::select(vec![0, 1, 125, 126, 127, 65_535, 65_536, MOST]);
        vec(prop_oneof![0usize..=400, edges], 0..24)
    }

    fn cuts() -> impl Strategy<Value = Vec<usize>> {
        vec(prop_oneof![1usize..16, 1usize..100_000], 1..16)
    }

    proptest! {
        #[test]
        fn frames_within_the_limit_are_read_however_they_are_cut(payloads in payloads(), cuts in cuts()) {
            let (frames, refused, held) = read(&sent(&payloads), &cuts);
            prop_assert_eq!(frames, payloads);
            prop_assert!(!refused);
            prop_assert!(held <= MOST + HEAD_BYTES, "{}", held);
        }

        #[test]
        fn a_frame_that_is_too_large_is_refused_by_its_head(
            before in payloads(), announced in (MOST as u64 + 1)..(1 << 63), cuts in cuts(),
        ) {
            let mut bytes = sent(&before);
            bytes.extend([0x81, 0xff]);
            bytes.extend(announced.to_be_bytes());
            // Not one byte of its payload is there, nor is its mask.
            let (frames, refused, _) = read(&bytes, &cuts);
            prop_assert_eq!(frames, before);
            prop_assert!(refused);
        }
    }
}
