//! The one place where evidence becomes a verdict.
//!
//! Order of the rules (the same numbers as in docs/method/verdict.md; the first that applies decides):
//!
//! 1. NXDOMAIN for both types from two sources: `NO_NAME`.
//! 2. AAAA not known: `INCONCLUSIVE(dns)`; nothing resolvable anywhere, confirmed: `DOWN(dns)`.
//! 3. No usable AAAA: IPv4 serves: `ABSENT`; else, confirmed: `DOWN`.
//! 4. IPv6 serves: `READY`, or `READY_DEFECT` with its findings. A success over an IPv6-only socket proves itself.
//! 5. IPv6 does not serve, but the vantage was not proven at that time: `INCONCLUSIVE(vantage)`.
//! 6. IPv4 serves: `BROKEN`; neither: `DOWN`. Both need two rounds, else `INCONCLUSIVE(unconfirmed)`.

mod down;
mod facts;
mod forgery;
mod notes;
mod proof;

use std::time::Duration;

use self::proof::Alibis;
use super::findings::Findings;
use super::naming::{Absence, Naming, Obstacle, Presence, naming};
use super::pair;
use super::resolvers::Resolvers;
use super::service::{self, Entry, Landing, Outcome};
use crate::model::address::{Family, Scope};
use crate::model::deep::FaultyLink;
use crate::model::evidence::{LookupOutcome, Observation, Pointer, WalkEnd};
use crate::model::failure::{Failure, Limit};
use crate::model::finding::{Code, Severity};
use crate::model::run::Vantage;
use crate::model::site::Scheme;
use crate::model::verdict::{Assessment, Facts, Readiness};

/// Parameters of the rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criteria {
    /// How close to a failure, on both sides, the vantage must have been proven.
    pub alibi: Duration,
    /// Rounds that must agree before a failure is called one.
    pub rounds: usize,
    /// A page of so many bytes cannot come without packets of full size: it shows that they reach this vantage.
    pub full_sized: u64,
    /// A response over IPv6 that begins within this time, counted from the first packet of its connection, is never slow.
    /// The default is what web.dev calls a poor "time to first byte".
    pub slow_after: Duration,
    /// How many times as long as over IPv4 it must take to be slow.
    pub slow_times: u64,
    /// How close to a negative answer, on both sides, its resolver must have been proven.
    pub dns_alibi: Duration,
}

impl Default for Criteria {
    fn default() -> Self {
        Self {
            alibi: Duration::from_mins(1),
            rounds: 2,
            full_sized: 4096,
            slow_after: Duration::from_millis(1800),
            slow_times: 2,
            dns_alibi: Duration::from_mins(3),
        }
    }
}

/// Gives one site's verdict.
pub fn assess(observation: &Observation, vantage: &Vantage, criteria: &Criteria) -> Assessment {
    let resolvers = Resolvers::new(Some(vantage), criteria.dns_alibi);
    let observation = forgery::without_forged(observation, &resolvers);
    Case::new(&observation, Some(vantage), criteria).decide()
}

/// One site's links that do not do over IPv6 what they do over IPv4. Empty: there are none, or links were not looked at.
pub fn faulty_links(observation: &Observation, vantage: &Vantage, criteria: &Criteria) -> Vec<FaultyLink> {
    if observation.rounds.iter().all(|round| round.links.is_none()) {
        return Vec::new();
    }
    let resolvers = Resolvers::new(Some(vantage), criteria.dns_alibi);
    Case::new(&forgery::without_forged(observation, &resolvers), Some(vantage), criteria).faulty_links()
}

/// The verdict of a first look, without asking whether the vantage was proven or a second round agrees; and whether the
/// site should be looked at once more at the end of the run: its verdict, or a defect of it, rests on a failure that one
/// look cannot tell from weather.
pub fn first_look(observation: &Observation, criteria: &Criteria) -> (Readiness, bool) {
    // The vantage is a question for the end of the run.
    let observation = forgery::without_forged(observation, &Resolvers::new(None, criteria.dns_alibi));
    let case = Case::new(&observation, None, criteria);
    let unknown_v4 = matches!(case.naming.v4, Presence::Unknown(_));
    let assessment = case.decide();
    let has = |codes: &[Code]| assessment.findings.iter().any(|finding| codes.contains(&finding.code));
    let shaky = [
        Code::PortDiff,
        Code::SchemeDiff,
        Code::SomeAddressesDead,
        Code::V4Broken,
        Code::V6Truncated,
        Code::SlowV6,
        Code::DnssecBogus,
        Code::Ns6Unreachable,
        Code::Ns6TcpFail,
        Code::Ns6Lame,
        Code::MailV6Dead,
    ];
    // That there is no address was said; that nobody answers may be weather.
    let silent_chain = assessment.findings.iter().any(|finding| {
        finding.code == Code::V6ChainBroken && finding.args.get("why").is_some_and(|why| why != "no_address")
    });
    let again = match assessment.readiness {
        Readiness::Broken | Readiness::Down => true,
        Readiness::Inconclusive => {
            // IPv6 is not used in the second round either.
            !matches!(assessment.reason.as_str(), "policy" | "not_measured") && !has(&[Code::V6NotMeasured])
        }
        Readiness::Ready | Readiness::ReadyDefect => has(&shaky) || silent_chain || unknown_v4,
        // Another source may have an address that can be dialled.
        Readiness::Absent => has(&[Code::AaaaUnusable]),
        Readiness::NoName => false,
    };
    (assessment.readiness, again)
}

/// A decision: verdict, reason and rule.
type Decision = (Readiness, &'static str, u8);

struct Case<'a> {
    observation: &'a Observation,
    vantage: Option<&'a Vantage>,
    criteria: &'a Criteria,
    naming: Naming,
    alibis: Alibis,
    entries: Vec<Entry<'a>>,
    findings: Findings,
    /// Public AAAA, public A.
    usable: (bool, bool),
    measured_v6: bool,
}

/// The reason of `READY_DEFECT` that a finding makes, what matters most first.
pub const DEFECTS: [(Code, &str); 24] = [
    (Code::ContentDiff, "content_diff"),
    (Code::CertV6, "cert_v6"),
    (Code::V6Truncated, "truncated"),
    (Code::PortDiff, "port_diff"),
    (Code::SchemeDiff, "scheme_diff"),
    (Code::SomeAddressesDead, "some_addresses_dead"),
    (Code::ChallengeV6Only, "challenge_v6_only"),
    (Code::TlsUnsupported, "tls_unsupported"),
    (Code::DnssecBogus, "dnssec"),
    (Code::AddrMapped, "address"),
    (Code::AddrTranslated, "address"),
    (Code::AddrSpecial, "address"),
    (Code::NsV4only, "ns_v4only"),
    (Code::Ns6Unreachable, "ns6_unreachable"),
    (Code::Ns6Lame, "ns6_lame"),
    (Code::Ns6TcpFail, "ns6_tcp"),
    (Code::GlueMissingV6, "glue"),
    (Code::V6ChainBroken, "chain"),
    (Code::DelegationDiff, "delegation_diff"),
    (Code::NsIsCname, "ns_cname"),
    (Code::Ns6Single, "ns6_single"),
    (Code::SkylightHost, "skylight"),
    (Code::SkylightV6Dead, "skylight"),
    (Code::LinkIntranet, "internal_link"),
];

impl<'a> Case<'a> {
    fn new(observation: &'a Observation, vantage: Option<&'a Vantage>, criteria: &'a Criteria) -> Self {
        let dialled = |family| {
            let addresses = observation.rounds.iter().flat_map(|round| &round.addresses);
            addresses.into_iter().any(|fact| Family::of(fact.address) == family && fact.scope.is_public())
        };
        let near_ms = u64::try_from(criteria.alibi.as_millis()).unwrap_or(u64::MAX);
        let alibis = Alibis::new(observation, vantage, near_ms);
        Self {
            observation,
            vantage,
            criteria,
            naming: naming(observation, &Resolvers::new(vantage, criteria.dns_alibi)),
            entries: service::entries(observation, &|round, family| alibis.of(round.number, family)),
            alibis,
            findings: Findings::default(),
            usable: (dialled(Family::V6), dialled(Family::V4)),
            measured_v6: observation.rounds.iter().any(|round| !round.without_ipv6),
        }
    }

    fn decide(mut self) -> Assessment {
        self.note_naming();
        self.note_addresses();
        let indicators = self.note_delegation();
        let deep = self.note_deep();
        let mail = self.note_mail();
        self.note_lost_rounds();
        let (readiness, reason, rule) = self.rules();
        Assessment {
            site: self.observation.site.key.clone(),
            readiness,
            reason: reason.into(),
            stack: self.stack(readiness),
            reach6: self.reach6(),
            rule,
            evidence: self.supporting(readiness, rule),
            facts: Facts {
                ns6: indicators.ns6,
                resolves6: indicators.resolves6,
                links: deep.links.map(Box::new),
                skylight: deep.skylight.map(Box::new),
                latencies: deep.latencies.map(Box::new),
                mail: mail.map(Box::new),
                ..self.facts()
            },
            findings: self.findings.into_sorted(),
        }
    }

    fn rules(&mut self) -> Decision {
        // Rule 5, where there is nothing to judge at all.
        if self.nothing_is_left() {
            return (Readiness::Inconclusive, "internal_error", 5);
        }
        // Rule 1. A name that was found and dialled in one of the rounds exists.
        let missing = Presence::Absent(Absence::Nxdomain);
        if self.naming.v4 == missing && self.naming.v6 == missing && self.usable == (false, false) {
            let evidence = self.naming.evidence_v6.clone();
            self.findings.add(Code::NameNxdomain, &evidence);
            return (Readiness::NoName, "", 1);
        }
        // Rule 2. What nobody may believe who validates says nothing, unless IPv6 serves by it.
        if self.naming.bogus && !self.v6_gives_service() {
            return (Readiness::Inconclusive, "dns", 2);
        }
        // Rule 2, for a name that IPv6 reaches all the same, gives way: success proves itself.
        if let Presence::Unknown(obstacle) = self.naming.v6
            && !self.usable.0
        {
            return self.unknown_naming(obstacle);
        }
        // Rule 3.
        if !self.usable.0 {
            return self.without_aaaa();
        }
        // Rules 4 to 6.
        self.with_aaaa()
    }

    /// Every round was lost to an error of the program.
    fn nothing_is_left(&self) -> bool {
        self.observation.rounds.iter().all(|round| round.internal_error)
    }

    fn unknown_naming(&mut self, obstacle: Obstacle) -> Decision {
        let evidence = self.naming.evidence_v6.clone();
        let nothing_known = !matches!(self.naming.v4, Presence::Present | Presence::Absent(_));
        let (code, reason) = match obstacle {
            Obstacle::Loop => (Code::CnameLoop, "dns"),
            Obstacle::TooLong => (Code::LimitCname, "limit"),
            Obstacle::NoTcp => (Code::TcNoTcp, "dns"),
            Obstacle::Local => (Code::LocalFault, "local"),
            Obstacle::Unconfirmed => (Code::DnsDisagree, "dns"),
            Obstacle::Unresolvable => (Code::DnsUnresolvable, "dns"),
            Obstacle::Forged => (Code::DnsDisagree, "forged"),
            Obstacle::Unproven => (Code::ResolverUnproven, "vantage"),
        };
        self.findings.add(code, &evidence);
        let dead = matches!(obstacle, Obstacle::Loop | Obstacle::Unresolvable);
        if dead && nothing_known && !self.naming.failed_in.is_empty() {
            // A round that was set aside does not agree, so its alibi counts for nothing here.
            let proven = self.naming.failed_in.iter().filter(|round| self.alibis.of(**round, Family::V4));
            if proven.count() >= self.criteria.rounds {
                return (Readiness::Down, "dns", 2);
            }
            self.findings.add(Code::VantageUnproven, &evidence);
            return (Readiness::Inconclusive, "vantage", 2);
        }
        (Readiness::Inconclusive, reason, 2)
    }

    fn without_aaaa(&mut self) -> Decision {
        let evidence = self.naming.evidence_v6.clone();
        if self.naming.v6 == Presence::Present {
            let scopes = self.scopes(Family::V6);
            if scopes.is_empty() {
                // There are addresses, but the round ended before they were looked at.
                self.findings.add(Code::LimitHit, &evidence);
                return (Readiness::Inconclusive, "limit", 3);
            }
            if scopes.iter().all(|scope| *scope == Scope::OwnNetwork) {
                return (Readiness::Inconclusive, "policy", 3);
            }
            if !self.is_given(Family::V6) {
                return self.single_source(3);
            }
        }
        match self.naming.v6 {
            Presence::Present => self.findings.add(Code::AaaaUnusable, &evidence),
            _ => match &self.naming.alias {
                Some(alias) if self.naming.v6 != Presence::Mishandled => {
                    self.findings.add_with(Code::CnameTargetV4only, &[("target", alias.clone())], &evidence);
                }
                _ => self.findings.add(Code::AaaaAbsent, &evidence),
            },
        }
        if self.serves(Family::V4) == Some(true) {
            return (Readiness::Absent, "", 3);
        }
        self.neither_serves(3)
    }

    fn with_aaaa(&mut self) -> Decision {
        if !self.measured_v6 {
            self.findings.add(Code::V6NotMeasured, &self.naming.evidence_v6.clone());
            return (Readiness::Inconclusive, "vantage", 5);
        }
        let offered: Vec<usize> = self.offered_over_v4();
        if offered.is_empty() {
            return self.v4_offers_nothing();
        }
        let served: Vec<usize> = offered.iter().copied().filter(|i| self.pair_serves(*i)).collect();
        self.note_ports();
        if served.is_empty() { self.v6_fails(&offered) } else { self.v6_serves(&offered, &served) }
    }

    /// Entries at which IPv4 gives the site. Where one entry shows the site and another only a server's default page,
    /// the latter is not the site.
    fn offered_over_v4(&self) -> Vec<usize> {
        let over_v4 = |i: &usize| self.entries[*i].v4.as_ref().map(|outcome| outcome.landing);
        let serving: Vec<usize> =
            (0..self.entries.len()).filter(|i| over_v4(i).is_some_and(|landing| landing.serves())).collect();
        let own = |i: &usize| over_v4(i).is_some_and(|landing| landing.serves_a_site());
        let sites: Vec<usize> = serving.iter().copied().filter(own).collect();
        if sites.is_empty() { serving } else { sites }
    }

    /// Rule 4, for one entry that IPv4 offers: IPv6 gives the same service there.
    fn pair_serves(&self, index: usize) -> bool {
        let entry = &self.entries[index];
        let (Some(v4), Some(v6)) = (&entry.v4, &entry.v6) else { return false };
        pair::serves(self.observation, v4, v6)
    }

    /// IPv6 gives the service somewhere.
    fn v6_gives_service(&self) -> bool {
        let offered = self.offered_over_v4();
        if offered.is_empty() {
            return self.entries.iter().any(|entry| entry.v6.as_ref().is_some_and(|v6| v6.landing.serves()));
        }
        offered.into_iter().any(|index| self.pair_serves(index))
    }

    /// Rule 4.
    fn v6_serves(&mut self, offered: &[usize], served: &[usize]) -> Decision {
        let entries = self.entries.clone();
        for index in served {
            if let (Some(v4), Some(v6)) = (&entries[*index].v4, &entries[*index].v6) {
                self.note_pair(v4, v6);
            }
        }
        for index in offered.iter().filter(|index| !served.contains(index)) {
            let entry = &entries[*index];
            let closed = !service::open_ports(self.observation, Family::V6).contains(&entry.port);
            let proven = |v6: &&Outcome<'_>| self.alibis.of(v6.pointer.round, Family::V6);
            if let Some(v6) = entry.v6.as_ref().filter(|_| !closed).filter(proven) {
                self.findings.add_with(Code::SchemeDiff, &[("scheme", entry.scheme.to_string())], &[v6.pointer]);
            }
        }
        self.note_dead_addresses();
        self.note_tls_unsupported();
        self.note_slow(served);
        self.note_share();
        self.ready(4)
    }

    fn ready(&self, rule: u8) -> Decision {
        let defects = Code::ALL.iter().filter(|code| self.findings.has(**code) && code.severity() == Severity::Defect);
        match defects.copied().next() {
            Some(_) => (Readiness::ReadyDefect, self.defect_reason(), rule),
            None => (Readiness::Ready, "", rule),
        }
    }

    /// The word for the defect that matters most.
    fn defect_reason(&self) -> &'static str {
        DEFECTS.into_iter().find(|(code, _)| self.findings.has(*code)).map_or("address", |(_, word)| word)
    }

    /// IPv4 serves nowhere, though there is a usable AAAA.
    fn v4_offers_nothing(&mut self) -> Decision {
        let entries = self.entries.clone();
        let mut serving = entries.iter().filter_map(|entry| entry.v6.as_ref()).filter(|v6| v6.landing.serves());
        if let Some(v6) = serving.next() {
            self.note_without_v4(v6);
            self.note_single(v6);
            self.note_dead_addresses();
            self.note_share();
            return self.ready(4);
        }
        self.neither_serves(6)
    }

    /// Rule 5 and the first half of rule 6: IPv4 serves, IPv6 does not.
    fn v6_fails(&mut self, offered: &[usize]) -> Decision {
        let entries = self.entries.clone();
        let Some(primary) = primary(&entries, offered) else { return (Readiness::Inconclusive, "not_measured", 5) };
        // At every entry that IPv4 offers, IPv6 must have been tried and have failed in a way that says something.
        for entry in std::iter::once(primary).chain(offered.iter().map(|index| &entries[*index])) {
            let Some(v6) = &entry.v6 else { return self.not_tried(entry, 5) };
            if let Some(decision) = self.unjudgeable(v6, 5) {
                return decision;
            }
        }
        let Some(v6) = &primary.v6 else { return self.not_tried(primary, 5) };
        let challenged = primary.v4.as_ref().is_some_and(|v4| matches!(v4.landing, Landing::Challenge(_)));
        if challenged && matches!(v6.landing, Landing::Error(error) if !service::is_not_a_site(error)) {
            // Behind the challenge there may be the same error.
            self.findings.add(Code::ChallengeV4Only, &[v6.pointer]);
            return (Readiness::Inconclusive, "challenge", 5);
        }
        // A record that one resolver has and another has not may be a leftover in a cache.
        if self.naming.disputed_v6 {
            self.findings.add(Code::DnsDisagree, &self.naming.evidence_v6.clone());
            return (Readiness::Inconclusive, "dns", 5);
        }
        // A limit that IPv4 ran into as well must not make the difference.
        if Family::BOTH.into_iter().all(|family| self.has_untried_addresses(family) && !self.is_dialled(family)) {
            let args = [("limit", Limit::Addresses.word().to_owned())];
            self.findings.add_with(Code::LimitHit, &args, &[v6.pointer]);
            return (Readiness::Inconclusive, "limit", 5);
        }
        let reason = self.note_v6_failure(primary, v6);
        for entry in offered.iter().map(|index| &entries[*index]) {
            if let (Some(v4), Some(v6)) = (&entry.v4, &entry.v6)
                && matches!(v6.landing, Landing::Page(_))
            {
                self.note_certificates(v4, v6);
            }
        }
        // That small packets help may be true of this vantage's own path, too.
        if self.findings.has(Code::PmtuBlackhole) && !self.proven_in_full_size() {
            self.findings.add(Code::VantageUnproven, &[v6.pointer]);
            return (Readiness::Inconclusive, "vantage", 5);
        }
        if self.confirmed(offered) {
            let failed = offered.iter().filter_map(|index| Some((Family::V6, entries[*index].v6.as_ref()?)));
            return self.by_one_source(failed, 6).unwrap_or((Readiness::Broken, reason, 6));
        }
        if self.is_unproven(Family::V6) {
            self.findings.add(Code::VantageUnproven, &[v6.pointer]);
            return (Readiness::Inconclusive, "vantage", 5);
        }
        (Readiness::Inconclusive, "unconfirmed", 6)
    }

    /// The site's deadline, or a fault of ours, came before IPv6 was tried at an entry.
    fn not_tried(&mut self, entry: &Entry<'_>, rule: u8) -> Decision {
        let at: Vec<Pointer> = entry.v4.iter().map(|v4| v4.pointer).collect();
        self.findings.add(Code::LimitHit, &at);
        (Readiness::Inconclusive, if self.limit(Limit::Site) { "limit" } else { "not_measured" }, rule)
    }

    /// Failures that say nothing about the site.
    fn unjudgeable(&mut self, outcome: &Outcome<'_>, rule: u8) -> Option<Decision> {
        if matches!(outcome.landing, Landing::Failed(WalkEnd::RedirectOptedOut)) {
            let target = outcome.hops.last().map(|hop| hop.url.clone()).unwrap_or_default();
            self.findings.add_with(Code::RedirectOptedOut, &[("target", target)], &[outcome.pointer]);
            return Some((Readiness::Inconclusive, "policy", rule));
        }
        let (code, reason) = match outcome.landing {
            Landing::Failed(WalkEnd::Failed(Failure::NoRoute)) => (Code::VantageUnproven, "vantage"),
            // Something ran out, or nobody was asked for a name.
            Landing::Failed(
                WalkEnd::Failed(Failure::LocalResource) | WalkEnd::RedirectUnresolved(LookupOutcome::NotAsked),
            ) => (Code::LocalFault, "local"),
            // A denial that nobody may believe.
            Landing::Failed(WalkEnd::RedirectUnresolved(
                LookupOutcome::Nodata | LookupOutcome::NodataNosoa | LookupOutcome::Nxdomain,
            )) => (Code::ResolverUnproven, "vantage"),
            Landing::Failed(WalkEnd::RedirectUnresolved(_)) => (Code::RedirectBad, "dns"),
            // Our own network is public to everybody else.
            Landing::Failed(WalkEnd::RedirectInternal(Scope::OwnNetwork)) => (Code::AddrLocal, "policy"),
            // That this program does not go there is no fault of the site's.
            Landing::Failed(WalkEnd::RedirectPort(_)) => (Code::RedirectBad, "policy"),
            Landing::RateLimited(_) => (Code::RateLimited, "rate_limited"),
            _ => return None,
        };
        self.findings.add(code, &[outcome.pointer]);
        Some((Readiness::Inconclusive, reason, rule))
    }

    /// The family has more public addresses than were dialled in any round.
    fn has_untried_addresses(&self, family: Family) -> bool {
        let facts = || self.observation.rounds.iter().flat_map(|round| &round.addresses);
        let dialled = |address| facts().any(|fact| fact.address == address && fact.dialled);
        facts().any(|fact| Family::of(fact.address) == family && fact.scope.is_public() && !dialled(fact.address))
    }

    fn limit(&self, limit: Limit) -> bool {
        self.observation.rounds.iter().any(|round| round.limits.contains(&limit))
    }

    fn scopes(&self, family: Family) -> Vec<Scope> {
        let addresses = self.observation.rounds.iter().flat_map(|round| &round.addresses);
        addresses.filter(|fact| Family::of(fact.address) == family).map(|fact| fact.scope).collect()
    }
}

/// TLS 1.0/1.1 only, RSA key exchange only, TLCP: the peer was reached, our library cannot speak with it
/// (docs/method/tls.md). 40: handshake_failure, 70: protocol_version, 71: insufficient_security.
fn speaks_other_tls(failure: &Failure) -> bool {
    matches!(failure, Failure::TlsUnsupported | Failure::TlsAlert(40 | 70 | 71))
}

/// The entry that stands for the site: https where http leads there or is not offered, else http.
fn primary<'b, 'a>(entries: &'b [Entry<'a>], offered: &[usize]) -> Option<&'b Entry<'a>> {
    let first = offered.first().map(|i| &entries[*i])?;
    let lands_on_https =
        first.v4.as_ref().and_then(|outcome| outcome.hops.last()).is_some_and(|hop| hop.url.starts_with("https://"));
    let https = offered.iter().map(|i| &entries[*i]).find(|entry| entry.scheme == Scheme::Https);
    if lands_on_https { https.or(Some(first)) } else { Some(first) }
}
