//! From runs to figures: what is measured of each, and medians with the range of the rounds.
//!
//! A difference counts only where the ranges do not overlap: the worst round of one is better than the best round of the
//! other. That needs no model of the noise. With five rounds of the same thing on both sides it happens by chance in fewer
//! than one of a hundred comparisons (2 of 252 orders), with three in one of ten; with fewer there is no judgement.

use std::collections::BTreeSet;

use super::figures::Unit;
use crate::results::{Latency, Run, per_second};

/// Rounds that a side needs for a judgement.
pub const ROUNDS_MIN: usize = 3;

/// A median and the range around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: usize,
}

impl Spread {
    /// Of some values; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let odd = !values.len().is_multiple_of(2);
        let median = if odd { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, min, max, rounds: values.len() })
    }

    /// `1.23 ms (1.20–1.31)`, with units where they differ; the value alone where all rounds show the same.
    pub fn show(&self, unit: Unit) -> String {
        let [median, min, max] = [self.median, self.min, self.max].map(|value| unit.show(value));
        if min == median && max == median {
            return median;
        }
        let suffix = |text: &str| text.split_once(' ').map(|(_, suffix)| suffix.to_owned());
        let same = suffix(&min) == suffix(&median) && suffix(&max) == suffix(&median);
        let bare = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let [min, max] = if same { [bare(&min), bare(&max)] } else { [min, max] };
        format!("{median} ({min}–{max})")
    }
}

/// Which way is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Better,
    Worse,
    /// The ranges overlap.
    Same,
    /// One side has fewer than [`ROUNDS_MIN`] rounds.
    Unknown,
}

impl Verdict {
    /// From `old` to `new`. See the top of this file.
    pub fn judge(old: &Spread, new: &Spread, better: Better) -> Self {
        if old.rounds < ROUNDS_MIN || new.rounds < ROUNDS_MIN {
            return Self::Unknown;
        }
        let (up, down) = (new.min > old.max, new.max < old.min);
        match (better, up, down) {
            (Better::More, true, _) | (Better::Less, _, true) => Self::Better,
            (Better::More, _, true) | (Better::Less, true, _) => Self::Worse,
            _ => Self::Same,
        }
    }

    /// One word, or nothing.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same | Self::Unknown => "",
        }
    }
}

/// Which point of a latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    P50,
    P99,
    P999,
}

impl Point {
    pub(super) fn of(self, latency: &Latency) -> u64 {
        match self {
            Self::P50 => latency.p50,
            Self::P99 => latency.p99,
            Self::P999 => latency.p999,
        }
    }
}

/// Something that is measured of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    Deliveries,
    Sends,
    Requests,
    Latency(String, Point),
    CpuPerDelivery,
    CpuPerRequest,
    ServerCpu,
    RssPerConnection,
    RssPeak,
    FramesPerRead,
    RedisCommands,
    RedisCpuPerSend,
    NotDone,
}

impl Metric {
    /// Those that at least one of the runs has, in the order in which they are shown.
    pub fn all(runs: &[&Run]) -> Vec<Self> {
        let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.latencies.keys()).collect();
        let points = [Point::P50, Point::P99, Point::P999];
        let latencies = names.into_iter().flat_map(|name| points.map(|point| Self::Latency(name.clone(), point)));
        let all = [Self::Deliveries, Self::Sends, Self::Requests].into_iter().chain(latencies).chain([
            Self::CpuPerDelivery,
            Self::CpuPerRequest,
            Self::ServerCpu,
            Self::RssPerConnection,
            Self::RssPeak,
            Self::FramesPerRead,
            Self::RedisCommands,
            Self::RedisCpuPerSend,
            Self::NotDone,
        ]);
        // Where all requests are sends, once is enough.
        let only_sends = runs.iter().all(|run| [0, run.counts.acknowledged].contains(&run.counts.requests));
        let all = all.filter(|metric| !(only_sends && matches!(metric, Self::Requests)));
        all.filter(|metric| runs.iter().any(|run| metric.of(run).is_some())).collect()
    }

    /// Of one run; `None` where it was not measured.
    pub fn of(&self, run: &Run) -> Option<f64> {
        let (counts, server) = (&run.counts, &run.server);
        let rate = |count| per_second(count, run.seconds);
        let value = match self {
            Self::Deliveries => rate(counts.delivered),
            Self::Sends => rate(counts.acknowledged),
            Self::Requests => rate(counts.requests),
            Self::Latency(name, point) => {
                let latency = run.latencies.get(name).filter(|latency| latency.count > 0)?;
                // A baseline that measures by itself does not give all points.
                return Some(point.of(latency) as f64).filter(|micros| *micros > 0.0);
            }
            Self::CpuPerDelivery => server.cpu_us_per_delivery,
            Self::CpuPerRequest => server.cpu_us_per_request,
            Self::ServerCpu => share(server.cpu_seconds, run.seconds),
            Self::RssPerConnection => server.rss_bytes_per_connection,
            Self::RssPeak => server.rss_peak_bytes as f64,
            Self::FramesPerRead => share(counts.frames as f64, counts.reads as f64),
            Self::RedisCommands => rate(run.redis.as_ref()?.commands),
            Self::RedisCpuPerSend => share(run.redis.as_ref()?.cpu_seconds * 1e6, counts.acknowledged as f64),
            // Also worth saying when it is none.
            Self::NotDone => return Some((counts.refused + counts.failed) as f64),
        };
        (value > 0.0).then_some(value)
    }

    /// Of all rounds.
    pub fn spread(&self, runs: &[&Run]) -> Option<Spread> {
        Spread::of(runs.iter().filter_map(|run| self.of(run)))
    }

    pub fn name(&self) -> String {
        let name = match self {
            Self::Deliveries => "deliveries a second",
            Self::Sends => "acknowledged a second",
            Self::Requests => "requests a second",
            Self::Latency(name, point) => return format!("{} {}", latency_name(name), point_name(*point)),
            Self::CpuPerDelivery => "server CPU per delivery",
            Self::CpuPerRequest => "server CPU per request",
            Self::ServerCpu => "server cores in use",
            Self::RssPerConnection => "server memory per connection",
            Self::RssPeak => "server memory, peak",
            Self::FramesPerRead => "frames per read",
            Self::RedisCommands => "Redis commands a second",
            Self::RedisCpuPerSend => "Redis CPU per send",
            Self::NotDone => "refused and failed",
        };
        name.to_owned()
    }

    pub fn unit(&self) -> Unit {
        match self {
            Self::Latency(..) | Self::CpuPerDelivery | Self::CpuPerRequest | Self::RedisCpuPerSend => Unit::Micros,
            Self::RssPerConnection | Self::RssPeak => Unit::Bytes,
            Self::ServerCpu => Unit::Cores,
            Self::NotDone => Unit::Count,
            _ => Unit::Rate,
        }
    }

    /// `None` where neither is: cores in use are as good as what they are used for.
    pub fn better(&self) -> Option<Better> {
        match self {
            Self::Deliveries | Self::Sends | Self::Requests => Some(Better::More),
            Self::ServerCpu | Self::FramesPerRead | Self::RedisCommands => None,
            _ => Some(Better::Less),
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn point_name(point: Point) -> &'static str {
    match point {
        Point::P50 => "p50",
        Point::P99 => "p99",
        Point::P999 => "p99.9",
    }
}

/// In words: `delivery_across` is `delivery across nodes`.
pub fn latency_name(name: &str) -> String {
    match name {
        "delivery_across" => "delivery across nodes".to_owned(),
        name => name.replace('_', " "),
    }
}

/// The run in the middle, by what the scenario is about: the one whose plots are shown for all rounds.
pub fn middle<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let about = [Metric::Deliveries, Metric::Sends, Metric::Requests];
    let metric = about.iter().find(|metric| runs.iter().any(|run| metric.of(run).is_some()))?;
    let mut sorted = runs.to_vec();
    sorted.sort_by(|a, b| metric.of(a).unwrap_or(0.0).total_cmp(&metric.of(b).unwrap_or(0.0)));
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).expect("values")
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0, rounds: 3 });
        assert_eq!(spread(&[4.0, 1.0]).median, 2.5);
        assert_eq!(spread(&[1_230.0, 1_200.0, 1_310.0]).show(Unit::Micros), "1.23 ms (1.20–1.31)");
        assert_eq!(spread(&[990.0, 1_000.0, 1_310.0]).show(Unit::Micros), "1.00 ms (990 µs–1.31 ms)");
        assert_eq!(spread(&[7.0]).show(Unit::Count), "7");
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
    }

    #[test]
    fn only_ranges_that_do_not_overlap_are_judged() {
        let (low, high, wide) = (spread(&[1.0, 1.5, 2.0]), spread(&[3.0, 3.5, 4.0]), spread(&[1.5, 3.0, 9.0]));
        assert_eq!(Verdict::judge(&low, &high, Better::More), Verdict::Better);
        assert_eq!(Verdict::judge(&low, &high, Better::Less), Verdict::Worse);
        assert_eq!(Verdict::judge(&high, &low, Better::Less), Verdict::Better);
        assert_eq!(Verdict::judge(&low, &wide, Better::More), Verdict::Same);
        assert_eq!(Verdict::judge(&low, &spread(&[9.0, 9.5]), Better::More), Verdict::Unknown);
    }
}
