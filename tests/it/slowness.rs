//! When IPv6 is called slow: a table of cases, since a clock is no help in saying what a rule is.

use v6ready::judge::{Criteria, assess, first_look};
use v6ready::model::address::Family;
use v6ready::model::evidence::{EVIDENCE_VERSION, Observation, Round};
use v6ready::model::finding::Code;
use v6ready::model::verdict::Readiness;

use crate::bench_net::site;
use crate::evidence::{Choices, healthy_round, vantage};

/// Makes responses of a family begin so late, a third of it in the connect, and the rest after the request.
fn begin_after(round: &mut Round, family: Family, ms: u64) {
    for connect in round.connects.iter_mut().filter(|connect| connect.family() == family) {
        connect.duration_us = ms * 1000 / 3;
    }
    for handshake in round.handshakes.iter_mut().filter(|handshake| Family::of(handshake.address) == family) {
        handshake.duration_us = 0;
    }
    for walk in round.walks.iter_mut().filter(|walk| walk.family == family) {
        for exchange in walk.hops.iter_mut().filter_map(|hop| hop.exchange.as_mut()) {
            exchange.ttfb_us = ms * 1000 - ms * 1000 / 3;
        }
    }
}

#[test]
fn slow_is_late_and_later_than_ipv4_in_every_round() {
    // Milliseconds over IPv4 and over IPv6, round by round.
    let cases: [(&[(u64, u64)], bool); 9] = [
        (&[(50, 4500), (50, 4500)], true),
        (&[(50, 1900)], true),
        (&[(900, 1900), (50, 4500)], true),
        // Soon enough, however much sooner IPv4 is.
        (&[(10, 1700), (10, 1700)], false),
        (&[(50, 4500), (50, 1700)], false),
        // Late over both.
        (&[(2500, 4500), (2500, 4500)], false),
        (&[(4500, 4500), (4500, 4500)], false),
        (&[(50, 4500), (4500, 4500)], false),
        (&[(4500, 50), (4500, 50)], false),
    ];
    for (rounds, slow) in cases {
        let site = site("www.p.example");
        let rounds: Vec<Round> = (1..)
            .zip(rounds)
            .map(|(number, (over_v4, over_v6))| {
                let mut round = healthy_round(&site, number);
                begin_after(&mut round, Family::V4, *over_v4);
                begin_after(&mut round, Family::V6, *over_v6);
                round
            })
            .collect();
        let times = format!("{rounds:?}");
        let observation = Observation { version: EVIDENCE_VERSION, site, rounds };
        let assessment = assess(&observation, &vantage(&mut Choices::new(&[])), &Criteria::default());
        let noted = assessment.findings.iter().any(|finding| finding.code == Code::SlowV6);
        assert_eq!((assessment.readiness, noted), (Readiness::Ready, slow), "{times}");
        // What may be weather is looked at once more.
        assert_eq!(first_look(&observation, &Criteria::default()), (Readiness::Ready, slow));
    }
}
