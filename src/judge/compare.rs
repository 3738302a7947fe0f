//! What changed between runs, and what of it is certain.
//!
//! One run is one look. A success over IPv6 proves itself, so a gain counts at once; a setback counts when a second run
//! agrees, and is *unconfirmed* (待确认) until then. What goes to and fro is said to flap instead of being reported anew
//! each time. The rules are numbered as in `docs/method/history.md`.
//!
//! Pure. Leaves to others: which runs may be compared ([`differences`] says what stands between two, who reads the
//! store decides), verdicts ([`super::assess`]), and wording.

mod past;
mod ranks;
mod trend;

use crate::model::run::Run;
use crate::model::verdict::{CountsAs, Readiness};

use super::summarise::Standing;

pub use past::{Delta, Gone, LeftOut, Past, PastRegion, PastRun, SchoolDelta};
pub use trend::{Trend, TrendPoint};

/// Runs that are looked back on, the present one included: for flapping, and for the trend. The window of 21 checks is
/// that of the Nagios family.
pub const WINDOW: usize = 21;
/// Changes within the window from which on a school may be said to flap. Ours: two changes are one outage that was mended.
const FLAPPING_CHANGES: usize = 3;
/// The share of changes, as one in so many, from which on it is said to flap: a quarter.
const FLAPPING_SHARE: usize = 4;

/// How a school changed between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Did not pass, passes now.
    Gained,
    /// Passed, and does not any more: two runs agree.
    Lost,
    /// Something else than what was known, seen once: 待确认.
    Unconfirmed,
    /// Changes again and again: see [`Flapping`].
    Flapping,
    /// Another verdict, but none of the above.
    Other,
    /// The same as was known.
    Same,
    /// Seen for the first time.
    New,
}

impl Change {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::Unconfirmed => "unconfirmed",
            Self::Flapping => "flapping",
            Self::Other => "other",
            Self::Same => "same",
            Self::New => "new",
        }
    }

    /// From what was known before to what is known now. None: there is no verdict now.
    pub fn between(before: &State, after: &State) -> Option<Self> {
        let Some(Standing::Verdict(now)) = after.last else { return None };
        let Some(last) = before.last else { return Some(Self::New) };
        let had_verdict = matches!(last, Standing::Verdict(_)) || before.settled.is_some();
        if now.counts_as() == CountsAs::NotJudged {
            return Some(match last {
                _ if !had_verdict => Self::New,
                _ if last.counts_as() == CountsAs::NotJudged => Self::Same,
                _ => Self::Unconfirmed,
            });
        }
        if after.pending.is_some() {
            return Some(Self::Unconfirmed);
        }
        Some(match (before.settled, after.settled) {
            (None, _) if had_verdict => Self::Other,
            (None, _) | (_, None) => Self::New,
            (Some(was), Some(is)) if was == is => Self::Same,
            (Some(was), Some(is)) => match (passes(was), passes(is)) {
                (false, true) => Self::Gained,
                (true, false) => Self::Lost,
                _ => Self::Other,
            },
        })
    }
}

/// What is known of a school after some runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last verdict that counts. None: it was never judged.
    pub settled: Option<Readiness>,
    /// A verdict that contradicts it and was seen once. None: nothing is open.
    pub pending: Option<Readiness>,
    /// Where it stood in the last of these runs. None: it was in none.
    pub last: Option<Standing>,
}

impl State {
    /// The state after one more run.
    ///
    /// 1. What could not be judged, and what the list itself says, settles nothing and contradicts nothing.
    /// 2. The first verdict counts, since a failure was already seen in two rounds of its run.
    /// 3. A success counts at once.
    /// 4. After a success, two verdicts in a row that are none count.
    /// 5. Between failing and being out of the base (down, no such name) two in a row of the same side count.
    #[must_use]
    pub fn step(self, now: Standing) -> Self {
        let next = Self { last: Some(now), ..self };
        let Standing::Verdict(verdict) = now else { return next };
        let side = verdict.counts_as();
        if side == CountsAs::NotJudged {
            return next;
        }
        let counts = match (self.settled.map(Readiness::counts_as), self.pending.map(Readiness::counts_as)) {
            (None, _) => true,
            (Some(settled), _) if side == CountsAs::Pass || side == settled => true,
            (Some(CountsAs::Pass), pending) => pending.is_some(),
            (Some(_), pending) => pending == Some(side),
        };
        if counts {
            Self { settled: Some(verdict), pending: None, ..next }
        } else {
            Self { pending: Some(verdict), ..next }
        }
    }
}

/// A school that goes to and fro.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Flapping {
    /// How often it changed between passing and not passing.
    pub changes: usize,
    /// Runs in which it was judged, of the last [`WINDOW`].
    pub judged: usize,
    /// Runs of these in which it passed.
    pub passed: usize,
    /// It was not yet said of the run before.
    pub newly: bool,
}

impl Flapping {
    /// From where a school stood in the runs of a window, in order. None: it does not flap.
    fn of(standings: &[Standing]) -> Option<Self> {
        let now = Self::counted(standings)?;
        let before = standings.split_last().and_then(|(_, earlier)| Self::counted(earlier));
        Some(Self { newly: before.is_none(), ..now })
    }

    fn counted(standings: &[Standing]) -> Option<Self> {
        let recent = &standings[standings.len().saturating_sub(WINDOW)..];
        let passed: Vec<bool> = recent
            .iter()
            .filter_map(|standing| match standing {
                Standing::Verdict(verdict) if verdict.counts_as() != CountsAs::NotJudged => Some(passes(*verdict)),
                _ => None,
            })
            .collect();
        let changes = passed.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let flaps = changes >= FLAPPING_CHANGES && changes * FLAPPING_SHARE >= passed.len() - 1;
        flaps.then(|| Self {
            changes,
            judged: passed.len(),
            passed: passed.iter().filter(|passed| **passed).count(),
            newly: false,
        })
    }
}

fn passes(verdict: Readiness) -> bool {
    verdict.counts_as() == CountsAs::Pass
}

/// What makes two runs no measure of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// One is about invented schools or a laboratory.
    Kind,
    /// They were measured from different vantages, or over different providers.
    Vantage,
    /// They were measured or judged under different versions of the method.
    Method,
    /// One did without IPv6 transport.
    Transport,
    /// One did not come to its end.
    Incomplete,
    /// No verdicts of it are kept.
    NotJudged,
}

impl Difference {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Vantage => "vantage",
            Self::Method => "method",
            Self::Transport => "transport",
            Self::Incomplete => "incomplete",
            Self::NotJudged => "not_judged",
        }
    }
}

/// What stands between two runs that were judged under the same version. Empty: they may be compared.
pub fn differences(earlier: &Run, later: &Run) -> Vec<Difference> {
    use crate::model::run::RunEnd;
    let kind = |run: &Run| (run.lab, run.simulated);
    let vantage = |run: &Run| (run.vantage.name.clone(), run.vantage.isp.clone());
    [
        (Difference::Kind, kind(earlier) != kind(later)),
        (Difference::Vantage, vantage(earlier) != vantage(later)),
        (Difference::Method, earlier.method_version != later.method_version),
        (Difference::Transport, earlier.without_ipv6 != later.without_ipv6),
        (Difference::Incomplete, earlier.end != RunEnd::Complete),
    ]
    .into_iter()
    .filter_map(|(difference, holds)| holds.then_some(difference))
    .collect()
}

#[cfg(test)]
#[path = "compare/tests.rs"]
mod tests;
