//! The wall between a socket's bytes and what puts them together to frames.
//!
//! The decoder behind it keeps what comes until a frame is whole, and only then looks at its size;
//! and it takes in whatever there is before it gives out one frame. Promised here: a frame is
//! refused as soon as its head announces more than may come, and at most one frame lies between
//! here and the decoder, so that a socket holds one frame of memory, however much its peer sends.
//! Not in here: what a frame means, and whether it is well formed.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// Bytes of a head up to and including the longest length.
const HEAD_BYTES: usize = 10;
/// Bytes of the mask, which every frame of a client has.
const MASK_BYTES: u64 = 4;

/// Where in a frame the stream is.
enum Place {
    /// In its head, of which so many bytes are known.
    Head { bytes: [u8; HEAD_BYTES], known: usize },
    /// Behind it, so many bytes before the end.
    Body(u64),
}

impl Place {
    const START: Self = Self::Head { bytes: [0; HEAD_BYTES], known: 0 };
}

/// How a step through the bytes ends.
enum Step {
    /// They are all part of one frame that goes on.
    Within,
    /// A frame ends behind so many of them.
    Ends(usize),
    TooLarge,
}

/// A stream of bytes that ends in [`PayloadError::Overflow`] when a frame is announced that is too
/// large, and rests after each frame.
pub struct FrameGuard<S, R> {
    bytes: S,
    /// Done once, when a frame is refused.
    on_refusal: Option<R>,
    frame_bytes_max: u64,
    place: Place,
    /// What has come and is not passed on yet.
    rest: Bytes,
    /// Whether a frame has just been passed on whole.
    rests: bool,
}

impl<S, R: FnOnce()> FrameGuard<S, R> {
    /// The bytes of one socket, in frames whose payload has at most so many bytes; a larger one has
    /// `on_refusal` done.
    pub fn new(bytes: S, frame_bytes_max: usize, on_refusal: R) -> Self {
        let frame_bytes_max = u64::try_from(frame_bytes_max).unwrap_or(u64::MAX);
        let on_refusal = Some(on_refusal);
        Self { bytes, on_refusal, frame_bytes_max, place: Place::START, rest: Bytes::new(), rests: false }
    }

    /// Follows what has come up to the end of the frame.
    fn step(&mut self) -> Step {
        let mut read = 0;
        while read < self.rest.len() {
            match &mut self.place {
                Place::Head { bytes, known } => {
                    bytes[*known] = self.rest[read];
                    (*known, read) = (*known + 1, read + 1);
                    let Some(length) = length(&bytes[..*known]) else { continue };
                    if length > self.frame_bytes_max {
                        return Step::TooLarge;
                    }
                    let masked = bytes[1] & 0x80 != 0;
                    self.place = Place::Body(length + if masked { MASK_BYTES } else { 0 });
                }
                Place::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.rest.len() - read);
                    read += here;
                    *left -= here as u64;
                }
            }
            if matches!(self.place, Place::Body(0)) {
                self.place = Place::START;
                return Step::Ends(read);
            }
        }
        Step::Within
    }
}

/// The length that a head announces, once all of it is there.
fn length(head: &[u8]) -> Option<u64> {
    match head.get(1)? & 0x7f {
        126 => Some(u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?))),
        127 => Some(u64::from_be_bytes(head.get(2..10)?.try_into().ok()?)),
        short => Some(u64::from(short)),
    }
}

impl<S, R> Stream for FrameGuard<S, R>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    R: FnOnce() + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.on_refusal.is_none() {
            // Nothing more is read. The socket ends by being closed, once its peer was told why.
            return Poll::Pending;
        }
        if std::mem::take(&mut self.rests) {
            // The decoder gives its frame out first; then it comes again.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match self.bytes.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(bytes))) => self.rest = bytes,
                other => return other,
            }
        }
        match self.step() {
            Step::Within => Poll::Ready(Some(Ok(std::mem::take(&mut self.rest)))),
            Step::Ends(read) => {
                self.rests = true;
                Poll::Ready(Some(Ok(self.rest.split_to(read))))
            }
            Step::TooLarge => {
                if let Some(on_refusal) = self.on_refusal.take() {
                    on_refusal();
                }
                self.rest = Bytes::new();
                Poll::Ready(Some(Err(PayloadError::Overflow)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use actix_http::ws::Parser;
    use bytes::BytesMut;
    use futures_util::stream;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 70_000;

    /// A text frame as a client sends it; the mask of zeros leaves the payload as it is.
    fn frame(payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match payload {
            0..=125 => bytes.push(0x80 | u8::try_from(payload).expect("short")),
            126..=65_535 => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload).expect("middling").to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + payload, b'x');
        bytes
    }

    /// The bytes in chunks of these lengths, over and over.
    fn split(bytes: &[u8], lengths: &[usize]) -> Vec<Result<Bytes, PayloadError>> {
        let (mut rest, mut chunks) = (bytes, Vec::new());
        for length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*length).min(rest.len()));
            chunks.push(Ok(Bytes::copy_from_slice(chunk)));
            rest = after;
        }
        chunks
    }

    /// What the decoder behind it sees: frames' lengths until the end or the refusal, and the most
    /// bytes that it held.
    fn decoded(chunks: Vec<Result<Bytes, PayloadError>>) -> (Vec<usize>, bool, usize) {
        let mut guard = FrameGuard::new(stream::iter(chunks), MOST, || {});
        let (mut held, mut frames, mut most) = (BytesMut::new(), Vec::new(), 0);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            // As the stream of actix-web-actors does it: all that there is, then one frame.
            let ended = loop {
                match guard.poll_next_unpin(&mut context) {
                    Poll::Ready(Some(Ok(bytes))) => held.extend_from_slice(&bytes),
                    Poll::Ready(Some(Err(PayloadError::Overflow))) => return (frames, true, most),
                    Poll::Ready(Some(Err(error))) => panic!("{error}"),
                    Poll::Ready(None) => break true,
                    Poll::Pending => break false,
                }
            };
            most = most.max(held.len());
            match Parser::parse(&mut held, true, MOST).expect("a frame") {
                Some((_, _, bytes)) => frames.push(bytes.map_or(0, |bytes| bytes.len())),
                None if ended => return (frames, false, most),
                None => {}
            }
        }
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
        fn frames_within_the_limit_pass_however_they_are_cut(payloads in payloads(), cuts in cuts()) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|payload| frame(*payload)).collect();
            let (frames, refused, most) = decoded(split(&bytes, &cuts));
            prop_assert_eq!(frames, payloads);
            prop_assert!(!refused);
            // One frame at a time, whatever was there.
            prop_assert!(most <= MOST + HEAD_BYTES + 4, "{}", most);
        }

        #[test]
        fn a_frame_that_is_too_large_is_refused_by_its_head(
            before in payloads(), announced in (MOST as u64 + 1).., cuts in cuts(),
        ) {
            let mut bytes: Vec<u8> = before.iter().flat_map(|payload| frame(*payload)).collect();
            bytes.extend([0x82, 0xff]);
            bytes.extend(announced.to_be_bytes());
            // Not one byte of its payload is there, nor is its mask.
            let (frames, refused, _) = decoded(split(&bytes, &cuts));
            prop_assert_eq!(frames, before);
            prop_assert!(refused);
        }
    }

    #[test]
    fn after_a_refusal_nothing_is_read() {
        let chunks = vec![Ok(Bytes::from_static(&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0])), Ok(Bytes::from_static(b"x"))];
        let mut told = 0;
        let mut guard = FrameGuard::new(stream::iter(chunks), MOST, || told += 1);
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(guard.poll_next_unpin(&mut context), Poll::Ready(Some(Err(PayloadError::Overflow)))));
        assert!(guard.poll_next_unpin(&mut context).is_pending());
        assert!(guard.bytes.size_hint().0 == 1);
        drop(guard);
        assert_eq!(told, 1);
    }
}
