//! The arguments of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::place;

/// The version with what is compiled in and grows old.
const LONG_VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), "\nIANA special-purpose address registries up to 2025-04");

/// IPv6 upgrade readiness of a province's schools: evidence first, verdict second.
///
/// Exit codes: 0 done; 1 our failure; 2 wrong usage; 3 configuration or target list unusable; 4 this vantage cannot
/// measure (nothing was judged); 5 run incomplete; 6 completion below --fail-under; 73 cannot create output; 74 I/O error;
/// 75 another run holds the lock.
#[derive(Debug, Parser)]
#[command(name = "v6ready", version, long_version = LONG_VERSION, propagate_version = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Arguments of every command.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// Configuration file [default: v6ready.toml, if there is one; of an installed program, else /etc/v6ready/v6ready.toml]
    #[arg(long, global = true, value_name = "FILE", env = "V6READY_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Language of reports and messages [default: zh]
    #[arg(long, global = true, value_enum)]
    pub(super) lang: Option<LangArg>,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LangArg {
    /// Chinese
    Zh,
    /// English
    En,
}

/// How much of a site is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileArg {
    /// Without its zones and name servers
    Quick,
    /// All that the verdict rests on
    Standard,
    /// With links, embedded resources and samples: some minutes more a site
    Deep,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Scan an invented province on a simulated internet on loopback: no Internet, no IPv6, no root needed
    #[cfg(feature = "lab")]
    Demo(DemoArgs),
    /// Scan target lists: gate, probe, store, report
    Scan(Box<ScanArgs>),
    /// Probe one or a few names now and explain every step
    Check(Box<CheckArgs>),
    /// Can this machine measure? The gate's checks one by one, with advice
    Doctor(DoctorArgs),
    /// Look at target lists the way a scan reads them
    Targets(TargetsArgs),
    /// List the runs in the history
    Runs(RunsArgs),
    /// Show the stored evidence and the verdict of one name
    Show(ShowArgs),
    /// What changed from one run to another: gained, lost, to be confirmed
    Diff(DiffArgs),
    /// Judge a run's stored evidence again, offline
    Judge(JudgeArgs),
    /// Write a run's reports again, offline
    Report(ReportArgs),
    /// Scan by a timetable, until stopped: for machines without a scheduler of their own
    Schedule(Box<ScheduleArgs>),
    /// Say whether scans go well on this machine, for people and for monitoring
    ///
    /// Exit codes: 0 fine; 1 somebody has to look; 2 wrong usage; 3 configuration or history unusable.
    Status(StatusArgs),
    /// Write runs with all their evidence to a file, read such a file, or give back the space of old evidence
    History(HistoryArgs),
    /// Show the configuration with the origin of each value, or print a commented file
    Config(ConfigArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands into a folder
    Man(ManArgs),
}

/// Arguments of `schedule`: those of `scan`, and when.
#[derive(Debug, Args)]
pub(super) struct ScheduleArgs {
    /// When to start, as in crontab: "0 22 * * 6" is Saturdays at 22:00 [default: schedule.cron]
    #[arg(long, value_name = "CRON")]
    pub(super) cron: Option<String>,
    #[command(flatten)]
    pub(super) scan: ScanArgs,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Everything as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder for the pages of all commands
    pub(super) dir: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Folder for reports
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) reports: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// No progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Which files a report is made of.
#[derive(Debug, Default, Args)]
pub(super) struct OutputArgs {
    /// Files to make, separated by commas: html, xlsx, csv, json, docx [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) formats: Vec<String>,
    /// Folder with the wording of the circular (bulletin.zh.toml, bulletin.en.toml)
    #[arg(long, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,
}

/// How and from where to measure.
#[derive(Debug, Default, Args)]
pub(super) struct MeasureArgs {
    /// Resolver to ask, ADDR or ADDR:PORT; several times for several
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(super) resolver: Vec<String>,
    /// Name of this vantage, as on reports
    #[arg(long, value_name = "NAME")]
    pub(super) vantage: Option<String>,
    /// Network of this vantage, such as 教育网 or 电信
    #[arg(long, value_name = "NAME")]
    pub(super) isp: Option<String>,
    /// PEM file with further trust anchors
    #[arg(long, value_name = "PEM")]
    pub(super) ca_file: Option<PathBuf>,
    /// How much of a site is looked at [default: standard]
    #[arg(long, value_enum)]
    pub(super) profile: Option<ProfileArg>,
    /// Look at mail as well: MX hosts and whether they greet on port 25 (an indicator of its own)
    #[arg(long)]
    pub(super) mail: bool,
    /// Do not use IPv6 transport: IPv6 reach stays not judged
    #[arg(long)]
    pub(super) without_ipv6: bool,
}

/// Arguments of `scan`.
#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Folders or files: CSV or plain text
    #[arg(required = true, value_name = "TARGETS")]
    pub(super) targets: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
    /// History database
    #[arg(long, value_name = "FILE", default_value_os_t = place::store(), env = "V6READY_STORE")]
    pub(super) store: PathBuf,
    /// Folder for reports
    #[arg(long, value_name = "DIR", default_value_os_t = place::reports(), env = "V6READY_REPORTS")]
    pub(super) reports: PathBuf,
    /// Go on with the interrupted run of the same lists, if there is one
    #[arg(long)]
    pub(super) resume: bool,
    /// The same for those who cannot be asked: a run that may not go on is left as it is. Set by `schedule`.
    #[arg(skip)]
    pub(super) resume_if_possible: bool,
    /// Sites probed at once
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<usize>,
    /// Pause between a site's first and second look, such as 10m
    #[arg(long, value_name = "TIME")]
    pub(super) second_round_after: Option<String>,
    /// Rule sets that the report shows, separated by commas: names, or TOML files
    #[arg(long, value_name = "ID|FILE", value_delimiter = ',')]
    pub(super) rules: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// End with exit code 6 when completion is below this percentage
    #[arg(long, value_name = "PCT")]
    pub(super) fail_under: Option<f64>,
    /// Encoding of the lists, such as gb18030 [default: found for each list]
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<String>,
    /// Textfile for node_exporter, replaced at the end
    #[arg(long, value_name = "FILE")]
    pub(super) metrics: Option<PathBuf>,
    /// No progress
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Events as JSON lines on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Names or URLs
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
    /// Pause before the second look at what failed
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(super) pause: u64,
    /// Observation and assessment as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
    /// Checks as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `targets`.
#[derive(Debug, Args)]
pub(super) struct TargetsArgs {
    #[command(subcommand)]
    pub(super) command: TargetsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TargetsCommand {
    /// Say what a scan would read: accepted, changed, rejected, with line, column, reason and remedy
    Check {
        /// Folders or files
        #[arg(required = true, value_name = "TARGETS")]
        targets: Vec<PathBuf>,
        /// Encoding of the lists, such as gb18030 [default: found for each list]
        #[arg(long, value_name = "NAME")]
        encoding: Option<String>,
        /// Rows shown of each kind
        #[arg(long, value_name = "N", default_value_t = 200)]
        most: usize,
    },
}

/// Where the history is.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// History database
    #[arg(long, value_name = "FILE", default_value_os_t = place::store(), env = "V6READY_STORE")]
    pub(super) store: PathBuf,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Runs as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Run: its identifier, the beginning of one, `latest`, or `previous`
    pub(super) run: String,
    /// Name or URL as listed
    pub(super) name: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Observation and assessment as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Earlier run: its identifier, the beginning of one, `latest`, or `previous`
    #[arg(default_value = "previous")]
    pub(super) from: String,
    /// Later run
    #[arg(default_value = "latest")]
    pub(super) to: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Everything as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `judge`.
#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    /// Run: its identifier, the beginning of one, `latest`, or `previous`
    #[arg(long, value_name = "RUN", default_value = "latest")]
    pub(super) run: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Score by a rule set instead: its name, or a TOML file
    #[arg(long, value_name = "ID|FILE")]
    pub(super) rules: Option<String>,
    /// Take runs of several vantages together instead: three or more, separated by commas
    #[arg(long, value_name = "RUN,RUN,RUN", value_delimiter = ',', conflicts_with_all = ["rules", "run"])]
    pub(super) vantages: Vec<String>,
    /// Every assessment, or every score, as a JSON line
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Run: its identifier, the beginning of one, `latest`, or `previous`
    #[arg(long, value_name = "RUN", default_value = "latest")]
    pub(super) run: String,
    /// Rule sets that the report shows, separated by commas: names, or TOML files
    #[arg(long, value_name = "ID|FILE", value_delimiter = ',')]
    pub(super) rules: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Folder for reports
    #[arg(long, value_name = "DIR", default_value_os_t = place::reports(), env = "V6READY_REPORTS")]
    pub(super) reports: PathBuf,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    pub(super) command: HistoryCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// Write runs to a file from which `import` makes them again
    Export {
        /// Runs: identifiers, beginnings of them, `latest`, or `previous` [default: latest]
        #[arg(value_name = "RUN", conflicts_with = "all")]
        runs: Vec<String>,
        /// All runs
        #[arg(long)]
        all: bool,
        /// File to write, which must not exist yet
        #[arg(long, short, value_name = "FILE", default_value = "evidence.jsonl.zst")]
        output: PathBuf,
        /// Without what is not for the public: folders of lists, who asked not to be measured
        #[arg(long)]
        public: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Give back the space of old runs' evidence; verdicts are kept for ever
    Prune {
        /// Complete runs of each vantage that keep their evidence, counted from the latest
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Read runs from files that `export` or a report has written, and judge them
    Import {
        /// Files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Refuse runs of any other vantage than this one
        #[arg(long, value_name = "NAME")]
        vantage: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every value with its origin
    Show,
    /// Print a configuration file with every key, its default and what it means
    Init,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_the_registries_that_are_compiled_in() {
        assert!(LONG_VERSION.ends_with(crate::net::scope::REGISTRY_DATE), "{LONG_VERSION}");
    }
}
