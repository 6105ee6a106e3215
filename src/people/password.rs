//! Passwords: Argon2id, a bounded number at once, off the threads that serve.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::telemetry::bound_reached;
use crate::wire::{ApiError, Reason};

use super::settings::AuthSettings;
use super::token::SetupError;

/// Most bytes of a password.
pub(super) const PASSWORD_BYTES_MAX: usize = 1_024;

pub(super) struct Passwords {
    /// One permit per hash that is being worked on.
    working: Arc<Semaphore>,
    /// One permit per call that works or waits.
    present: Arc<Semaphore>,
    wait: Duration,
    /// Memory for as many hashes as are worked on at once, 19 MiB each. Used again and never given
    /// back: every thread that freed such a piece would keep one of its own.
    memory: Arc<Memory>,
    /// Checked against when there is no such user, so that the time taken tells nothing.
    nobody: Arc<str>,
}

impl Passwords {
    pub(super) fn new(settings: &AuthSettings) -> Result<Self, SetupError> {
        let parallel = settings.hash_parallel_max.max(1);
        let memory = Arc::new(Memory::default());
        Ok(Self {
            working: Arc::new(Semaphore::new(parallel)),
            present: Arc::new(Semaphore::new(parallel.saturating_add(settings.hash_waiting_max).min(1 << 20))),
            wait: Duration::from_millis(settings.hash_wait_ms),
            nobody: memory.hash(&uuid::Uuid::new_v4().to_string()).map_err(SetupError::Hash)?.into(),
            memory,
        })
    }

    /// The hash to keep.
    ///
    /// # Errors
    /// A password that is empty or too long; 503 when too many are being hashed.
    pub(super) async fn hash(&self, password: &str) -> Result<String, ApiError> {
        if password.is_empty() {
            return Err(ApiError::argument("password must not be empty"));
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(ApiError::argument(format!("password must have at most {PASSWORD_BYTES_MAX} bytes")));
        }
        let password = password.to_owned();
        self.turn(move |memory| memory.hash(&password)).await?.map_err(ApiError::internal)
    }

    /// Whether it is the password of this hash. `None` stands for a user who does not exist, and
    /// takes as long.
    ///
    /// # Errors
    /// 503 when too many are being hashed.
    pub(super) async fn check(&self, password: &str, kept: Option<&str>) -> Result<bool, ApiError> {
        let known = kept.is_some() && password.len() <= PASSWORD_BYTES_MAX;
        let kept = if known { kept.unwrap_or(&self.nobody).to_owned() } else { self.nobody.to_string() };
        let password = if password.len() <= PASSWORD_BYTES_MAX { password.to_owned() } else { String::new() };
        let same = self.turn(move |memory| memory.verify(&password, &kept)).await?;
        Ok(same && known)
    }

    async fn turn<T: Send + 'static>(&self, work: impl FnOnce(&Memory) -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = |bound| {
            bound_reached(bound);
            ApiError::new(Reason::ServiceUnavailable, "too many sign-ins at once; try again")
        };
        let present = Arc::clone(&self.present).try_acquire_owned().map_err(|_| busy("auth.hash_waiting_max"))?;
        let working = tokio::time::timeout(self.wait, Arc::clone(&self.working).acquire_owned())
            .await
            .map_err(|_| busy("auth.hash_wait_ms"))?
            .map_err(ApiError::internal)?;
        // The permits go along: a caller who hangs up does not make room before the work is done.
        let permits: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (present, working);
        let memory = Arc::clone(&self.memory);
        tokio::task::spawn_blocking(move || {
            let done = work(&memory);
            drop(permits);
            done
        })
        .await
        .map_err(ApiError::internal)
    }
}

/// The pieces of memory that hashes are made in.
#[derive(Default)]
struct Memory {
    free: Mutex<Vec<Vec<Block>>>,
}

impl Memory {
    fn hash(&self, password: &str) -> Result<String, String> {
        let (salt, params) = (Salt::generate(), Params::default());
        let argon = Argon2::new(Algorithm::default(), Version::default(), params.clone());
        let mut digest = [0; Params::DEFAULT_OUTPUT_LEN];
        self.fill(&argon, password, &salt, &mut digest).map_err(|error| error.to_string())?;
        let text = |error: argon2::password_hash::phc::Error| error.to_string();
        Ok(PasswordHash {
            algorithm: Algorithm::default().ident(),
            version: Some(Version::default().into()),
            params: params.try_into().map_err(|error: argon2::password_hash::Error| error.to_string())?,
            salt: Some(salt),
            hash: Some(Output::new(&digest).map_err(text)?),
        }
        .to_string())
    }

    fn verify(&self, password: &str, kept: &str) -> bool {
        self.digest_like(password, kept).is_some_and(|(kept, now)| kept == now)
    }

    /// The digest that is kept, and that of this password made in the same way. Comparing two
    /// outputs takes the same time whatever they are.
    fn digest_like(&self, password: &str, kept: &str) -> Option<(Output, Output)> {
        let kept = PasswordHash::new(kept).ok()?;
        let (salt, digest) = (kept.salt.as_ref()?, kept.hash?);
        let algorithm = Algorithm::try_from(kept.algorithm.as_str()).ok()?;
        let version = kept.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let argon = Argon2::new(algorithm, version, Params::try_from(&kept).ok()?);
        let mut now = vec![0; digest.len()];
        self.fill(&argon, password, salt, &mut now).ok()?;
        Some((digest, Output::new(&now).ok()?))
    }

    fn fill(&self, argon: &Argon2<'_>, password: &str, salt: &Salt, out: &mut [u8]) -> argon2::Result<()> {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blocks = free().pop().unwrap_or_default();
        blocks.resize(argon.params().block_count(), Block::default());
        let filled = argon.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut blocks[..]);
        free().push(blocks);
        filled
    }
}
