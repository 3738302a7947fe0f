//! Samples of the landing page: the same few steps again and again, the families in turns, to know how often they succeed and
//! how long they take.

use serde::{Deserialize, Serialize};

use crate::model::address::Family;
use crate::model::failure::Failure;
use crate::model::time::Timestamp;

/// One look over one family. A step that was not reached has no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The family.
    pub family: Family,
    /// When it began.
    pub started: Timestamp,
    /// The question for the family's address to its answer, in microseconds. None: no answer, or an IP literal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_us: Option<u64>,
    /// The first packet of the connection until it was open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_us: Option<u64>,
    /// The first packet of the connection to the first byte of the response, with the handshake of TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// The first packet of the connection to the end of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_us: Option<u64>,
    /// Status of the response. None: none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The step that failed. None: all succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// A firewall's challenge came in the page's place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub challenge: bool,
}
