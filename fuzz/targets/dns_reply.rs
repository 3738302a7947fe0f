//! A reply becomes exactly one outcome, the one that a second reader of the bytes finds too; and nothing but a reply to the
//! very query is taken for one.
//!
//! Input: a byte that chooses the question, then the message. Its id is that of the query.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use v6ready::model::evidence::{BrokenReply, LookupOutcome, RecordType};
use v6ready::net::dns::fuzzing::{Asked, Heard, Reply, decode, encode};

#[path = "dns_reply/reference.rs"]
mod reference;

use reference::{Message, Name, SOA};

const NAMES: [&str; 4] = ["www.a.example", "WwW.a.EXAMPLE", "a.example", "xn--48s290a.xn--fiqs8s"];
const TYPES: [(RecordType, u16); 5] = [
    (RecordType::A, 1),
    (RecordType::Aaaa, 28),
    (RecordType::Ns, 2),
    (RecordType::Soa, 6),
    (RecordType::Https, 65),
];
const LONGEST_CHAIN: usize = 8;
/// Addresses, names and hints that are kept of one answer, and addresses beside a list of name servers.
const KEPT: usize = 32;
const GLUE: usize = 128;

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    let which = usize::from(*which);
    let (rtype, kind) = TYPES[which % 5];
    let id = bytes.first_chunk().map_or(7, |id| u16::from_be_bytes(*id));
    let asked = Asked { id, name: NAMES[which / 5 % 4].to_owned(), rtype, recursion: which < 128 };
    let query = encode(&asked).expect("the names are names");
    assert!(query.len() <= 512 && query.starts_with(&id.to_be_bytes()));
    assert_eq!(decode(&query, &asked, LONGEST_CHAIN), Heard::Unrelated, "a query is no reply");

    let heard = decode(bytes, &asked, LONGEST_CHAIN);
    let other_id = Asked { id: !id, ..asked.clone() };
    assert_eq!(decode(bytes, &other_id, LONGEST_CHAIN), Heard::Unrelated);
    match heard {
        Heard::Unrelated => assert!(bytes.len() < 12 || bytes[2] & 0x80 == 0),
        Heard::Truncated => assert!(bytes[2] & 0x82 == 0x82),
        Heard::Reply(reply) => {
            assert!(bytes.len() >= 12 && bytes[2] & 0x82 == 0x80);
            in_bounds(&reply, &asked);
            compare(&reply, bytes, &asked, kind);
            of_another_question(&reply, bytes, &asked);
        }
    }
});

fn in_bounds(reply: &Reply, asked: &Asked) {
    assert_eq!(reply.broken.is_some(), reply.outcome == LookupOutcome::Broken);
    assert!(!matches!(reply.outcome, LookupOutcome::Timeout | LookupOutcome::NotAsked));
    assert!(reply.addresses.len() <= KEPT && reply.names.len() <= KEPT && reply.hints.len() <= KEPT);
    let found = !reply.addresses.is_empty() || !reply.names.is_empty();
    assert_eq!(found, reply.outcome == LookupOutcome::Answer, "{reply:?}");
    assert!(reply.addresses.iter().all(|record| match record.address {
        IpAddr::V4(_) => asked.rtype == RecordType::A,
        IpAddr::V6(_) => asked.rtype == RecordType::Aaaa,
    }));
    assert!(reply.hints.is_empty() || asked.rtype == RecordType::Https);
    assert!(reply.chain.len() <= LONGEST_CHAIN);
    let mut at = asked.name.clone();
    for alias in &reply.chain {
        assert_eq!(alias.from, at, "the chain is broken");
        at.clone_from(&alias.to);
    }
    let referral = reply.referral.iter();
    let of_referral = referral.flat_map(|referral| {
        assert!(!asked.recursion && referral.names.len() <= KEPT && referral.glue.len() <= GLUE);
        assert!(!referral.names.is_empty());
        [&referral.zone].into_iter().chain(&referral.names).chain(referral.glue.iter().map(|(name, _)| name))
    });
    let names = reply.names.iter().chain(&reply.soa_owner).chain(reply.chain.iter().map(|alias| &alias.to));
    for name in names.chain(of_referral) {
        // Four characters stand for a byte that is no letter.
        assert!(name.len() <= 4 * 255, "{} bytes", name.len());
        assert!(name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()), "{name:?}");
    }
}

fn labels(name: &str) -> Name {
    name.to_ascii_lowercase().split('.').map(|label| label.as_bytes().to_vec()).collect()
}

/// Whatever the program makes of a message that it can read, the reference makes too.
fn compare(reply: &Reply, bytes: &[u8], asked: &Asked, kind: u16) {
    if matches!(reply.broken, Some(BrokenReply::Malformed | BrokenReply::BadRdata)) {
        // A stricter reader is right as well.
        return;
    }
    let Some(message) = reference::read(bytes) else { panic!("{reply:?} of bytes that are no message") };
    let name = labels(&asked.name);
    let repeats = match message.questions.as_slice() {
        [] => message.rcode != 0,
        [question] => *question == (name.clone(), kind, 1),
        _ => false,
    };
    assert_eq!(reply.broken == Some(BrokenReply::WrongQuestion), !repeats, "{reply:?}");
    if !repeats || reply.broken == Some(BrokenReply::UnexpectedRcode) {
        return;
    }
    let word = match message.rcode {
        0 | 3 => return positive_or_negative(reply, &message, (&name, kind)),
        1 => LookupOutcome::Formerr,
        2 => LookupOutcome::Servfail,
        4 => LookupOutcome::Notimp,
        5 => LookupOutcome::Refused,
        _ => LookupOutcome::Broken,
    };
    assert_eq!(reply.outcome, word);
}

fn positive_or_negative(reply: &Reply, message: &Message, (name, kind): (&Name, u16)) {
    let Some(chain) = message.chain(name, LONGEST_CHAIN) else {
        // Without an end there is no answer; a name that does not exist does not, however it is led to.
        assert!(matches!(reply.outcome, LookupOutcome::Broken | LookupOutcome::Nxdomain), "{reply:?}");
        return;
    };
    assert_eq!(reply.chain.len(), chain.len() - 1, "{reply:?}");
    for (alias, name) in reply.chain.iter().zip(&chain[1..]) {
        assert!(reference::text(name).is_none_or(|text| text == alias.to), "{alias:?}");
    }
    let end = *chain.last().expect("the name itself");
    let found = message.at(end, kind);
    if matches!(kind, 1 | 28) && message.rcode == 0 {
        let addresses: Vec<IpAddr> = found.iter().take(KEPT).filter_map(|data| address(data)).collect();
        let read: Vec<IpAddr> = reply.addresses.iter().map(|record| record.address).collect();
        assert_eq!(read, addresses);
    }
    let soa = message.authorities.iter().chain(&message.answers).find(|record| record.kind == SOA && record.class == 1);
    let home = soa.map(|soa| end.ends_with(&soa.owner));
    let expected = match (message.rcode, found.is_empty(), home) {
        (0, false, _) => LookupOutcome::Answer,
        (0, true, None) => LookupOutcome::NodataNosoa,
        (0, true, Some(true)) => LookupOutcome::Nodata,
        (_, _, Some(false)) => LookupOutcome::Broken,
        _ => LookupOutcome::Nxdomain,
    };
    assert_eq!(reply.outcome, expected, "{reply:?}");
}

fn address(data: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(data).map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = || <[u8; 16]>::try_from(data).map(|bytes| Ipv6Addr::from(bytes).into());
    v4().or_else(|_| v6()).ok()
}

/// The same bytes never answer another question.
fn of_another_question(reply: &Reply, bytes: &[u8], asked: &Asked) {
    if !matches!(reply.outcome, LookupOutcome::Answer | LookupOutcome::Nodata | LookupOutcome::NodataNosoa) {
        return;
    }
    let rtype = if asked.rtype == RecordType::A { RecordType::Aaaa } else { RecordType::A };
    for other in [Asked { name: format!("x{}", asked.name), ..asked.clone() }, Asked { rtype, ..asked.clone() }] {
        let Heard::Reply(reply) = decode(bytes, &other, LONGEST_CHAIN) else { panic!("it was a reply before") };
        assert_eq!(reply.broken, Some(BrokenReply::WrongQuestion));
    }
}
