//! Politeness: how often and how many at once, per address, network, name server and resolver.
//!
//! Places (simultaneous connections) are semaphores that are free again when the pass is dropped; rates are a table of
//! the next free moment per key. Further addresses of a site are connected to in parallel and closed at once; of the
//! connections that are kept for a request, a site has one at a time in each family. So nobody waits for a connection's place
//! while holding another connection's. Within one connection the place at the address comes before that in the network.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::model::evidence::ServerRole;
use crate::net::turn::{Pass, Subject, Turns, Waiting};

/// Keys kept before unused ones are dropped.
const KEYS: usize = 50_000;

/// The rules. A zero means no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Pause between two requests to one address.
    pub per_host_interval: Duration,
    /// Connections at once to one IPv4 address or IPv6 /64.
    pub per_address: usize,
    /// Connections at once into one IPv4 /24 or IPv6 /48.
    pub per_prefix: usize,
    /// Questions a second to one resolver.
    pub resolver_qps: u32,
    /// Questions a second to one authoritative server.
    pub authority_qps: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            per_host_interval: Duration::from_secs(1),
            per_address: 2,
            per_prefix: 4,
            resolver_qps: 50,
            authority_qps: 10,
        }
    }
}

/// Gives turns by the rules.
#[derive(Debug)]
pub struct Pacer {
    rules: Rules,
    addresses: Places<IpAddr>,
    prefixes: Places<IpAddr>,
    requests: Slots<IpAddr>,
    queries: Slots<SocketAddr>,
}

impl Pacer {
    /// A pacer for these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            addresses: Places::new(rules.per_address),
            prefixes: Places::new(rules.per_prefix),
            requests: Slots::default(),
            queries: Slots::default(),
        }
    }

    async fn turn(&self, subject: Subject) -> Pass {
        match subject {
            Subject::Connection(address) => {
                let of_address = self.addresses.take(network(address, 32, 64)).await;
                let of_prefix = self.prefixes.take(network(address, 24, 48)).await;
                Pass::holding(Box::new((of_address, of_prefix)))
            }
            Subject::Request(address) => {
                self.requests.wait(address, self.rules.per_host_interval).await;
                Pass::default()
            }
            Subject::Query(server, role) => {
                let rate = match role {
                    ServerRole::Resolver => self.rules.resolver_qps,
                    ServerRole::Authority => self.rules.authority_qps,
                };
                let interval = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
                self.queries.wait(server, interval).await;
                Pass::default()
            }
        }
    }
}

impl Turns for Pacer {
    fn take(&self, subject: Subject) -> Waiting<'_> {
        Box::pin(self.turn(subject))
    }
}

/// The network an address is in, as its first address.
fn network(address: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(a) => IpAddr::V4((a.to_bits() & u32::MAX.checked_shl(32 - v4).unwrap_or(0)).into()),
        IpAddr::V6(a) => IpAddr::V6((a.to_bits() & u128::MAX.checked_shl(128 - v6).unwrap_or(0)).into()),
    }
}

/// So many places per key.
#[derive(Debug)]
struct Places<K> {
    each: usize,
    keys: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Places<K> {
    fn new(each: usize) -> Self {
        Self { each, keys: Mutex::new(HashMap::new()) }
    }

    async fn take(&self, key: K) -> Option<OwnedSemaphorePermit> {
        if self.each == 0 {
            return None;
        }
        let places = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if keys.len() >= KEYS {
                keys.retain(|_, places| Arc::strong_count(places) > 1);
            }
            Arc::clone(keys.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
        };
        // The semaphore is never closed.
        places.acquire_owned().await.ok()
    }
}

/// The next free moment per key.
#[derive(Debug)]
struct Slots<K>(Mutex<HashMap<K, Instant>>);

impl<K> Default for Slots<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Slots<K> {
    async fn wait(&self, key: K, interval: Duration) {
        if interval.is_zero() {
            return;
        }
        let slot = {
            let now = Instant::now();
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if keys.len() >= KEYS {
                keys.retain(|_, free| *free > now);
            }
            let free = keys.entry(key).or_insert(now);
            let slot = (*free).max(now);
            *free = slot + interval;
            slot
        };
        tokio::time::sleep_until(slot).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_never_exceeded() {
        let pacer = Pacer::new(Rules { resolver_qps: 10, ..Rules::default() });
        let server: SocketAddr = "192.0.2.53:53".parse().unwrap();
        let start = Instant::now();
        for _ in 0..31 {
            pacer.take(Subject::Query(server, ServerRole::Resolver)).await;
        }
        assert_eq!(start.elapsed().as_millis() / 100, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_counted_per_network() {
        let pacer = Pacer::new(Rules { per_address: 2, per_prefix: 3, ..Rules::default() });
        let at = |text: &str| Subject::Connection(text.parse().unwrap());
        let soon = Duration::from_millis(10);
        let a = pacer.take(at("2001:db8:1:1::1")).await;
        let _b = pacer.take(at("2001:db8:1:1::2")).await;
        assert!(tokio::time::timeout(soon, pacer.take(at("2001:db8:1:1::3"))).await.is_err(), "third in the /64");
        let _c = pacer.take(at("2001:db8:1:2::1")).await;
        assert!(tokio::time::timeout(soon, pacer.take(at("2001:db8:1:3::1"))).await.is_err(), "fourth in the /48");
        drop(a);
        assert!(tokio::time::timeout(soon, pacer.take(at("2001:db8:1:1::3"))).await.is_ok());
    }

    #[tokio::test]
    async fn zero_is_no_limit() {
        let rules = Rules {
            per_host_interval: Duration::ZERO,
            per_address: 0,
            per_prefix: 0,
            resolver_qps: 0,
            authority_qps: 0,
        };
        let pacer = Pacer::new(rules);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut held = Vec::new();
        for _ in 0..100 {
            held.push(pacer.take(Subject::Connection(address)).await);
            held.push(pacer.take(Subject::Request(address)).await);
        }
        assert_eq!(held.len(), 200);
    }
}
