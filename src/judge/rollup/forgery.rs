//! What was built on an answer that nobody may believe is taken out before anything is judged: a forged or invented record, or
//! a denial by a resolver that was not proven.

use std::borrow::Cow;

use url::Host;

use crate::judge::resolvers::Resolvers;
use crate::model::evidence::{Lookup, LookupOutcome, Observation, RecordType, Round, Walk, WalkEnd};

/// The observation, in which a round that cannot be trusted keeps its lookups alone: a resolver gave it a record while it
/// was inventing records, or an answer was contradicted. The latter is made again over TCP by the prober; a round for which
/// there was no time says nothing about the site.
///
/// A walk that ended at a name without an address of its family ended at one that could not be resolved, if only resolvers
/// say so that were not proven to tell the truth at the time.
pub(super) fn without_forged<'a>(observation: &'a Observation, resolvers: &Resolvers<'_>) -> Cow<'a, Observation> {
    let contradicted = |round: &Round| !round.dns_over_tcp && round.lookups.iter().any(|lookup| lookup.rival.is_some());
    let invented = |round: &Round| round.lookups.iter().any(|lookup| resolvers.invented(lookup));
    let rests_on_forged = |round: &Round| contradicted(round) || invented(round);
    let doubtful = |round: &Round| round.walks.iter().any(|walk| unproven_denial(round, walk, resolvers).is_some());
    if !observation.rounds.iter().any(|round| rests_on_forged(round) || doubtful(round)) {
        return Cow::Borrowed(observation);
    }
    let mut observation = observation.clone();
    for round in &mut observation.rounds {
        if rests_on_forged(round) {
            let empty = Round::new(round.number, round.started);
            let lookups = std::mem::take(&mut round.lookups);
            *round = Round { ended: round.ended, without_ipv6: round.without_ipv6, lookups, ..empty };
        }
        let denials: Vec<_> = round.walks.iter().map(|walk| unproven_denial(round, walk, resolvers)).collect();
        for (walk, denial) in round.walks.iter_mut().zip(denials) {
            if let Some(outcome) = denial {
                walk.end = WalkEnd::RedirectUnresolved(outcome);
            }
        }
    }
    Cow::Owned(observation)
}

/// What was said of the name a walk ended at, where that it has no address of the family rests on resolvers alone that were
/// not proven. None: the walk ended elsewhere, at an address of the other family, or a proven resolver says it too.
fn unproven_denial(round: &Round, walk: &Walk, resolvers: &Resolvers<'_>) -> Option<LookupOutcome> {
    use LookupOutcome::{Nodata, NodataNosoa, Nxdomain};
    if walk.end != WalkEnd::RedirectNoAddress {
        return None;
    }
    let url = url::Url::parse(&walk.hops.last()?.url).ok()?;
    let Some(Host::Domain(name)) = url.host() else { return None };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let denies = |lookup: &&Lookup| {
        let about = lookup.name == name && lookup.rtype == RecordType::of(walk.family);
        about && matches!(lookup.outcome, Nodata | NodataNosoa | Nxdomain)
    };
    let denials: Vec<&Lookup> = round.lookups.iter().filter(denies).collect();
    let believed = denials.iter().any(|lookup| resolvers.counts(lookup));
    denials.first().filter(|_| !believed).map(|lookup| lookup.outcome)
}
