//! Waiting for what must come true: the one place of the rig where time passes.

use std::time::{Duration, Instant};

use super::{Error, Result};

const POLL_EVERY: Duration = Duration::from_millis(10);

/// How long anything may take before it counts as never: `TALK_TEST_PATIENCE_SECS`, 20 seconds if unset.
pub fn patience() -> Duration {
    let secs = std::env::var("TALK_TEST_PATIENCE_SECS").ok().and_then(|secs| secs.parse().ok());
    Duration::from_secs(secs.unwrap_or(20))
}

/// Asks `probe` again and again until it answers `Some`.
///
/// An error of the probe means "not yet": servers that are being failed over refuse and hang up. The last one is part of
/// [`Error::TooLate`], which ends this after [`patience`]. Only [`Error::Ended`] ends it at once: who is gone does not
/// come back.
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    within(patience(), what, probe).await
}

/// As [`eventually`], with a limit of its own.
pub async fn within<T>(limit: Duration, what: &str, mut probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    let mut last = None;
    loop {
        match probe().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(ended @ Error::Ended { .. }) => return Err(ended),
            Err(error) => last = Some(Box::new(error)),
        }
        let waited = begin.elapsed();
        if waited > limit {
            return Err(Error::TooLate { what: what.to_owned(), waited, last });
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
