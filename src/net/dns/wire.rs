//! DNS messages: writing a question, and reading a reply into exactly one outcome.

use std::net::IpAddr;

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
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
        }
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
        Ok(message) => read(&message, question, longest_chain),
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
    if reply.outcome == LookupOutcome::NodataNosoa && reply.soa_owner.is_some() {
        reply.outcome = LookupOutcome::Nodata;
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

fn repeats_question(message: &Message, question: &Question) -> bool {
    // Some servers leave the question out of an error reply; RFC 5452 only forbids a *different* one.
    match message.queries.as_slice() {
        [] => message.metadata.response_code != ResponseCode::NoError,
        [one] => {
            text(one.name()) == question.name
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
    let at_end = || message.answers.iter().filter(|record| text(&record.name) == end);
    let addresses: Vec<_> =
        at_end().filter_map(|record| address(record, question.rtype)).take(ADDRESSES_KEPT).collect();
    let names: Vec<_> =
        at_end().filter_map(|record| listed_name(record, question.rtype)).take(ADDRESSES_KEPT).collect();
    let found = !addresses.is_empty() || !names.is_empty();
    let outcome = if found { LookupOutcome::Answer } else { LookupOutcome::NodataNosoa };
    let mut reply = Reply::of(outcome, None);
    reply.chain = chain;
    reply.addresses = addresses;
    reply.names = names;
    reply
}

/// The CNAME chain from a name, in order, or why it cannot be followed.
fn follow(message: &Message, start: &str, longest: usize) -> Result<Vec<Alias>, BrokenReply> {
    let mut chain: Vec<Alias> = Vec::new();
    let mut at = start.to_owned();
    loop {
        let next = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if text(&record.name) == at => {
                Some(Alias { from: at.clone(), to: text(&target.0), ttl: record.ttl })
            }
            _ => None,
        });
        let Some(alias) = next else { return Ok(chain) };
        if alias.to == start || chain.iter().any(|seen| seen.from == alias.to) {
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

fn listed_name(record: &Record, rtype: RecordType) -> Option<String> {
    match (&record.data, rtype) {
        (RData::NS(ns), RecordType::Ns) => Some(text(&ns.0)),
        (RData::SOA(_), RecordType::Soa) => Some(text(&record.name)),
        _ => None,
    }
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
mod tests {
    use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SOA};

    use super::*;

    fn question(name: &str, rtype: RecordType) -> Question {
        Question { name: name.to_owned(), rtype, recursion: true, checking_disabled: false }
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(format!("{text}.")).unwrap()
    }

    fn reply_to(asked: &Question, code: ResponseCode, answers: Vec<Record>, authorities: Vec<Record>) -> Vec<u8> {
        let mut message = Message::new(7, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        message.add_query(Query::query(name(&asked.name), wire_type(asked.rtype)));
        message.add_answers(answers);
        message.add_authorities(authorities);
        message.to_vec().unwrap()
    }

    fn soa(zone: &str) -> Record {
        Record::from_rdata(name(zone), 60, RData::SOA(SOA::new(name("ns"), name("host"), 1, 2, 3, 4, 5)))
    }

    fn cname(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
    }

    fn aaaa(at: &str) -> Record {
        Record::from_rdata(name(at), 60, RData::AAAA(AAAA("2001:db8::1".parse().unwrap())))
    }

    fn read_reply(bytes: &[u8], asked: &Question) -> Reply {
        match decode(bytes, 7, asked, 8) {
            Incoming::Reply(reply) => *reply,
            other => panic!("not a reply: {other:?}"),
        }
    }

    #[test]
    fn negative_answers_are_kept_apart() {
        let asked = question("a.example", RecordType::Aaaa);
        let outcome = |code, authorities| read_reply(&reply_to(&asked, code, vec![], authorities), &asked).outcome;
        assert_eq!(outcome(ResponseCode::NoError, vec![soa("example")]), LookupOutcome::Nodata);
        assert_eq!(outcome(ResponseCode::NoError, vec![]), LookupOutcome::NodataNosoa);
        assert_eq!(outcome(ResponseCode::NXDomain, vec![soa("example")]), LookupOutcome::Nxdomain);
        assert_eq!(outcome(ResponseCode::ServFail, vec![]), LookupOutcome::Servfail);
        assert_eq!(outcome(ResponseCode::Refused, vec![]), LookupOutcome::Refused);
        assert_eq!(outcome(ResponseCode::NotImp, vec![]), LookupOutcome::Notimp);
        assert_eq!(outcome(ResponseCode::FormErr, vec![]), LookupOutcome::Formerr);
        assert_eq!(outcome(ResponseCode::NotAuth, vec![]), LookupOutcome::Broken);
    }

    #[test]
    fn chains_are_followed_as_far_as_eight() {
        let asked = question("a0.example", RecordType::Aaaa);
        let chain = |n: usize| {
            let mut answers: Vec<_> =
                (0..n).map(|i| cname(&format!("a{i}.example"), &format!("a{}.example", i + 1))).collect();
            answers.push(aaaa(&format!("a{n}.example")));
            read_reply(&reply_to(&asked, ResponseCode::NoError, answers, vec![]), &asked)
        };
        let eight = chain(8);
        assert_eq!((eight.outcome, eight.chain.len(), eight.addresses.len()), (LookupOutcome::Answer, 8, 1));
        assert_eq!(chain(9).broken, Some(BrokenReply::CnameTooLong));
        let looped = vec![cname("a0.example", "a1.example"), cname("a1.example", "a0.example")];
        let looped = read_reply(&reply_to(&asked, ResponseCode::NoError, looped, vec![]), &asked);
        assert_eq!(looped.broken, Some(BrokenReply::CnameLoop));
    }

    #[test]
    fn a_referral_is_read_only_where_recursion_was_not_asked_for() {
        let ns = |zone: &str, server: &str| Record::from_rdata(name(zone), 60, RData::NS(rr::rdata::NS(name(server))));
        let authorities = || {
            vec![ns("z.example", "ns1.z.example"), ns("z.example", "ns.p.example"), ns("other.example", "x.example")]
        };
        let asked = Question { recursion: false, ..question("www.z.example", RecordType::Ns) };
        let mut message = Message::from_vec(&reply_to(&asked, ResponseCode::NoError, vec![], authorities())).unwrap();
        message.additionals = vec![aaaa("ns1.z.example")];
        let bytes = message.to_vec().unwrap();
        let reply = read_reply(&bytes, &asked);
        assert_eq!(reply.outcome, LookupOutcome::NodataNosoa);
        let referral = reply.referral.unwrap();
        assert_eq!(
            (referral.zone.as_str(), referral.names.as_slice()),
            ("z.example", &["ns1.z.example".to_owned(), "ns.p.example".to_owned()][..])
        );
        assert_eq!(referral.glue.len(), 1);
        assert_eq!(read_reply(&bytes, &Question { recursion: true, ..asked }).referral, None);
    }

    #[test]
    fn records_of_other_names_and_types_are_no_answer() {
        let asked = question("a.example", RecordType::Aaaa);
        let v4 = Record::from_rdata(name("a.example"), 60, RData::A(A("192.0.2.1".parse().unwrap())));
        let reply = reply_to(&asked, ResponseCode::NoError, vec![v4, aaaa("b.example")], vec![soa("example")]);
        assert_eq!(read_reply(&reply, &asked).outcome, LookupOutcome::Nodata);
    }

    #[test]
    fn an_aaaa_of_four_bytes_is_broken() {
        let asked = question("a.example", RecordType::Aaaa);
        let mut bytes = reply_to(&asked, ResponseCode::NoError, vec![aaaa("a.example")], vec![]);
        let length = bytes.len();
        bytes[length - 17] = 4;
        bytes.truncate(length - 12);
        assert_eq!(read_reply(&bytes, &asked).broken, Some(BrokenReply::BadRdata));
    }

    #[test]
    fn another_question_is_broken_and_another_id_is_unrelated() {
        let asked = question("a.example", RecordType::Aaaa);
        let other = question("b.example", RecordType::Aaaa);
        let bytes = reply_to(&other, ResponseCode::NoError, vec![aaaa("b.example")], vec![]);
        assert_eq!(read_reply(&bytes, &asked).broken, Some(BrokenReply::WrongQuestion));
        assert_eq!(decode(&bytes, 8, &other, 8), Incoming::Unrelated);
        assert_eq!(decode(&bytes[..5], 7, &other, 8), Incoming::Unrelated);
    }
}
