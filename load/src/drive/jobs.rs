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
        let mut queue = self.lock();
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
        if let Ok(permit) = self.ready.acquire().await {
            permit.forget();
        }
        // Closed, what waits is done all the same: it was due.
        self.lock().pop_front()
    }

    /// There will be no more; those that wait are still given out.
    pub fn close(&self) {
        self.ready.close();
    }

    /// Takes back what nobody has begun: how many they were.
    pub fn give_up(&self) -> u64 {
        std::mem::take(&mut *self.lock()).len() as u64
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Job>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(jobs.next().await.map(|job| job.due), Some(2), "it was due before the end");
        assert_eq!(jobs.next().await, None);
    }

    #[tokio::test]
    async fn what_is_given_up_is_counted_and_not_given_out() {
        let jobs = Jobs::new(2);
        assert!([1, 2].into_iter().all(|due| jobs.push(Job { due, agent: None })));
        assert_eq!((jobs.give_up(), jobs.give_up()), (2, 0));
        jobs.close();
        assert_eq!(jobs.next().await, None);
    }
}
