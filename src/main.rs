//! The binary: settings, log, hub, and the last word when it cannot go on; no logic of its own.

use std::{ffi::OsString, io::Write, path::PathBuf, process::ExitCode, sync::mpsc, thread, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};
use talk_hub::hub::{Hub, HubError};
use talk_hub::settings::Settings;
use talk_hub::terminal::{self, Chat};
use talk_hub::{demo, probe, telemetry};

/// How long the last word may take.
const SAYING: Duration = Duration::from_secs(1);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A real-time chat hub that speaks VoIPBIN's Talk API. Without a command it serves.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings on top of those that are compiled in; the environment is on top of both.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make three people in an empty embedded store, and say how to be one of them.
    #[arg(long)]
    demo: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the hub on this machine whether it lives: for health checks of containers.
    Health {
        /// Settings on top of those that are compiled in.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    Chat(Box<Chat>),
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    let system = actix_web::rt::System::new();
    if let Some(Command::Chat(chat)) = arguments.command.take() {
        return system.block_on(terminal::run(*chat, Arguments::command()));
    }
    let ended = system.block_on(run(&arguments));
    let Err(error) = ended else { return ExitCode::SUCCESS };
    say(format!("talk-hub: {error}"));
    ExitCode::FAILURE
}

/// Writes to stderr: the log may not be set up, and whoever starts a hub by hand looks there. Waits for
/// who reads it for a second: who starts it again must see that it has ended.
fn say(line: String) {
    let (done, written) = mpsc::channel();
    let writes = move || {
        let _ = writeln!(std::io::stderr(), "{line}");
        let _ = done.send(());
    };
    if thread::Builder::new().spawn(writes).is_ok() {
        let _ = written.recv_timeout(SAYING);
    }
}

async fn run(arguments: &Arguments) -> Result<(), HubError> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let config = match &arguments.command {
        Some(Command::Health { config: Some(config) }) => Some(config),
        _ => arguments.config.as_ref(),
    };
    let mut settings = Settings::load(config.map(PathBuf::as_path), environment)?;
    if let Some(Command::Health { .. }) = arguments.command {
        return Ok(probe::is_alive(settings.server.bind)?);
    }
    if arguments.demo {
        demo::allowed(&settings)?;
    }
    let _log = telemetry::start_log(&settings.log)?;
    settings.ensure_secret()?;
    let hub = Hub::build(&settings).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{}", hub.address())?;
    if arguments.demo {
        write!(out, "{}", hub.demo().await?.guide(hub.address()))?;
    }
    out.flush()?;
    hub.run_until_stopped().await
}
