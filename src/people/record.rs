//! People as they are stored: JSON with a version in front. Only this room reads it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::StoreError;

/// The version of what is written. Newer ones are refused, with the version named.
const VERSION: u32 = 1;

/// A record as bytes.
pub(super) fn write<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u32,
        #[serde(flatten)]
        record: &'a T,
    }
    serde_json::to_vec(&Versioned { v: VERSION, record }).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads what [`write`] gave.
pub(super) fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    // The words of the parser can hold parts of the record, so they are not passed on.
    let corrupt = || StoreError::Corrupt(format!("{what} record cannot be read"));
    let Version { v } = serde_json::from_slice(bytes).map_err(|_| corrupt())?;
    if v != VERSION {
        return Err(StoreError::Corrupt(format!("{what} record of version {v}")));
    }
    serde_json::from_slice(bytes).map_err(|_| corrupt())
}

/// An agent. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AgentRecord {
    pub(super) id: Uuid,
    pub(super) customer: Uuid,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) status: String,
    pub(super) permission: u64,
    /// Argon2id in PHC form. `None`: signs in elsewhere.
    pub(super) password: Option<String>,
    /// When the password was changed last; 0: never. Tokens of sign-ins before it are not renewed.
    #[serde(default)]
    pub(super) password_set: u64,
    /// The unique name the record holds; `None` when it holds none.
    pub(super) unique: Option<String>,
    pub(super) created: u64,
    pub(super) updated: u64,
    /// Set while the agent is being removed: from then on it is as good as gone.
    pub(super) deleted: bool,
}

/// That an agent was taken in from a token, or that it is gone and must not be again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SightingRecord {
    /// The moment of creation that the agent's record has, or will have.
    pub(super) at: u64,
    pub(super) gone: bool,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CustomerRecord {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) created: u64,
    pub(super) updated: u64,
}

/// An access key, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    pub(super) id: Uuid,
    pub(super) customer: Uuid,
    pub(super) agent: Uuid,
    pub(super) name: String,
    pub(super) detail: String,
    /// SHA-256 of the key in hex.
    pub(super) digest: String,
    pub(super) prefix: String,
    /// When it ends; `None`: when it is revoked.
    pub(super) expires: Option<u64>,
    pub(super) created: u64,
    pub(super) updated: u64,
    /// Set while the key is being removed: from then on it opens nothing.
    pub(super) revoked: bool,
}
