//! Links of a site: level 2 stands on its landing page, level 3 on the pages of level 2; and how each answers over either
//! family.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::host::HostCheck;
use super::lookup::LookupOutcome;
use crate::model::address::{Family, Scope};
use crate::model::failure::Failure;
use crate::model::time::Timestamp;

/// Whose page a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The same registrable domain (Public Suffix List), or one that the configuration names as the same owner's.
    Internal,
    /// Somebody else's.
    External,
}

/// All links that were looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Links {
    /// The landing page on which the links of level 2 stand.
    pub page: String,
    /// The family over which it was read.
    pub family: Family,
    /// Different links that stood on the pages, by level and owner, before requests are bounded. None is missing: 0 was
    /// counted.
    pub found: Vec<Found>,
    /// More stood on a page than is read of one, or more than are counted: there are more links than `found` says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Those that were requested, or would have been if the address policy let them.
    pub links: Vec<Link>,
    /// Ended early: the time that one site may take was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_time: bool,
}

/// How many links there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// 2 or 3.
    pub level: u8,
    /// Whose.
    pub owner: Owner,
    /// How many.
    pub links: u32,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The absolute URL, without fragment.
    pub url: String,
    /// 2 or 3.
    pub level: u8,
    /// Whose page it is.
    pub owner: Owner,
    /// Over IPv4.
    pub v4: Fetch,
    /// Over IPv6.
    pub v6: Fetch,
    /// The other host that the response over IPv6 redirects to, with the port that it names. None: it redirects to no other
    /// host, or that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<HostCheck>,
}

/// One request for a link, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// How it ended.
    pub end: FetchEnd,
    /// The address used. None: no request was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Whose word it is that there is no address. None: DNS was not asked, or gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<SocketAddr>,
    /// Another source that says the same. None: nobody else was heard, or DNS was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<SocketAddr>,
    /// When the last try began, or the host's name was asked for.
    pub started: Timestamp,
    /// To the head of the response, or to the failure, in microseconds.
    pub duration_us: u64,
    /// Requests made: more than one only after failures that are weather, or where the host has other addresses.
    pub tries: u8,
    /// Addresses that were tried before, from which no response came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<IpAddr>,
    /// Where the response redirects to, as it says it, cut to 2,000 characters. None: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The response is a firewall's challenge: what is behind it was not seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub challenge: bool,
}

impl Fetch {
    /// Nothing was sent.
    pub fn unsent(end: FetchEnd, started: Timestamp) -> Self {
        Self {
            end,
            address: None,
            server: None,
            confirmed_by: None,
            started,
            duration_us: 0,
            tries: 0,
            dead: Vec::new(),
            location: None,
            challenge: false,
        }
    }
}

/// How a request for a link ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchEnd {
    /// A response with this status. Redirects are not followed.
    Status(u16),
    /// No response.
    Failed(Failure),
    /// The host has no address in this family.
    NoAddress,
    /// The host has addresses in this family, and none that may be dialled.
    NotPublic(Scope),
    /// The host is a name without a dot, which means something inside one network only.
    Unqualified,
    /// Whether the host has an address is not known.
    Unresolved(LookupOutcome),
    /// Not requested: a bound of ours, an owner who asked not to be measured, or a run without IPv6.
    NotMade,
    /// Not requested: the port is none that is gone to.
    Port(u16),
    /// Not requested: the host had asked for fewer requests.
    LeftAlone,
}
