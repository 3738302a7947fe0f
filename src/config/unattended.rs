//! Settings for machines that nobody watches: when scans start, what is left for those who look, who is told.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Config;
use super::text::{duration, maybe};
use super::validate::{Violation, demand};
use crate::upkeep::timetable::Timetable;

/// `[schedule]`: when `v6ready schedule` starts a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Cron expression of five fields, in [`super::Report::timezone`]. None: there is no schedule.
    #[serde(with = "maybe")]
    pub cron: Option<String>,
}

/// `[watch]`: what is left for those who look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// Textfile for node_exporter, replaced at the end of every scan. None: none is written.
    #[serde(with = "maybe")]
    pub metrics: Option<PathBuf>,
    /// Age of the latest complete run from which `status` calls it stale.
    #[serde(with = "duration")]
    pub stale_after: Duration,
    /// Free space beside the history below which `status` calls it low, in MiB.
    pub least_free_mib: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self { metrics: None, stale_after: Duration::from_hours(192), least_free_mib: 512 }
    }
}

/// `[notify]`: who is told at the end of a scan. Secrets are in files or in the environment, never in here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Whose shape the message has.
    pub bot: NotifyBot,
    /// A file whose first line is the URL. None: `V6READY_WEBHOOK_URL` is taken.
    #[serde(with = "maybe")]
    pub url_file: Option<PathBuf>,
    /// A file whose first line is the key that signs messages. None: `V6READY_WEBHOOK_KEY`, or no signature.
    #[serde(with = "maybe")]
    pub key_file: Option<PathBuf>,
    /// Where readers find the reports: a URL that the run's name is put behind. None: no link.
    #[serde(with = "maybe")]
    pub link: Option<String>,
}

/// Whose shape a message has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyBot {
    /// Nobody is told.
    #[default]
    None,
    /// JSON for a program of one's own.
    Generic,
    /// 企业微信.
    Wecom,
    /// 钉钉.
    Dingtalk,
    /// 飞书.
    Feishu,
}

/// What cannot be used.
pub(super) fn can_be_kept(config: &Config) -> Vec<Violation> {
    let zone = jiff::tz::TimeZone::get(&config.report.timezone).unwrap_or(jiff::tz::TimeZone::UTC);
    let read = config.schedule.cron.as_deref().map_or(Ok(()), |cron| Timetable::read(cron, zone).map(drop));
    let remedy = "write five fields as in crontab, such as \"0 22 * * 6\": Saturdays at 22:00";
    let mut found = demand(read.is_ok(), "schedule.cron", read.err().unwrap_or_default(), remedy);
    let lasts = config.watch.stale_after >= Duration::from_hours(1);
    found.extend(demand(lasts, "watch.stale_after", "is shorter than a run", "write at least \"1h\""));
    found
}
