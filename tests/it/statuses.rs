//! The table "by status" of the manual: every pair of landings, held to the program.

use v6ready::judge::{Criteria, assess};
use v6ready::model::address::Family;
use v6ready::model::evidence::{EVIDENCE_VERSION, Observation, Round, WalkEnd};
use v6ready::model::failure::Failure;

use crate::bench_net::site;
use crate::evidence::{Choices, healthy_round, vantage};

const VERDICT: &str = include_str!("../../docs/method/verdict.md");

/// The cells of the table: IPv4's landing, IPv6's landing, verdict and reason.
fn documented() -> Vec<(String, String, String)> {
    let mut lines = VERDICT.lines().skip_while(|line| !line.starts_with("| IPv4 \\ IPv6 |"));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('*').to_owned()).collect()
    };
    let columns = cells(lines.next().expect("the table is there"));
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells);
    let pairs = rows.flat_map(|row| {
        let over_v4 = row[0].clone();
        let rest = columns.iter().zip(row).skip(1);
        rest.map(move |(over_v6, cell)| (over_v4.clone(), over_v6.clone(), cell)).collect::<Vec<_>>()
    });
    pairs.collect()
}

/// Makes every walk of a family end so.
fn land(round: &mut Round, family: Family, landing: &str) {
    for walk in round.walks.iter_mut().filter(|walk| walk.family == family) {
        let Some(exchange) = walk.hops.last_mut().and_then(|hop| hop.exchange.as_mut()) else { continue };
        let Ok(status) = landing.parse() else {
            walk.hops.truncate(1);
            walk.hops[0].exchange = None;
            walk.end = WalkEnd::Failed(Failure::Timeout);
            continue;
        };
        exchange.status = status;
        exchange.retry_after_s = (status == 503).then_some(7200);
        if status == 412 {
            let page = exchange.page.as_mut().expect("a page");
            page.marks = vec!["challenge:script-only".to_owned()];
        }
    }
}

#[test]
fn the_manual_knows_every_pair_of_landings() {
    let pairs = documented();
    assert_eq!(pairs.len(), 11 * 11);
    let vantage = vantage(&mut Choices::new(&[]));
    for (over_v4, over_v6, expected) in pairs {
        let site = site("www.p.example");
        let rounds = [1, 2].map(|number| {
            let mut round = healthy_round(&site, number);
            land(&mut round, Family::V4, &over_v4);
            land(&mut round, Family::V6, &over_v6);
            round
        });
        let observation = Observation { version: EVIDENCE_VERSION, site, rounds: rounds.to_vec() };
        let assessment = assess(&observation, &vantage, &Criteria::default());
        let found = format!("{} {}", assessment.readiness.name(), assessment.reason);
        assert_eq!(found.trim_end(), expected, "{over_v4} over IPv4, {over_v6} over IPv6");
    }
}
