//! Connecting to every address of the site, in one family, on the ports of its entries.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use futures_util::future::join_all;
use tokio::net::TcpStream;

use super::Prober;
use super::record::Recorder;
use crate::model::evidence::Connect;
use crate::model::failure::Failure;
use crate::net::turn::{Pass, Subject};

/// An open connection and its place among those allowed at once.
pub(crate) struct Held {
    pub(crate) address: IpAddr,
    pub(crate) stream: TcpStream,
    pub(crate) pass: Pass,
}

/// What connecting to all addresses gave.
#[derive(Default)]
pub(crate) struct Reached {
    /// Per port, the addresses that are open, in DNS order.
    pub(crate) open: HashMap<u16, Vec<IpAddr>>,
    /// Per port, the first connection, kept for the walk.
    pub(crate) kept: HashMap<u16, Held>,
    /// Per port, the first failure.
    pub(crate) failures: HashMap<u16, Failure>,
}

impl Prober {
    /// Connects to every address on every port.
    pub(crate) async fn reach(&self, record: &Recorder, addresses: &[IpAddr], ports: &[u16]) -> Reached {
        let mut attempts = Vec::new();
        for port in ports {
            for address in addresses {
                attempts.push(async move {
                    // Only the first address's connection is walked; the others need not be held.
                    let keep = Some(address) == addresses.first();
                    (*port, *address, self.open(record, SocketAddr::new(*address, *port), keep).await)
                });
            }
        }
        let mut reached = Reached::default();
        for (port, address, outcome) in join_all(attempts).await {
            match outcome {
                Ok(held) => {
                    reached.open.entry(port).or_default().push(address);
                    if let Some(held) = held {
                        reached.kept.insert(port, held);
                    }
                }
                Err(failure) => {
                    reached.failures.entry(port).or_insert(failure);
                }
            }
        }
        reached
    }

    /// Connects to one address, again after a pause where the failure is weather. The stream is returned only where it
    /// is to be kept.
    async fn open(&self, record: &Recorder, target: SocketAddr, keep: bool) -> Result<Option<Held>, Failure> {
        let mut attempt = 1;
        loop {
            match self.connect_once(record, target, attempt).await {
                Ok(held) => return Ok(keep.then_some(held)),
                Err(failure) if attempt >= self.attempts.per_address || !failure.is_transient() => return Err(failure),
                Err(_) => {}
            }
            attempt += 1;
            tokio::time::sleep(self.attempts.spacing).await;
        }
    }

    /// One recorded connection attempt.
    pub(crate) async fn connect_once(
        &self,
        record: &Recorder,
        target: SocketAddr,
        attempt: u8,
    ) -> Result<Held, Failure> {
        let pass = self.net.turns.take(Subject::Connection(target.ip())).await;
        let started = self.net.clock.now();
        let begun = Instant::now();
        let deadline = if attempt == 1 { self.deadlines.connect } else { self.deadlines.connect_retry };
        let outcome = self.net.connector.connect(target, deadline).await;
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
