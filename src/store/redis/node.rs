//! A server that holds data, and the lanes to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadpool_redis::{Manager, Pool};
use redis::{AsyncConnectionConfig, ConnectionInfo};
use tokio::runtime::Handle;

use super::address::Place;
use super::greeting::Greeting;
use super::lanes::{Bounds, Lane};
use crate::store::{Result, StoreError};

/// A server and its lanes. Dropped, the lanes close.
pub(crate) struct Node {
    /// Tells it from every other, also from an earlier one at the same address.
    pub(crate) id: u64,
    pub(crate) place: Place,
    pub(crate) info: ConnectionInfo,
    pub(crate) writes: Vec<Lane>,
    pub(crate) reads: Vec<Lane>,
}

impl Node {
    /// Begins to connect, on the runtime that this is called on.
    ///
    /// # Errors
    /// An address that no connection can be made to.
    pub(crate) fn start(place: Place, info: ConnectionInfo, greeting: Greeting, bounds: Bounds) -> Result<Arc<Self>> {
        static NODES: AtomicU64 = AtomicU64::new(1);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(bounds.connect))
            // Calls have an end of their own; without this they would have one of 500 ms.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(bounds.calls_max.clamp(1, 1_024))
            .set_concurrency_limit(bounds.calls_max.max(1));
        let refused = |error: redis::RedisError| StoreError::Unavailable(format!("store.url: {error}"));
        let manager = Manager::new_with_config(info.clone(), config).map_err(refused)?;
        let (writes, reads) = (bounds.write_lanes.max(1), bounds.read_lanes.max(1));
        let pool = Pool::builder(manager)
            .max_size(writes + reads)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (runtime, greeting) = (Handle::current(), Arc::new(greeting));
        let lanes = |count: usize, writes: bool| {
            let lane = |_| Lane::start(&runtime, pool.clone(), Arc::clone(&greeting), writes, bounds);
            (0..count).map(lane).collect()
        };
        let id = NODES.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Self { id, place, info, writes: lanes(writes, true), reads: lanes(reads, false) }))
    }
}
