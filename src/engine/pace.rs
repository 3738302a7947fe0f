//! Politeness: how often and how many at once, per host, address, network, name server and resolver.
//!
//! Places (simultaneous connections) are semaphores that are free again when the pass is dropped. Turns (requests, queries)
//! are passed on one at a time, each some time after the one before: a request's turn ends with its response, so that the
//! pause holds at the server as well, whatever the way takes. Whoever waits gives the place of its site back
//! ([`crate::net::work`]), except for a resolver's turn.
//!
//! Nobody waits for a connection's place while holding another's (docs/decisions/0009). For one request everybody takes
//! the turn of the name before that of the address, then the place at the address before that in the network.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::model::evidence::ServerRole;
use crate::model::run::Pause;
use crate::model::time::Timestamp;
use crate::net::turn::{Pass, Subject, Turns, Waiting};
use crate::net::work::waiting;

/// Keys kept before unused ones are dropped.
const KEYS: usize = 50_000;
/// Resets in a row, of as many hosts in one network, after which the network is left alone.
const RESETS: usize = 3;
/// Between two queries passes so much of what the rate asks for: the way to a server brings one closer to the other.
const QUERY_SLACK_PERCENT: u32 = 110;

/// The rules. A zero means no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// From the end of a request to the next one to the same name, and to the same address. With a zero, several may
    /// also be made at once.
    pub per_host_interval: Duration,
    /// Connections at once to one IPv4 address or IPv6 /64.
    pub per_address: usize,
    /// Connections at once into one IPv4 /24 or IPv6 /48.
    pub per_prefix: usize,
    /// Questions a second to one resolver.
    pub resolver_qps: u32,
    /// Questions a second to one authoritative server.
    pub authority_qps: u32,
    /// How long a network is left alone that resets one connection after another.
    pub reset_pause: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            per_host_interval: Duration::from_secs(1),
            per_address: 2,
            per_prefix: 4,
            resolver_qps: 50,
            authority_qps: 10,
            reset_pause: Duration::from_mins(10),
        }
    }
}

/// Gives turns by the rules.
#[derive(Debug)]
pub struct Pacer {
    rules: Rules,
    addresses: Places<IpAddr>,
    prefixes: Places<IpAddr>,
    names: Turnstiles<String>,
    hosts: Turnstiles<IpAddr>,
    queries: Turnstiles<SocketAddr>,
    pauses: Pauses,
}

impl Pacer {
    /// A pacer for these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            addresses: Places::new(rules.per_address),
            prefixes: Places::new(rules.per_prefix),
            names: Turnstiles::default(),
            hosts: Turnstiles::default(),
            queries: Turnstiles::default(),
            pauses: Pauses::default(),
        }
    }

    async fn turn(&self, subject: Subject) -> Pass {
        match subject {
            Subject::Connection(address) => waiting(self.connection(None, address)).await,
            Subject::Request(host, address) => waiting(self.connection(Some(host), address)).await,
            Subject::Query(server, role) => {
                let rate = match role {
                    ServerRole::Resolver => self.rules.resolver_qps,
                    ServerRole::Authority => self.rules.authority_qps,
                };
                let interval = (Duration::from_secs(1) * QUERY_SLACK_PERCENT / 100).checked_div(rate);
                let Some(interval) = interval else { return Pass::default() };
                let due = async {
                    let turn = self.queries.queue(server, interval).await;
                    turn.due().await;
                    turn
                };
                let turn = match role {
                    // Everybody needs the resolvers: who gave way here would only lengthen the line, for canaries too.
                    ServerRole::Resolver => due.await,
                    ServerRole::Authority => waiting(due).await,
                };
                Pass::holding(Box::new(turn))
            }
        }
    }

    /// All that one connection needs, with the turns of a request where it carries one.
    async fn connection(&self, host: Option<String>, address: IpAddr) -> Pass {
        loop {
            self.pauses.over(network(address, 24, 48)).await;
            let turns = match &host {
                Some(host) if !self.rules.per_host_interval.is_zero() => {
                    let interval = self.rules.per_host_interval;
                    let of_name = self.names.queue(host.clone(), interval).await;
                    let of_address = self.hosts.queue(address, interval).await;
                    of_name.due().await;
                    of_address.due().await;
                    Some((of_address, of_name))
                }
                _ => None,
            };
            let of_address = self.addresses.take(network(address, 32, 64)).await;
            let of_prefix = self.prefixes.take(network(address, 24, 48)).await;
            // A pause that began meanwhile is for those in line as well.
            if self.pauses.until(network(address, 24, 48)).is_none() {
                return Pass::holding(Box::new((of_prefix, of_address, turns)));
            }
        }
    }
}

impl Turns for Pacer {
    fn take(&self, subject: Subject) -> Waiting<'_> {
        Box::pin(self.turn(subject))
    }

    fn heard(&self, host: &str, address: IpAddr, reset: bool) {
        self.pauses.heard(host, network(address, 24, 48), reset, self.rules.reset_pause);
    }

    fn pauses(&self, now: Timestamp) -> Vec<Pause> {
        self.pauses.all(now)
    }
}

/// The network an address is in, as its first address.
fn network(address: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(a) => IpAddr::V4((a.to_bits() & u32::MAX.checked_shl(32 - v4).unwrap_or(0)).into()),
        IpAddr::V6(a) => IpAddr::V6((a.to_bits() & u128::MAX.checked_shl(128 - v6).unwrap_or(0)).into()),
    }
}

/// A lock whose holder cannot leave it half done: each use is a step or two on plain values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut keys = lock(&self.keys);
            if keys.len() >= KEYS {
                keys.retain(|_, places| Arc::strong_count(places) > 1);
            }
            Arc::clone(keys.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
        };
        // The semaphore is never closed.
        places.acquire_owned().await.ok()
    }
}

/// One turn at a time per key, in the order asked, each some time after the one before it has ended.
#[derive(Debug)]
struct Turnstiles<K>(Mutex<HashMap<K, Arc<Turnstile>>>);

#[derive(Debug)]
struct Turnstile {
    one: Arc<Semaphore>,
    free: Mutex<Instant>,
}

/// First in line; the next one is when this is dropped.
#[derive(Debug)]
struct Turn {
    turnstile: Arc<Turnstile>,
    interval: Duration,
    _first: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// Waits until enough time has passed since the last turn.
    async fn due(&self) {
        let free = *lock(&self.turnstile.free);
        tokio::time::sleep_until(free).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.turnstile.free) = Instant::now() + self.interval;
    }
}

impl<K> Default for Turnstiles<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Turnstiles<K> {
    /// Gets in line.
    async fn queue(&self, key: K, interval: Duration) -> Turn {
        let turnstile = {
            let now = Instant::now();
            let mut keys = lock(&self.0);
            if keys.len() >= KEYS {
                keys.retain(|_, known| Arc::strong_count(known) > 1 || *lock(&known.free) > now);
            }
            let fresh = || Arc::new(Turnstile { one: Arc::new(Semaphore::new(1)), free: Mutex::new(now) });
            Arc::clone(keys.entry(key).or_insert_with(fresh))
        };
        // The semaphore is never closed.
        let first = Arc::clone(&turnstile.one).acquire_owned().await.ok();
        Turn { turnstile, interval, _first: first }
    }
}

/// Networks that are left alone. One host's resets are that host's fault; those of several in a row are a plea.
#[derive(Debug, Default)]
struct Pauses {
    /// Per network, the hosts whose last connections were reset, with nothing else between.
    resets: Mutex<HashMap<IpAddr, HashSet<String>>>,
    begun: Mutex<Vec<(IpAddr, Instant, Duration)>>,
}

impl Pauses {
    fn heard(&self, host: &str, network: IpAddr, reset: bool, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        let mut resets = lock(&self.resets);
        if !reset {
            resets.remove(&network);
            return;
        }
        let hosts = resets.entry(network).or_default();
        hosts.insert(host.to_owned());
        if hosts.len() >= RESETS {
            resets.remove(&network);
            lock(&self.begun).push((network, Instant::now(), pause));
        }
    }

    /// When the network may be connected to again. None: now.
    fn until(&self, network: IpAddr) -> Option<Instant> {
        let begun = lock(&self.begun);
        let ends = begun.iter().filter(|(paused, ..)| *paused == network).map(|(_, from, pause)| *from + *pause);
        ends.max().filter(|end| *end > Instant::now())
    }

    async fn over(&self, network: IpAddr) {
        while let Some(end) = self.until(network) {
            tokio::time::sleep_until(end).await;
        }
    }

    fn all(&self, now: Timestamp) -> Vec<Pause> {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let begun = lock(&self.begun);
        let pauses = begun.iter().map(|(network, from, pause)| {
            let from = now.plus_ms(-ms(from.elapsed()));
            let length = if network.is_ipv4() { 24 } else { 48 };
            Pause { network: format!("{network}/{length}"), from, until: from.plus_ms(ms(*pause)) }
        });
        pauses.collect()
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
        assert_eq!(start.elapsed().as_millis(), 30 * 110);
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
            reset_pause: Duration::ZERO,
        };
        let pacer = Pacer::new(rules);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut held = Vec::new();
        for _ in 0..100 {
            held.push(pacer.take(Subject::Connection(address)).await);
            held.push(pacer.take(Subject::Request("a.example".to_owned(), address)).await);
        }
        assert_eq!(held.len(), 200);
    }

    /// Holds each pass for a tenth of a second and says when it was given.
    async fn requests(pacer: &Pacer, subjects: Vec<(&str, &str)>) -> Vec<u128> {
        let start = Instant::now();
        let made = subjects.into_iter().map(|(host, address)| async move {
            let pass = pacer.take(Subject::Request(host.to_owned(), address.parse().unwrap())).await;
            let at = start.elapsed().as_millis();
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(pass);
            at
        });
        futures_util::future::join_all(made).await
    }

    #[tokio::test(start_paused = true)]
    async fn requests_to_a_name_or_an_address_are_a_second_apart_from_end_to_start() {
        let pacer = Pacer::new(Rules::default());
        let one_name = vec![("a.example", "192.0.2.1"), ("a.example", "2001:db8::1"), ("a.example", "192.0.2.1")];
        assert_eq!(requests(&pacer, one_name).await, [0, 1100, 2200]);
        let one_address = vec![("b.example", "192.0.2.2"), ("c.example", "192.0.2.2"), ("d.example", "192.0.2.2")];
        assert_eq!(requests(&pacer, one_address).await, [0, 1100, 2200]);
        let strangers = vec![("e.example", "192.0.2.5"), ("f.example", "198.51.100.6")];
        assert_eq!(requests(&pacer, strangers).await, [0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_resets_three_hosts_in_a_row_is_left_alone() {
        let pacer = Pacer::new(Rules::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let soon = Duration::from_secs(5);
        let may = async |text: &str| {
            let subject = Subject::Connection(text.parse().unwrap());
            tokio::time::timeout(soon, pacer.take(subject)).await.is_ok()
        };
        // One site's fault, however often; and what is interrupted by a success.
        for _ in 0..9 {
            pacer.heard("a.example", address("192.0.2.1"), true);
        }
        pacer.heard("b.example", address("192.0.2.2"), true);
        pacer.heard("c.example", address("192.0.2.3"), false);
        pacer.heard("d.example", address("192.0.2.4"), true);
        assert!(may("192.0.2.9").await);
        pacer.heard("e.example", address("192.0.2.5"), true);
        pacer.heard("f.example", address("192.0.2.6"), true);
        assert!(!may("192.0.2.9").await);
        assert!(may("192.0.3.9").await, "the network beside it");
        let [pause] = &pacer.pauses(Timestamp(1_000_000))[..] else { panic!("one pause") };
        assert_eq!((pause.network.as_str(), pause.until.0 - pause.from.0), ("192.0.2.0/24", 600_000));
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert!(may("192.0.2.9").await);
    }
}
