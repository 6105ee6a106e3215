//! Collects what all threads counted, once a second, and what the server, Redis and this program used meanwhile.

use std::time::Duration;

use super::clock::Clock;
use super::process::{self, Usage};
use super::redis::{self, Gauge, Sample};
use super::tally::{Shared, Span, Tally};
use crate::results::{Latency, RedisUse, Second, Server};

/// What counts also when it ends after the load.
const LATE: [Span; 6] = [Span::Send, Span::Reaction, Span::History, Span::Delivery, Span::Across, Span::Resume];

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    clock: Clock,
    tallies: Vec<Shared>,
    pids: Vec<u32>,
    redis: Option<Gauge>,
    /// What was collected and is given back empty.
    taken: Tally,
    total: Tally,
    rows: Vec<Second>,
    begin: Moment,
    last: Moment,
    rss_peak_bytes: u64,
}

#[derive(Clone, Debug, Default)]
struct Moment {
    at: u64,
    server: Usage,
    own: Duration,
    redis: Sample,
}

/// What a recorder came to.
#[derive(Debug)]
pub struct Recorded {
    pub total: Tally,
    pub rows: Vec<Second>,
    pub seconds: f64,
    pub server: Server,
    pub redis: Option<RedisUse>,
}

impl Recorder {
    /// Collects from these.
    #[must_use]
    pub fn new(clock: Clock, tallies: Vec<Shared>, pids: Vec<u32>, redis: Option<Gauge>) -> Self {
        let (taken, total, rows) = (Tally::default(), Tally::default(), Vec::new());
        let (begin, last) = (Moment::default(), Moment::default());
        Self { clock, tallies, pids, redis, taken, total, rows, begin, last, rss_peak_bytes: 0 }
    }

    /// Forgets what was counted until now, except what comes before all load: connecting, and starting. Measuring
    /// begins, or the warm-up before it.
    pub async fn begin(&mut self) {
        // What is counted while Redis is asked is of the time before.
        self.begin = self.moment().await;
        let before = self.collect();
        let mut kept = std::mem::take(&mut self.total);
        kept.add(&before);
        self.give_back(before);
        self.total.counts.connected = kept.counts.connected;
        self.total.counts.connect_failed = kept.counts.connect_failed;
        for span in [Span::Connect, Span::Start] {
            if let Some(spread) = kept.spread(span) {
                self.total.put(span, spread);
            }
        }
        self.rows.clear();
        self.last = self.begin.clone();
        self.rss_peak_bytes = self.begin.server.rss_bytes;
    }

    /// Collects a second, and says what was in it.
    pub async fn second(&mut self, connections: u64) -> Second {
        let now = self.moment().await;
        let tally = self.collect();
        let took = now.at.saturating_sub(self.last.at).max(1) as f64 / 1e6;
        let used = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() / took;
        let spread = |span| tally.spread(span);
        let of = |span, percent| spread(span).map_or(0, |spread| spread.percentile(percent));
        let delivery = if spread(Span::Delivery).is_some() { Span::Delivery } else { Span::Across };
        let requests = [Span::Send, Span::Reaction, Span::History];
        let request = requests.into_iter().find(|span| spread(*span).is_some()).unwrap_or(Span::Send);
        let counts = &tally.counts;
        let row = Second {
            at: now.at.saturating_sub(self.begin.at) as f64 / 1e6,
            sent: counts.sent,
            acknowledged: counts.acknowledged,
            delivered: counts.delivered,
            failed: counts.failed + counts.refused,
            requests: counts.requests,
            send_p50: of(request, 50.0),
            send_p99: of(request, 99.0),
            delivery_p50: of(delivery, 50.0),
            delivery_p99: of(delivery, 99.0),
            delivery_p999: of(delivery, 99.9),
            server_cpu: used(now.server.cpu, self.last.server.cpu),
            server_rss_bytes: now.server.rss_bytes,
            generator_cpu: used(now.own, self.last.own),
            redis_commands: now.redis.commands.saturating_sub(self.last.redis.commands),
            connections,
        };
        self.total.add(&tally);
        self.give_back(tally);
        self.rss_peak_bytes = self.rss_peak_bytes.max(now.server.rss_bytes);
        self.last = now;
        self.rows.push(row.clone());
        row
    }

    /// Measuring ends with the last [`Self::second`]. What was due before it and ended after it is added without a row:
    /// how long it took, who came back, and what was refused or failed. Rates are of the time that was measured, so that
    /// what was answered and delivered late counts in none.
    pub fn end(mut self) -> Recorded {
        let late = self.collect();
        self.total.counts.resumed += late.counts.resumed;
        self.total.counts.refused += late.counts.refused;
        self.total.counts.failed += late.counts.failed;
        self.total.counts.closed += late.counts.closed;
        for span in LATE {
            if let Some(spread) = late.spread(span) {
                self.total.put(span, spread);
            }
        }
        let seconds = self.last.at.saturating_sub(self.begin.at) as f64 / 1e6;
        let cpu = self.last.server.cpu.saturating_sub(self.begin.server.cpu).as_secs_f64();
        let counts = &self.total.counts;
        let server = Server {
            cpu_seconds: cpu,
            rss_end_bytes: self.last.server.rss_bytes,
            rss_peak_bytes: self.rss_peak_bytes,
            cpu_us_per_delivery: over(cpu * 1e6, counts.delivered),
            cpu_us_per_request: over(cpu * 1e6, counts.requests),
            generator_cpu_seconds: self.last.own.saturating_sub(self.begin.own).as_secs_f64(),
            ..Server::default()
        };
        let redis = self.redis.as_ref().map(|_| redis::used(&self.begin.redis, &self.last.redis));
        Recorded { total: self.total, rows: self.rows, seconds, server, redis }
    }

    /// Events that reached a subscriber until the last second.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.total.counts.delivered
    }

    async fn moment(&mut self) -> Moment {
        let redis = match &mut self.redis {
            Some(gauge) => gauge.sample().await,
            None => Sample::default(),
        };
        let (server, own) = (process::usage(&self.pids), process::own_cpu());
        Moment { at: self.clock.now(), server, own, redis }
    }

    fn collect(&mut self) -> Tally {
        let mut all = std::mem::take(&mut self.taken);
        let mut one = Tally::default();
        for tally in &self.tallies {
            tally.exchange(&mut one);
            all.add(&one);
            one.clear();
        }
        all
    }

    fn give_back(&mut self, mut tally: Tally) {
        tally.clear();
        self.taken = tally;
    }
}

impl Recorded {
    /// How long each span took, by its name; those without any are left out.
    pub fn latencies(&self) -> impl Iterator<Item = (String, Latency)> {
        let all = Span::ALL.into_iter();
        all.filter_map(|span| Some((span.name().to_owned(), self.total.spread(span)?.latency())))
    }
}

fn over(micros: f64, count: u64) -> f64 {
    if count > 0 { micros / count as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_ends_after_the_load_is_in_the_latencies_and_in_no_rate() {
        let tally = Shared::default();
        let mut recorder = Recorder::new(Clock::start(), vec![tally.clone()], Vec::new(), None);
        tally.fill().took(Span::Send, 1);
        recorder.begin().await;
        recorder.second(0).await;
        let mut late = tally.fill();
        late.took(Span::Send, 900_000);
        (late.counts.acknowledged, late.counts.failed) = (1, 2);
        drop(late);
        let recorded = recorder.end();
        let counts = &recorded.total.counts;
        assert_eq!((counts.acknowledged, counts.failed), (0, 2));
        let send = recorded.latencies().find(|(name, _)| name == "send").expect("sends").1;
        assert!(send.count == 1 && send.max >= 899_000, "{send:?}");
    }
}
