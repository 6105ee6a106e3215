//! Safeguards that can be taken out, so that tests of faults can be seen to bite.
//!
//! Only a hub that is built with the feature `sabotage` looks at `TALK_SABOTAGE`; in every other
//! one [`off`] is always false, whatever the environment says. The branches that ask it are in the
//! source of every build, and an optimizer may leave them out. A hub that is told to take one out
//! says so when it starts. It is not for use.

/// A safeguard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safeguard {
    /// Noticing that the numbers of a chat's events have a gap.
    Holes,
    /// Subscribing anew, and looking at the log, when the link is back.
    Resubscribe,
    /// Looking whether a call was made before under its key.
    Idempotency,
    /// Noticing that a history was rewritten.
    History,
    /// Leaving in order.
    Drain,
}

impl Safeguard {
    /// What `TALK_SABOTAGE` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holes => "holes",
            Self::Resubscribe => "resubscribe",
            Self::Idempotency => "idempotency",
            Self::History => "history",
            Self::Drain => "drain",
        }
    }
}

/// What is taken out of this hub.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn taken_out() -> Option<&'static str> {
    static TAKEN_OUT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    TAKEN_OUT.get_or_init(|| std::env::var("TALK_SABOTAGE").ok()).as_deref()
}

/// What is taken out of this hub: nothing ever.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn taken_out() -> Option<&'static str> {
    None
}

/// Whether this safeguard is taken out.
#[must_use]
pub fn off(safeguard: Safeguard) -> bool {
    taken_out().is_some_and(|name| name == safeguard.name())
}
