//! The one verdict per site, and what it rests on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::deep::{Latencies, LinkRates, Skylight};
use super::evidence::Pointer;
use super::finding::{Finding, Severity};
use super::mail::MailReadiness;
use super::site::SiteKey;
use super::word::Word;

/// The verdict. There is no default: something unmeasured is [`Readiness::Inconclusive`] with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Readiness {
    /// 双栈就绪: the listed name is served over IPv6, and is the same service as over IPv4.
    Ready,
    /// 就绪（有缺陷）: served over IPv6, with named defects.
    ReadyDefect,
    /// IPv6 故障: usable AAAA, IPv4 works, IPv6 does not give the service; confirmed.
    Broken,
    /// 未启用 IPv6: no usable AAAA, IPv4 serves.
    Absent,
    /// 网站不可用: fails the same way on both families, confirmed.
    Down,
    /// 域名不存在: NXDOMAIN from two sources.
    NoName,
    /// 未判定: we could not know.
    Inconclusive,
}

/// How a verdict counts towards completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountsAs {
    /// In the numerator and the base.
    Pass,
    /// In the base only.
    Fail,
    /// In neither; listed by name.
    OutOfBase,
    /// In neither; limits what may be published.
    NotJudged,
}

impl Readiness {
    /// Every verdict, in report order.
    pub const ALL: [Self; 7] =
        [Self::Ready, Self::ReadyDefect, Self::Broken, Self::Absent, Self::Down, Self::NoName, Self::Inconclusive];

    /// How it counts.
    pub fn counts_as(self) -> CountsAs {
        match self {
            Self::Ready | Self::ReadyDefect => CountsAs::Pass,
            Self::Broken | Self::Absent => CountsAs::Fail,
            Self::Down | Self::NoName => CountsAs::OutOfBase,
            Self::Inconclusive => CountsAs::NotJudged,
        }
    }

    /// The stable name, as in `READY_DEFECT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::ReadyDefect => "READY_DEFECT",
            Self::Broken => "BROKEN",
            Self::Absent => "ABSENT",
            Self::Down => "DOWN",
            Self::NoName => "NO_NAME",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

/// Which families serve the site, beside the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// Both.
    DualStack,
    /// IPv6 only.
    Ipv6Only,
    /// IPv4 only.
    Ipv4Only,
    /// Neither.
    None,
    /// Not measured well enough to say.
    Unknown,
}

impl Stack {
    /// The stable name, as in `dual_stack`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DualStack => "dual_stack",
            Self::Ipv6Only => "ipv6_only",
            Self::Ipv4Only => "ipv4_only",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// Everything that was decided about one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// The site.
    pub site: SiteKey,
    /// The verdict.
    pub readiness: Readiness,
    /// Why, as a stable word: `refused`, `status`, `wrong_vhost`, `redirect_v4only`, `dns`, `vantage`, ... Empty: the
    /// verdict needs none.
    pub reason: Word,
    /// Which families serve.
    pub stack: Stack,
    /// IPv6 reaches a server that speaks HTTP or TLS for this name. None: not measured.
    pub reach6: Option<bool>,
    /// Number of the rule that decided, as in docs/method/verdict.md.
    pub rule: u8,
    /// What was found, by severity, then by code.
    pub findings: Vec<Finding>,
    /// The evidence the verdict rests on. Never empty.
    pub evidence: Vec<Pointer>,
    /// The facts that reports print beside the verdict.
    pub facts: Facts,
}

impl Assessment {
    /// The command that repeats this probe.
    pub fn repeat_command(&self) -> String {
        format!("v6ready check {}", self.site)
    }

    /// The finding that explains the verdict best: the first one of the highest severity.
    pub fn main_finding(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.code.severity() != Severity::Note)
    }
}

/// Facts of one site as reports print them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// IPv4 addresses of the name.
    pub a: Vec<IpAddr>,
    /// IPv6 addresses of the name.
    pub aaaa: Vec<IpAddr>,
    /// Landing status over IPv4 as a number, or the failure's stable word, or `none` (no address), or empty (not measured).
    pub v4_status: Word,
    /// The same over IPv6.
    pub v6_status: Word,
    /// Request to first byte over IPv4 in milliseconds. None: no response.
    pub latency_v4_ms: Option<f64>,
    /// The same over IPv6.
    pub latency_v6_ms: Option<f64>,
    /// Title of the landing page, IPv6 first. None: none.
    pub title: Option<String>,
    /// Successful tries out of all tries to get the page over IPv6 in all rounds. None: never tried.
    pub v6_tries: Option<(u32, u32)>,
    /// Name servers of the listed name's zone that work over IPv6, and all of them. None: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns6: Option<(u32, u32)>,
    /// A resolver that has IPv6 only finds the servers of all zones the site needs. None: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolves6: Option<bool>,
    /// Host on which the site lands over IPv4, where it is another one. None: the same host, or it did not land.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lands_on: Option<String>,
    /// Rates of the site's links. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Box<LinkRates>>,
    /// What its landing page is put together from. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skylight: Option<Box<Skylight>>,
    /// Success and speed. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latencies: Option<Box<Latencies>>,
    /// Whether mail can be delivered over IPv6. None: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<MailReadiness>>,
}
