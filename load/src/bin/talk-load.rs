//! `talk-load`, the load tester: `talk-load list` names what it can do. Everything is in [`talk_load::program`].

use std::process::ExitCode;

use clap::Parser;
use talk_load::program::Program;

// One thread for requests; sockets and the pace have one each. The server needs the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    Program::parse().run().await
}
