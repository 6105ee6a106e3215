//! What a credential looks like, and how secrets are compared.

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// What every access key begins with.
const PREFIX: &str = "vb_";
/// Random bytes of a key; 32 characters of base64url.
const RANDOM_BYTES: usize = 24;
const KEY_CHARS: usize = 32;
/// Characters of a key that are shown in lists: the prefix and eight more.
const SHOWN_CHARS: usize = PREFIX.len() + 8;

/// Most bytes of a credential. Longer ones are refused unread.
pub(super) const CREDENTIAL_BYTES_MAX: usize = 8 * 1024;

/// An access key in full: `vb_` and 32 base64url characters.
///
/// It has no `Debug` and no `Display`: it is shown once, to the agent who made it.
pub struct AccessKeyText(String);

impl AccessKeyText {
    /// Draws a new key: 192 random bits.
    #[must_use]
    pub fn random() -> Self {
        let bytes: [u8; RANDOM_BYTES] = rand::random();
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a credential that has the form of a key; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let formed =
            rest.len() == KEY_CHARS && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        formed.then(|| Self(text.to_owned()))
    }

    /// What is kept of it: the SHA-256 in lower-case hex.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(self.0.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its first characters, to tell one key from another in a list.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.chars().take(SHOWN_CHARS).collect()
    }

    /// The key itself, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Whether two secrets are equal, in a time that depends on neither.
#[must_use]
pub fn same_secret(one: &str, other: &str) -> bool {
    let (one, other) = (digest(one.as_bytes()), digest(other.as_bytes()));
    let difference = one.iter().zip(&other).fold(0u8, |sum, (a, b)| black_box(sum | (a ^ b)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_new_key_has_the_form_of_a_key_and_shows_only_its_beginning() {
        let key = AccessKeyText::random();
        assert_eq!(key.expose().len(), 35);
        let read = AccessKeyText::parse(key.expose()).expect("the form of a key");
        assert_eq!(read.digest(), key.digest());
        assert_eq!(key.digest().len(), 64);
        assert_eq!(key.prefix().len(), 11);
        assert!(key.expose().starts_with(&key.prefix()));
        assert_ne!(AccessKeyText::random().expose(), key.expose());
    }

    proptest! {
        #[test]
        fn only_the_exact_form_is_a_key(text in "(vb_)?[A-Za-z0-9_.=+-]{30,34}") {
            let formed = text.len() == 35
                && text.starts_with("vb_")
                && text[3..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            prop_assert_eq!(AccessKeyText::parse(&text).is_some(), formed);
        }

        #[test]
        fn secrets_are_equal_exactly_when_their_texts_are(one in "\\PC{0,20}", other in "\\PC{0,20}") {
            prop_assert_eq!(same_secret(&one, &other), one == other);
            prop_assert!(same_secret(&one, &one));
        }
    }
}
