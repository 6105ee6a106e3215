//! The table of close codes: why a socket ends. A client may come back after each of them, after
//! 1008 and 4001 only with other frames or another credential.

macro_rules! close_causes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $text:literal;)*) => {
        /// Why the hub ends a connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CloseCause { $($(#[doc = $doc])+ $name,)* }

        impl CloseCause {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code and the sentence of the close frame.
            #[must_use]
            pub fn frame(self) -> (u16, &'static str) {
                match self { $(Self::$name => ($code, $text),)* }
            }

            /// What it means to the client, and what helps.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

close_causes! {
    /// The client said goodbye.
    Normal = 1000, "bye";
    /// Nothing was heard for `server.idle_secs`.
    Idle = 1001, "nothing heard from you";
    /// A binary frame came.
    Unsupported = 1003, "binary frames are not understood";
    /// Five frames in a row were wrong.
    Policy = 1008, "too many wrong frames";
    /// A frame was larger than `limits.frame_bytes_max`.
    TooLarge = 1009, "frame too large";
    /// A fault of ours.
    Internal = 1011, "internal error";
    /// The hub leaves: come back, to another node.
    Restart = 1012, "service restart, come back";
    /// The credential expired or was revoked.
    CredentialEnded = 4001, "credential expired or revoked";
    /// More waited to be written than `limits.outbox_bytes_max`: come back and resume.
    SlowConsumer = 4008, "slow consumer";
}
