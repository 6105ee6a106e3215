//! `talk-lab`, the fault lab: `talk-lab smoke` takes five minutes. Everything is in [`talk_load::lab`].

use std::process::ExitCode;

use clap::Parser;
use talk_load::lab::program::Program;

#[tokio::main]
async fn main() -> ExitCode {
    Program::parse().run().await
}
