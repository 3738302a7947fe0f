//! The breaker: from canaries and the fate of finished sites to whether sites may be started. A state machine without
//! clock, sockets or sites of its own (docs/method/gate.md).
//!
//! Each line (IPv4, IPv6, DNS) is on its own. A failed canary makes it *doubtful*, a second one in a row opens the breaker;
//! a few good ones in a row close it. Many failures of sites are no proof of anything: they only have a canary sent at
//! once, which then decides alone. Leaves to others: sending canaries, holding sites back, what becomes of failures.

use std::collections::{BTreeSet, VecDeque};

use crate::model::outage::{Line, Trigger};

/// Parameters of the breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerRules {
    /// Failed canaries in a row that open it.
    pub opens_after: u32,
    /// Good canaries in a row that close it.
    pub closes_after: u32,
    /// Failures of sites since the last canary after which one is sent at once.
    pub burst: u32,
    /// Finished sites among which the share of failures is looked at, and so many before them are the baseline.
    pub window: usize,
    /// By how many standard deviations of the baseline the share must be exceeded.
    pub sigmas: f64,
    /// Networks the failures must be spread over.
    pub networks: usize,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { opens_after: 2, closes_after: 3, burst: 50, window: 100, sigmas: 3.0, networks: 5 }
    }
}

/// What a canary or a change made of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The line became doubtful: no new sites until the next canary.
    Doubt(Trigger),
    /// The breaker opened.
    Open(Trigger),
    /// The line is proven again.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// So many failed in a row.
    Doubtful(u32),
    /// So many good in a row.
    Open(u32),
}

/// The state of one line.
#[derive(Clone, Debug)]
struct State {
    phase: Phase,
    /// Failures of sites since the last canary.
    failures: u32,
    /// The share of failures was exceeded, and no canary has spoken yet.
    suspected: bool,
    /// A canary is wanted at once.
    urgent: bool,
    /// The last sites: failed, network.
    recent: VecDeque<(bool, u32)>,
    /// Sites before these: failed, all.
    baseline: (u64, u64),
}

impl Default for State {
    fn default() -> Self {
        Self {
            phase: Phase::Closed,
            failures: 0,
            suspected: false,
            urgent: false,
            recent: VecDeque::new(),
            baseline: (0, 0),
        }
    }
}

/// The breaker of one run.
#[derive(Clone, Debug)]
pub struct Breaker {
    rules: BreakerRules,
    lines: [State; 3],
}

impl Breaker {
    /// A closed breaker.
    pub fn new(rules: BreakerRules) -> Self {
        Self { rules, lines: Default::default() }
    }

    /// A canary came back. None: nothing changed.
    pub fn canary(&mut self, line: Line, good: bool) -> Option<Turn> {
        let rules = self.rules;
        let state = &mut self.lines[line as usize];
        let suspected = std::mem::take(&mut state.suspected);
        (state.failures, state.urgent) = (0, false);
        let (phase, turn) = match (state.phase, good) {
            (Phase::Closed, true) => (Phase::Closed, None),
            (Phase::Closed, false) if suspected => (Phase::Open(0), Some(Turn::Open(Trigger::Failures))),
            (Phase::Closed, false) if rules.opens_after <= 1 => (Phase::Open(0), Some(Turn::Open(Trigger::Canaries))),
            (Phase::Closed, false) => (Phase::Doubtful(1), Some(Turn::Doubt(Trigger::Canaries))),
            (Phase::Doubtful(_), true) => (Phase::Closed, Some(Turn::Close)),
            (Phase::Doubtful(failed), false) if failed + 1 >= rules.opens_after => {
                (Phase::Open(0), Some(Turn::Open(Trigger::Canaries)))
            }
            (Phase::Doubtful(failed), false) => (Phase::Doubtful(failed + 1), None),
            (Phase::Open(good), true) if good + 1 >= rules.closes_after => (Phase::Closed, Some(Turn::Close)),
            (Phase::Open(good), true) => (Phase::Open(good + 1), None),
            (Phase::Open(_), false) => (Phase::Open(0), None),
        };
        state.phase = phase;
        if turn.is_some() || suspected {
            // Sites that finished in trouble say nothing about the sites' usual share.
            state.recent.clear();
        }
        turn
    }

    /// Something about this host changed, such as its address: the same as a failed canary.
    pub fn changed(&mut self, line: Line, why: Trigger) -> Option<Turn> {
        let rules = self.rules;
        let state = &mut self.lines[line as usize];
        let (phase, turn) = match state.phase {
            Phase::Closed if rules.opens_after > 1 => (Phase::Doubtful(1), Some(Turn::Doubt(why))),
            Phase::Closed => (Phase::Open(0), Some(Turn::Open(why))),
            Phase::Doubtful(failed) => (Phase::Doubtful(failed), None),
            Phase::Open(_) => (Phase::Open(0), None),
        };
        state.phase = phase;
        turn
    }

    /// A site finished, having used this line; `network` says where it is.
    pub fn finished(&mut self, line: Line, failed: bool, network: u32) {
        let rules = self.rules;
        let state = &mut self.lines[line as usize];
        if state.phase != Phase::Closed {
            return;
        }
        state.failures += u32::from(failed);
        if rules.burst > 0 && state.failures >= rules.burst {
            state.urgent = true;
        }
        state.recent.push_back((failed, network));
        if state.recent.len() > rules.window
            && let Some((failed, _)) = state.recent.pop_front()
        {
            state.baseline.0 += u64::from(failed);
            state.baseline.1 += 1;
        }
        if state.exceeds(&rules) {
            (state.suspected, state.urgent) = (true, true);
        }
    }

    /// No line is doubtful or worse: sites may be started.
    pub fn is_closed(&self) -> bool {
        self.lines.iter().all(|state| state.phase == Phase::Closed)
    }

    /// The breaker is open for a line.
    pub fn is_open(&self) -> bool {
        self.lines.iter().any(|state| matches!(state.phase, Phase::Open(_)))
    }

    /// A line failed its last canary and the next one decides.
    pub fn is_doubtful(&self) -> bool {
        self.lines.iter().any(|state| matches!(state.phase, Phase::Doubtful(_)))
    }

    /// So many sites failed that a canary is wanted before its turn.
    pub fn wants_canary(&self) -> bool {
        self.lines.iter().any(|state| state.urgent)
    }
}

impl State {
    /// The share of failures among the last sites is above the baseline by more than chance would have it, across
    /// several networks. One provider's outage is no outage of ours, and without a baseline nothing can be said.
    fn exceeds(&self, rules: &BreakerRules) -> bool {
        let (failed, all) = self.baseline;
        if self.recent.len() < rules.window || (all as usize) < rules.window {
            return false;
        }
        let failures = self.recent.iter().filter(|(failed, _)| *failed);
        let networks: BTreeSet<u32> = failures.clone().map(|(_, network)| *network).collect();
        // One failure and one success are added, so that a baseline without failures still has a spread (Laplace).
        let usual = (failed + 1) as f64 / (all + 2) as f64;
        let spread = (usual * (1.0 - usual) / rules.window as f64).sqrt();
        let share = failures.count() as f64 / rules.window as f64;
        networks.len() >= rules.networks && share > usual + rules.sigmas * spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+`: good canary, `-`: failed canary, `r`: route change. The turns, and whether it is closed afterwards.
    fn play(script: &str) -> (Vec<Turn>, bool) {
        let mut breaker = Breaker::new(BreakerRules::default());
        let turns = script.chars().filter_map(|step| match step {
            'r' => breaker.changed(Line::Ipv6, Trigger::Route),
            step => breaker.canary(Line::Ipv6, step == '+'),
        });
        (turns.collect(), breaker.is_closed())
    }

    #[test]
    fn canaries_open_and_close_it() {
        use Trigger::{Canaries, Route};
        use Turn::{Close, Doubt, Open};
        let cases: [(&str, &[Turn], bool); 10] = [
            ("++++", &[], true),
            ("+-", &[Doubt(Canaries)], false),
            ("+-+", &[Doubt(Canaries), Close], true),
            ("-+-+-+", &[Doubt(Canaries), Close, Doubt(Canaries), Close, Doubt(Canaries), Close], true),
            ("--", &[Doubt(Canaries), Open(Canaries)], false),
            ("--++", &[Doubt(Canaries), Open(Canaries)], false),
            ("--+++", &[Doubt(Canaries), Open(Canaries), Close], true),
            ("--++-++", &[Doubt(Canaries), Open(Canaries)], false),
            ("r+", &[Doubt(Route), Close], true),
            ("r-", &[Doubt(Route), Open(Canaries)], false),
        ];
        for (script, turns, closed) in cases {
            assert_eq!(play(script), (turns.to_vec(), closed), "{script}");
        }
    }

    #[test]
    fn lines_are_on_their_own() {
        let mut breaker = Breaker::new(BreakerRules::default());
        for line in Line::ALL {
            breaker.canary(line, line != Line::Dns);
            breaker.canary(line, line != Line::Dns);
        }
        assert!(breaker.is_open() && !breaker.is_closed());
        assert!(Line::ALL.map(|line| breaker.lines[line as usize].phase != Phase::Closed) == [false, false, true]);
    }

    /// Finishes sites, one network each out of `networks`; failures as given.
    fn finish(breaker: &mut Breaker, sites: u32, networks: u32, failed: impl Fn(u32) -> bool) {
        for site in 0..sites {
            breaker.finished(Line::Ipv6, failed(site), site % networks);
        }
    }

    /// A share above the baseline, and what one failed canary then makes of it.
    #[test]
    fn an_unusual_share_lets_one_canary_decide() {
        let doubt = Some(Turn::Doubt(Trigger::Canaries));
        let open = Some(Turn::Open(Trigger::Failures));
        // Of the sites before, every n-th failed; of the last 100, so many failed, in so many networks.
        let cases = [
            ("no baseline", 0, 10, 30, 50, doubt),
            ("within three sigmas of 10 %", 400, 10, 18, 50, doubt),
            ("beyond three sigmas of 10 %", 400, 10, 22, 50, open),
            ("in too few networks", 400, 10, 22, 3, doubt),
            ("half of all sites are dead anyway", 400, 2, 49, 50, doubt),
            ("never a failure before", 400, 1000, 5, 50, open),
            ("never a failure before, and few now", 400, 1000, 2, 50, doubt),
        ];
        for (what, before, every, failing, networks, turn) in cases {
            let mut breaker = Breaker::new(BreakerRules { burst: 0, ..BreakerRules::default() });
            finish(&mut breaker, before, 97, |site| site % every == every - 1);
            breaker.canary(Line::Ipv6, true);
            finish(&mut breaker, 100 - failing, 97, |_| false);
            finish(&mut breaker, failing, networks, |_| true);
            assert_eq!(breaker.wants_canary(), turn == open, "{what}");
            assert_eq!(breaker.canary(Line::Ipv6, false), turn, "{what}");
        }
    }

    #[test]
    fn a_good_canary_acquits_the_vantage() {
        let mut breaker = Breaker::new(BreakerRules { burst: 0, ..BreakerRules::default() });
        finish(&mut breaker, 300, 97, |_| false);
        finish(&mut breaker, 30, 50, |_| true);
        assert!(breaker.wants_canary());
        assert_eq!(breaker.canary(Line::Ipv6, true), None);
        finish(&mut breaker, 60, 50, |_| true);
        assert!(!breaker.wants_canary(), "the window begins anew");
    }

    #[test]
    fn a_burst_calls_for_a_canary() {
        let mut breaker = Breaker::new(BreakerRules::default());
        finish(&mut breaker, 49, 1, |_| true);
        assert!(!breaker.wants_canary());
        finish(&mut breaker, 1, 1, |_| true);
        assert!(breaker.wants_canary());
        assert_eq!(breaker.canary(Line::Ipv6, true), None);
        assert!(!breaker.wants_canary(), "the canary has spoken");
    }
}
