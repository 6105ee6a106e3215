//! How many clients may come in at once. When ten thousand lose their node they all come back in
//! the same second; those who find no room wait, and beyond that are told when to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::Limits;
use crate::telemetry::metric;
use crate::wire::{ApiError, Reason};

/// Whoever is sent away comes again within so many seconds, each at a moment of its own.
const COME_AGAIN_SECS: u64 = 5;

/// The two doors that every client passes.
pub struct Admission {
    /// Sockets being opened: from the request until they are open.
    handshakes: Gate,
    waiting_max: usize,
    wait: Duration,
    /// Subscriptions on their way, and stretches of older events being fetched. Never held while
    /// a client is waited for. Who waits here has a connection, which bounds them.
    resumes: Gate,
}

/// So many at once, in the order in which they came.
struct Gate {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    gauge_in: &'static str,
    gauge_waiting: &'static str,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    gauge: &'static str,
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!(self.gauge).decrement(1.0);
    }
}

/// Somebody who waits, counted until it does no more.
struct Waits<'a>(&'a Gate);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!(self.0.gauge_waiting).decrement(1.0);
    }
}

impl Gate {
    fn new(places: usize, gauge_in: &'static str, gauge_waiting: &'static str) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), gauge_in, gauge_waiting }
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Place {
        metrics::gauge!(self.gauge_in).increment(1.0);
        Place { _permit: permit, gauge: self.gauge_in }
    }

    /// A place, when there is one. `None` when too many wait already, or when nobody is let in
    /// any more.
    async fn enter(&self, waiting_max: usize) -> Option<Place> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(self.taken(permit));
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        metrics::gauge!(self.gauge_waiting).increment(1.0);
        let waits = Waits(self);
        if before >= waiting_max {
            return None;
        }
        let permit = Arc::clone(&self.places).acquire_owned().await.ok()?;
        drop(waits);
        Some(self.taken(permit))
    }
}

impl Admission {
    /// With all places free.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            handshakes: Gate::new(limits.handshakes_max, metric::HANDSHAKES, metric::HANDSHAKES_WAITING),
            waiting_max: limits.handshakes_waiting_max,
            wait: Duration::from_millis(limits.handshakes_wait_ms),
            resumes: Gate::new(limits.resumes_max, metric::RESUMES_UNDER_WAY, metric::RESUMES_WAITING),
        }
    }

    /// A place to open a socket.
    ///
    /// # Errors
    /// 503 when too many wait for one, or none was free in time; with the seconds after which to
    /// come again, spread so that not all come again together.
    pub async fn handshake(&self) -> Result<Place, ApiError> {
        let entered = tokio::time::timeout(self.wait, self.handshakes.enter(self.waiting_max)).await;
        entered.ok().flatten().ok_or_else(|| {
            metrics::counter!(metric::HANDSHAKES_REFUSED).increment(1);
            come_again("too many connections are being opened; try again")
        })
    }

    /// A place to subscribe or to catch up, when it is one's turn.
    ///
    /// # Errors
    /// Only when the node ends.
    pub async fn resume(&self) -> Result<Place, ApiError> {
        let place = self.resumes.enter(usize::MAX).await;
        place.ok_or_else(|| come_again("this node is leaving; try another"))
    }
}

/// 503, with a moment to come again that is the client's own.
pub fn come_again(why: &str) -> ApiError {
    let refusal = ApiError::new(Reason::ServiceUnavailable, why);
    ApiError { retry_after: Some(1 + rand::random::<u64>() % COME_AGAIN_SECS), ..refusal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use futures_util::FutureExt;

    fn admission(handshakes_max: usize, handshakes_waiting_max: usize, resumes_max: usize) -> Admission {
        let limits = Settings::load(None, []).expect("settings").limits;
        Admission::new(&Limits {
            handshakes_max,
            handshakes_waiting_max,
            resumes_max,
            handshakes_wait_ms: 20,
            ..limits
        })
    }

    #[tokio::test]
    async fn so_many_enter_so_many_wait_and_the_rest_is_told_when_to_come_again() {
        let admission = admission(2, 1, 1);
        let one = admission.handshake().await.expect("a place");
        let _other = admission.handshake().await.expect("a place");
        let mut third = Box::pin(admission.handshake());
        assert!((&mut third).now_or_never().is_none(), "it waits");
        let refusal = admission.handshake().await.expect_err("no room to wait");
        assert!(refusal.retry_after.is_some_and(|secs| (1..=COME_AGAIN_SECS).contains(&secs)));
        drop(one);
        let third = third.await.expect("its turn");
        assert!(admission.handshake().await.is_err(), "waited in vain");
        assert_eq!(admission.handshakes.waiting.load(Ordering::SeqCst), 0, "nobody is counted who has gone");
        drop(third);
        assert!(admission.handshake().await.is_ok());
    }

    #[tokio::test]
    async fn those_who_resume_come_in_order() {
        let admission = admission(1, 0, 1);
        let first = admission.resume().await.expect("a place");
        let mut second = Box::pin(admission.resume());
        let mut third = Box::pin(admission.resume());
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none(), "not before the second");
        drop((&mut second).now_or_never().expect("its turn").expect("a place"));
        assert!((&mut third).now_or_never().is_some());
    }
}
