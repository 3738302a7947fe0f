//! Who asked not to be measured: names and zones, since when, and who said so.
//!
//! A request holds for the name wherever it turns up: on a list, behind a redirect, as a sibling, at the end of an alias.
//! Leaves to others: reading the file ([`crate::targets`]), and keeping to it (the probe).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// The day it was made, `2026-03-02`.
    pub date: String,
    /// Who asked.
    pub requester: String,
    /// Why. Empty: not said.
    pub reason: String,
    /// File and line, as `optout.txt:3`.
    pub source: String,
}

/// All requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOuts {
    /// By host, as A-labels.
    hosts: BTreeMap<String, OptOut>,
    /// By zone: the name itself and everything below it.
    zones: BTreeMap<String, OptOut>,
}

impl OptOuts {
    /// Adds a request for a host, or for a zone. The first one for a name stays.
    pub fn add(&mut self, name: String, zone: bool, request: OptOut) {
        let entries = if zone { &mut self.zones } else { &mut self.hosts };
        entries.entry(name).or_insert(request);
    }

    /// Nobody asked.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.zones.is_empty()
    }

    /// The requests without who asked and why, which is nobody else's business.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let bare = |(name, request): (&String, &OptOut)| {
            let date = request.date.clone();
            (name.clone(), OptOut { date, requester: String::new(), reason: String::new(), source: String::new() })
        };
        Self { hosts: self.hosts.iter().map(bare).collect(), zones: self.zones.iter().map(bare).collect() }
    }

    /// The request that covers a host, given as A-labels in lower case without a trailing dot. None: nobody asked.
    pub fn of(&self, host: &str) -> Option<&OptOut> {
        if let Some(request) = self.hosts.get(host) {
            return Some(request);
        }
        if self.zones.is_empty() {
            return None;
        }
        let mut name = host;
        loop {
            if let Some(request) = self.zones.get(name) {
                return Some(request);
            }
            name = name.split_once('.')?.1;
        }
    }
}
