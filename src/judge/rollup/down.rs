//! Neither family serves: `DOWN`, where that is confirmed and says something about the site.

use super::{Case, Decision, speaks_other_tls};
use crate::judge::naming::{Obstacle, Presence};
use crate::judge::service::Landing;
use crate::model::address::{Family, Scope};
use crate::model::evidence::{Pointer, WalkEnd};
use crate::model::failure::{Failure, Limit};
use crate::model::finding::Code;
use crate::model::verdict::Readiness;

impl Case<'_> {
    /// IPv6 serves nowhere, and neither does IPv4.
    pub(super) fn neither_serves(&mut self, rule: u8) -> Decision {
        let entries = self.entries.clone();
        let tried = self.usable_families();
        let outcomes = |family: Family| entries.iter().filter_map(move |entry| entry.over(family));
        let all: Vec<Pointer> = Family::BOTH.into_iter().flat_map(outcomes).map(|outcome| outcome.pointer).collect();
        for outcome in Family::BOTH.into_iter().flat_map(outcomes) {
            if let Some(decision) = self.unjudgeable(outcome, rule) {
                return decision;
            }
        }
        // One of the families could not be looked at: nothing is known of the site as a whole.
        if let Presence::Unknown(obstacle) = self.naming.v4
            && !self.usable.1
        {
            let (code, reason) = match obstacle {
                Obstacle::Forged => (Code::DnsDisagree, "forged"),
                Obstacle::Unproven => (Code::ResolverUnproven, "vantage"),
                _ => (Code::DnsUnresolvable, "dns"),
            };
            self.findings.add(code, &self.naming.evidence_v4.clone());
            return (Readiness::Inconclusive, reason, rule);
        }
        let local = |family| self.scopes(family).contains(&Scope::OwnNetwork) && !tried.contains(&family);
        if Family::BOTH.into_iter().any(local) {
            return (Readiness::Inconclusive, "policy", rule);
        }
        let any = |family: Family, test: &dyn Fn(&Landing<'_>) -> bool| outcomes(family).any(|o| test(&o.landing));
        let both = |test: &dyn Fn(&Landing<'_>) -> bool| !tried.is_empty() && tried.iter().all(|f| any(*f, test));
        let unsupported = |landing: &Landing<'_>| landing.failure().is_some_and(speaks_other_tls);
        if any(if self.usable.0 { Family::V6 } else { Family::V4 }, &unsupported) {
            self.findings.add(Code::TlsUnsupported, &all);
            return (Readiness::Inconclusive, "tls_unsupported", rule);
        }
        // A limit of ours ended it: a browser may get further.
        let limits: Vec<&str> =
            Family::BOTH.into_iter().flat_map(outcomes).filter_map(|outcome| self.limit_of(&outcome.landing)).collect();
        if !limits.is_empty() {
            for limit in limits {
                self.findings.add_with(Code::LimitHit, &[("limit", limit.to_owned())], &all);
            }
            return (Readiness::Inconclusive, "limit", rule);
        }
        if self.limit(Limit::Site) || tried.iter().any(|family| outcomes(*family).next().is_none()) {
            let at = if all.is_empty() { &self.naming.evidence_v6 } else { &all };
            self.findings.add(Code::LimitHit, &at.clone());
            return (Readiness::Inconclusive, if self.limit(Limit::Site) { "limit" } else { "not_measured" }, rule);
        }
        let error = |landing: &Landing<'_>| matches!(landing, Landing::Error(_));
        let endless = |l: &Landing<'_>| matches!(l, Landing::Failed(WalkEnd::TooManyRedirects | WalkEnd::RedirectLoop));
        let reason = if both(&error) {
            let errors = Family::BOTH.into_iter().flat_map(outcomes).filter(|o| error(&o.landing));
            let status = errors.filter_map(|o| o.landing.exchange()).map(|exchange| exchange.status.to_string());
            for status in status.collect::<Vec<_>>() {
                self.findings.add_with(Code::SiteError, &[("status", status)], &all);
            }
            "site_error"
        } else if both(&endless) {
            self.findings.add(Code::RedirectParity, &all);
            "redirect_endless"
        } else if tried.is_empty() {
            "address"
        } else {
            self.findings.add(Code::BothFail, &all);
            "unreachable"
        };
        if self.down_confirmed(&tried) {
            let given = [(Family::V4, self.naming.v4), (Family::V6, self.naming.v6)];
            let mut given = given.into_iter().filter(|(_, presence)| *presence == Presence::Present);
            if tried.is_empty() && !given.all(|(family, _)| self.is_given(family)) {
                return self.single_source(rule);
            }
            let failed = tried.iter().flat_map(|family| outcomes(*family).map(|outcome| (*family, outcome)));
            if let Some(decision) = self.by_one_source(failed, rule) {
                return decision;
            }
            return (Readiness::Down, reason, rule);
        }
        if tried.iter().any(|family| self.is_unproven(*family)) {
            self.findings.add(Code::VantageUnproven, &all);
            return (Readiness::Inconclusive, "vantage", rule);
        }
        (Readiness::Inconclusive, "unconfirmed", rule)
    }

    /// The families whose addresses were to be dialled.
    pub(super) fn usable_families(&self) -> Vec<Family> {
        let usable = [(Family::V4, self.usable.1), (Family::V6, self.usable.0 && self.measured_v6)];
        usable.into_iter().filter(|(_, usable)| *usable).map(|(family, _)| family).collect()
    }

    /// The limit of ours that ended a walk before it landed. None: something else did.
    pub(super) fn limit_of(&self, landing: &Landing<'_>) -> Option<&'static str> {
        match landing {
            Landing::Failed(WalkEnd::Failed(Failure::Limit(limit))) => Some(limit.word()),
            Landing::Failed(WalkEnd::RedirectBadTarget) if self.limit(Limit::Url) => Some(Limit::Url.word()),
            _ => None,
        }
    }
}
