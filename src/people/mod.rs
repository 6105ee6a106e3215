//! Agents, customers, access keys, tokens: a credential comes in, a [`Caller`] goes out.
//!
//! What it promises:
//!
//! * **Nobody acts on memory.** Every call looks the agent up in the store: a deleted agent's token
//!   and a revoked key stop working with the next call on any node, and the record's permission
//!   counts, not the token's.
//! * **Only digests are kept.** Of a password its Argon2id hash, of an access key its SHA-256.
//!   Neither they nor any credential is ever written to the log.
//! * **A key verifies only what it was given for.** The secret checks HS256 and nothing else, a
//!   public key the one algorithm it is of.
//! * **Work is bounded.** So many passwords are hashed at once; so many more wait, for so long.
//!
//! It does not know HTTP: errors are rows of the wire's table, and the edge gives them a status.

mod access_keys;
mod agents;
mod credential;
mod customers;
mod directory;
mod identity;
mod lookups;
mod password;
mod proved;
mod record;
mod settings;
mod token;

use std::sync::Arc;

pub use access_keys::{AccessKey, AccessKeyBody, AccessKeyEdit, NewAccessKey};
pub use agents::{AgentEdit, NewAgent, Steward};
pub use credential::{AccessKeyText, same_secret};
pub use customers::{Customer, CustomerBody};
pub use directory::{Agent, AgentBody, AgentStatus};
pub use identity::{AuthError, Identity, LoggedIn, SignIn, Verified};
pub use settings::{AuthSettings, Directory, Secret};
pub use token::SetupError;

use crate::store::Store;
use lookups::Lookups;
use password::Passwords;
use token::Tokens;

/// Most characters of a person's, customer's or key's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Most characters of a detail.
pub const DETAIL_CHARS_MAX: usize = 2_000;

/// The room's door. Cheap to clone.
#[derive(Clone)]
pub struct People {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    lookups: Lookups,
    tokens: Tokens,
    passwords: Passwords,
    admin_token: Secret,
    directory: Directory,
    keys_per_agent_max: usize,
}

impl People {
    /// Reads the keys that the settings name, and hashes one password so that an unknown user
    /// costs as much as a known one.
    ///
    /// # Errors
    /// A key file that cannot be read or understood, or settings under which nobody could sign in.
    pub fn new(store: Store, settings: &AuthSettings) -> Result<Self, SetupError> {
        Ok(Self {
            shared: Arc::new(Shared {
                lookups: Lookups::new(&store),
                store,
                tokens: Tokens::new(settings)?,
                passwords: Passwords::new(settings)?,
                admin_token: settings.admin_token.clone(),
                directory: settings.directory,
                keys_per_agent_max: settings.keys_per_agent_max,
            }),
        })
    }

    fn store(&self) -> &Store {
        &self.shared.store
    }
}

fn check_text(field: &str, text: &str, chars_max: usize) -> Result<(), crate::wire::ApiError> {
    if text.chars().count() > chars_max {
        return Err(crate::wire::ApiError::argument(format!("{field} must have at most {chars_max} characters")));
    }
    Ok(())
}
