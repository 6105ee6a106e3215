//! Reads of many askers as one.
//!
//! Ten thousand clients that come back at once ask the same things. Whoever asks while a read of
//! the same group is under way waits for the next one, which answers everybody who waits. No
//! answer comes from a read that began before it was asked for: what was acknowledged before is
//! seen, as if everybody had read alone. In a crowd no two reads of a group begin within
//! [`Together`]'s spacing, so that what a store is asked grows with groups and time, and not with
//! askers; whoever comes alone waits for nobody. Without a spacing nobody waits but for the read
//! that is under way.
//!
//! Who waits is bounded by who may ask: this room holds no bound of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::{Result, StoreError};

/// Items of one read at most.
const READ_ITEMS_MAX: usize = 256;
/// Reads of a group in a row that follow each other at once; more are a crowd.
const READS_AT_ONCE: u32 = 8;

type Read<G, I, V> = dyn Fn(G, Vec<I>) -> BoxFuture<'static, Result<Vec<V>>> + Send + Sync;
type Waiting<I, V> = Vec<(I, oneshot::Sender<Result<V>>)>;

/// Who waits, and how the one who reads for them is woken.
struct Group<I, V> {
    waiting: Waiting<I, V>,
    come: Arc<Notify>,
}

/// Reads of items `I`, of which those of one group `G` can be read at once. Cheap to clone.
pub struct Together<G, I, V> {
    /// Who waits, by group. A group is here while it is read, and for the spacing afterwards.
    groups: Arc<Mutex<HashMap<G, Group<I, V>>>>,
    read: Arc<Read<G, I, V>>,
    spacing: Option<Duration>,
    /// Where it is read; `None`: where the first asker is.
    runtime: Option<Handle>,
}

impl<G, I, V> Clone for Together<G, I, V> {
    fn clone(&self) -> Self {
        Self {
            groups: Arc::clone(&self.groups),
            read: Arc::clone(&self.read),
            spacing: self.spacing,
            runtime: self.runtime.clone(),
        }
    }
}

impl<G, I, V> Together<G, I, V>
where
    G: Clone + Eq + Hash + Send + 'static,
    I: Clone + Send + 'static,
    V: Send + 'static,
{
    /// Reads with this, which answers as many values as it was given items, in their order.
    pub fn new(
        spacing: Duration,
        read: impl Fn(G, Vec<I>) -> BoxFuture<'static, Result<Vec<V>>> + Send + Sync + 'static,
    ) -> Self {
        Self { groups: Arc::default(), read: Arc::new(read), spacing: Some(spacing), runtime: None }
    }

    /// The same without a spacing, and on this runtime.
    pub fn at_once(
        runtime: Handle,
        read: impl Fn(G, Vec<I>) -> BoxFuture<'static, Result<Vec<V>>> + Send + Sync + 'static,
    ) -> Self {
        Self { groups: Arc::default(), read: Arc::new(read), spacing: None, runtime: Some(runtime) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<G, Group<I, V>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for an item. Whoever stops waiting stops nobody else.
    ///
    /// # Errors
    /// What the read that answers it ended with.
    pub async fn ask(&self, group: G, item: I) -> Result<V> {
        let (reply, answer) = oneshot::channel();
        let first = {
            let mut groups = self.lock();
            match groups.get_mut(&group) {
                Some(found) => {
                    found.waiting.push((item, reply));
                    found.come.notify_one();
                    None
                }
                None => {
                    let come = Arc::new(Notify::new());
                    groups.insert(group.clone(), Group { waiting: vec![(item, reply)], come: Arc::clone(&come) });
                    Some(come)
                }
            }
        };
        if let Some(come) = first {
            // On its own, so that it goes on when this asker hangs up.
            let serving = self.clone().serve(group, come);
            match &self.runtime {
                Some(runtime) => drop(runtime.spawn(serving)),
                None => drop(tokio::spawn(serving)),
            }
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the node is leaving".to_owned())))
    }

    /// Reads for those who wait, until for the spacing nobody does.
    async fn serve(self, group: G, come: Arc<Notify>) {
        let mut reads = 0;
        while let Some(waiting) = self.next(&group) {
            let (items, replies): (Vec<I>, Vec<_>) = waiting.into_iter().unzip();
            let asked = items.len();
            match (self.read)(group.clone(), items).await {
                Ok(values) if values.len() == asked => {
                    for (reply, value) in replies.into_iter().zip(values) {
                        let _ = reply.send(Ok(value));
                    }
                }
                Ok(values) => {
                    let why = format!("{} answers to {asked} questions", values.len());
                    replies.into_iter().for_each(|reply| drop(reply.send(Err(StoreError::Corrupt(why.clone())))));
                }
                Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
            }
            reads += 1;
            let Some(spacing) = self.spacing else { continue };
            if reads < READS_AT_ONCE {
                // Either somebody has come, or nobody did.
                let _ = tokio::time::timeout(spacing, come.notified()).await;
            } else {
                tokio::time::sleep(spacing).await;
            }
        }
    }

    /// Those who wait, as many as one read takes. `None`, and the group is gone, when nobody does.
    fn next(&self, group: &G) -> Option<Waiting<I, V>> {
        let mut groups = self.lock();
        let waiting = &mut groups.get_mut(group)?.waiting;
        if waiting.is_empty() {
            groups.remove(group);
            return None;
        }
        let rest = waiting.split_off(waiting.len().min(READ_ITEMS_MAX));
        Some(std::mem::replace(waiting, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    const SPACING: Duration = Duration::from_millis(5);

    /// Doubles numbers, one read at a time, and counts the reads and the truth they saw.
    fn doubling(reads: &Arc<AtomicUsize>, truth: &Arc<AtomicUsize>) -> Together<&'static str, usize, (usize, usize)> {
        let (reads, truth) = (Arc::clone(reads), Arc::clone(truth));
        Together::new(SPACING, move |_, items: Vec<usize>| {
            reads.fetch_add(1, Ordering::SeqCst);
            let seen = truth.load(Ordering::SeqCst);
            Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(items.into_iter().map(|item| (item * 2, seen)).collect())
            })
        })
    }

    /// With a spacing and without.
    fn both(reads: &Arc<AtomicUsize>, truth: &Arc<AtomicUsize>) -> [Together<&'static str, usize, (usize, usize)>; 2] {
        let at_once = Together { spacing: None, runtime: Some(Handle::current()), ..doubling(reads, truth) };
        [doubling(reads, truth), at_once]
    }

    #[tokio::test]
    async fn everybody_gets_its_own_answer_from_few_reads() {
        let (reads, truth) = (Arc::default(), Arc::default());
        for together in both(&reads, &truth) {
            let answers = join_all((0..500).map(|item| together.ask("one", item))).await;
            for (item, answer) in answers.into_iter().enumerate() {
                assert_eq!(answer.expect("an answer").0, item * 2);
            }
            assert!(reads.swap(0, Ordering::SeqCst) <= 3, "{reads:?} reads");
        }
    }

    #[tokio::test]
    async fn no_answer_is_older_than_its_question() {
        let (reads, truth) = (Arc::default(), Arc::<AtomicUsize>::default());
        for together in both(&reads, &truth) {
            for _ in 0..200 {
                let acknowledged = truth.fetch_add(1, Ordering::SeqCst) + 1;
                let others = join_all((0..3).map(|item| together.ask("one", item)));
                let (seen, _) = tokio::join!(together.ask("one", 9), others);
                assert!(seen.expect("an answer").1 >= acknowledged);
            }
        }
    }

    #[tokio::test]
    async fn a_read_that_fails_is_told_to_all_who_waited_and_the_next_is_tried() {
        let fails = Arc::new(AtomicUsize::new(1));
        let counted = Arc::clone(&fails);
        let together: Together<(), (), ()> = Together::new(SPACING, move |(), items: Vec<()>| {
            let failed = counted.fetch_sub(1, Ordering::SeqCst) == 1;
            Box::pin(async move { if failed { Err(StoreError::Unavailable("away".to_owned())) } else { Ok(items) } })
        });
        assert!(together.ask((), ()).await.is_err());
        assert!(together.ask((), ()).await.is_ok());
    }
}
