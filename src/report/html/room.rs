//! How much evidence a region's page has room for: a page of thousands of schools must still open and be searched at once.
//!
//! Leaves to others: the evidence itself. What is not on the page is in `evidence.jsonl.zst`, and `v6ready show` prints it.

/// Bytes that a page may have and be opened, searched and sorted within a second.
const PAGE: usize = 4_200_000;
/// Bytes that one school takes without its evidence: about 1,700 where all is well, 2,600 where something is to be done.
const SCHOOL: usize = 2_100;

/// A school that has evidence.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// Who comes first: the smaller.
    pub(super) urgency: usize,
    /// Size of its evidence.
    pub(super) bytes: usize,
}

/// Whose evidence is on the page, by position: all of it where it fits. Otherwise whoever has something to be done comes
/// first, then the order of the list, up to the first that does not fit.
pub(super) fn granted(schools: &[Claim]) -> Vec<bool> {
    let mut left = PAGE.saturating_sub(schools.len() * SCHOOL);
    let mut order: Vec<usize> = (0..schools.len()).collect();
    order.sort_by_key(|position| schools[*position].urgency);
    let mut granted = vec![false; schools.len()];
    for position in order {
        let Some(rest) = left.checked_sub(schools[position].bytes) else { break };
        left = rest;
        granted[position] = true;
    }
    granted
}

/// So many schools fill the page without any evidence.
pub(super) fn is_crowded(schools: usize) -> bool {
    schools * SCHOOL > PAGE
}

#[cfg(test)]
mod tests {
    use super::{Claim, PAGE, SCHOOL, granted, is_crowded};

    #[test]
    fn a_page_is_crowded_from_two_thousand_schools_on() {
        assert_eq!((is_crowded(2_000), is_crowded(2_001)), (false, true));
    }

    #[test]
    fn a_usual_page_has_all_evidence() {
        let schools = vec![Claim { urgency: 9, bytes: 3_000 }; 800];
        assert!(granted(&schools).iter().all(|granted| *granted));
    }

    #[test]
    fn on_a_long_page_faults_come_first_and_the_page_keeps_its_bound() {
        let mut schools = vec![Claim { urgency: 9, bytes: 3_000 }; 1_500];
        for school in schools.iter_mut().skip(1_000) {
            *school = Claim { urgency: 0, bytes: 2_500 };
        }
        let granted = granted(&schools);
        let bytes: usize = schools.iter().zip(&granted).filter(|(_, granted)| **granted).map(|(s, _)| s.bytes).sum();
        assert!(granted[1_000] && granted[1_400] && !granted[999], "the faults' evidence is there");
        assert!(bytes + schools.len() * SCHOOL <= PAGE, "{bytes}");
        assert!(bytes + schools.len() * SCHOOL > PAGE - 3_000, "the room is used: {bytes}");
    }

    #[test]
    fn more_schools_than_fit_have_no_evidence_on_the_page() {
        assert!(granted(&vec![Claim { urgency: 0, bytes: 1 }; 3_000]).iter().all(|granted| !granted));
        assert!(granted(&[]).is_empty());
    }
}
