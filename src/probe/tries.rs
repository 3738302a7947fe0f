//! How often one step is tried: as often as allowed for what came from outside. Pure.
//!
//! A try that this machine itself spoilt (no descriptor, no buffer, no port) shows nothing of the peer, so it does not count
//! as one of the tries that a failure needs. Leaves to others: the pause between two of them.

use crate::model::failure::Failure;

/// Tries that this machine may spoil before a step is given up for a reason of ours.
const SPOILT: u8 = 2;

/// The tries of one step.
#[derive(Debug)]
pub(super) struct Tries {
    most: u8,
    real: u8,
    spoilt: u8,
}

impl Tries {
    /// At most so many that count.
    pub(super) fn new(most: u8) -> Self {
        Self { most, real: 0, spoilt: 0 }
    }

    /// Those that count and are over.
    pub(super) fn real(&self) -> u8 {
        self.real
    }

    /// The number of the present one, from 1, whether it will count or not.
    pub(super) fn number(&self) -> u8 {
        self.real.saturating_add(self.spoilt).saturating_add(1)
    }

    /// The present one failed. Is another to be made? `elsewhere`: it would be made at an address that was not tried yet, so
    /// that also a failure that is no weather leaves hope.
    pub(super) fn again(&mut self, failure: &Failure, elsewhere: impl FnOnce(u8) -> bool) -> bool {
        if failure.is_local() {
            self.spoilt += 1;
            return failure.is_transient() && self.spoilt <= SPOILT;
        }
        self.real += 1;
        self.real < self.most && (failure.is_transient() || elsewhere(self.real))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_that_this_machine_spoilt_do_not_count() {
        use Failure::{LocalResource, NoRoute, Refused, Timeout};
        // What comes of each try, and how many are made of at most two.
        let cases: [(&[Failure], usize); 7] = [
            (&[Timeout, Timeout, Timeout], 2),
            (&[LocalResource, Timeout, Timeout, Timeout], 3),
            (&[Timeout, LocalResource, Timeout, Timeout], 3),
            (&[LocalResource, LocalResource, Timeout, Timeout, Timeout], 4),
            (&[LocalResource, LocalResource, LocalResource, Timeout], 3),
            (&[Refused, Timeout], 1),
            (&[NoRoute, Timeout], 1),
        ];
        for (outcomes, made) in cases {
            let mut tries = Tries::new(2);
            let mut count = 0;
            for (number, failure) in (1..).zip(outcomes) {
                assert_eq!(tries.number(), number);
                count += 1;
                if !tries.again(failure, |_| false) {
                    break;
                }
            }
            assert_eq!(count, made, "{outcomes:?}");
        }
        assert!(Tries::new(2).again(&Refused, |real| real < 2), "another address may do better");
    }
}
