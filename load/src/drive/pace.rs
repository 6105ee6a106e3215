//! When something is to be done: at a rate that does not ask whether the server can follow, or by agents who think.
//!
//! A thread of its own, because the timer of the senders' runtime has steps of a millisecond and a sender may be busy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::jobs::{Job, Jobs};
use crate::gauge::clock::Clock;
use crate::gauge::tally::Shared;
use crate::scenario::{Arrivals, Pace, Scenario};

/// The next moment is not awaited for longer, so that a stop is heard.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// The door to the thread. Dropping it ends the thread; nothing is due any more.
#[derive(Debug)]
pub struct Pacer {
    answered: Option<Sender<u32>>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// Begins to push what is due. Without anything to do at a time (a window, or nothing at all) there is no thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(scenario: &Scenario, clock: Clock, jobs: Arc<Jobs>, tally: Shared) -> std::io::Result<Self> {
        let (answered, answers) = channel();
        let chance = fastrand::Rng::with_seed(scenario.seed);
        let timing = Timing { pace: scenario.pace, chance };
        let (rate, think) = (scenario.rate, scenario.think_ms * 1e3);
        let people = u32::try_from(scenario.people).unwrap_or(u32::MAX);
        let work: Box<dyn FnOnce() + Send> = match scenario.arrivals {
            Arrivals::Rate => Box::new(move || at_a_rate(timing, 1e6 / rate, clock, &jobs, &tally, &answers)),
            Arrivals::Think => Box::new(move || thinking(timing, think, people, clock, &jobs, &tally, &answers)),
            Arrivals::Window | Arrivals::None => return Ok(Self { answered: None, thread: None }),
        };
        let thread = std::thread::Builder::new().name("pacer".to_owned()).spawn(work)?;
        Ok(Self { answered: Some(answered), thread: Some(thread) })
    }

    /// Where to say that an agent has its answer, and begins to think.
    #[must_use]
    pub fn answered(&self) -> Option<Sender<u32>> {
        self.answered.clone()
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        // u32::MAX is nobody: the sign to end, since senders may hold the channel open still.
        if let Some(answered) = self.answered.take() {
            answered.send(u32::MAX).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Timing {
    pace: Pace,
    chance: fastrand::Rng,
}

impl Timing {
    /// The next gap around a mean, in microseconds.
    fn gap(&mut self, mean: f64) -> f64 {
        match self.pace {
            Pace::Constant => mean,
            // 1 - f64() is never 0.
            Pace::Poisson => -mean * (1.0 - self.chance.f64()).ln(),
        }
    }
}

fn at_a_rate(mut timing: Timing, mean: f64, clock: Clock, jobs: &Jobs, tally: &Shared, stop: &Receiver<u32>) {
    let mut due = clock.now() as f64;
    loop {
        due += timing.gap(mean);
        let moment = due as u64;
        while clock.now() < moment {
            match stop.recv_timeout(clock.until(moment).min(WAIT_MAX)) {
                Ok(u32::MAX) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        push(jobs, Job { due: moment, agent: None }, tally);
        // When it is late all the time, a stop must be heard all the same.
        if stop.try_iter().any(|agent| agent == u32::MAX) {
            return;
        }
    }
}

fn thinking(
    mut timing: Timing,
    mean: f64,
    people: u32,
    clock: Clock,
    jobs: &Jobs,
    tally: &Shared,
    answers: &Receiver<u32>,
) {
    let begin = clock.now();
    // Nobody begins at the same time as another.
    let spread = |agent: u32| begin + (mean * f64::from(agent) / f64::from(people.max(1))) as u64;
    let mut due: BinaryHeap<Reverse<(u64, u32)>> = (0..people).map(|agent| Reverse((spread(agent), agent))).collect();
    loop {
        let now = clock.now();
        while let Some(Reverse((moment, agent))) = due.peek().copied().filter(|Reverse((moment, _))| *moment <= now) {
            due.pop();
            if !push(jobs, Job { due: moment, agent: Some(agent) }, tally) {
                due.push(Reverse((now + timing.gap(mean) as u64, agent)));
            }
        }
        let next = due.peek().map_or(WAIT_MAX, |Reverse((moment, _))| clock.until(*moment));
        match answers.recv_timeout(next.min(WAIT_MAX)) {
            Ok(u32::MAX) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(agent) => due.push(Reverse((clock.now() + timing.gap(mean) as u64, agent))),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn push(jobs: &Jobs, job: Job, tally: &Shared) -> bool {
    let pushed = jobs.push(job);
    if !pushed {
        tally.fill().counts.failed += 1;
    }
    pushed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(scenario: &Scenario, count: usize) -> Vec<Job> {
        let (clock, jobs) = (Clock::start(), Arc::new(Jobs::new(count)));
        let tally = Shared::default();
        let pacer = Pacer::start(scenario, clock, Arc::clone(&jobs), tally.clone()).expect("a thread");
        // The one that finds the queue full is the one after those that are wanted.
        while tally.fill().counts.failed == 0 {
            std::thread::yield_now();
        }
        drop(pacer);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        (0..count).filter_map(|_| runtime.block_on(jobs.next())).collect()
    }

    #[test]
    fn a_constant_pace_is_one_and_does_not_wait_for_answers() {
        let scenario = Scenario { rate: 5_000.0, pace: Pace::Constant, ..Scenario::default() };
        let due = due(&scenario, 100);
        let gaps: Vec<_> = due.windows(2).map(|pair| pair[1].due - pair[0].due).collect();
        assert!(gaps.iter().all(|gap| (199..=201).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn arrivals_of_strangers_have_the_mean_and_no_pattern() {
        let due = due(&Scenario { rate: 50_000.0, ..Scenario::default() }, 4_000);
        let gaps: Vec<_> = due.windows(2).map(|pair| (pair[1].due - pair[0].due) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((17.0..23.0).contains(&mean), "{mean}");
        assert!(gaps.iter().any(|gap| *gap > 60.0) && gaps.iter().any(|gap| *gap < 4.0));
    }

    #[test]
    fn who_has_no_answer_does_nothing_more() {
        let scenario = Scenario { arrivals: Arrivals::Think, people: 3, think_ms: 1.0, ..Scenario::default() };
        let (clock, jobs) = (Clock::start(), Arc::new(Jobs::new(100)));
        let pacer = Pacer::start(&scenario, clock, Arc::clone(&jobs), Shared::default()).expect("a thread");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let next = || runtime.block_on(jobs.next()).and_then(|job| job.agent);
        let mut first: Vec<_> = (0..3).filter_map(|_| next()).collect();
        first.sort_unstable();
        assert_eq!(first, [0, 1, 2]);
        pacer.answered().expect("thinkers").send(1).expect("listening");
        assert_eq!(next(), Some(1), "only who was answered");
    }
}
