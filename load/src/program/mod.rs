//! The program `talk-load`: its commands, what they print, and how they exit.
//!
//! Exit code 0: nothing was violated. 1: something was, and it is said who missed what. 2: it could not be run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::lab::voice::say;
use crate::scenario;

mod goals;
mod order;
mod progress;
mod shown;
mod summary;

/// Loads a hub of the Talk API, and judges what its clients saw meanwhile.
#[derive(Debug, Parser)]
#[command(name = "talk-load", version)]
pub struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Names the scenarios and says what each does; with a name, all its knobs.
    List { scenario: Option<String> },
    /// Runs a scenario, by name or from a file.
    Run(Box<order::Run>),
    /// Measures the goals of the hub's speed, against their baselines, round by round.
    Goals(goals::Goals),
    /// Makes a page of a result: one file, with plots, that asks nobody for anything.
    Report(shown::Report),
    /// Shows two results side by side, and what got better or worse beyond the spread of the rounds.
    Compare(shown::Compare),
}

impl Program {
    /// Does what it was asked to.
    pub async fn run(self) -> ExitCode {
        let done = match self.command {
            Command::List { scenario } => list(scenario.as_deref()),
            Command::Run(run) => run.run().await,
            Command::Goals(goals) => goals.run().await,
            Command::Report(report) => report.run(),
            Command::Compare(compare) => compare.run(),
        };
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                say(&format!("it could not be run: {error}"));
                ExitCode::from(2)
            }
        }
    }
}

/// What goes wrong here is said and ends the program; nobody looks at it in any other way.
type Result<T> = std::result::Result<T, String>;

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn list(name: Option<&str>) -> Result<bool> {
    if let Some(name) = name {
        let scenario = scenario::find(name, &[]).map_err(said)?;
        say(&format!("{}: {}", scenario.name, scenario.sentence));
        for (knob, value) in scenario.settings() {
            say(&format!("  {knob} = {value}"));
        }
        return Ok(true);
    }
    for scenario in scenario::all().map_err(said)? {
        say(&format!("{:<16} {}", scenario.name, scenario.sentence));
    }
    Ok(true)
}
