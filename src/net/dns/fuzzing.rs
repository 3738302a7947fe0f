//! A door for the fuzz targets, under `cfg(fuzzing)` alone: bytes of a reply without a server that sends them.

use std::net::Ipv6Addr;

use super::wire::{self, Incoming, Question, Referral};
use crate::model::evidence::{AddressRecord, Alias, BrokenReply, LookupOutcome, RecordType};

/// What the reply to a question says.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the evidence")]
pub struct Reply {
    pub outcome: LookupOutcome,
    pub broken: Option<BrokenReply>,
    pub authoritative: bool,
    pub authenticated: bool,
    pub soa_owner: Option<String>,
    pub chain: Vec<Alias>,
    pub addresses: Vec<AddressRecord>,
    pub names: Vec<String>,
    pub referral: Option<Referral>,
    pub hints: Vec<Ipv6Addr>,
}

/// What bytes turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Nothing that belongs to the query.
    Unrelated,
    /// A reply that did not fit.
    Truncated,
    /// A reply.
    Reply(Reply),
}

/// What is asked.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are those of the query")]
pub struct Asked {
    pub id: u16,
    pub name: String,
    pub rtype: RecordType,
    pub recursion: bool,
}

impl Asked {
    fn question(&self) -> Question {
        let Self { name, rtype, recursion, .. } = self.clone();
        Question { name, rtype, recursion, checking_disabled: false }
    }
}

/// The query's bytes. None: its name is none.
pub fn encode(asked: &Asked) -> Option<Vec<u8>> {
    wire::encode(asked.id, &asked.question())
}

/// Reads what came back, following so many aliases.
pub fn decode(bytes: &[u8], asked: &Asked, longest_chain: usize) -> Heard {
    match wire::decode(bytes, asked.id, &asked.question(), longest_chain) {
        Incoming::Unrelated => Heard::Unrelated,
        Incoming::Truncated => Heard::Truncated,
        Incoming::Reply(reply) => {
            let wire::Reply {
                outcome,
                broken,
                authoritative,
                authenticated,
                soa_owner,
                chain,
                addresses,
                names,
                referral,
                hints,
            } = *reply;
            Heard::Reply(Reply {
                outcome,
                broken,
                authoritative,
                authenticated,
                soa_owner,
                chain,
                addresses,
                names,
                referral,
                hints,
            })
        }
    }
}
