//! `talk-baseline`, what the hub is measured against. Everything is in [`talk_load::baseline`].

use std::process::ExitCode;

use clap::Parser;
use talk_load::baseline::program::Program;

fn main() -> ExitCode {
    Program::parse().run()
}
