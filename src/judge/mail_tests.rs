//! One rule a test; probes and world are those of `tests/scenarios/M*.toml`.

use std::net::IpAddr;

use super::*;
use crate::model::evidence::{DnsTransport, EVIDENCE_VERSION, HostCheck, HostSide, RecordType, Round, ServerRole};
use crate::model::site::Site;
use crate::model::time::Timestamp;

const ONE: &str = "192.0.2.53:53";
const OTHER: &str = "198.51.100.53:53";

fn lookup(server: &str, outcome: LookupOutcome, names: &[&str]) -> Lookup {
    Lookup {
        name: "school.example".to_owned(),
        rtype: RecordType::Mx,
        server: server.parse().unwrap(),
        role: ServerRole::Resolver,
        transport: DnsTransport::Udp,
        retried_over_tcp: false,
        checking_disabled: false,
        outcome,
        broken: None,
        authoritative: Some(false),
        authenticated: Some(false),
        soa_owner: None,
        chain: Vec::new(),
        addresses: Vec::new(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        hints: Vec::new(),
        rival: None,
        started: Timestamp(100_000),
        duration_us: 1,
        attempt: 1,
    }
}

fn side(address: Option<&str>) -> HostSide {
    HostSide {
        lookup: Some(if address.is_some() { LookupOutcome::Answer } else { LookupOutcome::Nodata }),
        server: Some(ONE.parse().unwrap()),
        confirmed_by: Some(OTHER.parse().unwrap()),
        addresses: address.iter().map(|address| (address.parse().unwrap(), Scope::Public)).collect(),
        connects: Vec::new(),
    }
}

fn tried(address: &str, second: i64, end: MailEnd) -> MailTry {
    MailTry { address: address.parse::<IpAddr>().unwrap(), started: Timestamp(second * 1000), duration_us: 1000, end }
}

/// A host with both addresses that greets over IPv4; over IPv6 this comes of two visits at 110 s and 112 s, with canaries that
/// greet at these seconds.
fn host(end: &MailEnd, canaries: &[i64]) -> MailHost {
    MailHost {
        check: HostCheck {
            host: "mx.school.example".to_owned(),
            port: 0,
            v4: side(Some("192.0.2.25")),
            v6: side(Some("2001:db8::25")),
            contradicted: false,
            unasked: None,
            at: Timestamp(100_000),
        },
        tries: vec![
            tried("2001:db8::25", 110, end.clone()),
            tried("2001:db8::25", 112, end.clone()),
            tried("192.0.2.25", 114, MailEnd::Greeted(220)),
        ],
        canaries: canaries.iter().map(|at| tried("2001:db8:1::25", *at, MailEnd::Greeted(220))).collect(),
    }
}

fn mail(lookups: Vec<Lookup>, hosts: Vec<MailHost>) -> Mail {
    Mail { domain: "school.example".to_owned(), lookups, hosts, left_out: 0, out_of_time: false }
}

fn named(hosts: Vec<MailHost>) -> Mail {
    mail(vec![lookup(ONE, LookupOutcome::Answer, &["mx.school.example"])], hosts)
}

/// State and reason, with the codes found. `believed`: sources of DNS can be.
fn judged(mails: Vec<Mail>, believed: bool) -> (MailState, String, Vec<Code>) {
    let rounds = (1..).zip(mails).map(|(number, mail)| Round { mail: Some(mail), ..Round::new(number, Timestamp(0)) });
    let site = Site::new("www.school.example", None, None, None);
    let observation = Observation { version: EVIDENCE_VERSION, site, rounds: rounds.collect() };
    let proof = Proof { family: &|_, _| true, source: &|_, _| believed };
    let mut findings = Findings::default();
    let demands = Demands { rounds: 2, alibi_ms: 60_000 };
    let readiness = judge(&observation, &proof, demands, &mut findings).expect("it was measured");
    (readiness.state, readiness.reason, findings.into_sorted().into_iter().map(|finding| finding.code).collect())
}

fn unknown(reason: &str, code: Code) -> (MailState, String, Vec<Code>) {
    (MailState::Unknown, reason.to_owned(), vec![code])
}

#[test]
fn no_mail_needs_two_believed_sources_or_the_record_that_says_so() {
    let none = |one, other| mail(vec![lookup(ONE, one, &[]), lookup(other, LookupOutcome::Nodata, &[])], Vec::new());
    let not_applicable = (MailState::NotApplicable, String::new(), Vec::new());
    assert_eq!(judged(vec![none(LookupOutcome::Nodata, OTHER)], true), not_applicable);
    assert_eq!(judged(vec![none(LookupOutcome::Nodata, OTHER)], false), unknown("dns", Code::MailUnknown));
    assert_eq!(judged(vec![none(LookupOutcome::Nodata, ONE)], true), unknown("dns", Code::MailUnknown));
    assert_eq!(judged(vec![none(LookupOutcome::Servfail, OTHER)], true), unknown("dns", Code::MailUnknown));
    let null = mail(vec![lookup(ONE, LookupOutcome::Answer, &["."])], Vec::new());
    assert_eq!(judged(vec![null], false), not_applicable);
}

#[test]
fn a_dead_host_needs_two_rounds_and_canaries_on_both_sides() {
    let silent = MailEnd::Failed(Failure::Timeout);
    let dead = || named(vec![host(&silent, &[100, 115])]);
    assert_eq!(judged(vec![dead(), dead()], true), (MailState::Fail, String::new(), vec![Code::MailV6Dead]));
    assert_eq!(judged(vec![dead()], true), unknown("unconfirmed", Code::MailUnknown));
    for canaries in [&[][..], &[100], &[115], &[40, 115], &[100, 200]] {
        let mails = || named(vec![host(&silent, canaries)]);
        assert_eq!(judged(vec![mails(), mails()], true), unknown("port25", Code::MailPort25), "{canaries:?}");
    }
    // What is ours says nothing.
    let ours = || named(vec![host(&MailEnd::Failed(Failure::LocalResource), &[100, 115])]);
    assert_eq!(judged(vec![ours(), ours()], true), unknown("unconfirmed", Code::MailUnknown));
    // One greeting, in whichever round, is enough, and whatever it says.
    let greets = || named(vec![host(&MailEnd::Greeted(554), &[])]);
    assert_eq!(judged(vec![dead(), greets()], true), (MailState::Pass, String::new(), Vec::new()));
    assert_eq!(judged(vec![greets(), dead()], true), (MailState::Pass, String::new(), Vec::new()));
}

#[test]
fn no_address_needs_two_believed_sources_and_ipv4() {
    let without = |v4: Option<&str>| {
        let mut host = host(&MailEnd::Silent, &[]);
        (host.check.v6, host.check.v4, host.tries) = (side(None), side(v4), Vec::new());
        named(vec![host])
    };
    assert_eq!(
        judged(vec![without(Some("192.0.2.25"))], true),
        (MailState::Fail, String::new(), vec![Code::MailV4only])
    );
    assert_eq!(judged(vec![without(Some("192.0.2.25"))], false), unknown("dns", Code::MailUnknown));
    assert_eq!(judged(vec![without(None)], true), unknown("dns", Code::MailUnknown));
    let mut contradicted = without(Some("192.0.2.25"));
    contradicted.hosts[0].check.contradicted = true;
    assert_eq!(judged(vec![contradicted], true), unknown("dns", Code::MailUnknown));
    // Hosts that were left out may greet.
    let mut cut = without(Some("192.0.2.25"));
    cut.left_out = 1;
    let (state, reason, codes) = judged(vec![cut], true);
    assert_eq!((state, reason.as_str()), (MailState::Unknown, "limit"));
    assert_eq!(codes, [Code::MailV4only, Code::MailUnknown]);
}
