//! The configuration of one invocation: file, environment and flags together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::tz::TimeZone;

use super::args::{Common, LangArg, MeasureArgs, OutputArgs, ProfileArg, ScanArgs};
use super::error::CliError;
use super::place;
use crate::config::{Config, FlagValues, Format, Language, Resolved};
use crate::report::{self, Lang};

/// Flags as values of the configuration's keys.
pub(super) fn flags(common: &Common, measure: Option<&MeasureArgs>, scan: Option<&ScanArgs>) -> FlagValues {
    let mut flags = FlagValues::default();
    if let Some(lang) = common.lang {
        flags.set("report.lang", "--lang", if lang == LangArg::Zh { "zh" } else { "en" });
    }
    if let Some(measure) = measure {
        if !measure.resolver.is_empty() {
            flags.set_list("dns.resolvers", "--resolver", measure.resolver.clone());
        }
        if let Some(name) = &measure.vantage {
            flags.set("vantage.name", "--vantage", name);
        }
        if let Some(isp) = &measure.isp {
            flags.set("vantage.isp", "--isp", isp);
        }
        if let Some(profile) = measure.profile {
            let name = match profile {
                ProfileArg::Quick => "quick",
                ProfileArg::Standard => "standard",
                ProfileArg::Deep => "deep",
            };
            flags.set("measure.profile", "--profile", name);
        }
        if measure.mail {
            flags.set("measure.mail", "--mail", "true");
        }
        if let Some(file) = &measure.ca_file {
            flags.set("tls.ca_file", "--ca-file", file.to_string_lossy());
        }
    }
    if let Some(scan) = scan {
        set_rules(&mut flags, &scan.rules);
        if let Some(file) = &scan.metrics {
            flags.set("watch.metrics", "--metrics", file.to_string_lossy());
        }
        set_output(&mut flags, &scan.output);
        if let Some(jobs) = scan.jobs {
            flags.set("pace.jobs", "--jobs", jobs.to_string());
        }
        if let Some(after) = &scan.second_round_after {
            flags.set("attempts.second_round_after", "--second-round-after", after);
        }
        if let Some(percent) = scan.fail_under {
            flags.set("report.fail_under", "--fail-under", percent.to_string());
        }
    }
    flags
}

/// The rule sets that reports show.
pub(super) fn set_rules(flags: &mut FlagValues, rules: &[String]) {
    if !rules.is_empty() {
        flags.set_list("report.rules", "--rules", rules.to_vec());
    }
}

/// Which files reports are made of.
pub(super) fn set_output(flags: &mut FlagValues, output: &OutputArgs) {
    if !output.formats.is_empty() {
        flags.set_list("report.formats", "--formats", output.formats.clone());
    }
    if let Some(folder) = &output.templates {
        flags.set("report.templates", "--templates", folder.to_string_lossy());
    }
}

/// The files that reports are made of.
pub(super) fn formats(config: &Config) -> BTreeSet<report::Format> {
    let format = |format: &Format| match format {
        Format::Html => report::Format::Html,
        Format::Xlsx => report::Format::Xlsx,
        Format::Csv => report::Format::Csv,
        Format::Json => report::Format::Json,
        Format::Docx => report::Format::Docx,
    };
    config.report.formats.iter().map(format).collect()
}

/// The file the configuration is in. None: there is none.
fn file(common: &Common) -> Option<&Path> {
    let local = || Some(Path::new(place::LOCAL_FILE)).filter(|file| file.is_file());
    let system = || place::is_system().then_some(Path::new(place::SYSTEM_FILE));
    common.config.as_deref().or_else(local).or_else(system)
}

/// Resolves the configuration.
pub(super) fn resolve(common: &Common, flags: &FlagValues) -> Result<Resolved, CliError> {
    let environment: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.starts_with("V6READY_") && !is_own_flag(name)).collect();
    Ok(Config::resolve(file(common), &environment, flags)?)
}

/// Variables that are flags of the command line or secrets, not keys of the configuration.
fn is_own_flag(name: &str) -> bool {
    matches!(
        name,
        "V6READY_CONFIG" | "V6READY_STORE" | "V6READY_REPORTS" | "V6READY_WEBHOOK_URL" | "V6READY_WEBHOOK_KEY"
    )
}

/// The configured time zone. Whether there is one of that name was asked when the configuration was read.
pub(super) fn zone(config: &Config) -> TimeZone {
    TimeZone::get(&config.report.timezone).unwrap_or(TimeZone::UTC)
}

/// The language that errors are said in. Where the configuration cannot be used, the flag, the variable or the file may still say it.
pub(super) fn spoken(common: &Common) -> Lang {
    if let Ok(resolved) = resolve(common, &flags(common, None, None)) {
        return lang(&resolved.config);
    }
    let flag = common.lang.map(|lang| lang == LangArg::En);
    let variable = || std::env::var("V6READY_REPORT_LANG").ok().map(|lang| lang == "en");
    let file = || {
        let table: toml::Table = std::fs::read_to_string(file(common)?).ok()?.parse().ok()?;
        Some(table.get("report")?.get("lang")?.as_str()? == "en")
    };
    if flag.or_else(variable).or_else(file).unwrap_or(false) { Lang::En } else { Lang::Zh }
}

/// The configured language, as reports know it.
pub(super) fn lang(config: &Config) -> Lang {
    match config.report.lang {
        Language::Zh => Lang::Zh,
        Language::En => Lang::En,
    }
}
