//! What is to be done: a bounded queue between whoever says when, and the senders who do it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Something that should be done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Microseconds of the run's clock.
    pub due: u64,
    /// By whom; anybody when `None`.
    pub agent: Option<u32>,
}

/// See the module.
#[derive(Debug)]
pub struct Jobs {
    queue: Mutex<VecDeque<Job>>,
    waiting_max: usize,
    ready: Semaphore,
}

impl Jobs {
    /// An empty queue for so many.
    #[must_use]
    pub fn new(waiting_max: usize) -> Self {
        Self { queue: Mutex::default(), waiting_max, ready: Semaphore::new(0) }
    }

    /// One more, unless there are too many. Callable from any thread.
    pub fn push(&self, job: Job) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() >= self.waiting_max {
            return false;
        }
        queue.push_back(job);
        drop(queue);
        self.ready.add_permits(1);
        true
    }

    /// The next, in the order in which they came; `None` when there will be no more.
    pub async fn next(&self) -> Option<Job> {
        self.ready.acquire().await.ok()?.forget();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// There will be no more; those that wait are not begun.
    pub fn close(&self) {
        self.ready.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_has_a_bound_and_an_end() {
        let jobs = Jobs::new(2);
        let pushed = [1, 2, 3].map(|due| jobs.push(Job { due, agent: None }));
        assert_eq!(pushed, [true, true, false]);
        assert_eq!(jobs.next().await.map(|job| job.due), Some(1));
        jobs.close();
        assert_eq!(jobs.next().await, None);
    }
}
