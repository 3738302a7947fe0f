//! `config`: every value with its origin, or a commented file.

use super::args::{Common, ConfigArgs, ConfigCommand};
use super::error::CliError;
use super::output::line;
use super::settings;
use crate::config::Config;
use crate::exit::Exit;

pub(super) fn run(common: &Common, args: &ConfigArgs) -> Result<Exit, CliError> {
    match args.command {
        ConfigCommand::Show => line(settings::resolve(common, &settings::flags(common, None, None))?.show()?),
        ConfigCommand::Init => line(Config::default_toml()),
    }
    Ok(Exit::Done)
}
