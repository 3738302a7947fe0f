//! Findings beside the verdict, each with the evidence it rests on.
//!
//! Leaves to others: which verdict they make.

use std::collections::BTreeSet;

use super::{Case, speaks_other_tls};
use crate::judge::delegation::{self, Indicators, Proof};
use crate::judge::naming::{Absence, Presence};
use crate::judge::parity::Sameness;
use crate::judge::resolvers::Resolvers;
use crate::judge::service::{Entry, Landing, Outcome};
use crate::judge::{deep, mail};
use crate::judge::{landing, pair, service};
use crate::model::address::{Family, Scope};
use crate::model::deep::FaultyLink;
use crate::model::evidence::{CertificateFault, Connect, Exchange, MssProof, Pointer, Round, StepKind, WalkEnd};
use crate::model::failure::{Failure, Limit};
use crate::model::finding::Code;
use crate::model::mail::MailReadiness;
use crate::model::run::ClockProof;
use crate::model::site::Scheme;

impl Case<'_> {
    pub(super) fn note_naming(&mut self) {
        let v6 = self.naming.evidence_v6.clone();
        if self.naming.v6 == Presence::Mishandled {
            self.findings.add(Code::DnsAaaaMishandled, &v6);
        }
        if self.naming.v6 == Presence::Absent(Absence::NodataNosoa) {
            self.findings.add(Code::AaaaNodataNosoa, &v6);
        }
        if self.naming.single_source {
            self.findings.add(Code::DnsSingleSource, &v6);
        }
        if self.naming.bogus {
            self.findings.add(Code::DnssecBogus, &v6);
        }
        if !self.naming.forged.is_empty() {
            self.findings.add(Code::DnsForged, &self.naming.forged.clone());
        }
        self.note_hints();
        for round in &self.observation.rounds {
            let Some(sibling) = &round.sibling else { continue };
            let at = [Pointer { round: round.number, step: StepKind::Sibling, index: 0 }];
            let args = [("host", sibling.host.clone())];
            if self.naming.nothing_listed && (sibling.has_a == Some(true) || sibling.has_aaaa == Some(true)) {
                self.findings.add_with(Code::SiblingHasSite, &args, &at);
            } else if sibling.has_aaaa == Some(true) && sibling.host.starts_with("www.") {
                self.findings.add_with(Code::WwwHasV6, &args, &at);
            }
        }
    }

    /// What is found about the zones of the site, and the numbers for them.
    pub(super) fn note_delegation(&mut self) -> Indicators {
        // A first look asks neither for proofs nor for a second round.
        let rounds = if self.vantage.is_some() { self.criteria.rounds } else { 1 };
        let mut findings = std::mem::take(&mut self.findings);
        let proof = Proof { rounds, at: &|at| self.v6_proven_at(at) };
        let indicators = delegation::judge(self.observation, self.naming.alias.as_deref(), &proof, &mut findings);
        self.findings = findings;
        indicators
    }

    /// The deep profile's numbers. A first look asks for no proofs.
    pub(super) fn note_deep(&mut self) -> deep::Indicators {
        let mut findings = std::mem::take(&mut self.findings);
        let indicators = self.with_proof(|proof| deep::judge(self.observation, proof, &mut findings));
        self.findings = findings;
        indicators
    }

    /// What was proven of the vantage and its resolvers, for what is judged beside the verdict.
    fn with_proof<T>(&self, judge: impl FnOnce(&deep::Proof<'_>) -> T) -> T {
        let resolvers = Resolvers::new(self.vantage, self.criteria.dns_alibi);
        judge(&deep::Proof {
            family: &|family, at| self.proven_at(family, at),
            source: &|server, at| resolvers.believed(server, at),
        })
    }

    pub(super) fn faulty_links(&self) -> Vec<FaultyLink> {
        self.with_proof(|proof| deep::faulty_links(self.observation, proof))
    }

    /// The mail of its name. A first look asks for no proofs and no second round: it is what a second round is made for.
    pub(super) fn note_mail(&mut self) -> Option<MailReadiness> {
        let mut findings = std::mem::take(&mut self.findings);
        let demands = mail::Demands {
            rounds: if self.vantage.is_some() { self.criteria.rounds } else { 1 },
            alibi_ms: u64::try_from(self.criteria.alibi.as_millis()).unwrap_or(u64::MAX),
        };
        let readiness = self.with_proof(|proof| mail::judge(self.observation, proof, demands, &mut findings));
        self.findings = findings;
        readiness
    }

    /// Hints count for nothing (RFC 9460 §7.3): a name with AAAA needs none, and one without is not helped by them.
    fn note_hints(&mut self) {
        if self.naming.v6 == Presence::Present {
            return;
        }
        for round in &self.observation.rounds {
            for (index, lookup) in round.lookups.iter().enumerate() {
                let at = [Pointer { round: round.number, step: StepKind::Lookup, index }];
                for hint in &lookup.hints {
                    self.findings.add_with(Code::HintOnly, &[("address", hint.to_string())], &at);
                }
            }
        }
    }

    pub(super) fn note_addresses(&mut self) {
        for round in &self.observation.rounds {
            for (index, fact) in round.addresses.iter().enumerate() {
                if fact.scope.is_public() || (self.usable.0 && self.is_leftover(fact.address)) {
                    continue;
                }
                let code = match (Family::of(fact.address), fact.scope) {
                    (_, Scope::OwnNetwork) => Code::AddrLocal,
                    (Family::V4, _) => Code::AddrV4Special,
                    (Family::V6, Scope::Mapped) => Code::AddrMapped,
                    (Family::V6, Scope::Translated) => Code::AddrTranslated,
                    (Family::V6, _) => Code::AddrSpecial,
                };
                let args = [("address", fact.address.to_string()), ("scope", fact.scope.tag().to_owned())];
                let at = [Pointer { round: round.number, step: StepKind::Address, index }];
                self.findings.add_with(code, &args, &at);
            }
            if round.limits.contains(&Limit::Addresses) {
                let at = [Pointer { round: round.number, step: StepKind::Address, index: 0 }];
                self.findings.add(Code::LimitAddr, &at);
            }
        }
    }

    /// Rounds that the program itself lost.
    pub(super) fn note_lost_rounds(&mut self) {
        for round in self.observation.rounds.iter().filter(|round| round.internal_error) {
            let at = [Pointer { round: round.number, step: StepKind::Round, index: 0 }];
            self.findings.add(Code::InternalError, &at);
        }
    }

    /// What is noted of an entry that serves over both families.
    pub(super) fn note_pair(&mut self, v4: &Outcome<'_>, v6: &Outcome<'_>) {
        let at = [v4.pointer, v6.pointer];
        self.note_certificates(v4, v6);
        if let Some((host4, host6)) = landing::apart(v4, v6) {
            self.findings.add_with(Code::LandingDiff, &[("v4_host", host4), ("v6_host", host6)], &at);
        }
        match (v4.landing, v6.landing) {
            (Landing::Page(page4), Landing::Page(page6)) => {
                match (&page4.body_failure, &page6.body_failure) {
                    // We stopped reading a large page: that says something about our limits. A page that stalls is cut short.
                    (None, Some(Failure::Limit(limit @ (Limit::Body | Limit::Ratio)))) => {
                        self.findings.add_with(Code::LimitHit, &[("limit", limit.word().to_owned())], &[v6.pointer]);
                    }
                    (None, Some(_)) if !self.alibis.of(v6.pointer.round, Family::V6) => {}
                    (None, Some(failure)) => {
                        let args = [("failure", failure.to_string())];
                        self.findings.add_with(Code::V6Truncated, &args, &[v6.pointer]);
                    }
                    _ => {}
                }
                let scripted = |e: &Exchange| e.page.as_ref().is_some_and(|page| page.script_redirect);
                if scripted(page4) && scripted(page6) {
                    self.findings.add(Code::JsRedirectUnresolved, &at);
                }
                match pair::sameness(self.observation, v4, v6) {
                    Some(Sameness::Different) => self.findings.add(Code::ContentDiff, &at),
                    Some(Sameness::NotComparable) => self.findings.add(Code::ContentUnverified, &at),
                    _ if scripted(page4) && scripted(page6) => self.findings.add(Code::ContentUnverified, &at),
                    _ => {}
                }
            }
            (landing4, landing6) => {
                for landing in [landing4, landing6] {
                    match landing {
                        Landing::Challenge(_) if !matches!(landing4, Landing::Challenge(_)) => {
                            self.findings.add(Code::ChallengeV6Only, &at);
                        }
                        Landing::Challenge(_) => self.findings.add(Code::Challenge, &at),
                        Landing::Auth(_) => self.findings.add(Code::AuthRequired, &at),
                        _ => {}
                    }
                }
                self.findings.add(Code::ContentUnverified, &at);
            }
        }
    }

    /// Why IPv4 does not give the service that IPv6 gives: there is none, it fails, or we could not see. That it fails is
    /// said of an answer that we have, and with an alibi.
    pub(super) fn note_without_v4(&mut self, v6: &Outcome<'_>) {
        let v4: Vec<Outcome<'_>> = self.entries.iter().filter_map(|entry| entry.v4.clone()).collect();
        let counts = |v4: &&Outcome<'_>| v4.landing.is_evidence() && self.alibis.of(v4.pointer.round, Family::V4);
        let failed: Vec<Pointer> = v4.iter().filter(counts).map(|v4| v4.pointer).collect();
        if !failed.is_empty() {
            self.findings.add(Code::V4Broken, &failed);
        } else if matches!(self.naming.v4, Presence::Absent(_)) && !self.usable.1 {
            self.findings.add(Code::V6Only, &self.naming.evidence_v4.clone());
        } else if self.naming.v4 == Presence::Mishandled {
            // Its servers cannot answer for A, which was seen at two of them: to its users there is no IPv4.
            self.findings.add(Code::V4Broken, &self.naming.evidence_v4.clone());
        } else {
            // Also where A is not known: nobody knows then how the site does over IPv4.
            self.findings.add(Code::ContentUnverified, &[v6.pointer]);
        }
    }

    /// What is noted of an entry that serves over IPv6 alone.
    pub(super) fn note_single(&mut self, v6: &Outcome<'_>) {
        match v6.landing {
            Landing::Challenge(_) => self.findings.add(Code::Challenge, &[v6.pointer]),
            Landing::Auth(_) => self.findings.add(Code::AuthRequired, &[v6.pointer]),
            _ => {}
        }
        if let Some((mut faults, at)) = service::certificate_faults(self.observation, v6) {
            self.drop_untimely(&mut faults, at);
            if faults.is_empty() {
                return;
            }
            let args = [("fault", words(faults.iter())), ("certificate", self.certificate(at))];
            self.findings.add_with(Code::CertV6, &args, &[at]);
        }
    }

    /// What seems out of date by a clock that was not proven at the time is not called so.
    fn drop_untimely(&mut self, faults: &mut BTreeSet<CertificateFault>, at: Pointer) {
        let round = self.observation.rounds.iter().find(|round| round.number == at.round);
        let shown = round.and_then(|round| round.handshakes.get(at.index)).map(|handshake| handshake.started);
        let holds = |clock: &ClockProof| shown.is_some_and(|shown| clock.holds_at(shown));
        if self.vantage.is_none_or(|vantage| vantage.clock.as_ref().is_some_and(holds)) {
            return;
        }
        let before = faults.len();
        faults.retain(|fault| !matches!(fault, CertificateFault::Expired | CertificateFault::NotYetValid));
        if faults.len() < before {
            self.findings.add(Code::ClockUnproven, &[at]);
        }
    }

    /// What a certificate is known by: its common name, and the beginning of its digest.
    fn certificate(&self, at: Pointer) -> String {
        let round = self.observation.rounds.iter().find(|round| round.number == at.round);
        let handshake = round.and_then(|round| round.handshakes.get(at.index));
        let Some(certificate) = handshake.and_then(|handshake| handshake.certificate.as_ref()) else {
            return String::new();
        };
        let digest = certificate.sha256.get(..16).unwrap_or_default();
        format!("{} {digest}", certificate.subject.as_deref().unwrap_or_default()).trim().replace(", ", " ")
    }

    pub(super) fn note_certificates(&mut self, v4: &Outcome<'_>, v6: &Outcome<'_>) {
        let over = |outcome| service::certificate_faults(self.observation, outcome);
        let (Some((mut faults4, at4)), Some((mut faults6, at6))) = (over(v4), over(v6)) else { return };
        self.drop_untimely(&mut faults4, at4);
        self.drop_untimely(&mut faults6, at6);
        let only6 = words(faults6.difference(&faults4));
        let only4 = words(faults4.difference(&faults6));
        let both = words(faults4.intersection(&faults6));
        if !only6.is_empty() {
            let args = [("fault", only6), ("certificate", self.certificate(at6))];
            self.findings.add_with(Code::CertV6, &args, &[at6]);
        }
        if !only4.is_empty() {
            self.findings.add_with(Code::CertV4, &[("fault", only4)], &[at4]);
        }
        if !both.is_empty() {
            self.findings.add_with(Code::CertBoth, &[("fault", both)], &[at4, at6]);
        }
    }

    /// Ports that answer over IPv4 and not over IPv6, while another does.
    pub(super) fn note_ports(&mut self) {
        let v4 = service::open_ports(self.observation, Family::V4);
        let v6 = service::open_ports(self.observation, Family::V6);
        if v6.is_empty() {
            return;
        }
        for port in v4.difference(&v6) {
            let closed = |connect: &Connect| {
                let local = connect.failure.as_ref().is_some_and(Failure::is_local);
                connect.family() == Family::V6 && connect.port == *port && !local
            };
            let at = self.connects(closed);
            // A port that was not tried is not closed.
            if !at.is_empty() {
                self.findings.add_with(Code::PortDiff, &[("port", port.to_string())], &at);
            }
        }
    }

    pub(super) fn note_dead_addresses(&mut self) {
        for port in service::open_ports(self.observation, Family::V6) {
            let proven = |round: &Round, family| self.alibis.of(round.number, family);
            let dead = service::dead_addresses(self.observation, Family::V6, port, &proven);
            for address in dead.into_iter().filter(|address| self.is_current(*address)).collect::<Vec<_>>() {
                let at = self.connects(|connect| connect.address == address);
                self.findings.add_with(Code::SomeAddressesDead, &[("address", address.to_string())], &at);
            }
            // One greeting that comes to nothing may be weather: on a first look, it asks for a second.
            let rounds = if self.vantage.is_none() { 1 } else { self.criteria.rounds };
            let mute = service::mute_addresses(self.observation, port, rounds, &proven);
            for (address, at) in mute.into_iter().filter(|(address, _)| self.is_current(*address)).collect::<Vec<_>>() {
                self.findings.add_with(Code::SomeAddressesDead, &[("address", address.to_string())], &at);
            }
        }
    }

    /// Connections to the site's own addresses that fit; failed ones only with an alibi.
    pub(super) fn connects(&self, fits: impl Fn(&Connect) -> bool) -> Vec<Pointer> {
        let rounds = self.observation.rounds.iter();
        let own: BTreeSet<_> = rounds.clone().flat_map(|round| &round.addresses).map(|fact| fact.address).collect();
        let fits = |connect: &Connect| own.contains(&connect.address) && fits(connect);
        let all = rounds.flat_map(|round| round.connects.iter().enumerate().map(move |each| (round.number, each)));
        let proven = |round, connect: &Connect| connect.is_open() || self.alibis.of(round, connect.family());
        let fitting = all.filter(|(round, (_, connect))| fits(connect) && proven(*round, connect));
        fitting.map(|(round, (index, _))| Pointer { round, step: StepKind::Connect, index }).collect()
    }

    /// An https entry that speaks, on both families, a TLS we do not.
    pub(super) fn note_tls_unsupported(&mut self) {
        for entry in &self.entries {
            let (Some(v4), Some(v6)) = (&entry.v4, &entry.v6) else { continue };
            let other = |outcome: &Outcome<'_>| outcome.landing.failure().is_some_and(speaks_other_tls);
            if entry.scheme == Scheme::Https && other(v4) && other(v6) {
                self.findings.add(Code::TlsUnsupported, &[v4.pointer, v6.pointer]);
            }
        }
    }

    /// Entries that are served much later over IPv6 than over IPv4, in every round.
    pub(super) fn note_slow(&mut self, served: &[usize]) {
        let floor = u64::try_from(self.criteria.slow_after.as_micros()).unwrap_or(u64::MAX);
        for entry in served.iter().map(|index| &self.entries[*index]) {
            let both = entry.rounds.iter().filter_map(|look| Some((look.v4.as_ref()?, look.v6.as_ref()?)));
            let both = both.filter(|(v4, v6)| v4.landing.serves() && pair::serves(self.observation, v4, v6));
            let times = both.filter_map(|(v4, v6)| {
                let over = |outcome| service::first_byte_us(self.observation, outcome);
                Some((over(v4)?, over(v6)?, v6.pointer))
            });
            let times: Vec<(u64, u64, Pointer)> = times.collect();
            let slow =
                |(v4, v6, _): &(u64, u64, Pointer)| *v6 > floor && *v6 >= v4.saturating_mul(self.criteria.slow_times);
            // The round in which the families were closest speaks for IPv6.
            let Some((v4, v6, _)) = times.iter().min_by_key(|(v4, v6, _)| v6.saturating_sub(*v4)) else { continue };
            if times.iter().all(slow) {
                let at: Vec<Pointer> = times.iter().map(|(_, _, at)| *at).collect();
                let ms = |micros: u64| (micros / 1000).to_string();
                self.findings.add_with(Code::SlowV6, &[("v4_ms", ms(*v4)), ("v6_ms", ms(*v6))], &at);
            }
        }
    }

    pub(super) fn note_share(&mut self) {
        if let Some((good, all)) = self.tries().filter(|(good, all)| good < all) {
            let at: Vec<Pointer> = self.entries.iter().filter_map(|e| Some(e.v6.as_ref()?.pointer)).collect();
            self.findings.add_with(Code::Intermittent, &[("good", good.to_string()), ("tries", all.to_string())], &at);
        }
    }

    /// Names why IPv6 does not serve.
    pub(super) fn note_v6_failure(&mut self, entry: &Entry<'_>, v6: &Outcome<'_>) -> &'static str {
        if self.note_black_hole(entry, v6) {
            return "pmtu_blackhole";
        }
        let at = [v6.pointer];
        let target = v6.hops.last().map(|hop| hop.url.clone()).unwrap_or_default();
        let address = v6.hops.last().and_then(|hop| hop.address).map(|a| a.to_string()).unwrap_or_default();
        let place = [("address", address), ("port", entry.port.to_string())];
        match v6.landing {
            Landing::Failed(WalkEnd::Failed(failure)) => self.note_failed_step(failure, place, &at),
            Landing::Failed(WalkEnd::RedirectNoAddress) => {
                self.findings.add_with(Code::RedirectV4only, &[("target", target)], &at);
                "redirect_v4only"
            }
            Landing::Failed(WalkEnd::RedirectInternal(scope)) => {
                let args = [("target", target), ("scope", scope.tag().to_owned())];
                self.findings.add_with(Code::RedirectInternal, &args, &at);
                "redirect_internal"
            }
            Landing::Failed(WalkEnd::TooManyRedirects | WalkEnd::RedirectLoop) => {
                self.findings.add_with(Code::RedirectEndless, &[("target", target)], &at);
                "redirect_endless"
            }
            Landing::Failed(_) => {
                self.findings.add_with(Code::RedirectBad, &[("target", target)], &at);
                "redirect_bad"
            }
            Landing::Page(page) => {
                if let Some(failure) = entry.v4.as_ref().and_then(|v4| pair::comes_empty(v4, v6)) {
                    return self.note_failed_step(failure, place, &at);
                }
                self.note_wrong_vhost(page, &at)
            }
            // Providers give their notices an error status, or not.
            Landing::Error(page) if service::is_not_a_site(page) => self.note_wrong_vhost(page, &at),
            Landing::Challenge(e) | Landing::Auth(e) | Landing::RateLimited(e) | Landing::Error(e) => {
                self.findings.add_with(Code::V6Status, &[("status", e.status.to_string())], &at);
                "status"
            }
        }
    }

    fn note_wrong_vhost(&mut self, page: &Exchange, at: &[Pointer]) -> &'static str {
        let title = page.page.as_ref().and_then(|page| page.title.clone()).unwrap_or_default();
        self.findings.add_with(Code::WrongVhost, &[("title", title)], at);
        "wrong_vhost"
    }

    fn note_failed_step(
        &mut self,
        failure: &Failure,
        place: [(&'static str, String); 2],
        at: &[Pointer],
    ) -> &'static str {
        let [address, port] = place;
        self.findings.add_with(failure_code(failure), &[address, port, ("failure", failure.to_string())], at);
        failure.word()
    }

    /// The stalls of an entry end as soon as the server may send small segments only, whenever that was tried.
    fn note_black_hole(&mut self, entry: &Entry<'_>, v6: &Outcome<'_>) -> bool {
        if v6.landing.stall().is_none() {
            return false;
        }
        let looks = entry.rounds.iter().filter_map(|look| look.v6.as_ref());
        let proofs: Vec<_> = looks.filter_map(|v6| service::mss_proof(self.observation, v6)).collect();
        let named = !proofs.is_empty() && proofs.iter().all(|(_, _, helped)| *helped);
        if named {
            let args = |(proof, at, _): &(&MssProof, Pointer, bool)| {
                let place = [("address", proof.address.to_string()), ("port", proof.port.to_string())];
                (place, ("mss", proof.mss.to_string()), *at)
            };
            for ([address, port], mss, at) in proofs.iter().map(args) {
                self.findings.add_with(Code::PmtuBlackhole, &[address, port, mss], &[at, v6.pointer]);
            }
        }
        named
    }
}

fn failure_code(failure: &Failure) -> Code {
    match failure {
        Failure::Timeout => Code::V6Timeout,
        Failure::Refused => Code::V6Refused,
        Failure::Reset => Code::V6Reset,
        Failure::Unreachable(_) => Code::V6Unreachable,
        Failure::TlsAlert(_)
        | Failure::TlsStall
        | Failure::TlsUnsupported
        | Failure::HttpOnTlsPort
        | Failure::TlsMalformed
        | Failure::TlsEof => Code::V6Tls,
        _ => Code::V6Http,
    }
}

fn words<'b>(faults: impl Iterator<Item = &'b CertificateFault>) -> String {
    faults.map(|fault| fault.word()).collect::<Vec<_>>().join(", ")
}
