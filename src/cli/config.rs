//! `config`: every value with its origin, or a commented file.

use super::args::{Common, ConfigArgs, ConfigCommand};
use super::assemble;
use super::error::CliError;
use super::output::line;
use super::settings;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Language};
use crate::exit::Exit;
use crate::report::Lang;

pub(super) fn run(common: &Common, args: &ConfigArgs) -> Result<Exit, CliError> {
    match args.command {
        ConfigCommand::Show => {
            let resolved = settings::resolve(common, &settings::flags(common, None, None))?;
            line(resolved.show()?);
            let freeze = assemble::freeze(&resolved.config);
            if let Some(next) = freeze.next(SystemClock.now()) {
                line(format!("# pace.freeze: {} to {}", freeze.say(next.from), freeze.say(next.until)));
            }
        }
        ConfigCommand::Init => line(Config::default_toml(match settings::spoken(common) {
            Lang::Zh => Language::Zh,
            Lang::En => Language::En,
        })),
    }
    Ok(Exit::Done)
}
