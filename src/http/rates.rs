//! How often one may call: per agent, and per address for sign-ins.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::model::{AgentId, Limits};
use crate::telemetry::bound_reached;
use crate::wire::{ApiError, Reason};

/// After so many calls those who have been quiet are forgotten. What is remembered is therefore
/// at most this many, and whoever called within a burst's time.
const CALLS_PER_PRUNE: u32 = 4_096;
/// Seconds' worth of an agent's calls that may come at once.
const BURST_OF_CALLS: u32 = 2;

/// The limits of one node.
pub struct Rates {
    agents: Option<Limiter<AgentId>>,
    addresses: Option<Limiter<IpAddr>>,
}

struct Limiter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    calls: AtomicU32,
}

impl Rates {
    /// A limit of 0 is none.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            agents: Limiter::new(limits.agent_per_second, BURST_OF_CALLS),
            addresses: Limiter::new(limits.auth_per_second, 1),
        }
    }

    /// Counts a call of the agent.
    ///
    /// # Errors
    /// 429, with the seconds to wait.
    pub fn agent(&self, agent: AgentId) -> Result<(), ApiError> {
        self.agents.as_ref().map_or(Ok(()), |limiter| limiter.call(&agent, "limits.agent_per_second"))
    }

    /// Counts a sign-in from the address. Addresses of one IPv6 network (/64) count as one.
    ///
    /// # Errors
    /// 429, with the seconds to wait.
    pub fn address(&self, address: IpAddr) -> Result<(), ApiError> {
        self.addresses.as_ref().map_or(Ok(()), |limiter| limiter.call(&network(address), "limits.auth_per_second"))
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `per_second`, and bursts of so many seconds' worth.
    fn new(per_second: u32, burst_secs: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = NonZeroU32::new(per_second.saturating_mul(burst_secs))?;
        let quota = Quota::per_second(rate).allow_burst(burst);
        Some(Self { limiter: DefaultKeyedRateLimiter::keyed(quota), calls: AtomicU32::new(0) })
    }

    fn call(&self, key: &K, bound: &'static str) -> Result<(), ApiError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % CALLS_PER_PRUNE == CALLS_PER_PRUNE - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(key).map_err(|until| {
            bound_reached(bound);
            let wait = until.wait_time_from(DefaultClock::default().now());
            let mut error = ApiError::new(Reason::RateLimitExceeded, "too many calls; try again later");
            error.retry_after = Some(whole_seconds(wait));
            error
        })
    }
}

/// Rounded up, and never 0: who comes back then is served.
fn whole_seconds(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part).max(1)
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_twice_the_rate_passes_and_one_more_waits() {
        let limiter = Limiter::<AgentId>::new(3, 2).expect("a limit");
        let (busy, other) = (AgentId::random(), AgentId::random());
        let passed = (0..10).filter(|_| limiter.call(&busy, "limits.agent_per_second").is_ok()).count();
        assert_eq!(passed, 6);
        assert_eq!(limiter.call(&busy, "limits.agent_per_second").map_err(|error| error.retry_after), Err(Some(1)));
        assert!(limiter.call(&other, "limits.agent_per_second").is_ok());
        assert!(Limiter::<AgentId>::new(0, 2).is_none());
    }

    #[test]
    fn one_network_is_one_caller() {
        let address = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:127.0.0.1"), address("127.0.0.1"));
    }
}
