//! `talk-load run`: which scenario, against what, and where the result goes.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::progress::Progress;
use super::{Result, said, summary};
use crate::drive::people::Access;
use crate::drive::run;
use crate::drive::target::{Hubs, Store, Target, There};
use crate::lab::voice::say;
use crate::results::{self, Run as Outcome, SCHEMA, Series};
use crate::scenario::{self, Scenario};

/// What is loaded.
#[derive(Clone, Debug, Args)]
pub(super) struct Against {
    /// A hub's program: it is started for the run, on a directory of its own.
    #[arg(long, env = "TALK_HUB_BIN")]
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

impl Against {
    async fn target(&self, scenario: &Scenario) -> Result<Target> {
        if self.url.is_empty() {
            let program = self.hub.clone().ok_or("name a hub to start (--hub PATH) or where hubs are (--url URL)")?;
            let hubs = Hubs { program, store: self.store, nodes: self.nodes };
            return Target::start(&hubs, scenario).await.map_err(said);
        }
        let access = match (&self.tokens, &self.sign_in, &self.secret) {
            (Some(tokens), None, None) => Access::Tokens(tokens.clone()),
            (None, Some(file), None) => Access::SignIn(file.clone()),
            (None, None, Some(secret)) => Access::Secret {
                secret: secret.clone(),
                customer: self.customer.clone(),
                admin_token: self.admin_token.clone(),
            },
            _ => return Err("with --url, name one of --tokens, --sign-in and --secret".to_owned()),
        };
        let there = There { urls: self.url.clone(), access, pids: self.pid.clone(), redis: self.redis.clone() };
        Target::there(&there).await.map_err(said)
    }
}

/// What is done.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// A name of `talk-load list`, or a file.
    scenario: String,
    #[command(flatten)]
    against: Against,
    /// Turns a knob of the scenario: key=value. hub.SECTION.KEY=value is a setting of hubs that are started.
    #[arg(long = "set")]
    set: Vec<String>,
    /// Runs once for each of these values of a knob: key=1,2,3.
    #[arg(long)]
    sweep: Option<String>,
    /// Times that everything is run.
    #[arg(long, default_value_t = 1)]
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
        let mut series = Series { schema: SCHEMA, rounds: self.rounds, sweep: knob, ..Series::default() };
        for _ in 0..self.rounds {
            for scenario in &scenarios {
                series.runs.push(self.once(scenario).await?);
            }
        }
        let good = series.runs.iter().all(|run| run.violations_count == 0);
        self.keep(series)?;
        Ok(good)
    }

    /// The knob that is swept, and its values; one run without any when none is.
    fn values(&self) -> Result<(String, Vec<Option<String>>)> {
        let Some(sweep) = &self.sweep else { return Ok((String::new(), vec![None])) };
        let (knob, values) = sweep.split_once('=').ok_or("a sweep is written key=1,2,3")?;
        Ok((knob.to_owned(), values.split(',').map(|value| Some(value.trim().to_owned())).collect()))
    }

    async fn once(&self, scenario: &Scenario) -> Result<Outcome> {
        let progress = Progress::new(self.plain);
        progress.say(&format!("{}: {}", scenario.name, scenario.sentence));
        let mut target = self.against.target(scenario).await?;
        let outcome = run::run(scenario, &mut target, &self.against.source, &progress).await;
        drop(progress);
        let outcome = outcome.map_err(said)?;
        say(&summary::of(&outcome));
        Ok(outcome)
    }

    fn keep(&self, mut series: Series) -> Result<()> {
        let name = series.runs.first().map_or_else(String::new, |run| run.scenario.clone());
        let path = free(&self.out, &name);
        if series.runs.len() > 1 {
            results::write(&path, &series).map_err(said)?;
        } else if let Some(run) = series.runs.pop() {
            results::write(&path, &run).map_err(said)?;
        }
        say(&format!("result: {}", path.display()));
        Ok(())
    }
}

/// A file that is not there yet.
fn free(folder: &Path, name: &str) -> PathBuf {
    let moment = chrono::Utc::now().format("%Y%m%dT%H%M%SZ");
    let plain = folder.join(format!("{name}-{moment}.json"));
    if !plain.exists() {
        return plain;
    }
    let numbered = (2..1_000).map(|number| folder.join(format!("{name}-{moment}-{number}.json")));
    numbered.into_iter().find(|path| !path.exists()).unwrap_or(plain)
}
