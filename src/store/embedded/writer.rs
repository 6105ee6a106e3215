//! The one that writes. Whoever wants something written hands in a command and waits; a thread of
//! its own takes what has gathered, does it in one transaction, and answers when that is on disk.
//!
//! Promises: commands are done in the order in which they came; a command that is refused leaves no
//! trace; an answer comes after the disk has it; news of a chat, and of a customer, are told in the order
//! of the commands, after the disk has them. A transaction that fails keeps nothing, all its commands end in
//! [`StoreError::Unavailable`], and the file is opened anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::super::{Heard, Result, StoreError};
use super::ends::End;
use super::medium::{Lock, Medium};
use super::tables::{Fault, Step, Tables};
use super::tidy::Tidying;
use crate::model::{ChatKey, Micros};

/// How often the writer looks for something to tidy up, at least.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// A write transaction under way: what commands work on.
pub(super) struct Batch<'t> {
    pub(super) tables: Tables<'t>,
    /// The store's clock.
    pub(super) now: Micros,
    /// What to tell once this is on disk.
    pub(super) news: Vec<Heard>,
    /// The logs that were looked at or written to.
    pub(super) ends: HashMap<ChatKey, End>,
}

/// A command on its way through the writer.
trait Command: Send {
    /// Does it, unless it must be refused; fails only if the file does.
    fn run(&mut self, batch: &mut Batch<'_>) -> Step<()>;

    /// Answers whoever waits: with the outcome, or with why it is lost.
    fn answer(self: Box<Self>, lost: Option<&str>);
}

struct Waiting<F, T> {
    act: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Command for Waiting<F, T>
where
    F: FnOnce(&mut Batch<'_>) -> Step<T> + Send,
    T: Send,
{
    fn run(&mut self, batch: &mut Batch<'_>) -> Step<()> {
        let Some(act) = self.act.take() else { return Ok(()) };
        self.outcome = Some(match act(batch) {
            Ok(outcome) => Ok(outcome),
            Err(Fault::Stored(refused)) => Err(refused),
            Err(fault) => return Err(fault),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, lost: Option<&str>) {
        let outcome = match (lost, self.outcome) {
            (None, Some(outcome)) => outcome,
            (why, _) => Err(StoreError::Unavailable(why.unwrap_or("not written").to_owned())),
        };
        // Nobody may be waiting any more, which is theirs to know.
        let _ = self.reply.send(outcome);
    }
}

/// What arrives in the writer's queue.
enum Mail {
    Command(Box<dyn Command>),
    Close(oneshot::Sender<()>),
}

/// The way to the writer.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Mail>,
    wait: Duration,
}

impl Writer {
    /// Does the command in a transaction, and answers when it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when that takes longer than the store may wait.
    pub(super) async fn act<T, F>(&self, act: F) -> Result<T>
    where
        F: FnOnce(&mut Batch<'_>) -> Step<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = Mail::Command(Box::new(Waiting { act: Some(act), outcome: None, reply }));
        let handed_in = async {
            self.queue.send(command).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        match tokio::time::timeout(self.wait, handed_in).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unavailable("the writer did not answer in time".to_owned())),
        }
    }

    /// Whether there is a writer.
    pub(super) fn is_up(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Ends the writer: what it has not begun is lost. Returns when the file is closed.
    pub(super) async fn close(self) {
        let (done, end) = oneshot::channel();
        if self.queue.send(Mail::Close(done)).await.is_ok() {
            // An error means that the writer has ended already.
            let _ = end.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("store closed".to_owned())
}

/// The bounds of the writer; see [`super::EmbeddedSettings`].
pub(super) struct Bounds {
    pub(super) queue_max: usize,
    pub(super) batch_max: usize,
    pub(super) wait: Duration,
}

/// Starts the writer. It ends when it is closed, or when nobody can reach it any more.
///
/// # Errors
/// [`StoreError::Unavailable`] if the system gives no thread.
pub(super) fn start(medium: Arc<Medium>, lock: Lock, heard: mpsc::Sender<Heard>, bounds: Bounds) -> Result<Writer> {
    let (queue, mail) = mpsc::channel(bounds.queue_max);
    let failed = |error: std::io::Error| StoreError::Unavailable(format!("cannot start the writer: {error}"));
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let tidying = Tidying::default();
    let desk = Desk { medium, heard, clock, mail, batch_max: bounds.batch_max, tidying };
    std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || desk.work(lock)).map_err(failed)?;
    Ok(Writer { queue, wait: bounds.wait })
}

/// The writer's thread.
struct Desk {
    medium: Arc<Medium>,
    heard: mpsc::Sender<Heard>,
    /// Only to wait for mail with a limit.
    clock: tokio::runtime::Runtime,
    mail: mpsc::Receiver<Mail>,
    batch_max: usize,
    tidying: Tidying,
}

impl Desk {
    fn work(mut self, lock: Lock) {
        let mut tidied = Instant::now();
        let mut more_to_tidy = false;
        let closing = loop {
            let patience = if more_to_tidy { Duration::ZERO } else { TIDY_EVERY };
            let mut commands = Vec::new();
            let mut closing = None;
            match self.next(patience) {
                Some(Some(Mail::Command(first))) => {
                    commands.push(first);
                    closing = self.gather(&mut commands);
                }
                Some(Some(Mail::Close(done))) => closing = Some(done),
                Some(None) => break None,
                None => {}
            }
            let idle = commands.is_empty();
            if !idle {
                self.write(commands);
            }
            if closing.is_some() {
                break closing;
            }
            if idle || tidied.elapsed() >= TIDY_EVERY {
                more_to_tidy = self.tidy();
                tidied = Instant::now();
            }
        };
        // Whoever still waits is told, before the file is put in order.
        drop(self.mail);
        self.tidying.finish(&self.medium);
        self.medium.close();
        drop(lock);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// The next mail; `Some(None)` when there will be none, `None` when there was none for so long.
    fn next(&mut self, patience: Duration) -> Option<Option<Mail>> {
        let mail = &mut self.mail;
        self.clock.block_on(async { tokio::time::timeout(patience, mail.recv()).await.ok() })
    }

    /// Takes what else has come meanwhile, up to a batch or the word to close.
    fn gather(&mut self, commands: &mut Vec<Box<dyn Command>>) -> Option<oneshot::Sender<()>> {
        while commands.len() < self.batch_max {
            match self.mail.try_recv() {
                Ok(Mail::Command(command)) => commands.push(command),
                Ok(Mail::Close(done)) => return Some(done),
                Err(_) => break,
            }
        }
        None
    }

    /// Does the commands in one transaction, answers them and tells the news.
    fn write(&mut self, mut commands: Vec<Box<dyn Command>>) {
        let written = self.medium.write(|batch| {
            for command in &mut commands {
                command.run(batch)?;
            }
            Ok(std::mem::take(&mut batch.news))
        });
        match written {
            Ok(mut news) => {
                // Before the answers: what was acknowledged before a channel was watched stays unheard.
                news.retain(|heard| self.medium.is_watched(heard));
                for command in commands {
                    command.answer(None);
                }
                for heard in news {
                    // Waits if the fan-out is behind; without a receiver there is nobody to tell.
                    let _ = self.heard.blocking_send(heard);
                }
            }
            Err(fault) => {
                let why = StoreError::from(fault).to_string();
                tracing::error!(error = %why, commands = commands.len(), "transaction failed, opening the file anew");
                self.medium.reopen();
                for command in commands {
                    command.answer(Some(&why));
                }
            }
        }
    }

    /// One step of tidying up; whether there is more to do at once.
    fn tidy(&mut self) -> bool {
        if self.medium.is_broken() {
            self.medium.reopen();
            return false;
        }
        match self.tidying.step(&self.medium) {
            Ok(more) => more,
            Err(fault) => {
                let error = StoreError::from(fault);
                tracing::warn!(%error, "tidying up failed");
                self.medium.reopen();
                false
            }
        }
    }
}
