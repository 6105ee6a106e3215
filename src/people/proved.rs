//! Tokens whose signature was found right lately, so that it need not be computed with each call.
//!
//! A signature that was right stays right: the keys are those of the start, and only the SHA-256 of
//! the whole token leads to what it says. Whether a token has ended, and whether its agent still
//! exists, is asked with each call all the same. No token is kept, only its digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::token::Signed;

/// Tokens in one generation; there are two. Each takes less than 1 KiB.
const GENERATION_MAX: usize = 8_192;
/// Bytes of names in a token; one with longer names is not kept.
const NAMES_BYTES_MAX: usize = 512;

type Key = [u8; 32];

/// Those of the present generation and of the one before it. A token that is used moves on into the
/// present one, which becomes the one before when it is full.
#[derive(Default)]
struct Generations {
    present: HashMap<Key, Arc<Signed>>,
    before: HashMap<Key, Arc<Signed>>,
}

/// What the tokens of late say, by their digests.
#[derive(Default)]
pub(super) struct Proved {
    generations: Mutex<Generations>,
}

impl Proved {
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the token says: known from before, or proved now.
    ///
    /// # Errors
    /// What `prove` ends with. It is not remembered.
    pub(super) fn get_or<E>(
        &self,
        token: &str,
        prove: impl FnOnce(&str) -> Result<Signed, E>,
    ) -> Result<Arc<Signed>, E> {
        let key = Key::from(Sha256::digest(token));
        if let Some(known) = self.lock().get(&key) {
            return Ok(known);
        }
        let signed = Arc::new(prove(token)?);
        if signed.names_bytes() <= NAMES_BYTES_MAX {
            self.lock().keep(key, Arc::clone(&signed));
        }
        Ok(signed)
    }
}

impl Generations {
    fn get(&mut self, key: &Key) -> Option<Arc<Signed>> {
        if let Some(known) = self.present.get(key) {
            return Some(Arc::clone(known));
        }
        let known = self.before.remove(key)?;
        self.keep(*key, Arc::clone(&known));
        Some(known)
    }

    fn keep(&mut self, key: Key, signed: Arc<Signed>) {
        if self.present.len() >= GENERATION_MAX {
            self.before = std::mem::take(&mut self.present);
        }
        self.present.insert(key, signed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::token::tests::signed;

    #[test]
    fn a_token_in_use_stays_known_and_no_more_are_kept_than_two_generations_hold() {
        let proved = Proved::default();
        let prove = |_: &str| Ok::<_, ()>(signed());
        proved.get_or("in use", prove).expect("proved");
        for n in 0..GENERATION_MAX * 5 {
            proved.get_or(&format!("token {n}"), prove).expect("proved");
            if n % 1_000 == 0 {
                proved.get_or("in use", |_| Err(())).expect("known");
            }
        }
        let generations = proved.lock();
        assert!(generations.present.len() <= GENERATION_MAX && generations.before.len() <= GENERATION_MAX);
    }

    #[test]
    fn a_refusal_is_not_remembered() {
        let proved = Proved::default();
        assert_eq!(proved.get_or("one", |_| Err::<Signed, _>("wrong")).map(drop), Err("wrong"));
        proved.get_or("one", |_| Ok::<_, ()>(signed())).expect("proved");
        assert_eq!(proved.get_or("another", |_| Err::<Signed, _>("wrong")).map(drop), Err("wrong"));
    }
}
