//! What several vantages say together (docs/method/vantages.md): one verdict out of the verdicts of each, with how many of them
//! bear it out.
//!
//! A network that cannot reach a site says something of itself, so one vantage that disagrees is borne with; what only some
//! networks reach is a defect with a name. Leaves to others: each vantage's own verdict ([`super::assess`]), and which runs
//! may be taken together.

use std::collections::BTreeSet;

use crate::model::verdict::{CountsAs, Readiness};
use crate::model::word::Word;

/// Vantages that must have judged a site before anything is said of it together.
pub const VANTAGES: usize = 3;
/// Providers that these must be customers of.
pub const PROVIDERS: usize = 2;

/// The reason where vantages disagree too much for one of them to be the exception, and some reach the site.
pub const DEPENDENT: &str = "vantage_dependent";
/// The reason where too few vantages judged the site, or those that do not reach it give different verdicts.
pub const VANTAGE: &str = "vantage";

/// One vantage's verdict of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The vantage's name.
    pub vantage: String,
    /// Its provider. Empty: not known, and then no provider of its own.
    pub isp: String,
    /// Its verdict. None: the site is not in its run.
    pub verdict: Option<(Readiness, Word)>,
}

/// What they say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The verdict.
    pub readiness: Readiness,
    /// Its reason, as a stable word. Empty: it needs none.
    pub reason: String,
    /// Vantages that reached the site over IPv6, of those that judged it.
    pub reached: (usize, usize),
}

/// The verdict of all together. The order of the voices does not matter.
///
/// 1. Fewer than [`VANTAGES`] judged the site, or they have fewer than [`PROVIDERS`] providers: `INCONCLUSIVE(vantage)`.
/// 2. All reached it, or all but one: `READY`, or `READY_DEFECT` where one that reached it found a defect.
/// 3. Two or more reached it: `READY_DEFECT(vantage_dependent)`.
/// 4. All but one give the same verdict: that verdict, with their reason if they give one and the same.
/// 5. Else `INCONCLUSIVE(vantage)`.
pub fn quorum(voices: &[Voice]) -> Quorum {
    let judged: Vec<(&Voice, Readiness, &str)> = voices
        .iter()
        .filter_map(|voice| voice.verdict.as_ref().map(|(readiness, reason)| (voice, *readiness, reason.as_str())))
        .filter(|(_, readiness, _)| readiness.counts_as() != CountsAs::NotJudged)
        .collect();
    let providers: BTreeSet<&str> =
        judged.iter().map(|(voice, ..)| voice.isp.as_str()).filter(|isp| !isp.is_empty()).collect();
    let passed = || judged.iter().filter(|(_, readiness, _)| readiness.counts_as() == CountsAs::Pass);
    let reached = (passed().count(), judged.len());
    let say = |readiness, reason: &str| Quorum { readiness, reason: reason.to_owned(), reached };
    if judged.len() < VANTAGES || providers.len() < PROVIDERS {
        return say(Readiness::Inconclusive, VANTAGE);
    }
    if reached.0 + 1 >= judged.len() {
        let defects: BTreeSet<&str> = passed()
            .filter(|(_, readiness, _)| *readiness == Readiness::ReadyDefect)
            .map(|(.., reason)| *reason)
            .collect();
        return match defects.first() {
            None => say(Readiness::Ready, ""),
            // Several defects: the findings of each run name them.
            Some(one) if defects.len() == 1 => say(Readiness::ReadyDefect, one),
            Some(_) => say(Readiness::ReadyDefect, DEPENDENT),
        };
    }
    if reached.0 >= 2 {
        return say(Readiness::ReadyDefect, DEPENDENT);
    }
    for candidate in Readiness::ALL.into_iter().filter(|readiness| readiness.counts_as() != CountsAs::Pass) {
        let agreeing: Vec<&str> =
            judged.iter().filter(|(_, readiness, _)| *readiness == candidate).map(|(.., reason)| *reason).collect();
        if agreeing.len() + 1 >= judged.len() {
            let reasons: BTreeSet<&str> = agreeing.into_iter().collect();
            return say(candidate, reasons.first().filter(|_| reasons.len() == 1).copied().unwrap_or_default());
        }
    }
    say(Readiness::Inconclusive, VANTAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Voices of these verdicts, at `campus`, `telecom`, `mobile`, `unicom`, `second` of the provider at the same place.
    fn voices(verdicts: &[(Readiness, &str)], isps: &[&str]) -> Vec<Voice> {
        let named = ["campus", "telecom", "mobile", "unicom", "second", "third"].iter().zip(isps).zip(verdicts);
        let voice = |((vantage, isp), (readiness, reason)): ((&&str, &&str), &(Readiness, &str))| Voice {
            vantage: (*vantage).to_owned(),
            isp: (*isp).to_owned(),
            verdict: Some((*readiness, (*reason).into())),
        };
        named.map(voice).collect()
    }

    #[test]
    fn the_rules() {
        use Readiness::{Absent, Broken, Down, Inconclusive, NoName, Ready, ReadyDefect};
        const ISPS: [&str; 6] = ["教育网", "电信", "移动", "联通", "教育网", "电信"];
        let ready = (Ready, "");
        let broken = (Broken, "timeout");
        let cases: &[(&[(Readiness, &str)], Quorum)] = &[
            (&[ready, ready, ready], Quorum { readiness: Ready, reason: String::new(), reached: (3, 3) }),
            (&[ready, ready, broken], Quorum { readiness: Ready, reason: String::new(), reached: (2, 3) }),
            (&[ready, broken, broken], Quorum { readiness: Broken, reason: "timeout".to_owned(), reached: (1, 3) }),
            (&[broken; 3], Quorum { readiness: Broken, reason: "timeout".to_owned(), reached: (0, 3) }),
            (
                &[broken, (Broken, "refused"), broken],
                Quorum { readiness: Broken, reason: String::new(), reached: (0, 3) },
            ),
            (
                &[ready, ready, broken, broken],
                Quorum { readiness: ReadyDefect, reason: DEPENDENT.to_owned(), reached: (2, 4) },
            ),
            (&[ready, ready, ready, broken], Quorum { readiness: Ready, reason: String::new(), reached: (3, 4) }),
            (
                &[ready, (ReadyDefect, "cert_v6"), broken],
                Quorum { readiness: ReadyDefect, reason: "cert_v6".to_owned(), reached: (2, 3) },
            ),
            (
                &[(ReadyDefect, "port_diff"), (ReadyDefect, "cert_v6"), ready],
                Quorum { readiness: ReadyDefect, reason: DEPENDENT.to_owned(), reached: (3, 3) },
            ),
            (&[(Absent, ""); 3], Quorum { readiness: Absent, reason: String::new(), reached: (0, 3) }),
            (
                &[(NoName, ""), (NoName, ""), ready],
                Quorum { readiness: NoName, reason: String::new(), reached: (1, 3) },
            ),
            // One says that IPv4 works, one that it does not: neither is the exception.
            (
                &[ready, broken, (Down, "unreachable")],
                Quorum { readiness: Inconclusive, reason: VANTAGE.to_owned(), reached: (1, 3) },
            ),
            // Who could not know does not count.
            (
                &[ready, ready, (Inconclusive, "dns")],
                Quorum { readiness: Inconclusive, reason: VANTAGE.to_owned(), reached: (2, 2) },
            ),
            (
                &[ready, ready, (Inconclusive, "dns"), broken],
                Quorum { readiness: Ready, reason: String::new(), reached: (2, 3) },
            ),
            (&[ready, ready], Quorum { readiness: Inconclusive, reason: VANTAGE.to_owned(), reached: (2, 2) }),
        ];
        for (verdicts, expected) in cases {
            let mut voices = voices(verdicts, &ISPS);
            // In every rotation and backwards.
            for _ in 0..voices.len() {
                voices.rotate_left(1);
                assert_eq!(quorum(&voices), *expected, "{verdicts:?}");
                voices.reverse();
                assert_eq!(quorum(&voices), *expected, "{verdicts:?}");
            }
        }
    }

    #[test]
    fn one_provider_is_one_opinion() {
        let verdicts = [(Readiness::Ready, ""); 3];
        for isps in [["电信"; 3], ["", "", "电信"], ["", "", ""]] {
            assert_eq!(quorum(&voices(&verdicts, &isps)).readiness, Readiness::Inconclusive, "{isps:?}");
        }
        assert_eq!(quorum(&voices(&verdicts, &["电信", "电信", "移动"])).readiness, Readiness::Ready);
        // A site that is not in a run is not judged there.
        let mut absent = voices(&verdicts, &["电信", "移动", "联通"]);
        absent[1].verdict = None;
        assert_eq!(quorum(&absent).readiness, Readiness::Inconclusive);
    }

    /// One vantage more that reaches the site never makes the verdict worse.
    #[test]
    fn a_success_never_harms() {
        use Readiness::{Absent, Broken, Down, Inconclusive, Ready};
        let kinds = [(Ready, ""), (Broken, "timeout"), (Absent, ""), (Down, "unreachable"), (Inconclusive, "dns")];
        let rank = |readiness: Readiness| match readiness.counts_as() {
            CountsAs::Pass => 2,
            CountsAs::NotJudged => 1,
            CountsAs::Fail | CountsAs::OutOfBase => 0,
        };
        let mut n = 0;
        for number in 0..kinds.len().pow(4) {
            let digits = (0..4).map(|place| number / kinds.len().pow(place) % kinds.len());
            let verdicts: Vec<_> = digits.map(|digit| kinds[digit]).collect();
            let before = quorum(&voices(&verdicts, &["a", "b", "c", "d"]));
            for place in 0..4 {
                let mut better = verdicts.clone();
                better[place] = (Ready, "");
                let after = quorum(&voices(&better, &["a", "b", "c", "d"]));
                // A silent vantage that speaks up may give the others the number that they need.
                let spoke_up = verdicts[place].0 == Inconclusive;
                assert!(spoke_up || rank(after.readiness) >= rank(before.readiness), "{verdicts:?} {place}");
                n += 1;
            }
        }
        assert_eq!(n, 2500);
    }
}
