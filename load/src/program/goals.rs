//! `talk-load goals`: measures the goals in one interleaved run, and writes down what came of it.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::order::free;
use super::progress::Progress;
use super::{Result, said};
use crate::gauge::machine::{commit, machine};
use crate::goals::{self, Goal, Measured, Order, rows};
use crate::lab::voice::say;
use crate::report::goals::{State, table};
use crate::results::{self, SCHEMA, Series};

#[derive(Debug, Args)]
pub(super) struct Goals {
    /// The hub's program.
    #[arg(long, env = "TALK_HUB_BIN", default_value = "target/release/talk-hub")]
    hub: PathBuf,
    /// Times that all of them are measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Only these goals, by comma; their names are in `goals --names`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Says which goals there are, and measures nothing.
    #[arg(long)]
    names: bool,
    /// A few seconds for each: whether it works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Where the table and the runs are written: load/results, or target/talk-load with --quick.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Addresses of this machine that connections are made from, by comma.
    #[arg(long, value_delimiter = ',')]
    source: Vec<IpAddr>,
    /// Plain lines also on a terminal.
    #[arg(long)]
    plain: bool,
}

impl Goals {
    pub(super) async fn run(&self) -> Result<bool> {
        let chosen = self.chosen()?;
        if self.names {
            chosen.iter().for_each(|goal| say(&format!("{:<16} {}", goal.name, goal.words)));
            return Ok(true);
        }
        let rounds = if self.quick { 1 } else { self.rounds };
        let sources = self.source.clone();
        let order = Order { hub: self.hub.clone(), rounds, quick: self.quick, sources };
        let place = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from(if self.quick { "target/talk-load" } else { "load/results" }));
        let kept = Kept { runs: free(&place, "goals-runs"), quick: self.quick, rounds, started: chrono::Utc::now() };
        let progress = Progress::new(self.plain);
        let mut written = Ok(());
        let measured = goals::measure(&chosen, &order, &progress, |so_far| written = kept.keep(&chosen, so_far)).await;
        drop(progress);
        say(&table(&measured.rows).text());
        written?;
        let met = measured.rows.iter().filter(|row| row.state() == State::Met).count();
        say(&format!("{met} of {} met; written to {}", measured.rows.len(), kept.path("md").display()));
        if measured.errors {
            return Err("some of it; the table says what".to_owned());
        }
        Ok(measured.runs.iter().all(|run| run.violations_count == 0))
    }

    fn chosen(&self) -> Result<Vec<Goal>> {
        for name in &self.only {
            if !rows::ALL.iter().any(|goal| goal.name == name) {
                let known: Vec<_> = rows::ALL.iter().map(|goal| goal.name).collect();
                return Err(format!("no goal is named {name}; there are {}", known.join(", ")));
            }
        }
        let wanted = |goal: &&Goal| self.only.is_empty() || self.only.iter().any(|name| name == goal.name);
        Ok(rows::ALL.iter().filter(wanted).copied().collect())
    }
}

/// Where it goes, and what is said of it as a whole.
struct Kept {
    /// The file of the runs; the table is beside it.
    runs: PathBuf,
    quick: bool,
    rounds: u32,
    started: chrono::DateTime<chrono::Utc>,
}

impl Kept {
    /// The table as Markdown and JSON, and the runs it comes from, over what there was of them.
    fn keep(&self, goals: &[Goal], measured: &Measured) -> Result<()> {
        let (machine, commit) = (machine(), commit());
        let Self { quick, rounds, started, runs } = self;
        let moment = started.format("%Y-%m-%d %H:%M UTC");
        let series = Series { schema: SCHEMA, runs: measured.runs.clone(), rounds: *rounds, sweep: String::new() };
        results::write(runs, &series).map_err(said)?;
        let rows: Vec<Value> = goals.iter().zip(&measured.rows).map(|(goal, row)| {
            json!({"name": goal.name, "goal": row.goal, "against": row.baseline, "first": row.first, "then": row.then,
                "rounds": row.rounds, "note": row.note(), "state": row.state().word()})
        }).collect();
        let all = json!({"schema": SCHEMA, "started": started.to_rfc3339(), "commit": commit, "machine": machine,
            "quick": quick, "rounds": rounds, "goals": rows});
        results::write(&self.path("json"), &all).map_err(said)?;
        let quick = if *quick { ", **a quick look only: not figures to go by**" } else { "" };
        let gib = machine.memory_bytes as f64 / f64::from(1_u32 << 30);
        let text = format!(
            "# Goals\n\n{moment}, commit `{commit}`, {rounds} rounds{quick}. {} cores of {}, {gib:.0} GiB, Linux {}. \
             `talk-load goals`; the runs are in `{}`.\n\n{}\n",
            machine.cores,
            machine.cpu,
            machine.kernel,
            runs.file_name().map(|name| name.to_string_lossy()).unwrap_or_default(),
            table(&measured.rows).markdown()
        );
        std::fs::write(self.path("md"), text).map_err(said)
    }

    /// The table beside the runs.
    fn path(&self, ending: &str) -> PathBuf {
        let stem = self.runs.file_stem().map(|stem| stem.to_string_lossy().replace("goals-runs", "goals"));
        self.runs.with_file_name(format!("{}.{ending}", stem.unwrap_or_default()))
    }
}
