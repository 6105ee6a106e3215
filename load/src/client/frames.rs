//! The frames of a WebSocket, as a server sends them (not masked) and as a client does (masked).
//!
//! Reading copies nothing: a frame is a range in the caller's buffer. Writing uses the mask 0, which RFC 6455 allows and
//! which leaves the bytes as they are.

use std::ops::Range;

/// The longest frame that is read; a longer one is an error.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a client's frame is longer than its payload at most.
const OWN_HEAD_BYTES_MAX: usize = 14;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// What begins at a place in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole frame: where its payload is. It ends where that does.
    Frame(Kind, Range<usize>),
    /// The begin of one: so many bytes from its begin are needed to go on.
    Part(usize),
    /// Not what a server may send to us.
    Wrong(&'static str),
}

/// Looks at what begins at `from`.
#[must_use]
pub fn find(bytes: &[u8], from: usize) -> Found {
    let Some(rest) = bytes.get(from..) else { return Found::Part(2) };
    let &[first, second, ..] = rest else { return Found::Part(2) };
    if second & 0x80 != 0 {
        return Found::Wrong("a masked frame from a server");
    }
    let (head, length) = match second & 0x7f {
        126 => match rest.get(2..4) {
            Some(&[a, b]) => (4, usize::from(u16::from_be_bytes([a, b]))),
            _ => return Found::Part(4),
        },
        127 => match rest.get(2..10).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
            Some(bytes) => (10, usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(usize::MAX)),
            None => return Found::Part(10),
        },
        short => (2, usize::from(short)),
    };
    if length > FRAME_BYTES_MAX {
        return Found::Wrong("a frame longer than 16 MiB");
    }
    if rest.len() < head + length {
        return Found::Part(head + length);
    }
    let kind = match first {
        0x81 => Kind::Text,
        0x82 => Kind::Binary,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8a => Kind::Pong,
        _ => return Found::Wrong("a fragment, an extension or an unknown frame"),
    };
    Found::Frame(kind, from + head..from + head + length)
}

/// The code of a close frame; 1005 without one.
#[must_use]
pub fn close_code(payload: &[u8]) -> u16 {
    match payload {
        &[a, b, ..] => u16::from_be_bytes([a, b]),
        _ => 1005,
    }
}

/// Appends a client's frame.
pub fn write(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    out.reserve(payload.len() + OWN_HEAD_BYTES_MAX);
    out.push(match kind {
        Kind::Text => 0x81,
        Kind::Binary => 0x82,
        Kind::Close => 0x88,
        Kind::Ping => 0x89,
        Kind::Pong => 0x8a,
    });
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send: as a client's, without the mask.
    fn served(kind: Kind, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, kind, payload);
        let head = bytes.len() - payload.len() - 4;
        bytes.drain(head..head + 4);
        if let Some(second) = bytes.get_mut(1) {
            *second &= 0x7f;
        }
        bytes
    }

    #[test]
    fn frames_of_every_length_are_found_wherever_the_bytes_are_cut() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let payload = vec![b'x'; length];
            let mut bytes = b"before".to_vec();
            bytes.extend(served(Kind::Text, &payload));
            let found = find(&bytes, 6);
            let Found::Frame(Kind::Text, range) = found else { panic!("{length}: {found:?}") };
            assert_eq!((range.len(), range.end), (length, bytes.len()));
            for cut in [0, 1, 2, 3, 5, 9, bytes.len() - 7].into_iter().filter(|cut| cut + 6 < bytes.len()) {
                let Found::Part(needed) = find(&bytes[..6 + cut], 6) else { panic!("{length} cut at {cut}") };
                assert!(needed > cut, "{length} cut at {cut}: {needed}");
            }
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_wrong() {
        assert!(matches!(find(&[0x81, 0x80, 0, 0, 0, 0], 0), Found::Wrong(_)), "masked");
        assert!(matches!(find(&[0x01, 0x00], 0), Found::Wrong(_)), "a fragment");
        assert!(matches!(find(&[0xc1, 0x00], 0), Found::Wrong(_)), "compressed");
        assert!(matches!(find(&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0], 0), Found::Wrong(_)), "too long");
    }

    #[test]
    fn the_code_of_a_close_frame_is_read() {
        assert_eq!(close_code(&4008u16.to_be_bytes()), 4008);
        assert_eq!(close_code(&[]), 1005);
    }
}
