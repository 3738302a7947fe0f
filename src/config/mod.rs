//! Configuration: every parameter of a scan, where its value comes from, and whether it can be used.
//!
//! A value is taken from a flag, else from the environment (`V6READY_…`), else from the file, else from the default, and
//! remembers which. The defaults are those of `default.toml`, which is also the manual; a test holds the two together.
//! Each group is a small struct of its own: nobody below `cli` takes the whole [`Config`].
//!
//! Leaves to others: reading flags and environment of the process (`cli`), paths of the database and the reports (flags
//! of `cli`), what the parameters do.

mod error;
mod gate;
mod identity;
mod limits;
mod measure;
mod output;
mod resolve;
mod text;
mod unattended;
mod validate;

use serde::{Deserialize, Serialize};

pub use error::{ConfigError, Problem};
pub use gate::{Anchor, Gate};
pub use identity::{Project, Vantage};
pub use limits::Limits;
pub use measure::{Attempts, Deadlines, Deep, Dns, Measure, Pace, Profile};
pub use output::{Format, Lab, Language, Report, Roots, Targets, Tls};
pub use resolve::{FlagValues, Origin, Resolved};
pub use unattended::{Notify, NotifyBot, Schedule, Smtp, SmtpSecurity, Watch};

/// Every parameter of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where is measured from.
    pub vantage: Vantage,
    /// Who is asking.
    pub project: Project,
    /// What is measured.
    pub measure: Measure,
    /// Bounds of the deep profile.
    pub deep: Deep,
    /// Recursive resolvers.
    pub dns: Dns,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// How often a failure is tried again.
    pub attempts: Attempts,
    /// Bounds against hostile servers.
    pub limits: Limits,
    /// How much at the same time and how fast.
    pub pace: Pace,
    /// What proves that the vantage can measure.
    pub gate: Gate,
    /// Trust anchors.
    pub tls: Tls,
    /// How reports are written.
    pub report: Report,
    /// How lists are read.
    pub targets: Targets,
    /// When scans start.
    pub schedule: Schedule,
    /// What is left for those who look.
    pub watch: Watch,
    /// Who is told at the end of a scan.
    pub notify: Notify,
    /// The mail server by which people are told.
    pub smtp: Smtp,
    /// Exceptions for laboratories.
    pub lab: Lab,
}

impl Config {
    /// A file with every key, its default and what it is for, in this language.
    pub fn default_toml(language: Language) -> &'static str {
        match language {
            Language::Zh => include_str!("default.zh.toml"),
            Language::En => include_str!("default.toml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_the_default() {
        for language in [Language::Zh, Language::En] {
            let file: Config = toml::from_str(Config::default_toml(language)).unwrap();
            assert_eq!(file, Config::default());
        }
    }

    /// Both say the same: without their comments they are one file, and no comment is missing.
    #[test]
    fn the_languages_of_the_documented_file_agree() {
        let is_comment = |line: &&str| line.starts_with('#');
        let bare =
            |language| Config::default_toml(language).lines().filter(|line| !is_comment(line)).collect::<Vec<_>>();
        assert_eq!(bare(Language::Zh), bare(Language::En));
        let blocks = |language| {
            let lines: Vec<&str> = Config::default_toml(language).lines().collect();
            lines.windows(2).filter(|pair| is_comment(&pair[0]) && !is_comment(&pair[1])).count()
        };
        assert_eq!(blocks(Language::Zh), blocks(Language::En));
        let comments = Config::default_toml(Language::Zh).lines().filter(|line| is_comment(line) && line.len() > 1);
        assert!(comments.into_iter().filter(|line| line.is_ascii()).count() <= 1);
    }

    #[test]
    fn the_documented_file_has_every_key() {
        let file: toml::Table = toml::from_str(Config::default_toml(Language::Zh)).unwrap();
        let default = toml::Table::try_from(Config::default()).unwrap();
        let keys = |table: &toml::Table| -> Vec<String> {
            table
                .iter()
                .flat_map(|(group, keys)| keys.as_table().unwrap().keys().map(move |key| format!("{group}.{key}")))
                .collect()
        };
        assert_eq!(keys(&file), keys(&default));
    }

    #[test]
    fn the_default_gate_is_spread_over_networks() {
        let gate = Gate::default();
        assert!(gate.anchors.len() >= 8);
        assert!(gate.anchors.iter().filter(|anchor| anchor.network == "cernet").count() >= 2);
    }
}
