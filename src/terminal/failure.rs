//! Why a command did not do what it was asked, and the exit code that tells it to scripts.

use std::io;

/// Why a command ended early. Texts may hold what others wrote; whoever prints them cleans them.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The hub said no, or this machine did: a file that cannot be read, a chat that is not there.
    #[error("{0}")]
    Refused(String),
    /// What was asked makes no sense, or means several things.
    #[error("{0}")]
    Usage(String),
    /// The hub was not reached, or could not serve, for as long as the command waits.
    #[error("{0}")]
    Unreachable(String),
    /// What was to be shown cannot be written: a full disk. Trying again would change nothing.
    #[error("cannot write: {0}")]
    Unwritable(String),
    /// Whoever read the output has gone. They know that, so it is not told, and is no failure.
    #[error("nobody reads the output")]
    Unread,
    /// Ended by Ctrl-C while something was typed.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// The exit code: 0 for a reader who has gone, 1 refused, 2 usage, 3 unreachable, 130 interrupted.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Unread => 0,
            Self::Refused(_) | Self::Unwritable(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Interrupted => 130,
        }
    }

    /// What this machine refused while it was doing that.
    pub(super) fn of(doing: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Refused(format!("{doing}: {error}"))
    }

    /// A write to stdout that failed.
    pub(super) fn writing(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Unwritable(error.to_string()),
        }
    }
}

/// What commands answer with.
pub(super) type Result<T> = std::result::Result<T, Failure>;
