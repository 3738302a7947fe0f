//! Connecting to every address of the site, in one family, on the ports of its entries.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Prober;
use super::record::Recorder;
use super::tries::Tries;
use crate::model::evidence::Connect;
use crate::model::failure::Failure;
use crate::net::connect::Stream;
use crate::net::turn::{Pass, Subject};
use crate::net::work;

/// An open connection and its place among those allowed at once.
pub(crate) struct Held {
    pub(crate) address: IpAddr,
    pub(crate) stream: Stream,
    pub(crate) pass: Pass,
}

/// What is known of the site's addresses in one family.
#[derive(Default)]
pub(crate) struct Reached {
    /// All addresses that are dialled, in DNS order.
    pub(crate) addresses: Vec<IpAddr>,
    /// Ports of the site's entries.
    pub(crate) ports: Vec<u16>,
    /// Ports on which the first address was tried as well.
    complete: Vec<u16>,
    /// Per port, the addresses that are open.
    pub(crate) open: HashMap<u16, Vec<IpAddr>>,
    /// Per port, a connection kept for the walk.
    pub(crate) kept: HashMap<u16, Held>,
    /// Per port, the first failure; one of this machine's own before all others.
    pub(crate) failures: HashMap<u16, Failure>,
}

impl Reached {
    fn failed(&mut self, port: u16, failure: Failure) {
        let known = self.failures.entry(port).or_insert_with(|| failure.clone());
        // An address that this machine could not try might have opened.
        if failure.is_local() {
            *known = failure;
        }
    }
}

impl Prober {
    /// Connects to every address but the first on every port, and closes the connections again. The first address is
    /// connected to when its turn to be walked comes, so that nobody waits for a place while holding another.
    pub(crate) async fn reach(&self, record: &Recorder, addresses: &[IpAddr], ports: &[u16]) -> Reached {
        let mut attempts = Vec::new();
        for port in ports {
            for address in addresses.iter().skip(1) {
                attempts.push(async move {
                    let subject = Subject::Connection(*address);
                    let opened = self.open(record, &subject, SocketAddr::new(*address, *port)).await;
                    (*port, *address, opened.map(drop))
                });
            }
        }
        let mut reached = Reached { addresses: addresses.to_vec(), ports: ports.to_vec(), ..Reached::default() };
        for (port, address, outcome) in work::all(attempts).await {
            match outcome {
                Ok(()) => reached.open.entry(port).or_default().push(address),
                Err(failure) => reached.failed(port, failure),
            }
        }
        reached
    }

    /// Connects to the first address on a port, unless that was done before, and keeps the connection for the walk.
    pub(crate) async fn reach_first(&self, record: &Recorder, host: &str, port: u16, reached: &mut Reached) {
        if reached.complete.contains(&port) {
            return;
        }
        reached.complete.push(port);
        let Some(address) = reached.addresses.first().copied() else { return };
        let subject = Subject::Request(host.to_owned(), address);
        match self.open(record, &subject, SocketAddr::new(address, port)).await {
            Ok(held) => {
                reached.open.entry(port).or_default().insert(0, address);
                reached.kept.insert(port, held);
            }
            Err(failure) => reached.failed(port, failure),
        }
    }

    /// Connects to one address, again after a pause where the failure is weather.
    async fn open(&self, record: &Recorder, subject: &Subject, target: SocketAddr) -> Result<Held, Failure> {
        let mut tries = Tries::new(self.attempts.per_address);
        loop {
            match self.connect_once(record, subject, target, tries.number()).await {
                Ok(held) => return Ok(held),
                Err(failure) if !tries.again(&failure, |_| false) => return Err(failure),
                Err(_) => {}
            }
            tokio::time::sleep(self.attempts.spacing).await;
        }
    }

    /// One recorded connection attempt.
    pub(crate) async fn connect_once(
        &self,
        record: &Recorder,
        subject: &Subject,
        target: SocketAddr,
        attempt: u8,
    ) -> Result<Held, Failure> {
        let pass = self.net.turns.take(subject.clone()).await;
        let started = self.net.clock.now();
        let begun = Instant::now();
        let deadline = if attempt == 1 { self.deadlines.connect } else { self.deadlines.connect_retry };
        let outcome = self.net.connector.connect(target, deadline).await;
        if let Subject::Request(host, address) = subject {
            self.net.turns.heard(host, *address, outcome.as_ref().is_err_and(|failure| *failure == Failure::Reset));
        }
        record.connect(Connect {
            address: target.ip(),
            port: target.port(),
            failure: outcome.as_ref().err().cloned(),
            started,
            duration_us: super::micros(begun.elapsed()),
            attempt,
        });
        outcome.map(|stream| Held { address: target.ip(), stream, pass })
    }
}
