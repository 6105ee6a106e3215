//! Chance that can be repeated: `TALK_TEST_SEED` in the environment replays what a failed test said its seed was.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The chances of one test. Dropped by a failing test, it names its seed.
pub(crate) struct Luck {
    seed: u64,
}

impl Luck {
    pub(crate) fn new() -> Self {
        let given = std::env::var("TALK_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        Self { seed: given.unwrap_or_else(rand::random) }
    }

    /// The chances of one of the actors of the test; the same number always has the same ones.
    pub(crate) fn of(&self, actor: usize) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add((actor as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

impl Drop for Luck {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the same chances again: TALK_TEST_SEED={}", self.seed);
        }
    }
}
