//! The program `talk-lab`: its commands, what they print, and how they exit.
//!
//! Exit code 0: nothing was violated. 1: something was, and the record's directory and the seed are printed. 2: it could
//! not be run.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use clap::{Parser, Subcommand};

use super::check::report::Report;
use super::parts::{self, Place, SEED, SWITCHES, Switch};
use super::plan::{Durability, Kind, Topology};
use super::run::{self, Order, Torment, said};
use super::table;
use super::voice::say;

/// Breaks a fleet of hubs in every way it knows, and judges from what clients saw.
#[derive(Debug, Parser)]
#[command(name = "talk-lab", version)]
pub struct Program {
    /// The hub's program.
    #[arg(long, global = true, env = "TALK_HUB_BIN", default_value = "target/release/talk-hub")]
    hub: PathBuf,
    /// Where records are written, one directory for each part.
    #[arg(long, global = true, default_value = "target/talk-lab")]
    records: PathBuf,
    /// Everything that is left to chance comes from it.
    #[arg(long, global = true, default_value_t = SEED)]
    seed: u64,
    /// Keep the records of parts without a violation too; they can take hundreds of megabytes.
    #[arg(long, global = true)]
    keep: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All three topologies for a short while, every kind of fault; at most five minutes.
    Smoke,
    /// One run.
    Run(Single),
    /// A series of failovers, each after the replica got nothing for a while.
    Failovers {
        #[arg(long, default_value_t = 200)]
        count: u32,
        #[arg(long, value_enum, default_value = "sentinel")]
        topology: Topology,
        #[arg(long, value_enum, default_value = "memory")]
        durability: Durability,
    },
    /// Mixed load and few faults; what the hubs use must come back to where it was.
    Soak {
        #[arg(long, default_value_t = 30)]
        minutes: u64,
    },
    /// Each safeguard switched off in turn: the lab must find what that breaks. Needs a hub built with `sabotage`.
    Control {
        /// Only this switch.
        #[arg(long)]
        only: Option<String>,
    },
    /// Everything, in parts of at most 15 minutes; prints the table over all.
    Full,
    /// Judges a record again.
    Check { dir: PathBuf },
    /// Prints one table over records that were judged.
    Table { dirs: Vec<PathBuf> },
}

#[derive(Debug, clap::Args)]
struct Single {
    #[arg(long, value_enum, default_value = "standalone")]
    topology: Topology,
    #[arg(long, value_enum, default_value = "memory")]
    durability: Durability,
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Messages a second, all writers together.
    #[arg(long, default_value_t = 400)]
    rate: u64,
    /// Agents who write and read; with those who come and go there are 9 more.
    #[arg(long, default_value_t = 20)]
    writers: usize,
    /// Sockets of each agent.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    #[arg(long, default_value_t = 24)]
    chats: usize,
    #[arg(long, default_value_t = 50)]
    faults_per_minute: u64,
    /// Only these kinds of faults, by name, such as `hub drain`.
    #[arg(long, value_parser = kind)]
    only: Vec<Kind>,
    /// What the part is called.
    #[arg(long)]
    part: Option<String>,
    /// The safeguard that is switched off by `TALK_SABOTAGE`; only written down.
    #[arg(long, default_value = "", hide = true)]
    sabotage: String,
}

fn kind(name: &str) -> Result<Kind, String> {
    let known = || Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    Kind::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| format!("one of: {}", known()))
}

impl Program {
    /// Does what it was asked to.
    pub async fn run(self) -> ExitCode {
        match self.command().await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                say(&format!("it could not be run: {error}"));
                ExitCode::from(2)
            }
        }
    }

    fn place(&self) -> Result<Place, String> {
        // The hubs run in directories of their own.
        let hub = std::path::absolute(&self.hub).map_err(said)?;
        if !hub.is_file() {
            return Err(format!("there is no hub at {}: cargo build --release, or --hub PATH", hub.display()));
        }
        let records = std::path::absolute(&self.records).map_err(said)?;
        Ok(Place { hub, records, seed: self.seed })
    }

    async fn command(&self) -> Result<bool, String> {
        match &self.command {
            Command::Smoke => self.all(parts::smoke(&self.place()?)).await,
            Command::Full => self.all(parts::full(&self.place()?)).await,
            Command::Run(single) => self.all(vec![self.single(single)?]).await,
            Command::Failovers { count, topology, durability } => {
                self.all(vec![parts::failovers(&self.place()?, *topology, *durability, *count)]).await
            }
            Command::Soak { minutes } => self.all(vec![parts::soak(&self.place()?, *minutes)]).await,
            Command::Control { only } => self.control(only.as_deref()).await,
            Command::Check { dir } => {
                let report = run::judge(dir)?;
                say(&table::account(&report));
                Ok(report.violations() == 0)
            }
            Command::Table { dirs } => {
                let reports = dirs.iter().map(|dir| report_in(dir)).collect::<Result<Vec<_>, _>>()?;
                say(&table::table(&reports));
                Ok(reports.iter().all(|report| report.violations() == 0))
            }
        }
    }

    fn single(&self, single: &Single) -> Result<Order, String> {
        let seconds = (single.minutes * 60.0).clamp(5.0, 900.0) as u64;
        let mut order = parts::one(&self.place()?, single.topology, single.durability, seconds);
        if let Some(part) = &single.part {
            (order.dir, order.part) = (parts::record_of(&self.place()?, part), part.clone());
        }
        (order.rate, order.sockets) = (single.rate, single.readers);
        (order.size.stayers, order.size.chats) = (single.writers, single.chats);
        order.sabotage.clone_from(&single.sabotage);
        order.torment = Torment::Schedule { per_minute: single.faults_per_minute, only: single.only.clone() };
        Ok(order)
    }

    /// Runs these parts one after the other and prints a table over them. A part that cannot be run is a failure; the
    /// others are still run.
    async fn all(&self, orders: Vec<Order>) -> Result<bool, String> {
        let (mut reports, mut good) = (Vec::new(), true);
        for order in orders {
            let (part, dir, seed) = (order.part.clone(), order.dir.clone(), order.seed);
            say(&format!("{part}: {} seconds, seed {seed}", order.seconds));
            if dir.exists() {
                std::fs::remove_dir_all(&dir).map_err(said)?;
            }
            match run::run(order).await {
                Ok(report) => {
                    say(&table::account(&report));
                    good &= report.violations() == 0;
                    self.tidy(&report, &dir);
                    reports.push(report);
                }
                Err(error) => {
                    good = false;
                    say(&format!(
                        "{part} could not be run to its end: {error}\nrecord: {}\nseed: {seed}",
                        dir.display()
                    ));
                }
            }
        }
        say(&table::table(&reports));
        Ok(good)
    }

    /// Keeps the record of a failure and says where; of others only the report.
    fn tidy(&self, report: &Report, dir: &std::path::Path) {
        if report.violations() > 0 {
            say(&format!("VIOLATIONS: {}\nrecord: {}\nseed: {}", report.violations(), dir.display(), report.run.seed));
        } else if !self.keep {
            for path in super::record::files(dir, "").unwrap_or_default() {
                std::fs::remove_file(path).ok();
            }
        }
    }

    /// Runs itself once for each switch, so that the hubs inherit it.
    async fn control(&self, only: Option<&str>) -> Result<bool, String> {
        let place = self.place()?;
        let mut good = true;
        for switch in SWITCHES.iter().filter(|switch| only.is_none_or(|only| only == switch.name)) {
            let order = parts::control(&place, switch);
            let found = self.with_switch(&place, switch, &order).await?;
            say(&format!("{}: must break one of {:?}: {}", switch.name, switch.must_break, words(found)));
            good &= found;
        }
        Ok(good)
    }

    async fn with_switch(&self, place: &Place, switch: &Switch, order: &Order) -> Result<bool, String> {
        let Torment::Schedule { per_minute, only } = &order.torment else { return Ok(false) };
        let mut command = std::process::Command::new(std::env::current_exe().map_err(said)?);
        command.env("TALK_SABOTAGE", switch.name).env("TALK_HUB_BIN", &place.hub);
        command.arg("--hub").arg(&place.hub).arg("--records").arg(&place.records);
        command.args(["--seed", &place.seed.to_string(), "run", "--part", &order.part, "--sabotage", switch.name]);
        command.args(["--topology", order.wanted.topology.name(), "--durability", order.wanted.durability.name()]);
        command.args(["--minutes", &format!("{:.2}", order.seconds as f64 / 60.0), "--rate", &order.rate.to_string()]);
        command.args(["--faults-per-minute", &per_minute.to_string()]);
        for kind in only {
            command.args(["--only", kind.name()]);
        }
        command.stdout(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.status()).await.map_err(said)?.map_err(said)?;
        let report = report_in(&order.dir)?;
        say(&table::account(&report));
        Ok(!ended.success() && switch.must_break.iter().any(|rule| report.count(*rule) > 0))
    }
}

fn words(found: bool) -> &'static str {
    if found { "found" } else { "NOT FOUND: the lab does not bite" }
}

fn report_in(dir: &std::path::Path) -> Result<Report, String> {
    let path = dir.join("report.json");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
