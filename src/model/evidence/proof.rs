//! Proof probes: a step that failed, repeated with one thing changed, to name the cause.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::failure::Failure;
use crate::model::time::Timestamp;

/// A request over IPv6 that stalled, repeated once with small TCP segments (`TCP_MAXSEG`, RFC 9293 §3.7.1). If the page
/// comes now, large packets are lost on the path and the sender is not told: a path MTU black hole (RFC 4890 §4.3.1,
/// RFC 8899 §1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MssProof {
    /// The URL that was requested again: the last one of a walk.
    pub url: String,
    /// The address, the same that stalled.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The largest segment that the peer was allowed to send, in bytes.
    pub mss: u16,
    /// Why the page did not come to its end. None: it did.
    pub failure: Option<Failure>,
    /// Body bytes that came, as they were on the wire.
    pub wire_bytes: u64,
    /// When it began.
    pub started: Timestamp,
    /// To the end of the page or to the failure, in microseconds.
    pub duration_us: u64,
}

impl MssProof {
    /// What had stalled like this comes in small segments, and could not have come in one packet of that size anyhow. A
    /// certificate is mostly larger than that; a page has to be.
    pub fn helped(&self, stall: &Failure) -> bool {
        let large = *stall == Failure::TlsStall || self.wire_bytes >= u64::from(self.mss);
        self.failure.is_none() && large
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::Limit;

    #[test]
    fn small_answers_prove_nothing_of_large_packets() {
        let slow = Failure::Limit(Limit::Slow);
        let cases = [
            (Failure::TlsStall, None, 300, true),
            (Failure::HttpStall, None, 300, false),
            (Failure::HttpStall, None, 1220, true),
            (slow.clone(), None, 9000, true),
            (slow.clone(), None, 0, false),
            (slow, Some(Failure::EarlyEof), 9000, false),
            (Failure::TlsStall, Some(Failure::HttpStall), 0, false),
        ];
        for (stall, failure, wire_bytes, expected) in cases {
            let proof = MssProof {
                url: String::new(),
                address: IpAddr::from([0; 16]),
                port: 443,
                mss: 1220,
                failure: failure.clone(),
                wire_bytes,
                started: Timestamp(0),
                duration_us: 0,
            };
            assert_eq!(proof.helped(&stall), expected, "{stall} {failure:?} {wire_bytes}");
        }
    }
}
