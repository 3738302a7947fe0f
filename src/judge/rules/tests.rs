//! Rule files are read strictly, and known rates give the expected points.

use super::*;
use crate::model::args::Args;
use crate::model::deep::{Latencies, LinkRates, Rate};
use crate::model::finding::{Code, Finding};
use crate::model::site::SiteKey;
use crate::model::verdict::{Assessment, Facts, Readiness, Stack};
use crate::model::word::Word;

fn assessment(readiness: Readiness, facts: Facts) -> Assessment {
    Assessment {
        site: SiteKey("www.s.example".into()),
        readiness,
        reason: Word::default(),
        stack: Stack::Unknown,
        reach6: None,
        rule: 4,
        findings: Vec::new(),
        evidence: Vec::new(),
        facts,
    }
}

fn rate((supported, judged): (u32, u32)) -> Rate {
    Rate { supported, judged, found: judged, capped: false }
}

fn shipped_set(id: &str) -> RuleSet {
    by_id(id).expect("shipped").expect("well-formed")
}

#[test]
fn every_shipped_set_is_well_formed_and_named_like_its_file() {
    let ids: Vec<&str> = shipped().collect();
    assert_eq!(ids, ["readiness", "portal", "national-2024", "national-2020", "municipal-20-40-40", "internet-nl"]);
    for id in ids {
        assert_eq!(shipped_set(id).id, id);
    }
    assert_eq!(shipped_set("national-2024").indicators.len(), 7);
    assert_eq!(shipped_set("national-2020").indicators.len(), 8);
    assert!(by_id("nothing").is_none());
}

#[test]
fn twenty_forty_forty() {
    let rules = shipped_set("municipal-20-40-40");
    // Successes of ten, links of level 2 and 3; points given and judged.
    let cases = [
        ((10, 10), (50, 50), (200, 200), 100.0, 100.0),
        ((8, 10), (25, 50), (100, 200), 60.0, 100.0),
        ((7, 10), (50, 50), (200, 200), 80.0, 100.0),
        ((10, 10), (9, 10), (1, 3), 69.33, 100.0),
        ((10, 10), (0, 10), (0, 3), 20.0, 100.0),
        // Nothing found is not nothing of everything.
        ((10, 10), (0, 0), (0, 0), 20.0, 20.0),
        ((10, 10), (3, 4), (0, 0), 50.0, 60.0),
        // Three looks are not ten.
        ((3, 3), (4, 4), (4, 4), 80.0, 80.0),
    ];
    for (success6, level2, level3, points, judged) in cases {
        let facts = Facts {
            links: Some(Box::new(LinkRates { level2: rate(level2), level3: rate(level3), ..LinkRates::default() })),
            latencies: Some(Box::new(Latencies { success6, ..Latencies::default() })),
            ..Facts::default()
        };
        let score = score(&rules, &assessment(Readiness::Ready, facts));
        assert_eq!((score.points, score.judged, score.maximum), (points, judged, 100.0), "{success6:?} {level2:?}");
    }
    // A failing site has its zeros, unless its links were measured. The set says nothing of passing.
    let bare = score(&rules, &assessment(Readiness::Absent, Facts::default()));
    assert_eq!((bare.points, bare.judged, bare.passes_at, bare.passes), (0.0, 100.0, None, None));
    let measured = LinkRates { level2: rate((3, 4)), ..LinkRates::default() };
    let failing =
        score(&rules, &assessment(Readiness::Broken, Facts { links: Some(Box::new(measured)), ..Facts::default() }));
    assert_eq!((failing.points, failing.judged), (30.0, 100.0));
    let ready = score(&rules, &assessment(Readiness::Ready, Facts { v6_tries: Some((2, 2)), ..Facts::default() }));
    assert_eq!((ready.judged, ready.passes), (0.0, None));
}

#[test]
fn a_failing_site_has_its_zeros() {
    // Points and points judged of a site that fails, one that passes, and one that was not judged, without the deep profile.
    let cases = [
        ("readiness", (0.0, 100.0), (100.0, 100.0), (0.0, 0.0)),
        ("portal", (0.0, 100.0), (100.0, 100.0), (0.0, 0.0)),
        ("national-2024", (0.0, 6.0), (3.0, 3.0), (0.0, 0.0)),
        ("national-2020", (0.0, 7.0), (2.0, 2.0), (0.0, 0.0)),
        ("municipal-20-40-40", (0.0, 100.0), (0.0, 0.0), (0.0, 0.0)),
        ("internet-nl", (0.0, 22.0), (22.0, 22.0), (0.0, 0.0)),
    ];
    for (id, fails, passes, unknown) in cases {
        let of = |readiness, rule| {
            let assessment = Assessment { rule, ..assessment(readiness, Facts::default()) };
            let score = score(&shipped_set(id), &assessment);
            (score.points, score.judged)
        };
        assert_eq!(of(Readiness::Absent, 3), fails, "{id}");
        assert_eq!(of(Readiness::Ready, 4), passes, "{id}");
        assert_eq!(of(Readiness::Inconclusive, 2), unknown, "{id}");
    }
}

#[test]
fn what_an_indicator_says() {
    let of = |measure: Measure, readiness, facts: Facts, codes: &[Code]| {
        let mut assessment = assessment(readiness, facts);
        assessment.findings =
            codes.iter().map(|code| Finding { code: *code, args: Args::default(), evidence: Vec::new() }).collect();
        measure.of(&assessment).map(|value| value.value)
    };
    let bare = Facts::default;
    let ns = |works, all| Facts { ns6: Some((works, all)), ..Facts::default() };
    let (ready, absent, broken) = (Readiness::Ready, Readiness::Absent, Readiness::Broken);
    let cases = [
        (of(Measure::Aaaa, broken, bare(), &[]), Some(1.0)),
        (of(Measure::Aaaa, absent, bare(), &[]), Some(0.0)),
        (of(Measure::Aaaa, Readiness::NoName, bare(), &[]), None),
        (of(Measure::HomeReachable, Readiness::Down, bare(), &[]), None),
        (of(Measure::HomeReachable, Readiness::Inconclusive, bare(), &[]), None),
        (of(Measure::HomeReachable, broken, bare(), &[]), Some(0.0)),
        (of(Measure::Consistency, ready, bare(), &[]), Some(1.0)),
        (of(Measure::Consistency, ready, bare(), &[Code::ContentUnverified]), None),
        (of(Measure::Consistency, Readiness::ReadyDefect, bare(), &[Code::ContentDiff]), Some(0.0)),
        (of(Measure::NsAaaa, ready, ns(0, 2), &[Code::NsV4only]), Some(0.0)),
        (of(Measure::NsAaaa, ready, ns(1, 2), &[Code::Ns6Single]), Some(1.0)),
        (of(Measure::NsAaaa, ready, ns(2, 3), &[]), Some(2.0)),
        (of(Measure::NsAaaa, ready, bare(), &[]), None),
        (of(Measure::NsReachable, ready, ns(1, 2), &[]), Some(1.0)),
        (of(Measure::Delegation, ready, bare(), &[]), None),
        (of(Measure::LatencyDns, ready, bare(), &[]), None),
        (of(Measure::DownloadSpeed, ready, bare(), &[]), None),
        (of(Measure::Links2, ready, bare(), &[]), None),
    ];
    for (index, (got, expected)) in cases.into_iter().enumerate() {
        assert_eq!(got, expected, "case {index}");
    }
}

#[test]
fn a_bad_file_is_told_where_what_and_how() {
    let good = include_str!("portal.toml");
    let cases = [
        ("weight = 100", "weigth = 100", "unknown field"),
        ("measure = \"home_reachable\"", "measure = \"magic\"", "\"magic\" is not measured; use one of ready, aaaa"),
        ("weight = 100", "weight = 0", "0 is no weight"),
        ("at_least = 1", "", "it is not said how"),
        ("at_least = 1", "at_least = 1\nat_most = 2", "it is not said how"),
        ("at_least = 1", "share = true", "is no share"),
        ("at_least = 1", "steps = [[1, 5], [2, 100]]", "not in order"),
        ("official = false", "official = false\npasses_at = 101", "nobody can pass with 101 of 100 points"),
        ("official = false", "official = false\npasses_at = \"all\"", "\"all\" is no number of points"),
        ("weight = 100", "weight = 100\nfailing = \"half\"", "is not known of failing sites"),
        ("date = \"2026-11-25\"", "date = \"yesterday\"", "is no day"),
        ("id = \"portal\"", "id = \"Portal!\"", "is no name"),
        ("[[indicator]]", "[indicator", ""),
    ];
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from}");
        let text = good.replace(from, to);
        let error = parse("mine.toml", &text).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(expected) && !error.remedy.is_empty(), "{shown}");
        assert!(shown.starts_with("mine.toml:") && error.line >= 1, "{shown}");
    }
    let typo = parse("mine.toml", &good.replace("weight = 100", "weigth = 100")).unwrap_err();
    let line = good.lines().position(|line| line == "weight = 100").unwrap() + 1;
    assert_eq!(typo.line, line);
    let twice = format!(
        "{good}\n[[indicator]]\nmeasure = \"home_reachable\"\nname = \"\"\nname_en = \"\"\nweight = 1\nat_least = 1\n"
    );
    assert!(parse("mine.toml", &twice).unwrap_err().problem.contains("twice"));
}

#[test]
fn the_manual_lists_every_indicator() {
    let manual = include_str!("../../../docs/method/rules.md");
    let rows: Vec<&str> = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let words = Measure::ALL.map(Measure::word);
    assert!(words.iter().all(|word| rows.contains(word)), "{rows:?}");
    assert!(shipped().all(|id| rows.contains(&id)), "{rows:?}");
}
