//! What a pretended DNS server that does not tell the truth makes of every answer.
//!
//! Leaves to others: the true answer (`answer`).

use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, Record, RecordType};

use super::answer::{Asking, Directory, Draft, TTL, address_record, soa};
use super::facts::{Deed, Habit, canonical};

impl Directory {
    /// What a server that does not tell the truth makes of an answer.
    pub(super) fn distort(&self, draft: &mut Draft, asking: &Asking, habit: Habit) {
        let nowhere = draft.code == Some(ResponseCode::NXDomain);
        let has = |rtype| draft.answers.iter().any(|record| record.record_type() == rtype);
        match habit {
            Habit::Dns64(prefix) if asking.rtype == RecordType::AAAA && !nowhere && !has(RecordType::AAAA) => {
                let name = draft.answers.last().and_then(|record| match &record.data {
                    RData::CNAME(target) => Some(canonical(&target.0.to_ascii())),
                    _ => None,
                });
                let name = name.unwrap_or_else(|| asking.name.clone());
                let a = self.records(&name, RecordType::A, self.zones.of(&name));
                draft.answers.extend(a.iter().filter_map(|record| translated(&name, prefix, record)));
            }
            Habit::Invents(address) if asking.rtype == RecordType::A && nowhere => {
                draft.code = None;
                draft.authorities.clear();
                draft.answers.push(address_record(&asking.name, TTL, address.into()));
            }
            Habit::DeniesAaaa if asking.rtype == RecordType::AAAA => {
                draft.answers.retain(|record| record.record_type() != RecordType::AAAA);
                draft.authorities = vec![soa(self.zones.of(&asking.name))];
            }
            Habit::DeniesAll => {
                *draft = Draft::of(ResponseCode::NXDomain);
                draft.authorities = vec![soa(self.zones.of(&asking.name))];
            }
            Habit::Refuses => *draft = Draft::of(ResponseCode::Refused),
            Habit::Ignores => draft.deed = Deed::Drop,
            Habit::Fails(share) => {
                let number = self.queries.fetch_add(1, Ordering::Relaxed);
                if crate::lab::stable_hash(&number.to_string()) % 100 < share {
                    *draft = Draft::of(ResponseCode::ServFail);
                }
            }
            _ => {}
        }
    }
}

/// An A record as DNS64 translates it.
fn translated(name: &str, prefix: Ipv6Addr, record: &Record) -> Option<Record> {
    let RData::A(a) = &record.data else { return None };
    let address = Ipv6Addr::from_bits(prefix.to_bits() | u128::from(a.0.to_bits()));
    Some(address_record(name, TTL, address.into()))
}
