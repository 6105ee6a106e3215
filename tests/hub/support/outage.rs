//! A Redis that goes away: stopped in its tracks, or shut down with all its data.

use std::process::Command;

use super::eventually::eventually;
use super::redis::RedisServer;

/// A Redis process that was stopped. It goes on when this is dropped.
pub(crate) struct Frozen {
    pid: String,
}

/// Stops the process: its connections stay, and nothing answers.
pub(crate) fn freeze(redis: &RedisServer) -> Frozen {
    let info: String = redis.command(&["INFO", "server"]);
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).expect("the id of the process").trim();
    send("STOP", pid);
    Frozen { pid: pid.to_owned() }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        send("CONT", &self.pid);
    }
}

fn send(signal: &str, pid: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), pid]).status();
    assert!(sent.expect("kill runs").success(), "the signal {signal} was not sent");
}

/// Shuts the server down after saving: [`RedisServer::start_again`] has everything that was acknowledged.
pub(crate) async fn shut_down(redis: &mut RedisServer) {
    let client = redis::Client::open(redis.url()).expect("the URL of a Redis");
    let mut connection = client.get_connection().expect("Redis is there");
    // The answer is that it hangs up.
    redis::cmd("SHUTDOWN").arg("SAVE").query::<()>(&mut connection).ok();
    eventually("Redis is gone", async || client.get_connection().err()).await;
    redis.kill();
}
