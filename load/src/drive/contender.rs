//! Who takes part in a round: hubs, servers that are there, or a baseline. Each run has its own, fresh.

use std::net::IpAddr;

use super::run::{self, Error, Watch};
use super::target::{Hubs, Target, There};
use crate::baseline::{self, Baseline, Options, RECORD_OVERHEAD_BYTES};
use crate::gauge::machine::{commit, machine};
use crate::results::{self, Counts, Latency, Run, SCHEMA};
use crate::scenario::Scenario;

/// See the module.
#[derive(Clone, Debug)]
pub enum Contender {
    Hubs(Hubs),
    There(There),
    Baseline(Baseline),
}

impl Contender {
    /// As it is named on the command line and in results.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hubs(_) | Self::There(_) => "hub",
            Self::Baseline(baseline) => baseline.name(),
        }
    }

    /// Runs a scenario once. `page_bytes` is how large a page is that [`Baseline::StaticPage`] answers with.
    ///
    /// # Errors
    /// It could not be run. [`Error::is_missing`] when a baseline's programs are not on this machine.
    pub async fn run(
        &self,
        scenario: &Scenario,
        sources: &[IpAddr],
        page_bytes: Option<usize>,
        watch: &dyn Watch,
    ) -> Result<Run, Error> {
        let mut options = Options::default();
        options.page_bytes = page_bytes.unwrap_or(options.page_bytes);
        let mut target = match self {
            Self::Hubs(hubs) => Target::start(hubs, scenario).await?,
            Self::There(there) => Target::there(there).await?,
            Self::Baseline(baseline) if baseline.is_server() => Target::baseline(*baseline, &options).await?,
            Self::Baseline(baseline) => return measured(*baseline, scenario, options, watch).await,
        };
        run::run(scenario, &mut target, sources, watch).await
    }
}

/// What a baseline measured by itself, as a result.
async fn measured(baseline: Baseline, scenario: &Scenario, options: Options, watch: &dyn Watch) -> Result<Run, Error> {
    watch.phase("measuring");
    let lasting = std::time::Duration::from_secs_f64(scenario.seconds.max(1.0));
    let record_bytes = scenario.text_bytes + RECORD_OVERHEAD_BYTES;
    let options = Options { senders: scenario.senders, streams: scenario.chats, record_bytes, lasting, ..options };
    let started = chrono::Utc::now();
    let rate = baseline::measure(baseline, &options).await?;
    let counts =
        Counts { sent: rate.operations, acknowledged: rate.operations, requests: rate.operations, ..Counts::default() };
    let (count, p50, p99) = (rate.operations, rate.p50, rate.p99);
    let send = Latency { count, p50, p99, ..Latency::default() };
    Ok(Run {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        sentence: scenario.sentence.clone(),
        target: results::Target {
            kind: baseline.name().to_owned(),
            version: rate.how,
            commit: commit(),
            ..results::Target::default()
        },
        machine: machine(),
        started: started.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        seconds: rate.seconds,
        settings: scenario.settings(),
        counts,
        latencies: [("send".to_owned(), send)].into(),
        ..Run::default()
    })
}
