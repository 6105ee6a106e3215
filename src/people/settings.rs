//! The section `auth` of the settings. It holds secrets, and prints none of them.

use std::fmt;

use serde::Deserialize;

/// Who may come in, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Signs and checks tokens (HS256), ours and VoIPBIN's. Empty: no such token is accepted, and
    /// nobody signs in by password.
    pub secret: Secret,
    /// The operator's token, for customers and their first agents. Empty: there is none.
    pub admin_token: Secret,
    /// A JWKS file of an identity provider, read at start. Empty: none. RS256, ES256 and EdDSA.
    pub jwks_file: String,
    /// One public key of an identity provider in PEM, read at start. Empty: none.
    pub public_key_file: String,
    /// Tokens of the identity provider must name one of these as `aud`. Empty: not looked at.
    pub audience: Vec<String>,
    /// Tokens of the identity provider must name one of these as `iss`. Empty: not looked at.
    pub issuer: Vec<String>,
    /// Seconds that a token from a sign-in is good for.
    pub token_ttl_secs: u64,
    /// Who counts as an agent: `local` or `claims`.
    pub directory: Directory,
    /// Passwords hashed at once; each takes about 20 MiB and a core.
    pub hash_parallel_max: usize,
    /// Sign-ins that may wait for their turn to be hashed; more are answered 503.
    pub hash_waiting_max: usize,
    /// Milliseconds that a sign-in waits for its turn before it is answered 503.
    pub hash_wait_ms: u64,
    /// Access keys one agent may hold.
    pub keys_per_agent_max: usize,
    /// Origins (`https://talk.example.com`) whose pages may act with a cookie, besides the hub's own.
    pub allowed_origins: Vec<String>,
    /// Whether the cookie is sent over HTTPS only.
    pub cookie_secure: bool,
}

/// Where an agent must be known.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Directory {
    /// In the hub's own directory.
    Local,
    /// Nowhere: an agent seen for the first time is taken into the directory from its token, and
    /// one that was never seen may be talked to.
    Claims,
}

/// A text that is never printed.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the one who checks or signs with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "[secret]" })
    }
}
