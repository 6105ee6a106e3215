//! A Redis that goes away: stopped in its tracks, or shut down with all its data.

use talk_load::rig::process::signal;

use super::redis::RedisServer;

/// A Redis process that was stopped. It goes on when this is dropped.
pub(crate) struct Frozen {
    pid: u32,
}

/// Stops the process: its connections stay, and nothing answers.
pub(crate) fn freeze(redis: &RedisServer) -> Frozen {
    redis.server().freeze().expect("Redis is stopped");
    Frozen { pid: redis.server().pid().expect("Redis is there") }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.pid, "CONT").expect("Redis goes on");
    }
}

/// Shuts the server down after saving: [`RedisServer::start_again`] has everything that was acknowledged.
pub(crate) async fn shut_down(redis: &mut RedisServer) {
    redis.server().shut_down().await.expect("Redis saves and ends");
}
