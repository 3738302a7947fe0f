//! `targets check`: the lists as a scan reads them.

use super::args::{Common, TargetsArgs, TargetsCommand};
use super::error::CliError;
use super::output::line;
use super::settings;
use crate::exit::Exit;
use crate::report::Lang;
use crate::targets::LoadOptions;
use crate::targets::check::{Language, check};

pub(super) fn run(common: &Common, args: &TargetsArgs) -> Result<Exit, CliError> {
    let resolved = settings::resolve(common, &settings::flags(common, None, None))?;
    let language = match settings::lang(&resolved.config) {
        Lang::Zh => Language::Zh,
        Lang::En => Language::En,
    };
    let TargetsCommand::Check { targets, encoding, most } = &args.command;
    let options = LoadOptions {
        encoding: encoding.clone(),
        direct_counties: resolved.config.targets.direct_counties,
        ..LoadOptions::default()
    };
    let report = check(targets, &options, *most)?;
    line(report.text(language).trim_end());
    if report.is_empty() { Err(CliError::EmptyLists) } else { Ok(Exit::Done) }
}
