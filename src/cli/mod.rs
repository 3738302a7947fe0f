//! The command line: arguments become calls. One file per subcommand; no decisions are made here.

mod args;
mod assemble;
mod attempt;
mod check;
mod config;
#[cfg(feature = "lab")]
mod demo;
mod diff;
mod doctor;
mod error;
mod finish;
#[cfg(all(test, feature = "lab"))]
mod gate_tests;
mod history;
mod manual;
mod notify;
mod output;
mod past;
mod place;
mod progress;
mod proving;
mod prune;
mod resume;
#[cfg(all(test, feature = "lab"))]
mod resume_tests;
mod rules;
mod scan;
mod schedule;
mod settings;
mod signals;
mod space;
mod status;
mod targets;
mod transfer;
mod vantages;

use std::ffi::OsString;

use clap::Parser;

use self::args::{Cli, Command};
use self::error::CliError;
use crate::exit::Exit;

/// Runs the program with these arguments (the first is the program's name).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell if the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let common = cli.common.clone();
    match run(cli) {
        Ok(exit) => exit,
        Err(error) => {
            output::error(&error, settings::spoken(&common));
            Exit::from(&error)
        }
    }
}

fn run(cli: Cli) -> Result<Exit, CliError> {
    assemble::raise_descriptor_limit();
    // Measured: a second thread costs more in wake-ups than it gives; large pages are read off this thread anyway.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    let common = cli.common;
    runtime.block_on(async move {
        match cli.command {
            #[cfg(feature = "lab")]
            Command::Demo(args) => demo::run(&common, &args).await,
            Command::Scan(args) => attempt::run(&common, &args).await,
            Command::Check(args) => check::run(&common, &args).await,
            Command::Doctor(args) => doctor::run(&common, &args).await,
            Command::Targets(args) => targets::run(&common, &args),
            Command::Runs(args) => history::runs(&common, &args).await,
            Command::Show(args) => history::show(&common, &args).await,
            Command::Diff(args) => diff::run(&common, &args).await,
            Command::Judge(args) => history::judge(&common, &args).await,
            Command::Report(args) => history::report(&common, &args).await,
            Command::Schedule(args) => Box::pin(schedule::run(&common, *args)).await,
            Command::Status(args) => status::run(&common, &args).await,
            Command::History(args) => transfer::run(&common, &args).await,
            Command::Config(args) => config::run(&common, &args),
            Command::Completions(args) => Ok(manual::completions(&args)),
            Command::Man(args) => manual::man(&args),
        }
    })
}
