//! Steps up to an open, secured stream: an address and what was decided about it, a connect, a handshake, a certificate.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::address::{Family, Scope};
use crate::model::failure::Failure;
use crate::model::time::Timestamp;

/// An address of the listed name and what was decided about dialling it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressFact {
    /// The address as DNS gave it.
    pub address: IpAddr,
    /// Its scope.
    pub scope: Scope,
    /// It was dialled: public, and among the first eight of its family.
    pub dialled: bool,
}

/// One attempt to open a TCP connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// The address dialled.
    pub address: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// None: open. Otherwise why not.
    pub failure: Option<Failure>,
    /// When the attempt began.
    pub started: Timestamp,
    /// To the outcome, in microseconds. For an open connection this is the TCP round trip.
    pub duration_us: u64,
    /// Which attempt at this address and port in this round, from 1.
    pub attempt: u8,
}

impl Connect {
    /// The family of the address.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// The connection was opened.
    pub fn is_open(&self) -> bool {
        self.failure.is_none()
    }
}

/// One TLS handshake on an open connection. Certificate faults never end it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handshake {
    /// The peer.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The name sent as SNI (RFC 6066).
    pub server_name: String,
    /// None: completed. Otherwise why not.
    pub failure: Option<Failure>,
    /// `TLS1.2` or `TLS1.3`. None: not completed.
    pub protocol: Option<String>,
    /// Facts of the presented certificate. None: none was seen.
    pub certificate: Option<Certificate>,
    /// When it began.
    pub started: Timestamp,
    /// To the outcome, in microseconds.
    pub duration_us: u64,
    /// Which attempt, from 1.
    pub attempt: u8,
}

/// A presented certificate chain, verified against the trust anchors without consequence for the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// SHA-256 of the leaf's DER bytes, in hexadecimal.
    pub sha256: String,
    /// Subject common name, cut to 200 characters. None: it has none.
    pub subject: Option<String>,
    /// Issuer common name, cut to 200 characters. None: it has none.
    pub issuer: Option<String>,
    /// DNS names it is for: at most 20 are kept.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Certificates presented.
    pub chain_length: usize,
    /// Why it does not verify. Empty: it does.
    pub faults: Vec<CertificateFault>,
}

/// Why a certificate does not verify (RFC 5280, RFC 6125).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateFault {
    /// It is for other names.
    Name,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Signed by itself.
    SelfSigned,
    /// No path to a trust anchor: unknown authority or missing intermediate.
    UnknownIssuer,
    /// Anything else the verifier refuses.
    Other,
}

impl CertificateFault {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::SelfSigned => "self_signed",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Other => "other",
        }
    }
}
