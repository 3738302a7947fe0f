//! Listening on for a second, different reply to a query that has its answer.
//!
//! Whoever forges answers on the path is faster than the server whose answer is the true one, and cannot stop it: both
//! arrive. The socket stays open for a while in a task of its own, which costs nothing but the descriptor; the site's
//! other steps go on meanwhile. Leaves to others: what a contradiction means.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::exchange::Open;
use super::wire::{Incoming, decode};
use crate::model::evidence::{BrokenReply, Rival};
use crate::net::traffic::Traffic;

/// A socket that is listened to. Dropping it ends the listening.
#[derive(Debug)]
pub struct Watch(JoinHandle<Option<Rival>>);

impl Watch {
    /// Listens to the socket, for replies with the id of the query, as long as the window is open, with a bound on the CNAME
    /// records that are followed. Bytes that come are counted.
    pub(super) fn start(open: Open, bounds: (Duration, usize), traffic: Arc<Traffic>) -> Self {
        let begun = Instant::now();
        let Open { socket, id, question, first } = open;
        let (window, longest_chain) = bounds;
        Self(tokio::spawn(async move {
            let listen = async {
                loop {
                    // An ICMP error about our datagram is no reply.
                    socket.readable().await.ok()?;
                    let mut buffer = [0; 4096];
                    let Ok(length) = socket.try_recv(&mut buffer) else { continue };
                    traffic.add_received(length);
                    if let Incoming::Reply(reply) = decode(&buffer[..length], id, &question, longest_chain)
                        && reply.broken != Some(BrokenReply::WrongQuestion)
                        && !reply.agrees_with(&first)
                    {
                        let addresses = reply.addresses.iter().map(|record| record.address);
                        let addresses: Vec<IpAddr> = addresses.collect();
                        let after_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                        return Some(Rival { after_us, outcome: reply.outcome, addresses });
                    }
                }
            };
            timeout_at(begun + window, listen).await.ok().flatten()
        }))
    }

    /// Waits until the window is over, or until there is a contradiction. None: there was none.
    pub async fn rival(mut self) -> Option<Rival> {
        // The task neither panics nor is it aborted before this is dropped; if it were, nothing was heard.
        (&mut self.0).await.ok().flatten()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
