//! The scanner's own way into the lab, which tests may cut, thin out and mend while a scan is under way.
//!
//! Only new connections and datagrams are lost; what is open stays open. Leaves to others: faults of single addresses,
//! which are part of the world.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::model::address::Family;

/// The switch. Clones work the same one.
#[derive(Clone, Debug, Default)]
pub struct Uplink(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    /// Share of attempts that are lost, in percent, IPv4 first.
    loss: [AtomicU8; 2],
    resolvers_are_silent: AtomicBool,
    attempts: AtomicU64,
    /// How often the scanner's address changed, IPv4 first.
    moves: [AtomicU64; 2],
}

impl Uplink {
    /// From now on so many percent of the attempts over a family get no answer. 0: the uplink is whole, 100: it is cut.
    pub fn lose(&self, family: Family, percent: u8) {
        self.0.loss[index(family)].store(percent, Ordering::SeqCst);
    }

    /// From now on the resolvers answer nothing, or answer again.
    pub fn silence_resolvers(&self, silent: bool) {
        self.0.resolvers_are_silent.store(silent, Ordering::SeqCst);
    }

    /// The scanner gets another address.
    pub fn renumber(&self, family: Family) {
        self.0.moves[index(family)].fetch_add(1, Ordering::SeqCst);
    }

    /// Which address the scanner has, as a number.
    pub(super) fn identity(&self, family: Family) -> u64 {
        self.0.moves[index(family)].load(Ordering::SeqCst)
    }

    /// Whether this attempt is lost. `resolver`: the target is one.
    pub(super) fn swallows(&self, target: SocketAddr, resolver: bool) -> bool {
        if resolver && self.0.resolvers_are_silent.load(Ordering::SeqCst) {
            return true;
        }
        let percent = u64::from(self.0.loss[index(Family::of(target.ip()))].load(Ordering::SeqCst));
        if percent == 0 {
            return false;
        }
        // Spread evenly, the same in every run (Knuth's multiplicative hash).
        let attempt = self.0.attempts.fetch_add(1, Ordering::SeqCst);
        (attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100 < percent
    }
}

fn index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_attempts_are_lost() {
        let uplink = Uplink::default();
        let (v4, v6) = ("192.0.2.1:80".parse().unwrap(), "[2001:db8::1]:80".parse().unwrap());
        for percent in [0, 50, 100] {
            uplink.lose(Family::V6, percent);
            let lost = (0..1000).filter(|_| uplink.swallows(v6, false)).count();
            assert!(lost.abs_diff(usize::from(percent) * 10) <= 20, "{lost} of 1000 at {percent} %");
            assert!(!uplink.swallows(v4, false));
        }
        uplink.silence_resolvers(true);
        assert!(uplink.swallows(v4, true) && !uplink.swallows(v4, false));
    }
}
