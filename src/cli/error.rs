//! Why a command failed, and which exit code that is.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::exit::Exit;
use crate::judge::rules::RuleError;
use crate::model::run::RunId;
use crate::report::RenderError;
use crate::report::docx::template::TemplateError;
use crate::report::publish::PublishError;
use crate::store::StoreError;
use crate::targets::TargetsError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Target lists.
    #[error(transparent)]
    Targets(#[from] TargetsError),
    /// No row of the lists names a site.
    #[error("no row of the target lists names a site to probe; `v6ready targets check` explains every row")]
    NothingToProbe,
    /// The lists are there, and empty.
    #[error("the target lists have no rows: a list needs a line for each school below its header")]
    EmptyLists,
    /// None of the names on the command line can be probed. Why not was printed before.
    #[error("none of the names given can be probed, for the reasons above")]
    NoNames,
    /// One run, twice.
    #[error(
        "run {run} was given twice, and nothing changed from it to itself: give two runs, the earlier one first (`v6ready runs` lists them)"
    )]
    SameRun {
        /// The run.
        run: RunId,
    },
    /// History.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reports.
    #[error("reports were not written, the evidence is stored (`v6ready report` writes them again)")]
    Publish(#[from] PublishError),
    /// A file the user named.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A schedule without a timetable.
    #[error("nothing says when to start: give --cron, or schedule.cron in the configuration")]
    NoTimetable,
    /// A file that cannot be made.
    #[error("cannot create {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of a report could not be made.
    #[error("reports were not written, the evidence is stored (`v6ready report` writes them again)")]
    Render(#[from] RenderError),
    /// A template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A rule file.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A rule set that is neither shipped nor a file.
    #[error("there is no rule set {name:?}: give one of {known}, or a file that ends in .toml")]
    NoSuchRules {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// TLS.
    #[error("cannot set up TLS")]
    Tls(#[from] crate::net::tls::TlsSetupError),
    /// A component that could not be set up.
    #[error("cannot set up {what}: {why}")]
    Setup {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Laboratory prefixes outside a laboratory.
    #[error(
        "lab.public_prefixes is set, but this machine has a default route: laboratory prefixes are accepted only in a \
         network namespace without one"
    )]
    NotALab,
    /// Too few descriptors for the gate's anchors alone.
    #[error(
        "only {limit} file descriptors may be open, and {} are needed: raise the limit (ulimit -n 4096, or LimitNOFILE= in \
         the service)",
        super::assemble::LEAST_DESCRIPTORS
    )]
    FewDescriptors {
        /// The limit.
        limit: usize,
    },
    /// Evidence and reports would not fit on the disk.
    #[error(
        "only {free_mib} MiB are free in {}, and this scan may need {needed_mib} MiB for evidence and reports: make room, or give \
         other folders with --store and --reports. Nothing was measured",
        folder.display()
    )]
    NoRoom {
        /// The folder that is there.
        folder: PathBuf,
        /// What is free.
        free_mib: u64,
        /// Three times what is expected.
        needed_mib: u64,
    },
    /// A name nobody probed.
    #[error("run {run} has no evidence for {name}")]
    NoEvidence {
        /// The run.
        run: String,
        /// The name.
        name: String,
    },
    /// Runs of several vantages that say nothing together.
    #[error("these runs cannot be taken together: {why}")]
    NotTogether {
        /// Why.
        why: String,
    },
    /// Runs in the wrong order, or one run twice.
    #[error("{from} did not begin before {to}: give the earlier run first")]
    NotEarlier {
        /// What was given as the earlier run.
        from: String,
        /// What was given as the later run.
        to: String,
    },
    /// The gate is shut. Everything about it was printed before.
    #[error("this vantage cannot measure now: nothing was judged")]
    GateShut,
    /// The run is not complete. Everything about it was printed before.
    #[error(
        "the run is incomplete; what was finished is stored, `v6ready scan --resume` with the same lists goes on with it"
    )]
    Incomplete,
    /// An interrupted run was measured in another way, or from other lists.
    #[error(
        "run {run} is not finished, and cannot go on: {what} differs. Put that back, or scan without --resume to begin a new run"
    )]
    CannotResume {
        /// The run.
        run: RunId,
        /// What differs.
        what: String,
    },
    /// Completion is too low.
    #[error("completion {actual:.2} % is below --fail-under {wanted} %")]
    BelowThreshold {
        /// Completion in percent.
        actual: f64,
        /// The threshold in percent.
        wanted: f64,
    },
    /// The lab.
    #[cfg(feature = "lab")]
    #[error("cannot start the simulated internet")]
    Lab(#[from] crate::lab::LabError),
    /// The runtime.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
}

impl From<&CliError> for Exit {
    fn from(error: &CliError) -> Self {
        match error {
            CliError::Config(error) => error.into(),
            CliError::Store(error) => error.into(),
            CliError::Create { .. } => Self::CannotCreate,
            CliError::Targets(_)
            | CliError::NothingToProbe
            | CliError::EmptyLists
            | CliError::NoNames
            | CliError::Read { .. } => Self::Unusable,
            CliError::Rules(_) | CliError::Template(_) | CliError::NoSuchRules { .. } => Self::Unusable,
            CliError::NotALab | CliError::FewDescriptors { .. } | CliError::Tls(_) => Self::Unusable,
            CliError::Publish(error) => match error.io_kind() {
                Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) => Self::InputOutput,
                _ => Self::CannotCreate,
            },
            CliError::NoRoom { .. } => Self::InputOutput,
            CliError::NoEvidence { .. }
            | CliError::NotTogether { .. }
            | CliError::NotEarlier { .. }
            | CliError::SameRun { .. }
            | CliError::NoTimetable => Self::Usage,
            CliError::CannotResume { .. } => Self::Unusable,
            CliError::GateShut => Self::GateShut,
            CliError::Incomplete => Self::Incomplete,
            CliError::BelowThreshold { .. } => Self::BelowThreshold,
            #[cfg(feature = "lab")]
            CliError::Lab(_) => Self::Failure,
            CliError::Render(_) | CliError::Setup { .. } | CliError::Runtime(_) => Self::Failure,
        }
    }
}
