//! Passwords: Argon2id, a bounded number at once, off the threads that serve.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    /// Checked against when there is no such user, so that the time taken tells nothing.
    nobody: Arc<str>,
}

impl Passwords {
    pub(super) fn new(settings: &AuthSettings) -> Result<Self, SetupError> {
        let parallel = settings.hash_parallel_max.max(1);
        Ok(Self {
            working: Arc::new(Semaphore::new(parallel)),
            present: Arc::new(Semaphore::new(parallel.saturating_add(settings.hash_waiting_max).min(1 << 20))),
            wait: Duration::from_millis(settings.hash_wait_ms),
            nobody: hash(&uuid::Uuid::new_v4().to_string()).map_err(SetupError::Hash)?.into(),
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
        self.turn(move || hash(&password)).await?.map_err(ApiError::internal)
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
        let same = self.turn(move || verify(&password, &kept)).await?;
        Ok(same && known)
    }

    async fn turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = || ApiError::new(Reason::ServiceUnavailable, "too many sign-ins at once; try again");
        let present = Arc::clone(&self.present).try_acquire_owned().map_err(|_| busy())?;
        let working = tokio::time::timeout(self.wait, Arc::clone(&self.working).acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(ApiError::internal)?;
        // The permits go along: a caller who hangs up does not make room before the work is done.
        let permits: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (present, working);
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permits);
            done
        })
        .await
        .map_err(ApiError::internal)
    }
}

fn hash(password: &str) -> Result<String, String> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

fn verify(password: &str, kept: &str) -> bool {
    PasswordHash::new(kept).is_ok_and(|kept| Argon2::default().verify_password(password.as_bytes(), &kept).is_ok())
}
