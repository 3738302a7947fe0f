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
    /// A file of trust anchors beside the bundled ones, PEM, for the bot's server and the mail server. None: the bundled ones.
    #[serde(with = "maybe")]
    pub ca_file: Option<PathBuf>,
}

/// `[smtp]`: whom a mail is sent to at the end of a scan, and through which server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// `host:port`. None: no mail is sent.
    #[serde(with = "maybe")]
    pub server: Option<String>,
    /// How the conversation is kept from others.
    pub security: SmtpSecurity,
    /// Who speaks to the server. None: it asks for nobody.
    #[serde(with = "maybe")]
    pub user: Option<String>,
    /// A file whose first line is the user's password. None: `V6READY_SMTP_PASSWORD` is taken.
    #[serde(with = "maybe")]
    pub password_file: Option<PathBuf>,
    /// Whom the mail is from.
    pub from: String,
    /// Whom it is for.
    pub to: Vec<String>,
}

/// How a conversation with a mail server is kept from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// TLS from STARTTLS on (RFC 3207), usually port 587.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314), usually port 465.
    Tls,
    /// None, for a relay on the same machine: no password is sent.
    None,
}

impl Smtp {
    /// Host and port of the server. None: there is none, or it is not written like one.
    pub fn address(&self) -> Option<(&str, u16)> {
        let (host, port) = self.server.as_deref()?.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic());
        port.parse().ok().filter(|port| plain && *port != 0).map(|port| (host, port))
    }
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
    found.extend(mail_can_be_sent(&config.smtp));
    found
}

fn mail_can_be_sent(smtp: &Smtp) -> Vec<Violation> {
    if smtp.server.is_none() {
        return Vec::new();
    }
    let remedy = "write the mail server as \"host:port\", such as \"smtp.example.edu.cn:587\"";
    let mut found = demand(smtp.address().is_some(), "smtp.server", "is not host and port", remedy);
    let good = |address: &String| address.contains('@') && !address.chars().any(char::is_control);
    let remedy = "write a mail address, such as \"v6ready@example.edu.cn\"";
    found.extend(demand(good(&smtp.from), "smtp.from", "is not a mail address", remedy));
    let some = !smtp.to.is_empty() && smtp.to.iter().all(good);
    found.extend(demand(some, "smtp.to", "is not a list of mail addresses", "write at least one mail address"));
    let open = smtp.security == SmtpSecurity::None && smtp.user.is_some();
    let remedy = "set smtp.security to \"starttls\" or \"tls\", or leave smtp.user empty";
    found.extend(demand(!open, "smtp.user", "would send its password in the clear", remedy));
    found
}
