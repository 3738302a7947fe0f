//! A run: one scan, from one vantage, and how far that vantage could be trusted.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::address::Family;
use super::outage::Outage;
use super::time::Timestamp;

/// Identifier of a run: its start in UTC as `20261123T191000Z`, or `demo`; also the name of its report folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One check of the gate or one canary during the run: did this vantage's family work at this moment?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When it was finished.
    pub at: Timestamp,
    /// The family.
    pub family: Family,
    /// It worked.
    pub good: bool,
    /// The largest page that came to its end over the family, in bytes on the wire: whether large packets reach this
    /// vantage. 0: none did, or it was not recorded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub page_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How far this machine's clock may be from the anchors' before nothing is called out of date by it. Ours, not a standard's:
/// certificates are renewed days before their end.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);
/// Anchors that must say what time it is, where there are so many; where there are fewer, all of them, but one is no witness.
const WITNESSES: usize = 3;

/// This machine's wall clock beside the anchors' `Date` headers, when a run began. All times of the run go on from there by
/// the monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockProof {
    /// When it was looked at, by this machine's clock.
    pub at: Timestamp,
    /// Anchors that said what time it is.
    pub anchors: usize,
    /// How far it was ahead of them, in milliseconds: the median. Negative: behind.
    pub ahead_ms: i64,
    /// When it was not known any more during the run, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<ClockGap>,
}

/// A time in which nobody knew whether the clock was right: it had jumped, or the machine had slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockGap {
    /// The last moment at which nothing was noticed yet.
    pub from: Timestamp,
    /// When anchors had shown anew that it is right. None: they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl ClockProof {
    /// From how far it is ahead of each anchor that said something, in milliseconds; `exist`: how many anchors there are. None:
    /// too few said anything, or no majority of them agrees.
    pub fn from_anchors(at: Timestamp, mut ahead: Vec<i64>, exist: usize) -> Option<Self> {
        ahead.sort_unstable();
        let anchors = ahead.len();
        if anchors < WITNESSES.min(exist).max(2) {
            return None;
        }
        let ahead_ms = ahead[anchors / 2];
        let agree = ahead.iter().filter(|each| u128::from(each.abs_diff(ahead_ms)) <= CLOCK_TOLERANCE.as_millis());
        (2 * agree.count() > anchors).then(|| Self { at, anchors, ahead_ms, gaps: Vec::new() })
    }

    /// The clock was right when the run began.
    pub fn holds(&self) -> bool {
        u128::from(self.ahead_ms.unsigned_abs()) <= CLOCK_TOLERANCE.as_millis()
    }

    /// The clock was right, and was still known to be at this moment.
    pub fn holds_at(&self, at: Timestamp) -> bool {
        let open = |gap: &ClockGap| gap.from <= at && gap.until.is_none_or(|until| at < until);
        self.holds() && !self.gaps.iter().any(open)
    }
}

/// One self-test of a resolver: could its word be believed at this moment?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsProof {
    /// When it was finished.
    pub at: Timestamp,
    /// The resolver.
    pub server: SocketAddr,
    /// What came out.
    pub state: ResolverState,
}

/// What a resolver's self-test showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolverState {
    /// It knows what exists, and says of what does not exist that it does not.
    Sane,
    /// Nobody tested it: the run was interrupted. What was asked just before is not proven by tests that were made later.
    Untested,
    /// It did not answer, or only with failures.
    Silent,
    /// It denies what exists.
    Denies,
    /// It gives addresses to what has none: DNS64 (RFC 6147), or rewriting of NXDOMAIN.
    Invents,
}

impl ResolverState {
    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sane => "sane",
            Self::Untested => "untested",
            Self::Silent => "silent",
            Self::Denies => "denies",
            Self::Invents => "invents",
        }
    }
}

/// Where a run measures from, and the proofs that it could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vantage {
    /// Its name, from the configuration.
    pub name: String,
    /// ISP label (教育网, 电信, 联通, 移动). None: not given.
    pub isp: Option<String>,
    /// Resolvers that were asked.
    pub resolvers: Vec<SocketAddr>,
    /// Proofs in order of time.
    pub proofs: Vec<Proof>,
    /// Self-tests of the resolvers, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_proofs: Vec<DnsProof>,
    /// Whether its clock was right. None: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockProof>,
}

/// One check of the run gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCheck {
    /// Stable name, such as `anchors-ipv6` or `dns64`.
    pub name: String,
    /// How it went.
    pub outcome: CheckOutcome,
    /// What was seen, in one line.
    pub detail: String,
    /// What to do when it is not fine. Empty: nothing.
    pub advice: String,
}

/// How a check of the gate went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// Fine.
    Pass,
    /// Worth a look; does not shut the gate.
    Warn,
    /// Shuts the gate.
    Fail,
    /// Not made, since the run does not need it.
    Skipped,
}

/// The run gate's result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The checks in order.
    pub checks: Vec<GateCheck>,
}

impl Gate {
    /// The checks that shut the gate.
    pub fn failures(&self) -> impl Iterator<Item = &GateCheck> {
        self.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail)
    }

    /// No check failed.
    pub fn is_open(&self) -> bool {
        self.failures().next().is_none()
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Not yet: still running, or killed.
    Open,
    /// Every site was probed.
    Complete,
    /// Stopped by a signal; finished sites are stored.
    Interrupted,
    /// Rows were lost to an internal error.
    InternalError,
}

/// A network that was left alone for a while because it reset one connection after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The network: an IPv4 /24 or an IPv6 /48.
    pub network: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What a run cost others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Bytes sent, as TCP and UDP payload: with TLS, without headers of packets.
    pub bytes_sent: u64,
    /// Bytes received, counted alike.
    pub bytes_received: u64,
    /// Networks that were left alone for a while, in order of time.
    pub pauses: Vec<Pause>,
}

/// What is stored and published about a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its identifier.
    pub id: RunId,
    /// The vantage, with all proofs.
    pub vantage: Vantage,
    /// When it began.
    pub started: Timestamp,
    /// When it ended. None: not yet.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub end: RunEnd,
    /// SHA-256 of the resolved configuration, in hexadecimal.
    pub config_sha256: String,
    /// [`super::METHOD_VERSION`] of the program that measured.
    pub method_version: String,
    /// Version of the program that measured.
    pub program_version: String,
    /// The gate's result.
    pub gate: Gate,
    /// What was lost in its course, in order of time: the breaker's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// IPv6 transport was not used.
    pub without_ipv6: bool,
    /// Laboratory: prefixes were treated as public that are not. Every report says LAB.
    pub lab: bool,
    /// The network itself was simulated, the schools invented. Every report says 模拟数据.
    pub simulated: bool,
    /// What the run cost others. None: it has not ended, or was measured before this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}
