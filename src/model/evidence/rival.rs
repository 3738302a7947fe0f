//! A second, different reply to one DNS query: the mark of somebody on the path who answers in another's name.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::lookup::{DnsTransport, Lookup, LookupOutcome, RecordType};

/// What else came back to a query that had its reply already. A repetition of the same content is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rival {
    /// From the first reply to this one, in microseconds.
    pub after_us: u64,
    /// What it says.
    pub outcome: LookupOutcome,
    /// The addresses in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
}

impl Lookup {
    /// Came over UDP, where anybody on the path can answer first, and bears a mark of that: a second, different reply, or
    /// an AAAA record in the Teredo prefix (RFC 4380 §2.6), which forgers fill in and no web server uses. Such an answer
    /// counts for nothing; what TCP brings does.
    pub fn is_suspect(&self) -> bool {
        self.transport == DnsTransport::Udp && (self.rival.is_some() || self.is_teredo())
    }

    /// An AAAA answer with an address in `2001::/32`.
    pub fn is_teredo(&self) -> bool {
        let teredo = |address: &IpAddr| matches!(address, IpAddr::V6(a) if a.segments()[..2] == [0x2001, 0]);
        self.rtype == RecordType::Aaaa && self.addresses.iter().any(|record| teredo(&record.address))
    }
}
