//! What is printed beside the verdict: stack, reach, facts, and the evidence the verdict rests on.

use super::{Case, primary};
use crate::judge::landing;
use crate::judge::naming::Presence;
use crate::judge::pair;
use crate::judge::service::{Landing, Outcome};
use crate::model::address::Family;
use crate::model::evidence::{Exchange, Pointer, StepKind, WalkEnd};
use crate::model::failure::Failure;
use crate::model::verdict::{Facts, Readiness, Stack};

impl<'a> Case<'a> {
    /// Which families serve.
    pub(super) fn stack(&self, readiness: Readiness) -> Stack {
        if readiness == Readiness::Down {
            return Stack::None;
        }
        match (self.serves(Family::V4), self.serves(Family::V6)) {
            (Some(true), Some(true)) => Stack::DualStack,
            (Some(true), Some(false)) => Stack::Ipv4Only,
            (Some(false), Some(true)) => Stack::Ipv6Only,
            (Some(false), Some(false)) => Stack::None,
            (None, _) | (_, None) => Stack::Unknown,
        }
    }

    /// Whether a family serves the site at any entry. None: not measured.
    pub(super) fn serves(&self, family: Family) -> Option<bool> {
        let (presence, usable, serves) = match family {
            Family::V4 => (self.naming.v4, self.usable.1, !self.offered_over_v4().is_empty()),
            Family::V6 => (self.naming.v6, self.usable.0, self.v6_gives_service()),
        };
        if serves {
            return Some(true);
        }
        let mut outcomes = self.entries.iter().filter_map(|entry| entry.over(family));
        match presence {
            _ if outcomes.any(|outcome| !outcome.landing.is_local()) => Some(false),
            Presence::Unknown(_) => None,
            _ if usable => None,
            _ => Some(false),
        }
    }

    pub(super) fn reach6(&self) -> Option<bool> {
        if !self.measured_v6 || !self.usable.0 {
            return None;
        }
        let answered = |outcome: &Outcome<'_>| {
            outcome.hops.iter().any(|hop| hop.exchange.is_some())
                || outcome
                    .landing
                    .failure()
                    .is_some_and(|f| matches!(f, Failure::TlsAlert(_) | Failure::TlsUnsupported))
        };
        let outcomes: Vec<_> = self.entries.iter().filter_map(|entry| entry.v6.as_ref()).collect();
        // With small segments it answers, so it is there.
        let spoke = self.observation.rounds.iter().flat_map(|round| &round.mss_proofs).any(|p| p.failure.is_none());
        let measured = outcomes.iter().any(|outcome| !outcome.landing.failure().is_some_and(Failure::is_local));
        measured.then(|| spoke || outcomes.iter().any(|outcome| answered(outcome)))
    }

    pub(super) fn supporting(&self, readiness: Readiness, rule: u8) -> Vec<Pointer> {
        let walks = self.entries.iter().flat_map(|entry| [&entry.v4, &entry.v6]).flatten();
        // A failure rests on every round that agrees.
        let looks = self.entries.iter().flat_map(|entry| &entry.rounds).flat_map(|look| [&look.v4, &look.v6]).flatten();
        let mut pointers: Vec<Pointer> = match (readiness, rule) {
            (_, 1 | 2) => Vec::new(),
            (Readiness::Broken | Readiness::Down, _) => looks.map(|outcome| outcome.pointer).collect(),
            _ => walks.map(|outcome| outcome.pointer).collect(),
        };
        pointers.extend(&self.naming.evidence_v6);
        if readiness == Readiness::NoName || pointers.is_empty() {
            pointers.extend(&self.naming.evidence_v4);
        }
        if pointers.is_empty() {
            let rounds = self.observation.rounds.iter();
            pointers.extend(rounds.map(|round| Pointer { round: round.number, step: StepKind::Round, index: 0 }));
        }
        pointers.sort_unstable();
        pointers.dedup();
        pointers
    }

    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for fact in self.observation.rounds.iter().flat_map(|round| &round.addresses) {
            let list = if fact.address.is_ipv4() { &mut facts.a } else { &mut facts.aaaa };
            list.push(fact.address);
        }
        // Name servers rotate their answers; reports must not.
        for list in [&mut facts.a, &mut facts.aaaa] {
            list.sort_unstable();
            list.dedup();
        }
        let offered = self.offered_over_v4();
        let all: Vec<usize> = (0..self.entries.len()).collect();
        let shown = primary(&self.entries, if offered.is_empty() { &all } else { &offered });
        if let Some(entry) = shown {
            facts.v4_status = Self::status(entry.v4.as_ref(), self.naming.v4, self.usable.1).into();
            facts.v6_status = Self::status(entry.v6.as_ref(), self.naming.v6, self.usable.0).into();
            let landing = |o: &Option<Outcome<'a>>| -> Option<&'a Exchange> { o.as_ref()?.landing.exchange() };
            let ms = |exchange: &Exchange| (exchange.ttfb_us / 10) as f64 / 100.0;
            facts.latency_v4_ms = landing(&entry.v4).map(ms);
            facts.latency_v6_ms = landing(&entry.v6).map(ms);
            let title = |e: &Exchange| e.page.as_ref()?.title.clone();
            facts.title = landing(&entry.v6).and_then(title).or_else(|| landing(&entry.v4).and_then(title));
        }
        facts.lands_on = shown.and_then(|entry| entry.v4.as_ref()).and_then(|v4| {
            v4.landing.exchange()?;
            let host = landing::host_of(&v4.hops.last()?.url)?;
            (*host != *self.observation.site.host).then_some(host)
        });
        facts.v6_tries = self.tries();
        facts
    }

    pub(super) fn status(outcome: Option<&Outcome<'_>>, presence: Presence, usable: bool) -> String {
        match outcome.map(|outcome| outcome.landing) {
            Some(Landing::Failed(WalkEnd::Failed(failure))) => failure.word().to_owned(),
            Some(Landing::Failed(end)) => walk_end_word(end).to_owned(),
            Some(landing) => landing.exchange().map(|exchange| exchange.status.to_string()).unwrap_or_default(),
            None if !usable && !matches!(presence, Presence::Unknown(_)) => "none".to_owned(),
            None => String::new(),
        }
    }

    /// Rounds in which IPv6 served, out of rounds in which it was tried.
    pub(super) fn tries(&self) -> Option<(u32, u32)> {
        let (mut good, mut all) = (0, 0);
        for at in 0..self.observation.rounds.len() {
            let looks = self.entries.iter().filter_map(|entry| entry.rounds.get(at));
            let outcomes: Vec<_> = looks.filter_map(|look| Some((look.v4.as_ref(), look.v6.as_ref()?))).collect();
            all += u32::from(!outcomes.is_empty());
            let served = |(v4, v6): &(Option<&Outcome<'_>>, &Outcome<'_>)| match v4 {
                Some(v4) if v4.landing.serves() => pair::serves(self.observation, v4, v6),
                _ => v6.landing.serves(),
            };
            good += u32::from(outcomes.iter().any(served));
        }
        (all > 0).then_some((good, all))
    }
}

fn walk_end_word(end: &WalkEnd) -> &'static str {
    match end {
        WalkEnd::Landed => "landed",
        WalkEnd::Failed(failure) => failure.word(),
        WalkEnd::TooManyRedirects | WalkEnd::RedirectLoop => "redirect_endless",
        WalkEnd::RedirectInternal(_) => "redirect_internal",
        WalkEnd::RedirectNoAddress => "redirect_no_address",
        WalkEnd::RedirectUnresolved(_) => "redirect_unresolved",
        WalkEnd::RedirectOptedOut => "redirect_opted_out",
        WalkEnd::RedirectBadTarget => "redirect_bad",
        WalkEnd::RedirectPort(_) => "redirect_port",
    }
}
