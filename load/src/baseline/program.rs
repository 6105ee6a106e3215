//! The program `talk-baseline`: the baselines of ours that are servers. `talk-load` starts it; by hand it is for
//! whoever wants to put another load on them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{static_page, write_loop};

/// Serves one baseline on a loopback port until it is killed.
#[derive(Debug, Parser)]
#[command(name = "talk-baseline", version)]
pub struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes what comes from /publish to everybody at /subscribe, one blocking write each.
    WriteLoop {
        #[arg(long)]
        port: u16,
        /// Subscribers beyond these are hung up on.
        #[arg(long, default_value_t = 50_000)]
        connections: usize,
    },
    /// Answers every request with the same bytes.
    StaticPage {
        #[arg(long)]
        port: u16,
        /// Bytes of the body.
        #[arg(long, default_value_t = 16_384)]
        bytes: usize,
        #[arg(long, default_value_t = static_page::WORKERS)]
        workers: usize,
    },
}

impl Program {
    /// Serves. Returns only when it cannot.
    pub fn run(self) -> ExitCode {
        let ended = match self.command {
            Command::WriteLoop { port, connections } => write_loop::serve(port, connections),
            Command::StaticPage { port, bytes, workers } => static_page::serve(port, bytes, workers),
        };
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("talk-baseline: {error}");
                ExitCode::from(2)
            }
        }
    }
}
