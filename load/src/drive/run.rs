//! Leads through one run: set-up, sockets, warm-up, measuring, settling, and the result.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fitting::fitting;
use super::hall::Hall;
use super::jobs::Jobs;
use super::listener::{Listener, Speed, Wanted};
use super::pace::Pacer;
use super::people;
use super::publisher::Publisher;
use super::sender::{Sender, Work};
use super::target::{self, Target};
use crate::baseline;
use crate::client::Dialect;
use crate::client::stream::Sources;
use crate::gauge::clock::micros;
use crate::gauge::machine::machine;
use crate::gauge::process;
use crate::gauge::recorder::{Recorded, Recorder};
use crate::gauge::tally::{Shared, Span};
use crate::results::{Run, SCHEMA, Second};
use crate::scenario::{Arrivals, Scenario};

/// How long what was due may take after the load, and after that what is under way.
const DRAIN_WITHIN: Duration = Duration::from_secs(25);
/// How often it is asked whether everybody has everything.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Why a run could not be run to its end. Violations are no such reason: they are in the result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Target(#[from] target::Error),
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: std::io::Error },
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
    #[error("{0}")]
    Wrong(String),
}

impl Error {
    /// Whether something is not on this machine that the target needs.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let (Self::Baseline(error) | Self::Target(target::Error::Baseline(error))) = self else { return false };
        matches!(error, baseline::Error::Missing { .. })
    }
}

/// Who is told how far a run is.
pub trait Watch: Sync {
    /// It begins with something else.
    fn phase(&self, words: &str);
    /// So many of how many are done, in this phase.
    fn done(&self, done: u64, of: u64);
    /// A second of load; `at` of `seconds`, which are negative while it warms up.
    fn second(&self, second: &Second, seconds: f64);
}

/// Runs a scenario against a target, from these source addresses.
///
/// # Errors
/// It could not be run to its end.
pub async fn run(
    scenario: &Scenario,
    target: &mut Target,
    sources: &[IpAddr],
    watch: &dyn Watch,
) -> Result<Run, Error> {
    let scenario = fitting(scenario, target)?;
    let sources = Arc::new(Sources::new(sources.to_vec()));
    watch.phase("making agents and chats");
    let hall = people::make(target, &scenario, sources, &|done, of| watch.done(done, of)).await?;
    let hall = Arc::new(hall);
    let starts = Shared::default();
    restart(&scenario, target, &starts, watch).await?;
    let rss_begin = process::usage(&target.pids).rss_bytes;
    let io = |doing| move |source| Error::Io { doing, source };
    let listener = Listener::start(Arc::clone(&hall)).map_err(io("starting to listen"))?;
    connect(&scenario, target, &hall, &listener, watch).await?;
    let rss_connected = process::usage(&target.pids).rss_bytes;
    let started = chrono::Utc::now();
    let mut course = Course::begin(&scenario, target, Arc::clone(&hall), listener, starts).await?;
    let started = started + chrono::Duration::milliseconds((scenario.warm_up_seconds * 1e3) as i64);
    course.measure(watch).await;
    watch.phase("waiting until everybody has everything");
    course.stalled().await?;
    let recorded = course.settle(target).await;
    if let Some(words) = target.ended() {
        return Err(Error::Wrong(words.trim_end().to_owned()));
    }
    let mut run = result(&scenario, target, &hall, recorded);
    run.started = started.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    run.server.rss_begin_bytes = rss_begin;
    run.server.rss_connected_bytes = rss_connected;
    if scenario.connections > 0 {
        // What a server puts off until later is its connections' all the same.
        let most = rss_connected.max(run.server.rss_end_bytes);
        run.server.rss_bytes_per_connection = most.saturating_sub(rss_begin) as f64 / scenario.connections as f64;
    }
    Ok(run)
}

async fn restart(scenario: &Scenario, target: &mut Target, tally: &Shared, watch: &dyn Watch) -> Result<(), Error> {
    for number in 0..scenario.restarts {
        watch.phase("starting the hub again");
        watch.done(number as u64, scenario.restarts as u64);
        let took = target.restart().await?;
        tally.fill().took(Span::Start, micros(took.as_secs_f64()));
    }
    Ok(())
}

async fn connect(
    scenario: &Scenario,
    target: &Target,
    hall: &Hall,
    listener: &Listener,
    watch: &dyn Watch,
) -> Result<(), Error> {
    if scenario.connections == 0 {
        return Ok(());
    }
    watch.phase("opening sockets");
    let place = |number: usize, of: usize| u32::try_from(number % of.max(1)).unwrap_or_default();
    let stalled = scenario.stalled();
    let wanted = (0..scenario.connections).map(|number| Wanted {
        agent: place(number, hall.agents.len()),
        node: place(number, hall.nodes.len()),
        narrow: number < stalled,
    });
    let speed = Speed { at_once: scenario.connect_at_once, per_second: scenario.connect_per_second };
    listener.open(wanted.collect(), speed);
    let count = scenario.connections as u64;
    let within = Duration::from_secs_f64(scenario.connect_seconds);
    let begin = std::time::Instant::now();
    if listener.comes_up(count, within, |live| watch.done(live, count)).await {
        return Ok(());
    }
    let live = listener.live();
    let first = hall.violations.first().first().cloned().or_else(|| listener.refusal());
    let mut why = first.map(|words| format!(": {words}")).unwrap_or_default();
    if target.pids.iter().any(|pid| process::is_out_of_descriptors(*pid)) {
        "; a server has no descriptors left: raise ulimit -n".clone_into(&mut why);
    }
    Err(Error::Wrong(format!("only {live} of {count} sockets came up within {:.1?}{why}", begin.elapsed())))
}

/// A run from its first deed on.
struct Course<'a> {
    scenario: &'a Scenario,
    hall: Arc<Hall>,
    listener: Listener,
    work: Arc<Work>,
    pacer: Option<Pacer>,
    recorder: Recorder,
    tasks: JoinSet<()>,
}

impl<'a> Course<'a> {
    async fn begin(
        scenario: &'a Scenario,
        target: &Target,
        hall: Arc<Hall>,
        listener: Listener,
        starts: Shared,
    ) -> Result<Self, Error> {
        listener.stall(scenario.stalled());
        let jobs = Arc::new(Jobs::new(scenario.waiting_max));
        let window = Arc::new(Semaphore::new(scenario.window));
        let tally = Shared::default();
        let paced = Pacer::start(scenario, hall.clock, Arc::clone(&jobs), tally.clone());
        let pacer = paced.map_err(|source| Error::Io { doing: "starting the pace", source })?;
        let reactions = (0..hall.chats.len()).map(|_| AtomicUsize::new(0)).collect();
        let work = Arc::new(Work {
            hall: Arc::clone(&hall),
            scenario: scenario.clone(),
            jobs,
            window: Arc::clone(&window),
            answered: pacer.answered(),
            tally: tally.clone(),
            reactions,
            page: target.page.clone(),
        });
        if scenario.arrivals == Arrivals::Window && work.waits_for_hearers() {
            listener.window(window);
        }
        let tallies = vec![listener.tally(), tally, starts];
        let recorder = Recorder::new(hall.clock, tallies, target.pids.clone(), target.redis.clone());
        let mut tasks = JoinSet::new();
        if scenario.arrivals != Arrivals::None {
            if hall.dialect == Dialect::Hub {
                for number in 0..scenario.senders {
                    tasks.spawn(Sender::new(Arc::clone(&work), number)?.run());
                }
            } else {
                tasks.spawn(Publisher::connect(Arc::clone(&work)).await?.run());
            }
        }
        Ok(Self { scenario, hall, listener, work, pacer: Some(pacer), recorder, tasks })
    }

    async fn measure(&mut self, watch: &dyn Watch) {
        let scenario = self.scenario;
        if scenario.warm_up_seconds > 0.0 {
            watch.phase("warming up");
            self.recorder.begin().await;
            self.seconds(scenario.warm_up_seconds, -1.0, watch).await;
        }
        watch.phase("measuring");
        self.recorder.begin().await;
        self.seconds(scenario.seconds, scenario.seconds, watch).await;
    }

    /// Lets time pass, and records each second of it.
    async fn seconds(&mut self, seconds: f64, shown: f64, watch: &dyn Watch) {
        let begin = tokio::time::Instant::now();
        let at = |seconds: f64| begin + Duration::from_secs_f64(seconds);
        let measuring = shown >= 0.0;
        let mut drop_at = (measuring && self.scenario.dropped() > 0).then_some(self.scenario.drop_after_seconds);
        let (mut next, mut stopped) = (1.0_f64, false);
        while !stopped {
            let until = next.min(seconds);
            if let Some(moment) = drop_at.filter(|moment| *moment <= until) {
                tokio::time::sleep_until(at(moment)).await;
                self.drop_some();
                drop_at = None;
            }
            tokio::time::sleep_until(at(until)).await;
            stopped = until >= seconds;
            let second = self.recorder.second(self.listener.live()).await;
            watch.second(&second, shown);
            next += 1.0;
        }
    }

    fn drop_some(&self) {
        let at_once = match self.scenario.back_at_once {
            0 => usize::MAX,
            some => some,
        };
        self.listener.drop_some(self.scenario.dropped(), Speed { at_once, per_second: 0.0 });
    }

    /// Ends the load, waits until everybody has everything, and judges.
    async fn settle(mut self, target: &Target) -> Recorded {
        drop(self.pacer.take());
        self.work.jobs.close();
        self.work.window.close();
        // What was due is done, late as it may be; after a while only what is under way.
        if !self.drained().await {
            self.work.tally.fill().counts.failed += self.work.jobs.give_up();
            if !self.drained().await {
                let left = self.tasks.len();
                self.hall.violations.add(|| format!("{left} requests had no answer {DRAIN_WITHIN:?} after the load"));
            }
        }
        self.tasks.shutdown().await;
        self.judge(target).await;
        self.recorder.end()
    }

    /// Sockets that are not read must have held something up, or nothing was learned from them.
    async fn stalled(&self) -> Result<(), Error> {
        let (wanted, delivered) = (self.scenario.stalled(), self.listener.tally().fill().counts.delivered);
        if wanted == 0 || self.recorder.delivered() + delivered == 0 {
            return Ok(());
        }
        if self.listener.held_up().await > 0 {
            return Ok(());
        }
        Err(Error::Wrong(format!("none of {wanted} sockets that are not read was closed or full: turn the load up")))
    }

    /// Waits until all senders are done; whether they are.
    async fn drained(&mut self) -> bool {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(DRAIN_WITHIN, all).await.is_ok()
    }

    async fn judge(&self, target: &Target) {
        let within = Duration::from_secs_f64(self.scenario.settle_seconds);
        let count = (self.scenario.connections - self.scenario.stalled()) as u64;
        // Orders are done one after the other: with this answer, whoever was to be dropped is.
        self.listener.missing(Vec::new()).await;
        if count > 0 && !self.listener.comes_up(count, within, |_| {}).await {
            let live = self.listener.live();
            self.hall.violations.add(|| format!("only {live} of {count} sockets are up {within:?} after the load"));
        }
        let newest = match self.newest(target).await {
            Ok(newest) => newest,
            Err(error) => {
                self.hall.violations.add(|| format!("the end of the chats cannot be read: {error}"));
                return;
            }
        };
        if count == 0 {
            return;
        }
        let end = tokio::time::Instant::now() + within;
        let mut ticks = tokio::time::interval(ASK_EVERY);
        loop {
            ticks.tick().await;
            let missing = self.listener.missing(newest.clone()).await;
            if missing.count == 0 {
                return;
            }
            if tokio::time::Instant::now() > end {
                let unsaid = missing.count.saturating_sub(missing.first.len() as u64);
                missing.first.into_iter().for_each(|words| self.hall.violations.add(|| words));
                (0..unsaid).for_each(|_| self.hall.violations.add(|| "somebody else never got everything".to_owned()));
                return;
            }
        }
    }

    /// Where each chat stands that was written to: what was acknowledged, and what the hub says.
    async fn newest(&self, target: &Target) -> crate::client::Result<Vec<(u32, u64)>> {
        let written = (0..).zip(&self.hall.chats).filter_map(|(place, chat)| Some((place, chat.least()?)));
        let written: Vec<(u32, u64)> = written.collect();
        if target.dialect != Dialect::Hub || written.is_empty() {
            return Ok(written);
        }
        let places: Vec<u32> = written.iter().map(|(place, _)| *place).collect();
        let said: BTreeMap<u32, u64> = people::newest(&self.hall, &places).await?.into_iter().collect();
        for (place, acknowledged, head) in lost(&written, &said) {
            self.hall.violations.add(|| {
                let chat = super::socket::chat_name(&self.hall, place);
                format!("{chat} must stand at event {acknowledged} by what was acknowledged, and its newest is {head}")
            });
        }
        Ok(said.into_iter().collect())
    }
}

/// Chats that do not reach as far as was acknowledged: how far that is, and how far they do.
fn lost(acknowledged: &[(u32, u64)], said: &BTreeMap<u32, u64>) -> Vec<(u32, u64, u64)> {
    let head = |place: &u32| said.get(place).copied().unwrap_or_default();
    let all = acknowledged.iter().map(|(place, seq)| (*place, *seq, head(place)));
    all.filter(|(_, seq, head)| head < seq).collect()
}

fn result(scenario: &Scenario, target: &Target, hall: &Hall, recorded: Recorded) -> Run {
    Run {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        sentence: scenario.sentence.clone(),
        target: target.info.clone(),
        machine: machine(),
        seconds: recorded.seconds,
        settings: scenario.settings(),
        latencies: recorded.latencies().collect(),
        counts: recorded.total.counts,
        timeline: recorded.rows,
        server: recorded.server,
        redis: recorded.redis,
        violations: hall.violations.first(),
        violations_count: hall.violations.count(),
        ..Run::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_and_is_not_there_is_lost() {
        let said = BTreeMap::from([(0, 5), (1, 7)]);
        assert_eq!(lost(&[(0, 5), (1, 6)], &said), []);
        assert_eq!(lost(&[(0, 6), (1, 7), (2, 1)], &said), [(0, 6, 5), (2, 1, 0)]);
    }
}
