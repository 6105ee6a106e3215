//! The goals as data. What is wanted is in `first` and `then`; changing a row changes what the hub is held to.

use super::{Goal, Over, Part};
use crate::baseline::Baseline;
use crate::drive::target::Store;
use crate::report::figures::Unit;
use crate::report::spread::Better;
use crate::results::{Latency, Run, per_second};

const fn embedded(scenario: &'static str, set: &'static [&'static str]) -> Part {
    Part { scenario, set, store: Store::Embedded, nodes: 1, load: None }
}

const fn redis(scenario: &'static str, set: &'static [&'static str]) -> Part {
    Part { scenario, set, store: Store::Redis, nodes: 1, load: None }
}

/// Half of what two nodes can do.
const HALF_LOAD: Part = Part { scenario: "send-to-receive", set: &[], store: Store::Redis, nodes: 2, load: Some(0.5) };

/// One event under way.
const ONE_BY_ONE: &[&str] = &["window=1"];

/// Four senders for each chat: busy ones, and more than one, as a store sees it under load.
const SIXTEEN_CHATS: &[&str] = &["chats=16"];

/// All of them, in the order in which they are measured and shown.
pub const ALL: [Goal; 15] = [
    Goal {
        name: "fan-out",
        words: "fan-out to 1,000, 32 events under way: deliveries/s",
        hub: embedded("fan-out", &[]),
        over: Over::Baseline(Baseline::NodeWs),
        measure: deliveries,
        unit: Unit::Times,
        better: Better::More,
        first: 12.0,
        then: 20.0,
    },
    Goal {
        name: "delivery-cpu",
        words: "fan-out to 1,000, 1 event under way: server CPU per delivery",
        hub: embedded("fan-out", ONE_BY_ONE),
        over: Over::Baseline(Baseline::WriteLoop),
        measure: cpu_per_delivery,
        unit: Unit::Times,
        better: Better::Less,
        first: 1.35,
        then: 1.2,
    },
    Goal {
        name: "socket.io",
        words: "fan-out to 1,000, 1 event under way: deliveries/s",
        hub: embedded("fan-out", ONE_BY_ONE),
        over: Over::Baseline(Baseline::SocketIo),
        measure: deliveries,
        unit: Unit::Times,
        better: Better::More,
        first: 1.4,
        then: 1.6,
    },
    Goal {
        name: "sends-embedded",
        words: "durable sends through REST, embedded, 64 senders on 16 chats: answered/s",
        hub: embedded("send-only", SIXTEEN_CHATS),
        over: Over::Baseline(Baseline::RawLog),
        measure: sends,
        unit: Unit::Times,
        better: Better::More,
        first: 0.15,
        then: 0.25,
    },
    Goal {
        name: "sends-redis",
        words: "sends through REST, Redis everysec, 64 senders on 16 chats: answered/s",
        hub: redis("send-only", SIXTEEN_CHATS),
        over: Over::Baseline(Baseline::RedisXadd),
        measure: sends,
        unit: Unit::Times,
        better: Better::More,
        first: 0.15,
        then: 0.25,
    },
    Goal {
        name: "scripts-redis",
        words: "sends through REST, Redis, 64 senders on 8 chats: script calls for each message",
        hub: redis("send-only", &["chats=8"]),
        over: Over::Nothing,
        measure: scripts_per_send,
        unit: Unit::Times,
        better: Better::Less,
        first: 1.0,
        then: 0.5,
    },
    Goal {
        name: "receive-same",
        words: "send to receive at 50 % load, same node, p99",
        hub: HALF_LOAD,
        over: Over::Nothing,
        measure: |run| Some(latency(run, "delivery")?.p99 as f64),
        unit: Unit::Micros,
        better: Better::Less,
        first: 5_000.0,
        then: 2_000.0,
    },
    Goal {
        name: "receive-across",
        words: "send to receive at 50 % load, across nodes, p99",
        hub: HALF_LOAD,
        over: Over::Nothing,
        measure: |run| Some(latency(run, "delivery_across")?.p99 as f64),
        unit: Unit::Micros,
        better: Better::Less,
        first: 8_000.0,
        then: 5_000.0,
    },
    Goal {
        name: "receive-tail",
        words: "send to receive at 50 % load, across nodes, p99.9",
        hub: HALF_LOAD,
        over: Over::Nothing,
        measure: |run| Some(latency(run, "delivery_across")?.p999 as f64),
        unit: Unit::Micros,
        better: Better::Less,
        first: 30_000.0,
        then: 20_000.0,
    },
    Goal {
        name: "idle",
        words: "an idle subscribed connection: RSS",
        hub: embedded("idle", &[]),
        over: Over::Nothing,
        measure: |run| Some(run.server.rss_bytes_per_connection).filter(|bytes| *bytes > 0.0),
        unit: Unit::Bytes,
        better: Better::Less,
        first: 24.0 * 1024.0,
        then: 8.0 * 1024.0,
    },
    Goal {
        name: "page-embedded",
        words: "newest page of 50 messages, embedded: requests/s",
        hub: embedded("history", &[]),
        over: Over::Baseline(Baseline::StaticPage),
        measure: pages,
        unit: Unit::Times,
        better: Better::More,
        first: 0.5,
        then: 0.8,
    },
    Goal {
        name: "page-redis",
        words: "newest page of 50 messages, Redis: requests/s",
        hub: redis("history", &[]),
        over: Over::Baseline(Baseline::StaticPage),
        measure: pages,
        unit: Unit::Times,
        better: Better::More,
        first: 0.3,
        then: 0.6,
    },
    Goal {
        name: "resume",
        words: "10,000 sockets resumed after a drop: until the last is live",
        hub: embedded("reconnect-storm", &[]),
        over: Over::Nothing,
        measure: resumed,
        unit: Unit::Micros,
        better: Better::Less,
        first: 10e6,
        then: 3e6,
    },
    Goal {
        name: "stalled",
        words: "10 % of the sockets stalled: delivery p99 of the others",
        hub: embedded("slow-readers", &["stalled_percent=10"]),
        // As many who read; those who are stalled are the first tenth.
        over: Over::Hub(embedded("slow-readers", &["stalled_percent=0", "connections=450"])),
        measure: |run| Some(latency(run, "delivery")?.p99 as f64),
        unit: Unit::Times,
        better: Better::Less,
        first: 1.10,
        then: 1.05,
    },
    Goal {
        name: "start",
        words: "hub start to ready with 100,000 chats stored, median of 5",
        hub: embedded("start", &[]),
        over: Over::Nothing,
        measure: |run| Some(latency(run, "start")?.p50 as f64),
        unit: Unit::Micros,
        better: Better::Less,
        first: 1e6,
        then: 0.2e6,
    },
];

fn deliveries(run: &Run) -> Option<f64> {
    positive(per_second(run.counts.delivered, run.seconds))
}

fn cpu_per_delivery(run: &Run) -> Option<f64> {
    positive(run.server.cpu_us_per_delivery)
}

fn sends(run: &Run) -> Option<f64> {
    positive(per_second(run.counts.acknowledged, run.seconds))
}

/// Only those that were answered with success.
fn pages(run: &Run) -> Option<f64> {
    positive(per_second(run.counts.pages, run.seconds))
}

/// With fewer calls of scripts than messages, several messages of a chat went with one.
fn scripts_per_send(run: &Run) -> Option<f64> {
    let scripts = run.redis.as_ref()?.script_calls;
    positive(scripts as f64 / run.counts.acknowledged.max(1) as f64).filter(|_| run.counts.acknowledged > 0)
}

/// Not before all are back.
fn resumed(run: &Run) -> Option<f64> {
    let dropped = run.settings.get("connections")?.as_u64()?;
    Some(latency(run, "resume").filter(|latency| latency.count >= dropped)?.max as f64)
}

fn latency<'a>(run: &'a Run, name: &str) -> Option<&'a Latency> {
    run.latencies.get(name).filter(|latency| latency.count > 0)
}

fn positive(value: f64) -> Option<f64> {
    Some(value).filter(|value| *value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_can_be_run_and_its_second_step_is_the_harder_one() {
        for goal in &ALL {
            let set: Vec<String> = goal.hub.set.iter().map(|set| (*set).to_owned()).collect();
            assert!(crate::scenario::find(goal.hub.scenario, &set).is_ok(), "{}", goal.name);
            let harder = match goal.better {
                Better::More => goal.then > goal.first,
                Better::Less => goal.then < goal.first,
            };
            assert!(harder, "{}", goal.name);
            assert_eq!(ALL.iter().filter(|other| other.name == goal.name).count(), 1, "{}", goal.name);
            assert_eq!((goal.measure)(&Run::default()), None, "{} of nothing", goal.name);
        }
    }
}
