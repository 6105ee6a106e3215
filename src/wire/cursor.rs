//! Cursors: a place in a chat's history, and the proof of which history, as opaque text.
//!
//! 26 bytes in base64url without padding: version, the chat's key (4 bytes of it), number,
//! moment, nonce. Nobody outside may rely on that.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::{ChatKey, Micros, Nonce, Position};

const VERSION: u8 = 1;
const BYTES: usize = 26;

/// Writes a cursor: 35 characters.
#[must_use]
pub fn write(chat: ChatKey, position: Position) -> String {
    let mut bytes = [0u8; BYTES];
    bytes[0] = VERSION;
    bytes[1..5].copy_from_slice(&chat.0.to_be_bytes()[4..]);
    bytes[5..10].copy_from_slice(&position.seq.to_be_bytes()[3..]);
    bytes[10..18].copy_from_slice(&position.at.0.to_be_bytes());
    bytes[18..].copy_from_slice(&position.nonce.0.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor of this chat. `None` for one of another chat, and for what is no cursor.
#[must_use]
pub fn read(chat: ChatKey, text: &str) -> Option<Position> {
    if text.len() > 64 {
        return None;
    }
    let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    if bytes[0] != VERSION || bytes[1..5] != chat.0.to_be_bytes()[4..] {
        return None;
    }
    let mut seq = [0u8; 8];
    seq[3..].copy_from_slice(&bytes[5..10]);
    let (at, nonce) = (eight(&bytes[10..18]), eight(&bytes[18..26]));
    Some(Position { seq: u64::from_be_bytes(seq), at: Micros(at), nonce: Nonce(nonce) })
}

fn eight(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_in_its_own_chat_only(key in any::<u64>(), seq in 0u64..(1 << 40), at: u64, nonce: u64) {
            let chat = ChatKey(key);
            let position = Position { seq, at: Micros(at), nonce: Nonce(nonce) };
            let text = write(chat, position);
            prop_assert!(text.len() <= 64);
            prop_assert_eq!(read(chat, &text), Some(position));
            prop_assert_eq!(read(ChatKey(key ^ 1), &text), None);
        }

        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,80}") {
            prop_assert_eq!(read(ChatKey(7), &text), None);
        }
    }
}
