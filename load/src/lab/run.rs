//! One run: set up, load with faults, heal, catch up, read the end, judge. Ends by itself, whatever happens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::audit;
use super::check::{self, report::Report};
use super::dice::Dice;
use super::doorkeeper::Doorkeeper;
use super::faults;
use super::fleet::Fleet;
use super::people::{People, Room, Size};
use super::phase::{Phase, Progress};
use super::plan::{self, Durability, Kind, Lane, Topology};
use super::reader::Reader;
use super::record::{Book, Line, Run};
use super::rounds;
use super::soak;
use super::stage::{Stage, Wanted, ms};
use super::voice::say;
use super::writer::{Writer, whisper};
use crate::gauge::clock::Clock;

/// How long readers have to catch up when all is healed.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(60);
/// How long writers have to settle their last calls: their own patience, and some.
const SETTLE_WITHIN: Duration = Duration::from_secs(100);
/// How long everything after the load may take in all, before the run is given up.
const END_WITHIN: Duration = Duration::from_secs(600);
/// How often each quiet chat is written to, on average over all of them.
const WHISPER_EVERY: Duration = Duration::from_secs(3);
/// How often somebody comes, goes or renames.
const DOOR_EVERY: Duration = Duration::from_millis(400);

/// What is done to the fleet while it works.
#[derive(Clone, Debug)]
pub enum Torment {
    /// So many faults a minute, of all kinds or of these.
    Schedule { per_minute: u64, only: Vec<Kind> },
    /// So many failovers, one after the other, each after replication had lost bytes.
    Failovers(u32),
    /// Faults at a low rate that leave the hubs' processes alone, and samples of what the hubs use.
    Soak { per_minute: u64 },
}

/// A run to be.
#[derive(Clone, Debug)]
pub struct Order {
    /// What it is called in the table.
    pub part: String,
    pub wanted: Wanted,
    pub seed: u64,
    pub seconds: u64,
    /// Messages a second, all writers together.
    pub rate: u64,
    /// Sockets of each agent.
    pub sockets: usize,
    pub size: Size,
    pub torment: Torment,
    /// The safeguard that is switched off in the hub, if one is.
    pub sabotage: String,
    /// Where the record goes.
    pub dir: PathBuf,
}

impl Order {
    /// A run with the usual load.
    #[must_use]
    pub fn new(part: &str, wanted: Wanted, seed: u64, seconds: u64, dir: &Path) -> Self {
        Self {
            part: part.to_owned(),
            wanted,
            seed,
            seconds,
            rate: 400,
            sockets: 2,
            size: Size::default(),
            torment: Torment::Schedule { per_minute: 50, only: Vec::new() },
            sabotage: String::new(),
            dir: dir.join(part),
        }
    }

    fn title(&self) -> Run {
        let (topology, durability): (Topology, Durability) = (self.wanted.topology, self.wanted.durability);
        Run {
            part: self.part.clone(),
            topology: topology.name().to_owned(),
            durability: durability.name().to_owned(),
            seed: self.seed,
            seconds: self.seconds,
            keeps: durability.keeps(topology),
            sabotage: self.sabotage.clone(),
        }
    }
}

/// What a run works with.
pub struct Scene {
    pub stage: Stage,
    pub fleet: Fleet,
    pub people: Arc<People>,
    pub order: Order,
}

/// Runs it and judges its record; the report is also in `report.json` beside the record.
///
/// # Errors
/// It could not be run to its end; what there is of the record is kept.
pub async fn run(order: Order) -> Result<Report, String> {
    std::fs::create_dir_all(&order.dir).map_err(said)?;
    let dir = order.dir.clone();
    let stage = Stage::start(&order.wanted).await.map_err(said)?;
    let fleet = Fleet::new(stage.addresses(), Clock::start()).map_err(said)?;
    let played = play(order, stage, fleet).await;
    played?;
    let report = tokio::task::spawn_blocking(move || judge(&dir)).await.map_err(said)??;
    Ok(report)
}

/// Judges a record and writes `report.json` beside it.
///
/// # Errors
/// It cannot be read or written.
pub fn judge(dir: &Path) -> Result<Report, String> {
    let report = check::check(dir).map_err(said)?;
    let text = serde_json::to_string_pretty(&report).map_err(said)?;
    std::fs::write(dir.join("report.json"), text).map_err(said)?;
    Ok(report)
}

async fn play(order: Order, stage: Stage, fleet: Fleet) -> Result<(), String> {
    let people = Arc::new(People::make(&fleet, order.seed, order.size).await?);
    // What was set up is everywhere before the first fault.
    stage.redis.wait_healthy().await.map_err(said)?;
    write_title(&order, &people).map_err(said)?;
    let scene = Scene { stage, fleet, people, order };
    let outcome = scene.play().await;
    scene.stage.keep_logs(&scene.order.dir);
    outcome
}

fn write_title(order: &Order, people: &People) -> std::io::Result<()> {
    let mut book = Book::new(&order.dir, "run")?;
    book.note(&Line::Run(order.title()));
    for room in &people.rooms {
        book.note(&Line::Chat(room.chat.clone()));
    }
    book.close()
}

/// A client's task: how its part of the record ended.
type Clients = JoinSet<std::io::Result<()>>;

impl Scene {
    async fn play(&self) -> Result<(), String> {
        let mut soak = soak::Watcher::of(self).await?;
        let (tell, phase) = watch::channel(Phase::Load);
        let (mut readers, mut writers) = (Clients::new(), Clients::new());
        let progress = self.send_readers(&mut readers, &phase).map_err(said)?;
        self.send_writers(&mut writers, &phase).map_err(said)?;
        self.torment(&mut soak).await?;
        tell.send_replace(Phase::Settle);
        let ending = self.end(&tell, writers, readers, &progress, soak);
        tokio::time::timeout(END_WITHIN, ending).await.map_err(|_| "the end took too long".to_owned())?
    }

    async fn end(
        &self,
        tell: &watch::Sender<Phase>,
        writers: Clients,
        readers: Clients,
        progress: &[(Uuid, Progress)],
        soak: soak::Watcher,
    ) -> Result<(), String> {
        let now = || self.fleet.clock.now() / 1_000_000;
        say(&format!("{} s: healing", now()));
        self.stage.heal().await.map_err(said)?;
        say(&format!("{} s: writers settle", now()));
        tokio::time::timeout(SETTLE_WITHIN, all(writers))
            .await
            .map_err(|_| "the writers do not settle".to_owned())??;
        say(&format!("{} s: readers catch up", now()));
        if !audit::all_caught_up(&self.fleet, &self.people, progress, CATCH_UP_WITHIN).await? {
            say("some readers did not catch up in time");
        }
        tell.send_replace(Phase::Leave);
        tokio::time::timeout(SETTLE_WITHIN, all(readers))
            .await
            .map_err(|_| "the readers do not leave".to_owned())??;
        say(&format!("{} s: reading the end from every node", now()));
        audit::read(&self.order.dir, &self.fleet, &self.people).await.map_err(said)?;
        soak.end(self).await
    }

    fn send_readers(&self, to: &mut Clients, phase: &watch::Receiver<Phase>) -> std::io::Result<Vec<(Uuid, Progress)>> {
        let mut progress = Vec::new();
        for (number, agent) in self.people.agents.iter().enumerate() {
            for socket in 0..self.order.sockets {
                let name = format!("reader-{number}-{socket}");
                let book = Book::new(&self.order.dir, &name)?;
                let reader = Reader::new(&self.fleet, agent, self.order.seed, &name, &self.people.rooms, book);
                progress.push((agent.id, reader.progress()));
                to.spawn(reader.run(phase.clone()));
            }
        }
        Ok(progress)
    }

    fn send_writers(&self, to: &mut Clients, phase: &watch::Receiver<Phase>) -> std::io::Result<()> {
        let Order { seed, seconds, rate, .. } = self.order;
        let rooms_of = |agent: usize| -> Vec<Room> {
            let own = self.people.rooms.iter().filter(|room| !room.chat.quiet && room.stayers.contains(&agent));
            own.cloned().collect()
        };
        let writers: Vec<_> = (0..self.people.agents.len()).map(|n| (n, rooms_of(n))).collect();
        let writers: Vec<_> = writers.into_iter().filter(|(_, rooms)| !rooms.is_empty()).collect();
        let every = Duration::from_micros(1_000_000 * writers.len() as u64 / rate.max(1));
        for (number, rooms) in writers {
            let Some(agent) = self.people.agents.get(number) else { continue };
            let name = format!("writer-{number}");
            let book = Book::new(&self.order.dir, &name)?;
            to.spawn(Writer::new(&self.fleet, agent, seed, &name, rooms, book).run(every, phase.clone()));
        }
        let quiet: Vec<Room> = self.people.rooms.iter().filter(|room| room.chat.quiet).cloned().collect();
        if !quiet.is_empty() {
            let book = Book::new(&self.order.dir, "writer-quiet")?;
            let writer = Writer::new(&self.fleet, &self.people.auditor, seed, "writer-quiet", quiet, book);
            to.spawn(whisper(writer, WHISPER_EVERY, phase.clone()));
        }
        let book = Book::new(&self.order.dir, "writer-door")?;
        let door = Doorkeeper::new(&self.fleet, &self.people, seed, book);
        to.spawn(door.run(DOOR_EVERY, Duration::from_secs(seconds), phase.clone()));
        Ok(())
    }

    /// Does what is to be done to the fleet, for as long as the load lasts.
    async fn torment(&self, soak: &mut soak::Watcher) -> Result<(), String> {
        let Order { seed, seconds, dir, .. } = &self.order;
        match &self.order.torment {
            Torment::Schedule { per_minute, only } => self.schedule(*per_minute, only).await.map_err(said),
            Torment::Failovers(count) => {
                let mut book = Book::new(dir, "faults").map_err(said)?;
                rounds::play(self, *count, Dice::of(*seed, "rounds"), &mut book).await;
                book.close().map_err(said)
            }
            Torment::Soak { per_minute } => {
                let (faults, ()) = tokio::join!(
                    self.schedule(*per_minute, soak::GENTLE),
                    soak.watch(self, Duration::from_secs(*seconds))
                );
                faults.map_err(said)
            }
        }
    }

    async fn schedule(&self, per_minute: u64, only: &[Kind]) -> std::io::Result<()> {
        let Order { seed, seconds, dir, .. } = &self.order;
        let planned = plan::draw(*seed, self.order.wanted.topology, *seconds, per_minute, only);
        let book = |lane: &str| Book::new(dir, &format!("faults-{lane}"));
        let (mut hub, mut redis, mut link) = (book("hub")?, book("redis")?, book("link")?);
        let (stage, fleet, until) = (&self.stage, &self.fleet, seconds * 1000);
        tokio::join!(
            faults::play(stage, fleet, &planned, Lane::Hub, until, &mut hub),
            faults::play(stage, fleet, &planned, Lane::Redis, until, &mut redis),
            faults::play(stage, fleet, &planned, Lane::Link, until, &mut link),
            tokio::time::sleep(ms(until)),
        );
        hub.close()?;
        redis.close()?;
        link.close()
    }
}

async fn all(mut clients: Clients) -> Result<(), String> {
    while let Some(ended) = clients.join_next().await {
        ended.map_err(said)?.map_err(said)?;
    }
    Ok(())
}

/// An error in words.
pub fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
