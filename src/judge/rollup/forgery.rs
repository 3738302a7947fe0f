//! What was built on a forged or invented answer is taken out before anything is judged.

use std::borrow::Cow;

use crate::judge::resolvers::Resolvers;
use crate::model::evidence::{Observation, Round};

/// The observation, in which a round that cannot be trusted keeps its lookups alone: a resolver gave it a record while it
/// was inventing records, or an answer was contradicted. The latter is made again over TCP by the prober; a round for which
/// there was no time says nothing about the site.
pub(super) fn without_forged<'a>(observation: &'a Observation, resolvers: &Resolvers<'_>) -> Cow<'a, Observation> {
    let contradicted = |round: &Round| !round.dns_over_tcp && round.lookups.iter().any(|lookup| lookup.rival.is_some());
    let invented = |round: &Round| round.lookups.iter().any(|lookup| resolvers.invented(lookup));
    let rests_on_forged = |round: &Round| contradicted(round) || invented(round);
    if !observation.rounds.iter().any(rests_on_forged) {
        return Cow::Borrowed(observation);
    }
    let mut observation = observation.clone();
    for round in observation.rounds.iter_mut().filter(|round| rests_on_forged(round)) {
        let empty = Round::new(round.number, round.started);
        let lookups = std::mem::take(&mut round.lookups);
        *round = Round { ended: round.ended, without_ipv6: round.without_ipv6, lookups, ..empty };
    }
    Cow::Owned(observation)
}
