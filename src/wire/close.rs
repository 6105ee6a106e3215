//! The table of close codes: why a socket ends. A client may come back after each of them, after
//! 1008 and 4001 only with other frames or another credential.

/// Why the hub ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCause {
    /// The client said goodbye.
    Normal,
    /// A binary frame came.
    Unsupported,
    /// Five frames in a row were wrong.
    Policy,
    /// A frame was larger than `limits.frame_bytes_max`.
    TooLarge,
    /// The hub leaves: come back, to another node.
    Restart,
    /// The credential expired or was revoked.
    CredentialEnded,
    /// More waited to be written than `limits.outbox_bytes_max`: come back and resume.
    SlowConsumer,
    /// Nothing was heard for `server.idle_secs`.
    Idle,
    /// A fault of ours.
    Internal,
}

impl CloseCause {
    /// The code and the sentence of the close frame.
    #[must_use]
    pub fn frame(self) -> (u16, &'static str) {
        match self {
            Self::Normal => (1000, "bye"),
            Self::Unsupported => (1003, "binary frames are not understood"),
            Self::Policy => (1008, "too many wrong frames"),
            Self::TooLarge => (1009, "frame too large"),
            Self::Restart => (1012, "service restart, come back"),
            Self::CredentialEnded => (4001, "credential expired or revoked"),
            Self::SlowConsumer => (4008, "slow consumer"),
            Self::Idle => (1001, "nothing heard from you"),
            Self::Internal => (1011, "internal error"),
        }
    }
}
