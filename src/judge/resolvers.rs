//! Which answers of a resolver count: those around which its self-tests were good.
//!
//! That something is absent, or that nobody answers, is believed only of a resolver that was proven before and after. A
//! record needs no such proof, since the site behind it must serve as well; but what a resolver says that was then
//! found to invent records does not count either. Leaves to others: what the answers mean together ([`super::naming`]).

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Duration;

use crate::model::evidence::{Lookup, LookupOutcome, ServerRole};
use crate::model::run::{DnsProof, ResolverState, Vantage};
use crate::model::time::Timestamp;

/// A self-test: when, and what came out.
type Test = (Timestamp, ResolverState);

/// The resolvers of a run and what was proven of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolvers<'a> {
    /// None: the question is left for later, and everything counts.
    vantage: Option<&'a Vantage>,
    near_ms: u64,
}

impl<'a> Resolvers<'a> {
    /// `alibi` is how close the self-tests must lie, on both sides.
    pub(super) fn new(vantage: Option<&'a Vantage>, alibi: Duration) -> Self {
        Self { vantage, near_ms: u64::try_from(alibi.as_millis()).unwrap_or(u64::MAX) }
    }

    /// The answer counts.
    pub(super) fn counts(&self, lookup: &Lookup) -> bool {
        let Some(vantage) = self.vantage else { return true };
        match (lookup.outcome, lookup.role) {
            (LookupOutcome::Answer, ServerRole::Resolver) => {
                let invents = |(_, state)| state == ResolverState::Invents;
                let (before, after) = Self::around(vantage, lookup.server, lookup.started);
                !before.is_some_and(invents) && !after.is_some_and(invents)
            }
            (LookupOutcome::NotAsked, _) | (LookupOutcome::Answer, ServerRole::Authority) => true,
            (_, ServerRole::Resolver) => self.is_proven(vantage, lookup.server, lookup.started),
            // Authoritative servers are found through the resolvers: one of these must have been sound.
            (_, ServerRole::Authority) => {
                vantage.resolvers.iter().any(|server| self.is_proven(vantage, *server, lookup.started))
            }
        }
    }

    /// The answer is a record by a resolver that was inventing records at the time.
    pub(super) fn invented(&self, lookup: &Lookup) -> bool {
        lookup.outcome == LookupOutcome::Answer && !self.counts(lookup)
    }

    /// A source of a negative answer could be believed at a moment: a resolver that was proven, or an authoritative server,
    /// which is found through the resolvers, so that one of these must have been.
    pub(super) fn believed(&self, server: SocketAddr, at: Timestamp) -> bool {
        let Some(vantage) = self.vantage else { return true };
        if vantage.resolvers.contains(&server) {
            return self.is_proven(vantage, server, at);
        }
        vantage.resolvers.iter().any(|resolver| self.is_proven(vantage, *resolver, at))
    }

    fn is_proven(&self, vantage: &Vantage, server: SocketAddr, at: Timestamp) -> bool {
        let good = |(then, state): Test| state == ResolverState::Sane && then.distance_ms(at) <= self.near_ms;
        let (before, after) = Self::around(vantage, server, at);
        before.is_some_and(good) && after.is_some_and(good)
    }

    /// The nearest self-tests of a resolver before and after a moment. Of several at the same moment, the worst.
    fn around(vantage: &Vantage, server: SocketAddr, at: Timestamp) -> (Option<Test>, Option<Test>) {
        let of_server = |proof: &&DnsProof| proof.server == server;
        let tests = || vantage.dns_proofs.iter().filter(of_server).map(|proof| (proof.at, proof.state));
        let before = tests().filter(|(then, _)| *then <= at).max();
        let after = tests().filter(|(then, _)| *then >= at).max_by_key(|(then, state)| (Reverse(*then), *state));
        (before, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::{DnsTransport, RecordType};

    const R1: &str = "192.0.2.53:53";
    const R2: &str = "198.51.100.53:53";

    fn vantage(proofs: &[(i64, &str, ResolverState)]) -> Vantage {
        let proof = |(at, server, state): &(i64, &str, ResolverState)| DnsProof {
            at: Timestamp(*at * 1000),
            server: server.parse().unwrap(),
            state: *state,
        };
        Vantage {
            name: "v".to_owned(),
            isp: None,
            resolvers: [R1, R2].map(|server| server.parse().unwrap()).to_vec(),
            proofs: Vec::new(),
            dns_proofs: proofs.iter().map(proof).collect(),
            clock: None,
        }
    }

    fn lookup(server: &str, role: ServerRole, outcome: LookupOutcome) -> Lookup {
        Lookup {
            name: "a.example".to_owned(),
            rtype: RecordType::Aaaa,
            server: server.parse().unwrap(),
            role,
            transport: DnsTransport::Udp,
            retried_over_tcp: false,
            checking_disabled: false,
            outcome,
            broken: None,
            authoritative: Some(true),
            authenticated: Some(false),
            soa_owner: None,
            chain: Vec::new(),
            addresses: Vec::new(),
            names: Vec::new(),
            hints: Vec::new(),
            rival: None,
            started: Timestamp(100_000),
            duration_us: 1,
            attempt: 1,
        }
    }

    #[test]
    fn an_authority_is_believed_where_a_resolver_is_proven() {
        use ResolverState::{Sane, Silent};
        let cases = [
            (R1, Sane, Silent, true),
            (R2, Sane, Silent, false),
            ("203.0.113.1:53", Sane, Silent, true),
            ("203.0.113.1:53", Silent, Silent, false),
        ];
        for (server, first, second, expected) in cases {
            let vantage = vantage(&[(90, R1, first), (110, R1, first), (90, R2, second), (110, R2, second)]);
            let resolvers = Resolvers::new(Some(&vantage), Duration::from_mins(3));
            assert_eq!(resolvers.believed(server.parse().unwrap(), Timestamp(100_000)), expected, "{server} {first:?}");
        }
    }

    #[test]
    fn what_counts_depends_on_the_tests_around_it() {
        use LookupOutcome::{Answer, Nodata, NotAsked, Timeout};
        use ResolverState::{Denies, Invents, Sane, Silent};
        use ServerRole::{Authority, Resolver};
        // Self-tests at seconds; the question is asked in second 100.
        type Case<'a> = (&'a [(i64, &'a str, ResolverState)], &'a str, ServerRole, LookupOutcome, bool);
        let cases: &[Case<'_>] = &[
            (&[(90, R1, Sane), (110, R1, Sane)], R1, Resolver, Nodata, true),
            (&[(90, R1, Sane), (110, R1, Sane)], R1, Resolver, Timeout, true),
            (&[(90, R1, Sane)], R1, Resolver, Nodata, false),
            (&[(110, R1, Sane)], R1, Resolver, Nodata, false),
            (&[], R1, Resolver, Nodata, false),
            (&[], R1, Resolver, Answer, true),
            (&[], R1, Resolver, NotAsked, true),
            (&[(90, R1, Sane), (110, R1, Sane)], R2, Resolver, Nodata, false),
            (&[(90, R1, Silent), (110, R1, Sane)], R1, Resolver, Nodata, false),
            (&[(90, R1, Sane), (110, R1, Denies)], R1, Resolver, Nodata, false),
            (&[(90, R1, Sane), (110, R1, Denies)], R1, Resolver, Answer, true),
            (&[(90, R1, Invents), (110, R1, Sane)], R1, Resolver, Answer, false),
            (&[(90, R1, Sane), (110, R1, Invents)], R1, Resolver, Answer, false),
            // Only the nearest count, near enough, and the worst of one moment.
            (&[(80, R1, Silent), (90, R1, Sane), (110, R1, Sane), (120, R1, Silent)], R1, Resolver, Nodata, true),
            (&[(90, R1, Sane), (110, R1, Silent), (110, R1, Sane)], R1, Resolver, Nodata, false),
            (&[(90, R1, Sane), (281, R1, Sane)], R1, Resolver, Nodata, false),
            (&[(90, R1, Sane), (280, R1, Sane)], R1, Resolver, Nodata, true),
            // One sound resolver is enough to have found an authoritative server.
            (&[(90, R2, Sane), (110, R2, Sane)], "203.0.113.1:53", Authority, Nodata, true),
            (&[(90, R2, Sane), (110, R2, Silent)], "203.0.113.1:53", Authority, Nodata, false),
            (&[(90, R2, Invents), (110, R2, Invents)], "203.0.113.1:53", Authority, Answer, true),
        ];
        for (proofs, server, role, outcome, expected) in cases {
            let vantage = vantage(proofs);
            let resolvers = Resolvers::new(Some(&vantage), Duration::from_mins(3));
            let lookup = lookup(server, *role, *outcome);
            assert_eq!(resolvers.counts(&lookup), *expected, "{proofs:?} {server} {outcome:?}");
            assert!(Resolvers::new(None, Duration::ZERO).counts(&lookup));
        }
    }
}
