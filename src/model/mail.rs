//! Whether mail for a site's name can be delivered over IPv6: an indicator of its own, beside the verdict.

use serde::{Deserialize, Serialize};

use super::deep::Rate;

/// What can be said of a name's mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// A host that takes mail for the name greets over IPv6.
    Pass,
    /// None of them does, confirmed.
    Fail,
    /// The name takes no mail: it has no MX record, or one that says so (RFC 7505).
    NotApplicable,
    /// It could not be known.
    Unknown,
}

impl MailState {
    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not_applicable",
            Self::Unknown => "unknown",
        }
    }
}

/// The mail of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailReadiness {
    /// The name whose MX records were asked for.
    pub domain: String,
    /// What can be said.
    pub state: MailState,
    /// Why it could not be known: `port25` (this network does not let port 25 through, or nothing shows that it does), `dns`,
    /// `unconfirmed`, `limit`. Empty: it is known.
    pub reason: String,
    /// Hosts that greet over IPv6, of those that could be judged.
    pub hosts: Rate,
}
