//! `completions` and `man`: what a shell and a reader want to know about the command line, made from the same definition.
//!
//! Leaves to others: where they are installed (`deploy/`, the package).

use std::path::Path;

use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::error::CliError;
use super::output::{bytes, note};
use crate::exit::Exit;

/// Prints the completions of one shell.
pub(super) fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "v6ready", &mut script);
    bytes(&script);
    Exit::Done
}

/// Prints the manual page of the program, or writes those of all commands into a folder.
pub(super) fn man(args: &ManArgs) -> Result<Exit, CliError> {
    if let Some(folder) = &args.dir {
        std::fs::create_dir_all(folder).map_err(|source| CliError::Create { path: folder.clone(), source })?;
        write_pages(folder).map_err(|source| CliError::Create { path: folder.clone(), source })?;
        note(folder.display());
    } else {
        let mut page = Vec::new();
        // Into memory: cannot fail but for want of it.
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|source| CliError::Create { path: "the manual page".into(), source })?;
        bytes(&page);
    }
    Ok(Exit::Done)
}

fn write_pages(folder: &Path) -> std::io::Result<()> {
    // Without the pages of `help`, which says the same as `--help`.
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        write_pages(folder.path()).unwrap();
        let commands: Vec<String> =
            Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert!(commands.len() > 10, "n={}", commands.len());
        for command in commands {
            let page = std::fs::read_to_string(folder.path().join(format!("v6ready-{command}.1"))).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{command}");
        }
        let main = std::fs::read_to_string(folder.path().join("v6ready.1")).unwrap();
        assert!(main.contains("Exit codes") && main.contains("75"), "{main}");
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "v6ready", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
