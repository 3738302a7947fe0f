//! What proves that a vantage can measure.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text::duration;

/// `[gate]`: the checks before a run and the proofs during it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Dual-stack sites of others that are known to work.
    pub anchors: Vec<Anchor>,
    /// Anchors that must answer over each family. At least 1.
    pub minimum_pass: usize,
    /// Networks that they must be in.
    pub minimum_networks: usize,
    /// Bytes that one anchor's body must have, which shows a wrong MTU.
    pub large_body: u64,
    /// Names that have no AAAA anywhere in the world (RFC 7050 gives `ipv4only.arpa`).
    pub dns64_names: Vec<String>,
    /// Random names below these must not exist.
    pub nxdomain_suffixes: Vec<String>,
    /// Where nobody answers: addresses of the discard prefix (RFC 6666).
    pub controls: Vec<SocketAddr>,
    /// Between two self-tests of the resolvers.
    #[serde(with = "duration")]
    pub dns_interval: Duration,
    /// Between two proofs during a run.
    #[serde(with = "duration")]
    pub canary_interval: Duration,
    /// The same while canaries fail.
    #[serde(with = "duration")]
    pub recovery_interval: Duration,
    /// Failed canaries in a row after which no site is measured any more. At least 1.
    pub breaker_opens_after: u32,
    /// Good canaries in a row after which sites are measured again. At least 1.
    pub breaker_closes_after: u32,
    /// Sites that failed since the last canary after which one is sent at once. 0: never.
    pub failure_burst: u32,
    /// How long such an outage is waited out.
    #[serde(with = "duration")]
    pub outage_patience: Duration,
}

/// One anchor of the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Host name.
    pub host: String,
    /// A label of the network it is in. Anchors with the same label fail together.
    pub network: String,
}

/// Only a default that seemed reasonable when it was written, to be replaced by sites the operator knows.
const ANCHORS: [(&str, &str); 10] = [
    ("www.tsinghua.edu.cn", "cernet"),
    ("www.pku.edu.cn", "cernet"),
    ("www.cernet.edu.cn", "cernet"),
    ("www.10086.cn", "china-mobile"),
    ("www.189.cn", "china-telecom"),
    ("www.aliyun.com", "alibaba-cloud"),
    ("cloud.tencent.com", "tencent-cloud"),
    ("www.baidu.com", "baidu"),
    ("www.ripe.net", "ripe-ncc"),
    ("www.kernel.org", "kernel-org"),
];

impl Default for Gate {
    fn default() -> Self {
        let anchor = |(host, network): (&str, &str)| Anchor { host: host.to_owned(), network: network.to_owned() };
        let discard = |last, port| SocketAddr::new(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, last).into(), port);
        Self {
            anchors: ANCHORS.map(anchor).to_vec(),
            minimum_pass: 4,
            minimum_networks: 3,
            large_body: 60_000,
            dns64_names: vec!["ipv4only.arpa".to_owned()],
            nxdomain_suffixes: vec!["com".to_owned(), "cn".to_owned()],
            controls: vec![discard(1, 80), discard(2, 443)],
            dns_interval: Duration::from_mins(1),
            canary_interval: Duration::from_secs(20),
            recovery_interval: Duration::from_secs(5),
            breaker_opens_after: 2,
            breaker_closes_after: 3,
            failure_burst: 50,
            outage_patience: Duration::from_hours(1),
        }
    }
}
