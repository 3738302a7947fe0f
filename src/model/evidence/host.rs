//! Another host that a site's pages lead to or are put together from: found out once in a run, used by all its sites.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::connection::Connect;
use super::lookup::LookupOutcome;
use crate::model::address::{Family, Scope};
use crate::model::time::Timestamp;

/// Attempts to connect to a host that must fail before it is said not to open.
pub const HOST_TRIES: u8 = 2;

/// What is known of a host in one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostSide {
    /// What DNS said. None: the host is an IP literal, nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupOutcome>,
    /// Whose word that is. None: nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<SocketAddr>,
    /// Another source that says the same. None: nobody else was heard, or had to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<SocketAddr>,
    /// Every address, with what may be done with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<(IpAddr, Scope)>,
    /// Attempts to connect to the public addresses, one after the other until one opens. Empty: none was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connects: Vec<Connect>,
}

impl HostSide {
    /// The first address that may be dialled.
    pub fn public(&self) -> Option<IpAddr> {
        self.addresses.iter().find(|(_, scope)| scope.is_public()).map(|(address, _)| *address)
    }

    /// All addresses that may be dialled.
    pub fn all_public(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().filter(|(_, scope)| scope.is_public()).map(|(address, _)| *address)
    }

    /// There is no address, and that was said and is not merely unknown.
    pub fn is_absent(&self) -> bool {
        let said = [LookupOutcome::Nodata, LookupOutcome::NodataNosoa, LookupOutcome::Nxdomain];
        self.addresses.is_empty() && self.lookup.is_none_or(|outcome| said.contains(&outcome))
    }

    /// A connection was opened. None: none was, and fewer than [`HOST_TRIES`] attempts failed for another reason than this
    /// machine's own.
    pub fn opens(&self) -> Option<bool> {
        let ours = |connect: &&Connect| connect.failure.as_ref().is_some_and(crate::model::failure::Failure::is_local);
        if self.connects.iter().any(Connect::is_open) {
            return Some(true);
        }
        let failed = self.connects.iter().filter(|connect| !ours(connect)).count();
        (failed >= usize::from(HOST_TRIES)).then_some(false)
    }
}

/// Why a host is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unasked {
    /// The port is none that is gone to.
    Port,
    /// It had asked for fewer requests.
    LeftAlone,
}

impl Unasked {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Port => "port_not_asked",
            Self::LeftAlone => "left_alone",
        }
    }
}

/// A host and the port that pages name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostCheck {
    /// Name in lower case, or an IP literal without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Over IPv4.
    pub v4: HostSide,
    /// Over IPv6.
    pub v6: HostSide,
    /// Two different answers came to one question about it: nothing is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicted: bool,
    /// Why no connection was tried although there is an address. None: there was no reason not to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<Unasked>,
    /// When it was looked at.
    pub at: Timestamp,
}

impl HostCheck {
    /// One family of it.
    pub fn over(&self, family: Family) -> &HostSide {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The host has no address in one family, and that was said. "No such name" of a name that has addresses in the other
    /// family contradicts itself (RFC 4074 §4.2) and says nothing.
    pub fn is_absent_over(&self, family: Family) -> bool {
        let (side, other) = match family {
            Family::V4 => (&self.v4, &self.v6),
            Family::V6 => (&self.v6, &self.v4),
        };
        side.is_absent() && (side.lookup != Some(LookupOutcome::Nxdomain) || other.addresses.is_empty())
    }

    /// Only those inside some network get there: a name without a dot, or one with addresses of which none is public.
    pub fn is_intranet(&self) -> bool {
        let scopes: Vec<Scope> = self.v4.addresses.iter().chain(&self.v6.addresses).map(|(_, scope)| *scope).collect();
        // What is our own network is public to everybody else.
        let hidden = |scope: &Scope| !scope.is_public() && *scope != Scope::OwnNetwork;
        is_unqualified(&self.host) || (!scopes.is_empty() && scopes.iter().all(hidden))
    }
}

/// A name without a dot: it means something inside one network only, and DNS is not asked about it.
pub fn is_unqualified(host: &str) -> bool {
    !host.contains(['.', ':'])
}
