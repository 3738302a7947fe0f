//! How is measured: whom to ask, for how long, how often, how fast.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text::{duration, resolvers};

/// `[dns]`: recursive resolvers and how to ask them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// Resolvers; the second and later ones are second sources. Empty: those of the operating system.
    #[serde(with = "resolvers")]
    pub resolvers: Vec<SocketAddr>,
    /// For one query to one server.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Queries for one question, if nothing comes back. At least 1.
    pub attempts: u8,
    /// Addresses of the root's name servers, at which walks over IPv6 begin. Empty: no walks are made.
    pub roots: Vec<Ipv6Addr>,
    /// How long a second, different answer is listened for after the first. Zero: not at all.
    #[serde(with = "duration")]
    pub second_reply: Duration,
}

/// The IPv6 addresses of a.root-servers.net to m.root-servers.net, from the IANA's root hints
/// (<https://www.internic.net/domain/named.root>) as they have been since 2023-11, when b changed.
const ROOTS: [Ipv6Addr; 13] = [
    Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30),
    Ipv6Addr::new(0x2801, 0x1b8, 0x10, 0, 0, 0, 0, 0xb),
    Ipv6Addr::new(0x2001, 0x500, 0x2, 0, 0, 0, 0, 0xc),
    Ipv6Addr::new(0x2001, 0x500, 0x2d, 0, 0, 0, 0, 0xd),
    Ipv6Addr::new(0x2001, 0x500, 0xa8, 0, 0, 0, 0, 0xe),
    Ipv6Addr::new(0x2001, 0x500, 0x2f, 0, 0, 0, 0, 0xf),
    Ipv6Addr::new(0x2001, 0x500, 0x12, 0, 0, 0, 0, 0xd0d),
    Ipv6Addr::new(0x2001, 0x500, 0x1, 0, 0, 0, 0, 0x53),
    Ipv6Addr::new(0x2001, 0x7fe, 0, 0, 0, 0, 0, 0x53),
    Ipv6Addr::new(0x2001, 0x503, 0xc27, 0, 0, 0, 2, 0x30),
    Ipv6Addr::new(0x2001, 0x7fd, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0x500, 0x9f, 0, 0, 0, 0, 0x42),
    Ipv6Addr::new(0x2001, 0xdc3, 0, 0, 0, 0, 0, 0x35),
];

impl Default for Dns {
    fn default() -> Self {
        // Of two operators, since a second source of the same operator is none.
        let resolvers = [Ipv4Addr::new(223, 5, 5, 5), Ipv4Addr::new(119, 29, 29, 29)];
        Self {
            resolvers: resolvers.map(|address| SocketAddr::new(address.into(), 53)).to_vec(),
            timeout: Duration::from_secs(3),
            attempts: 3,
            roots: ROOTS.to_vec(),
            second_reply: Duration::from_secs(2),
        }
    }
}

/// `[deadlines]`: how long each step may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// First attempt to open a connection.
    #[serde(with = "duration")]
    pub connect: Duration,
    /// Later attempts.
    #[serde(with = "duration")]
    pub connect_retry: Duration,
    /// TLS handshake.
    #[serde(with = "duration")]
    pub tls: Duration,
    /// From the request to the first byte of the response.
    #[serde(with = "duration")]
    pub first_byte: Duration,
    /// From the request to the end of the body.
    #[serde(with = "duration")]
    pub fetch: Duration,
    /// All steps of one site in one round.
    #[serde(with = "duration")]
    pub site: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            connect_retry: Duration::from_secs(10),
            tls: Duration::from_secs(8),
            first_byte: Duration::from_secs(10),
            fetch: Duration::from_secs(30),
            site: Duration::from_mins(3),
        }
    }
}

/// `[attempts]`: how often a failure is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attempts {
    /// Attempts per address and port, if the earlier ones failed. At least 1.
    pub per_address: u8,
    /// Between two of them.
    #[serde(with = "duration")]
    pub spacing: Duration,
    /// Between a failure and its second round, at least.
    #[serde(with = "duration")]
    pub second_round_after: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { per_address: 3, spacing: Duration::from_secs(2), second_round_after: Duration::from_mins(10) }
    }
}

/// `[pace]`: how much at the same time and how fast, so as not to be a burden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Sites that are under way at the same time, those that are slow or wait for their turns not counted. At least 1.
    pub jobs: usize,
    /// Slow sites that are under way besides these. 0: slow ones hold the places of the others.
    pub slow_jobs: usize,
    /// A site that has worked for longer than this is slow.
    #[serde(with = "duration")]
    pub slow_after: Duration,
    /// Between two requests to the same name or to the same address. 0: none, and several at once.
    #[serde(with = "duration")]
    pub per_host_interval: Duration,
    /// Connections at the same time to one address (IPv4 /32, IPv6 /64). 0: unlimited.
    pub per_address: usize,
    /// Connections at the same time to one network (IPv4 /24, IPv6 /48). 0: unlimited.
    pub per_prefix: usize,
    /// Queries per second to one resolver. 0: unlimited.
    pub resolver_qps: u32,
    /// Queries per second to one authoritative name server. 0: unlimited.
    pub authority_qps: u32,
    /// How long a network is left alone that resets one connection after another. 0: not at all.
    #[serde(with = "duration")]
    pub reset_pause: Duration,
    /// Times in which no site is begun, as [`crate::calendar`] reads them, in the zone of the reports.
    pub freeze: Vec<String>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            jobs: 64,
            slow_jobs: 960,
            slow_after: Duration::from_millis(500),
            per_host_interval: Duration::from_secs(1),
            per_address: 2,
            per_prefix: 4,
            resolver_qps: 50,
            authority_qps: 10,
            reset_pause: Duration::from_mins(10),
            freeze: Vec::new(),
        }
    }
}

/// How much of a site is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Without its zones and name servers.
    Quick,
    /// All that the verdict rests on.
    #[default]
    Standard,
    /// With its links, what its landing page is put together from, and samples of it.
    Deep,
}

/// `[measure]`: what is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Measure {
    /// How much of a site is looked at.
    pub profile: Profile,
    /// How mail is taken is looked at as well.
    pub mail: bool,
    /// Hosts of others that are known to greet on port 25, over both families. Empty: no mail server is gone to.
    pub mail_canaries: Vec<String>,
    /// How old an interrupted run may be that is gone on with, counted from its begin.
    #[serde(with = "duration")]
    pub resume_within: Duration,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            mail: false,
            mail_canaries: Vec::new(),
            resume_within: Duration::from_hours(24),
        }
    }
}

/// `[deep]`: bounds of the deep profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deep {
    /// Internal links of level 2 that are requested. 0: none.
    pub level2: usize,
    /// Internal links of level 3 that are requested. 0: none.
    pub level3: usize,
    /// External links that are requested, of each level. 0: none.
    pub external: usize,
    /// Requests for the links of one site, over both families.
    pub requests: usize,
    /// How long the links of one site may take, waiting included.
    #[serde(with = "duration")]
    pub time: Duration,
    /// Hosts of embedded resources that are looked at, of one page.
    pub hosts: usize,
    /// Style sheets that are read, of one page.
    pub styles: usize,
    /// Looks at the landing page over each family. 0: none.
    pub samples: u32,
    /// Groups of registrable domains with one owner, separated by spaces within a group.
    pub aliases: Vec<String>,
}

impl Default for Deep {
    fn default() -> Self {
        Self {
            level2: 50,
            level3: 50,
            external: 20,
            requests: 300,
            time: Duration::from_mins(10),
            hosts: 64,
            styles: 8,
            samples: 10,
            aliases: Vec::new(),
        }
    }
}
