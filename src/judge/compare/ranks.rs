//! Places that do not change hands without a reason.
//!
//! Leaves to others: who may be ranked at all, and among whom ([`super::super::summarise`]).

use std::collections::BTreeMap;

use crate::model::school::{RegionCode, Roster};
use crate::model::summary::RegionSummary;

use super::super::summarise::{by_rate, rivals};

/// Gives places anew, keeping those of the run before wherever the ranges overlap.
///
/// 1. Who had a place keeps the order of the places; who had none comes in by rate.
/// 2. Two neighbours change places only when the lower end of one range is above the upper end of the other.
/// 3. Equal rates share a place, and so do neighbours that shared one and whose ranges overlap.
pub(super) fn keep(roster: &Roster, summaries: &mut [RegionSummary], before: &BTreeMap<RegionCode, u32>) {
    for mut members in rivals(roster, summaries) {
        let place = |index: usize| before.get(&summaries[index].code).copied();
        let range = |index: usize| summaries[index].completion.range().unwrap_or((0.0, 1.0));
        let above = |left: usize, right: usize| range(left).0 > range(right).1;
        let equal = |left: usize, right: usize| by_rate(&summaries[left].completion, &summaries[right].completion);
        members.sort_by(|&left, &right| equal(left, right));
        let (mut order, fresh): (Vec<usize>, Vec<usize>) =
            members.into_iter().partition(|&index| place(index).is_some());
        order.sort_by_key(|&index| place(index));
        for index in fresh {
            let at = order.iter().position(|&held| equal(index, held).is_lt()).unwrap_or(order.len());
            order.insert(at, index);
        }
        // A pass moves at least one region by one place, and no two ever change back: there are fewer passes than pairs.
        while let Some(at) = (1..order.len()).find(|&at| above(order[at], order[at - 1])) {
            order.swap(at - 1, at);
        }
        let mut places = Vec::with_capacity(order.len());
        for (position, &index) in order.iter().enumerate() {
            let shared = position.checked_sub(1).map(|above| order[above]).is_some_and(|held| {
                let shared_before = place(held).is_some() && place(held) == place(index);
                equal(held, index).is_eq() || shared_before && !above(held, index)
            });
            let place = if shared { places.last().copied().unwrap_or(1) } else { position + 1 };
            places.push(place);
        }
        for (index, place) in order.into_iter().zip(places) {
            summaries[index].rank = u32::try_from(place).ok();
        }
    }
}
