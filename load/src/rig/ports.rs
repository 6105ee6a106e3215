//! Ports that stay free while their owner is down.
//!
//! A server that is killed must find its port again when it comes back. A port that the kernel hands out may meanwhile have
//! become the near end of somebody's connection, so ports are taken from below that range.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::sync::Mutex;

use super::{Error, Result, held};

const FIRST: u16 = 12_000;
/// Where the kernel begins to hand ports out, unless it is told otherwise.
const KERNEL_FIRST: u16 = 32_768;
/// Ports looked at before giving up.
const TRIES_MAX: usize = 1_000;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback port that was free a moment ago, and that no other caller in this process has been or will be given.
pub fn free_port() -> Result<u16> {
    let end = kernel_first().max(FIRST + 1);
    for _ in 0..TRIES_MAX {
        // A new state is seeded by chance: programs that run side by side seldom look at the same port.
        let chance = std::hash::RandomState::new().build_hasher().finish();
        let offset = u16::try_from(chance % u64::from(end - FIRST)).unwrap_or_default();
        let port = FIRST + offset;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && held(&GIVEN).insert(port) {
            return Ok(port);
        }
    }
    Err(Error::Unexpected(format!("no free port between {FIRST} and {end}")))
}

fn kernel_first() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(KERNEL_FIRST)
}
