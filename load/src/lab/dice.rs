//! Chance that can be had again: the same seed throws the same numbers, on every machine and with every build.

/// A stream of numbers (SplitMix64). Good enough to choose with, not to keep a secret with.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for a named part, so that one part's throws do not shift another's.
    #[must_use]
    pub fn of(seed: u64, part: &str) -> Self {
        Self(seed ^ hash(part.as_bytes()))
    }

    /// The next number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `from` up to, not including, `to`; `from` when there is none between.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        if to <= from { from } else { from + self.throw() % (to - from) }
    }

    /// A place in a list of `len`; 0 for an empty one.
    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.between(0, len as u64)).unwrap_or(0)
    }

    /// True `of` times in a hundred.
    pub fn percent(&mut self, of: u64) -> bool {
        self.throw() % 100 < of
    }

    /// One of these; nothing of nothing.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.place(of.len()))
    }
}

/// FNV-1a, the same on every machine: what a record keeps instead of a long text.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_throws_the_same_numbers_each_time() {
        let throw =
            |seed| (0..5).map(|_| 0).scan(Dice::new(seed), |dice, _: i32| Some(dice.throw())).collect::<Vec<_>>();
        assert_eq!(throw(7), throw(7));
        assert_ne!(throw(7), throw(8));
        assert!((0..1000).all(|seed| (3..9).contains(&Dice::new(seed).between(3, 9))));
    }
}
