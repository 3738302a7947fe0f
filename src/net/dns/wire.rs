//! DNS messages: writing a question, and reading a reply into exactly one outcome.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::svcb::SvcParamValue;
use hickory_resolver::proto::rr::{self, DNSClass, Name, RData, Record};
use hickory_resolver::proto::serialize::binary::DecodeError;

use crate::model::evidence::{AddressRecord, Alias, BrokenReply, LookupOutcome, RecordType};

/// Advertised UDP payload size: no fragmentation on any IPv6 path (DNS Flag Day 2020).
pub(crate) const EDNS_PAYLOAD: u16 = 1232;

/// How many addresses of one answer are kept.
const ADDRESSES_KEPT: usize = 32;

/// How many addresses beside one list of name servers are kept.
const GLUE_KEPT: usize = 128;

/// A list of name servers that is no answer: where a server without authority points to; or beside an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// The zone that begins there, as an A-label name without a trailing dot.
    pub zone: String,
    /// Its name servers, in the order given.
    pub names: Vec<String>,
    /// Addresses that came along, in the order given. Only what the sender may speak for can be believed.
    pub glue: Vec<(String, IpAddr)>,
}

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) rtype: RecordType,
    pub(crate) recursion: bool,
    pub(crate) checking_disabled: bool,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) outcome: LookupOutcome,
    pub(crate) broken: Option<BrokenReply>,
    pub(crate) authoritative: bool,
    pub(crate) authenticated: bool,
    pub(crate) soa_owner: Option<String>,
    pub(crate) chain: Vec<Alias>,
    pub(crate) addresses: Vec<AddressRecord>,
    pub(crate) names: Vec<String>,
    /// Name servers in the authority section, or of an answer for NS. None: neither, or recursion was asked for.
    pub(crate) referral: Option<Referral>,
    pub(crate) hints: Vec<Ipv6Addr>,
}

impl Reply {
    fn of(outcome: LookupOutcome, broken: Option<BrokenReply>) -> Self {
        Self {
            outcome,
            broken,
            authoritative: false,
            authenticated: false,
            soa_owner: None,
            chain: Vec::new(),
            addresses: Vec::new(),
            names: Vec::new(),
            referral: None,
            hints: Vec::new(),
        }
    }

    /// Says the same: outcome, end of the chain and addresses. TTLs and the order of records may differ.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let addresses = |reply: &Self| reply.addresses.iter().map(|a| a.address).collect::<BTreeSet<IpAddr>>();
        let end = |reply: &Self| reply.chain.last().map(|alias| alias.to.clone());
        self.outcome == other.outcome
            && self.broken == other.broken
            && end(self) == end(other)
            && addresses(self) == addresses(other)
    }

    pub(crate) fn broken(how: BrokenReply) -> Self {
        Self::of(LookupOutcome::Broken, Some(how))
    }
}

/// What a datagram or TCP message turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// Not a reply to this query at all: another id, or not a response.
    Unrelated,
    /// Truncated: repeat over TCP.
    Truncated,
    /// A reply.
    Reply(Box<Reply>),
}

/// Encodes a question. None: the name cannot be written as a DNS name.
pub(crate) fn encode(id: u16, question: &Question) -> Option<Vec<u8>> {
    let mut name = Name::from_ascii(&question.name).ok()?;
    name.set_fqdn(true);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = question.recursion;
    message.metadata.checking_disabled = question.checking_disabled;
    message.add_query(Query::query(name, wire_type(question.rtype)));
    let mut edns = Edns::new();
    edns.set_max_payload(EDNS_PAYLOAD).set_version(0);
    message.set_edns(edns);
    message.to_vec().ok()
}

fn wire_type(rtype: RecordType) -> rr::RecordType {
    match rtype {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Ns => rr::RecordType::NS,
        RecordType::Soa => rr::RecordType::SOA,
        RecordType::Https => rr::RecordType::HTTPS,
        RecordType::Mx => rr::RecordType::MX,
    }
}

/// Reads what came back for a question. `longest_chain` is the number of CNAME records that are followed.
pub(crate) fn decode(bytes: &[u8], id: u16, question: &Question, longest_chain: usize) -> Incoming {
    const HEADER: usize = 12;
    const RESPONSE: u8 = 0x80;
    const TRUNCATED: u8 = 0x02;
    if bytes.len() < HEADER || bytes[..2] != id.to_be_bytes() || bytes[2] & RESPONSE == 0 {
        return Incoming::Unrelated;
    }
    // A truncated message may end in the middle of a record, so the flag is read before the message is parsed.
    if bytes[2] & TRUNCATED != 0 {
        return Incoming::Truncated;
    }
    let reply = match Message::from_vec(bytes) {
        Ok(mut message) => {
            for section in [&mut message.answers, &mut message.authorities, &mut message.additionals] {
                // Other classes are other worlds (RFC 1035 §3.2.4): what is there says nothing of this one.
                section.retain(|record| record.dns_class == DNSClass::IN);
            }
            read(&message, question, longest_chain)
        }
        Err(error) => Reply::broken(broken_by(&error, bytes)),
    };
    Incoming::Reply(Box::new(reply))
}

fn broken_by(error: &DecodeError, bytes: &[u8]) -> BrokenReply {
    let answers = u16::from_be_bytes([bytes[6], bytes[7]]);
    match error {
        // An AAAA of any other length than 16 bytes (RFC 3596 §2.2) surfaces as one of these.
        DecodeError::IncorrectRDataLengthRead { .. }
        | DecodeError::InsufficientBytes
        | DecodeError::InvalidEmptyRecord
            if answers > 0 =>
        {
            BrokenReply::BadRdata
        }
        _ => BrokenReply::Malformed,
    }
}

fn read(message: &Message, question: &Question, longest_chain: usize) -> Reply {
    if !repeats_question(message, question) {
        return Reply::broken(BrokenReply::WrongQuestion);
    }
    let mut reply = match message.metadata.response_code {
        ResponseCode::NoError => read_answer(message, question, longest_chain),
        ResponseCode::NXDomain => {
            let mut reply = Reply::of(LookupOutcome::Nxdomain, None);
            // The aliases that led to the missing name are part of the evidence.
            reply.chain = follow(message, &question.name, longest_chain).unwrap_or_default();
            reply
        }
        ResponseCode::ServFail => Reply::of(LookupOutcome::Servfail, None),
        ResponseCode::Refused => Reply::of(LookupOutcome::Refused, None),
        ResponseCode::NotImp => Reply::of(LookupOutcome::Notimp, None),
        ResponseCode::FormErr => Reply::of(LookupOutcome::Formerr, None),
        _ => Reply::broken(BrokenReply::UnexpectedRcode),
    };
    reply.authoritative = message.metadata.authoritative;
    reply.authenticated = message.metadata.authentic_data;
    reply.soa_owner = message
        .authorities
        .iter()
        .chain(&message.answers)
        .find(|record| matches!(record.data, RData::SOA(_)))
        .map(|record| text(&record.name));
    let end = reply.chain.last().map_or(question.name.as_str(), |alias| alias.to.as_str());
    let home = reply.soa_owner.as_deref().map(|owner| is_within(end, owner));
    match (reply.outcome, home) {
        (LookupOutcome::NodataNosoa, Some(true)) => reply.outcome = LookupOutcome::Nodata,
        // The server speaks for another zone: what it says of this name is nothing (RFC 4074, RFC 2308 §2.2).
        (LookupOutcome::NodataNosoa | LookupOutcome::Nxdomain, Some(false)) => {
            (reply.outcome, reply.broken) = (LookupOutcome::Broken, Some(BrokenReply::ForeignSoa));
        }
        _ => {}
    }
    if !question.recursion && message.metadata.response_code == ResponseCode::NoError {
        reply.referral = referral(message);
    }
    reply
}

fn referral(message: &Message) -> Option<Referral> {
    let records = || message.answers.iter().chain(&message.authorities);
    let server = |record: &Record| match &record.data {
        RData::NS(ns) => Some(text(&ns.0)),
        _ => None,
    };
    let zone = records().find(|record| server(record).is_some())?.name.clone();
    let names = records().filter(|record| record.name == zone).filter_map(server).take(ADDRESSES_KEPT).collect();
    let glue = message.additionals.iter().filter_map(|record| {
        let address = address(record, RecordType::A).or_else(|| address(record, RecordType::Aaaa))?;
        Some((text(&record.name), address.address))
    });
    Some(Referral { zone: text(&zone), names, glue: glue.take(GLUE_KEPT).collect() })
}

/// The name is the zone's apex or below it.
fn is_within(name: &str, zone: &str) -> bool {
    // A dot behind a backslash belongs to its label (RFC 1035 §5.1); two backslashes are one character.
    let ends_a_label = |front: &str| front.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0;
    let name = name.to_ascii_lowercase();
    let front = name.strip_suffix(zone);
    zone == "." || front.is_some_and(|front| front.is_empty() || front.strip_suffix('.').is_some_and(ends_a_label))
}

fn repeats_question(message: &Message, question: &Question) -> bool {
    // Some servers leave the question out of an error reply; RFC 5452 only forbids a *different* one.
    match message.queries.as_slice() {
        [] => message.metadata.response_code != ResponseCode::NoError,
        [one] => {
            // Names are alike in any case (RFC 4343), whatever the server makes of the one that was asked for.
            text(one.name()).eq_ignore_ascii_case(&question.name)
                && one.query_type() == wire_type(question.rtype)
                && one.query_class() == DNSClass::IN
        }
        _ => false,
    }
}

fn read_answer(message: &Message, question: &Question, longest_chain: usize) -> Reply {
    let chain = match follow(message, &question.name, longest_chain) {
        Ok(chain) => chain,
        Err(how) => return Reply::broken(how),
    };
    let end = chain.last().map_or(question.name.as_str(), |alias| alias.to.as_str());
    let at_end = || message.answers.iter().filter(|record| text(&record.name).eq_ignore_ascii_case(end));
    let addresses: Vec<_> =
        at_end().filter_map(|record| address(record, question.rtype)).take(ADDRESSES_KEPT).collect();
    let mut listed: Vec<_> = at_end().filter_map(|record| listed_name(record, question.rtype)).collect();
    listed.sort_by_key(|(preference, _)| *preference);
    let names: Vec<_> = listed.into_iter().map(|(_, name)| name).take(ADDRESSES_KEPT).collect();
    let hints: Vec<_> = at_end().flat_map(|record| hints(record, question.rtype)).take(ADDRESSES_KEPT).collect();
    let found = !addresses.is_empty() || !names.is_empty();
    let outcome = if found { LookupOutcome::Answer } else { LookupOutcome::NodataNosoa };
    let mut reply = Reply::of(outcome, None);
    reply.chain = chain;
    reply.addresses = addresses;
    reply.names = names;
    reply.hints = hints;
    reply
}

/// The CNAME chain from a name, in order, or why it cannot be followed.
fn follow(message: &Message, start: &str, longest: usize) -> Result<Vec<Alias>, BrokenReply> {
    let mut chain: Vec<Alias> = Vec::new();
    let mut at = start.to_owned();
    loop {
        let next = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if text(&record.name).eq_ignore_ascii_case(&at) => {
                Some(Alias { from: at.clone(), to: text(&target.0), ttl: record.ttl })
            }
            _ => None,
        });
        let Some(alias) = next else { return Ok(chain) };
        if alias.to.eq_ignore_ascii_case(start) || chain.iter().any(|seen| seen.from == alias.to) {
            return Err(BrokenReply::CnameLoop);
        }
        if chain.len() == longest {
            return Err(BrokenReply::CnameTooLong);
        }
        at.clone_from(&alias.to);
        chain.push(alias);
    }
}

fn address(record: &Record, rtype: RecordType) -> Option<AddressRecord> {
    let address = match (&record.data, rtype) {
        (RData::A(a), RecordType::A) => IpAddr::V4(a.0),
        (RData::AAAA(aaaa), RecordType::Aaaa) => IpAddr::V6(aaaa.0),
        _ => return None,
    };
    Some(AddressRecord { address, ttl: record.ttl })
}

/// A name that a record gives, and how much it is preferred to others: less is more (RFC 5321 §5.1).
fn listed_name(record: &Record, rtype: RecordType) -> Option<(u16, String)> {
    match (&record.data, rtype) {
        (RData::NS(ns), RecordType::Ns) => Some((0, text(&ns.0))),
        (RData::SOA(_), RecordType::Soa) => Some((0, text(&record.name))),
        (RData::HTTPS(https), RecordType::Https) => Some((0, text(&https.target_name))),
        (RData::MX(mx), RecordType::Mx) => Some((mx.preference, text(&mx.exchange))),
        _ => None,
    }
}

/// The `ipv6hint` of an HTTPS record (RFC 9460 §7.3).
fn hints(record: &Record, rtype: RecordType) -> Vec<Ipv6Addr> {
    let (RData::HTTPS(https), RecordType::Https) = (&record.data, rtype) else { return Vec::new() };
    let hints = https.svc_params.iter().filter_map(|(_, value)| match value {
        SvcParamValue::Ipv6Hint(hint) => Some(hint.0.iter().map(|address| address.0)),
        _ => None,
    });
    hints.flatten().collect()
}

/// A name as it stands in the evidence: lower case, without a trailing dot.
pub(crate) fn text(name: &Name) -> String {
    let mut text = name.to_ascii().to_ascii_lowercase();
    if text.len() > 1 && text.ends_with('.') {
        text.pop();
    }
    text
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
