//! `talk-load run`: which scenario, against what, and where the result goes.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::progress::Progress;
use super::{Result, said, summary};
use crate::baseline::Baseline;
use crate::client::Dialect;
use crate::drive::contender::Contender;
use crate::drive::people::Access;
use crate::drive::target::{Hubs, Store, There};
use crate::goals::page_bytes;
use crate::lab::voice::say;
use crate::report::page;
use crate::results::{self, Run as Outcome, SCHEMA, Series};
use crate::scenario::{self, Scenario};

/// What is loaded.
#[derive(Clone, Debug, Args)]
pub(super) struct On {
    /// A hub's program: it is started for the run, on a directory of its own.
    /// Without it and --url: what TALK_HUB_BIN names.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// Addresses of hubs that run already, by comma.
    #[arg(long, value_delimiter = ',', conflicts_with = "hub")]
    url: Vec<String>,
    /// Where hubs that are started keep their chats.
    #[arg(long, value_enum, default_value = "embedded")]
    store: Store,
    /// How many hubs are started; more than one need --store redis.
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// With --url: the secret of tokens, which are minted. Without --admin-token the hub must run with
    /// auth.directory = "claims".
    #[arg(long, env = "TALK_LOAD_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// With --secret: agents are made through the API.
    #[arg(long, env = "TALK_LOAD_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// With --secret: the customer whose agents they are.
    #[arg(long)]
    customer: Option<String>,
    /// With --url: a file of tokens or access keys, one a line.
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// With --url: a file of usernames and passwords, one pair a line.
    #[arg(long)]
    sign_in: Option<PathBuf>,
    /// With https addresses: a PEM file with the certificate of who signed theirs, when this machine does not trust it.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// With --url: what is spoken there. What is not a hub needs no tokens, and has one chat.
    #[arg(long, value_enum, default_value = "hub")]
    dialect: Dialect,
    /// With --url: processes of the hubs, when they are on this machine, by comma: their CPU and memory are shown.
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    /// With --url: the Redis of the hubs, to be asked what it does.
    #[arg(long)]
    redis: Option<String>,
    /// Addresses of this machine that connections are made from, by comma, such as 127.0.0.2,127.0.0.3.
    #[arg(long, value_delimiter = ',')]
    source: Vec<IpAddr>,
}

impl On {
    fn contender(&self) -> Result<Contender> {
        if self.url.is_empty() {
            let named = || std::env::var_os("TALK_HUB_BIN").map(PathBuf::from);
            let program = self
                .hub
                .clone()
                .or_else(named)
                .ok_or("name a hub to start (--hub PATH) or where hubs are (--url URL)")?;
            return Ok(Contender::Hubs(Hubs { program, store: self.store, nodes: self.nodes }));
        }
        let access = match (&self.tokens, &self.sign_in, &self.secret) {
            (Some(tokens), None, None) => Access::Tokens(tokens.clone()),
            (None, Some(file), None) => Access::SignIn(file.clone()),
            (None, None, Some(secret)) => Access::Secret {
                secret: secret.clone(),
                customer: self.customer.clone(),
                admin_token: self.admin_token.clone(),
            },
            (None, None, None) if self.dialect != Dialect::Hub => Access::Nobody,
            _ => return Err("with --url, name one of --tokens, --sign-in and --secret".to_owned()),
        };
        let (urls, pids, redis) = (self.url.clone(), self.pid.clone(), self.redis.clone());
        let authority = self.ca.clone();
        Ok(Contender::There(There { urls, dialect: self.dialect, access, authority, pids, redis }))
    }
}

/// What is done.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// A name of `talk-load list`, or a file.
    scenario: String,
    #[command(flatten)]
    on: On,
    /// Baselines that are run in turn with the hub, by comma.
    #[arg(long, value_delimiter = ',')]
    against: Vec<Baseline>,
    /// Only the baselines.
    #[arg(long)]
    without_hub: bool,
    /// Turns a knob of the scenario: key=value. hub.SECTION.KEY=value is a setting of hubs that are started.
    #[arg(long = "set")]
    set: Vec<String>,
    /// Runs once for each of these values of a knob: key=1,2,3.
    #[arg(long)]
    sweep: Option<String>,
    /// Times that everything is run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where results are written.
    #[arg(long, default_value = "target/talk-load")]
    out: PathBuf,
    /// Plain lines also on a terminal.
    #[arg(long)]
    plain: bool,
}

impl Run {
    pub(super) async fn run(&self) -> Result<bool> {
        let (knob, values) = self.values()?;
        let mut scenarios = Vec::new();
        for value in &values {
            let mut set = self.set.clone();
            set.extend(value.as_ref().map(|value| format!("{knob}={value}")));
            // All of them are read before anything is started.
            scenarios.push(scenario::find(&self.scenario, &set).map_err(said)?);
        }
        let mut contenders = if self.without_hub { Vec::new() } else { vec![self.on.contender()?] };
        contenders.extend(self.against.iter().map(|baseline| Contender::Baseline(*baseline)));
        let mut series = Series { schema: SCHEMA, rounds: self.rounds, sweep: knob, ..Series::default() };
        let path = free(&self.out, &scenarios.first().map_or_else(String::new, |scenario| scenario.name.clone()));
        // The page of a baseline is as large as the hub's, which must come first.
        let turns = !self.against.contains(&Baseline::StaticPage);
        for round in 1..=self.rounds {
            if self.rounds > 1 {
                say(&format!("round {round} of {}", self.rounds));
            }
            for scenario in &scenarios {
                let done = self.round(scenario, &contenders, &mut series.runs).await;
                if done.is_err() && !series.runs.is_empty() {
                    // What there is, is kept; why there is no more is said.
                    keep(&path, &series)?;
                    say(&format!("so far: {}", path.display()));
                }
                done?;
            }
            keep(&path, &series)?;
            if turns {
                contenders.reverse();
            }
        }
        let good = series.runs.iter().all(|run| run.violations_count == 0);
        show(&path)?;
        Ok(good)
    }

    /// The knob that is swept, and its values; one run without any when none is.
    fn values(&self) -> Result<(String, Vec<Option<String>>)> {
        let Some(sweep) = &self.sweep else { return Ok((String::new(), vec![None])) };
        let (knob, values) = sweep.split_once('=').ok_or("a sweep is written key=1,2,3")?;
        Ok((knob.to_owned(), values.split(',').map(|value| Some(value.trim().to_owned())).collect()))
    }

    /// One after the other, so that what the machine does meanwhile befalls all of them.
    async fn round(&self, scenario: &Scenario, contenders: &[Contender], runs: &mut Vec<Outcome>) -> Result<()> {
        for contender in contenders {
            let progress = Progress::new(self.plain);
            progress.say(&format!("{} on {}: {}", scenario.name, contender.name(), scenario.sentence));
            let page_bytes = runs.iter().rev().find(|run| run.target.kind == "hub").and_then(page_bytes);
            let outcome = contender.run(scenario, &self.on.source, page_bytes, &progress).await;
            drop(progress);
            match outcome {
                Ok(run) => {
                    say(&summary::of(&run));
                    runs.push(run);
                }
                Err(error) if error.is_missing() => say(&format!("  left out: {error}")),
                Err(error) => return Err(said(error)),
            }
        }
        Ok(())
    }
}

/// One run is written as itself, several as a series.
fn keep(path: &Path, series: &Series) -> Result<()> {
    match series.runs.as_slice() {
        [run] if series.rounds == 1 => results::write(path, run),
        _ => results::write(path, series),
    }
    .map_err(said)
}

/// The page beside the result.
fn show(path: &Path) -> Result<()> {
    say(&format!("result: {}", path.display()));
    let shown = path.with_extension("html");
    let file = results::File::read(path).map_err(said)?;
    std::fs::write(&shown, page(&file)).map_err(|error| format!("{}: {error}", shown.display()))?;
    say(&format!("page: {}", shown.display()));
    Ok(())
}

/// A file that is not there yet.
pub(super) fn free(folder: &Path, name: &str) -> PathBuf {
    let moment = chrono::Utc::now().format("%Y%m%dT%H%M%SZ");
    let plain = folder.join(format!("{name}-{moment}.json"));
    if !plain.exists() {
        return plain;
    }
    let numbered = (2..1_000).map(|number| folder.join(format!("{name}-{moment}-{number}.json")));
    numbered.into_iter().find(|path| !path.exists()).unwrap_or(plain)
}
