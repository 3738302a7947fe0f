//! How mail for the site's name is taken: the hosts that its MX records name, and whether they greet on port 25.
//!
//! A step of its own, made only where it is asked for, and no part of what a verdict rests on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::host::HostCheck;
use super::lookup::{Lookup, LookupOutcome};
use crate::model::address::Family;
use crate::model::failure::Failure;
use crate::model::time::Timestamp;

/// What was found out about the mail of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// The name whose MX records were asked for: the listed name, without a leading `www.`.
    pub domain: String,
    /// Every question for MX, in the order asked. The names of an answer are those of its records, the most preferred first;
    /// `.` alone says that the name takes no mail (RFC 7505).
    pub lookups: Vec<Lookup>,
    /// The hosts that were looked at.
    pub hosts: Vec<MailHost>,
    /// Hosts that were not: there are more than are looked at, or their owner asked not to be measured.
    pub left_out: u32,
    /// The time for the hosts was over before all of them had been looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_time: bool,
}

impl Mail {
    /// The hosts that an answer names. None: there was none.
    pub fn named(&self) -> Option<&[String]> {
        let answered = |lookup: &&Lookup| lookup.outcome == LookupOutcome::Answer && !lookup.checking_disabled;
        self.lookups.iter().find(answered).map(|lookup| lookup.names.as_slice())
    }
}

/// One host that takes mail. It is looked at once in a run, for all names that it serves, and once more in the next round if
/// that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailHost {
    /// Its addresses.
    pub check: HostCheck,
    /// Every attempt to be greeted, at its public addresses. Empty: port 25 was not gone to.
    pub tries: Vec<MailTry>,
    /// The same at hosts that are known to greet, before and after: whether this network lets port 25 through. Empty: none is
    /// known.
    pub canaries: Vec<MailTry>,
}

impl MailHost {
    /// Attempts over one family.
    pub fn over(&self, family: Family) -> impl Iterator<Item = &MailTry> {
        self.tries.iter().filter(move |attempt| Family::of(attempt.address) == family)
    }

    /// It greeted over the family.
    pub fn greets_over(&self, family: Family) -> bool {
        self.over(family).any(MailTry::is_greeted)
    }
}

/// One attempt to be greeted on port 25: the greeting is read, `QUIT` is sent, and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailTry {
    /// The address.
    pub address: IpAddr,
    /// When it began.
    pub started: Timestamp,
    /// From the beginning to the greeting or the failure, in microseconds.
    pub duration_us: u64,
    /// What came of it.
    pub end: MailEnd,
}

impl MailTry {
    /// A server spoke SMTP, whatever it said: that it does not want this client is an answer as well.
    pub fn is_greeted(&self) -> bool {
        matches!(self.end, MailEnd::Greeted(_))
    }

    /// When it ended.
    pub fn ended(&self) -> Timestamp {
        self.started.plus_ms(i64::try_from(self.duration_us / 1000).unwrap_or(0))
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailEnd {
    /// A greeting with this reply code (RFC 5321 §4.2): 220, or 554 and 421 of servers that want nothing.
    Greeted(u16),
    /// The connection was not opened, or broke.
    Failed(Failure),
    /// It opened, and no greeting came in time.
    Silent,
    /// It opened, and was closed without a greeting.
    Closed,
    /// What came is no SMTP.
    NotSmtp,
}

impl MailEnd {
    /// Ours, not the host's: says nothing about it.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.is_local())
    }

    /// The stable word, or the reply code.
    pub fn word(&self) -> String {
        match self {
            Self::Greeted(code) => code.to_string(),
            Self::Failed(failure) => failure.to_string(),
            Self::Silent => "silent".to_owned(),
            Self::Closed => "closed".to_owned(),
            Self::NotSmtp => "not_smtp".to_owned(),
        }
    }
}
