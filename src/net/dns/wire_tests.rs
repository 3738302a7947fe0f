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
fn records_of_other_names_and_types_are_no_answer() {
    let asked = question("a.example", RecordType::Aaaa);
    let v4 = Record::from_rdata(name("a.example"), 60, RData::A(A("192.0.2.1".parse().unwrap())));
    let reply = reply_to(&asked, ResponseCode::NoError, vec![v4, aaaa("b.example")], vec![soa("example")]);
    assert_eq!(read_reply(&reply, &asked).outcome, LookupOutcome::Nodata);
}

#[test]
fn the_case_of_names_does_not_matter() {
    for (asked, owner) in [("WwW.a.example", "www.a.example"), ("www.a.example", "WWW.A.EXAMPLE")] {
        let asked = question(asked, RecordType::Aaaa);
        let answers = vec![cname(owner, "Web.A.example"), aaaa("wEB.a.EXAMPLE")];
        let bytes = reply_to(&question(owner, RecordType::Aaaa), ResponseCode::NoError, answers, vec![]);
        let reply = read_reply(&bytes, &asked);
        assert_eq!((reply.outcome, reply.addresses.len()), (LookupOutcome::Answer, 1), "{owner}");
        let nothing =
            reply_to(&question(owner, RecordType::Aaaa), ResponseCode::NXDomain, vec![], vec![soa("A.Example")]);
        assert_eq!(read_reply(&nothing, &asked).outcome, LookupOutcome::Nxdomain, "{owner}");
    }
}

#[test]
fn the_soa_of_another_zone_denies_nothing() {
    let asked = question("www.a.example", RecordType::Aaaa);
    let cases = [
        ("a.example", None),
        ("www.a.example", None),
        ("example", None),
        (".", None),
        ("b.example", Some(BrokenReply::ForeignSoa)),
        ("ww.a.example", Some(BrokenReply::ForeignSoa)),
        ("w.www.a.example", Some(BrokenReply::ForeignSoa)),
    ];
    for (zone, broken) in cases {
        let owner = Record::from_rdata(Name::from_ascii(zone).unwrap(), 60, soa("a.example").data);
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            let mut message = Message::from_vec(&reply_to(&asked, code, vec![], vec![])).unwrap();
            message.add_authorities(vec![owner.clone()]);
            assert_eq!(read_reply(&message.to_vec().unwrap(), &asked).broken, broken, "{zone} {code:?}");
        }
    }
    // The denial is of the alias's target, so its zone is the right one.
    let answers = vec![cname("www.a.example", "web.b.example")];
    let bytes = reply_to(&asked, ResponseCode::NoError, answers, vec![soa("b.example")]);
    assert_eq!(read_reply(&bytes, &asked).outcome, LookupOutcome::Nodata);
}

#[test]
fn a_dot_in_a_label_is_no_end_of_it() {
    let asked = question("www.a.example", RecordType::Aaaa);
    for (labels, within) in [(&[&b"x.b"[..], b"example"][..], false), (&[b"x\\", b"b", b"example"], true)] {
        let target = Name::from_labels(labels.to_vec()).unwrap();
        let alias = Record::from_rdata(name("www.a.example"), 60, RData::CNAME(CNAME(target)));
        let bytes = reply_to(&asked, ResponseCode::NoError, vec![alias], vec![soa("b.example")]);
        let expected = if within { LookupOutcome::Nodata } else { LookupOutcome::Broken };
        assert_eq!(read_reply(&bytes, &asked).outcome, expected, "{labels:?}");
    }
}

#[test]
fn records_of_other_classes_are_no_answer() {
    let asked = question("a.example", RecordType::Aaaa);
    let elsewhere = |mut record: Record| {
        record.dns_class = DNSClass::CH;
        record
    };
    let outcome = |answers, authorities| {
        let reply = read_reply(&reply_to(&asked, ResponseCode::NoError, answers, authorities), &asked);
        (reply.outcome, reply.chain.len(), reply.soa_owner)
    };
    let nothing = (LookupOutcome::NodataNosoa, 0, None);
    assert_eq!(outcome(vec![elsewhere(aaaa("a.example"))], vec![elsewhere(soa("example"))]), nothing);
    assert_eq!(outcome(vec![elsewhere(cname("a.example", "b.example"))], vec![]), nothing);
}

#[test]
fn hints_are_read_from_https_records_alone() {
    use hickory_resolver::proto::rr::rdata::HTTPS;
    use hickory_resolver::proto::rr::rdata::svcb::{IpHint, SVCB, SvcParamKey};
    let hint = SvcParamValue::Ipv6Hint(IpHint(vec![AAAA("2001:db8::7".parse().unwrap())]));
    let data = RData::HTTPS(HTTPS(SVCB::new(1, Name::root(), vec![(SvcParamKey::Ipv6Hint, hint)])));
    let record = Record::from_rdata(name("a.example"), 60, data);
    for (rtype, hints) in [(RecordType::Https, 1), (RecordType::Aaaa, 0)] {
        let asked = question("a.example", rtype);
        let reply = read_reply(&reply_to(&asked, ResponseCode::NoError, vec![record.clone()], vec![]), &asked);
        assert_eq!((reply.hints.len(), reply.addresses.len()), (hints, 0));
    }
}

#[test]
fn agreement_is_about_content() {
    let asked = question("a.example", RecordType::Aaaa);
    let reply = |answers| read_reply(&reply_to(&asked, ResponseCode::NoError, answers, vec![]), &asked);
    let at =
        |address: &str, ttl| Record::from_rdata(name("a.example"), ttl, RData::AAAA(AAAA(address.parse().unwrap())));
    let first = reply(vec![at("2001:db8::1", 60), at("2001:db8::2", 60)]);
    assert!(first.agrees_with(&reply(vec![at("2001:db8::2", 7), at("2001:db8::1", 9)])));
    assert!(!first.agrees_with(&reply(vec![at("2001:db8::1", 60)])));
    assert!(!first.agrees_with(&reply(vec![])));
    assert!(!first.agrees_with(&reply(vec![cname("a.example", "b.example")])));
}

#[test]
fn loops_of_pointers_and_names_without_end_are_malformed() {
    let asked = question("a.example", RecordType::Aaaa);
    // Header, then a question whose name is a pointer to itself (RFC 1035 §4.1.4), or 255 labels of one byte.
    let header = [0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
    let pointer = [&header[..], &[0xc0, 12, 0, 28, 0, 1]].concat();
    let endless = [&header[..], &[1, b'x'].repeat(255), &[0, 0, 28, 0, 1]].concat();
    for bytes in [pointer, endless] {
        assert_eq!(read_reply(&bytes, &asked).broken, Some(BrokenReply::Malformed));
    }
    // No name of ours is longer than the 255 bytes that fit on the wire.
    let longest = format!("{}.{}", ["x"; 95].join("."), "x".repeat(63));
    assert_eq!(longest.len() + 2, 255);
    assert!(encode(7, &question(&longest, RecordType::Aaaa)).is_some());
    assert!(encode(7, &question(&format!("x{longest}"), RecordType::Aaaa)).is_none());
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
