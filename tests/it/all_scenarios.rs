//! The truth table: every file of `tests/scenarios` alone, and all of them in one world, one site at a time and all at
//! once. The verdict, its reason, the stack, the exact set of findings and what the servers saw must be as the file says.
//!
//! The name sorts first, and so the harness begins with the longest test of all (`all_scenarios_one_after_another`, three
//! minutes of waiting) while the others run beside it.

#![expect(clippy::print_stdout, reason = "a zero is worth as much as its n")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use v6ready::engine::plan;
use v6ready::judge::assess;
use v6ready::lab::Lab;
use v6ready::lab::log::Event;
use v6ready::lab::scenario::Scenario;
use v6ready::lab::world::{MAIL_CANARY, World};
use v6ready::model::address::Family;
use v6ready::model::evidence::Observation;
use v6ready::model::finding::Code;
use v6ready::model::run::Vantage;
use v6ready::model::site::Site;
use v6ready::model::verdict::{Assessment, Facts};
use v6ready::probe::mail::{MailRules, Mails};
use v6ready::probe::{Profile, Transports};

use crate::bench_net::{Evidence, Patience, Setting, criteria, prober, scan, scan_under, site};

/// Labs that run at the same time: enough to overlap their waiting, few enough for two processors.
const AT_ONCE: usize = 12;

/// Every file.
pub(crate) fn all() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut scenarios = Scenario::load_all(&folder).unwrap_or_else(|error| panic!("{error}"));
    // To look at some rows only: V6READY_SCENARIOS=D01,T04a
    if let Ok(only) = std::env::var("V6READY_SCENARIOS") {
        scenarios.retain(|scenario| only.split(',').any(|id| id == scenario.id));
    }
    scenarios
}

pub(crate) fn listed(scenario: &Scenario) -> Site {
    site(&scenario.list[0])
}

pub(crate) fn judge(scenario: &Scenario, evidence: &Evidence) -> Result<(Assessment, Observation), String> {
    let key = listed(scenario).key.to_string();
    let Some(observation) = evidence.observations.get(&key) else { return Err(format!("no evidence for {key}")) };
    let mut vantage: Vantage = evidence.vantage.clone();
    if !scenario.options.vantage_ipv6 {
        vantage.proofs.retain(|proof| proof.family == Family::V4);
    }
    Ok((assess(observation, &vantage, &criteria(scenario.options.timed)), observation.clone()))
}

/// What differs from the expectation. Empty: nothing.
fn differences(scenario: &Scenario, assessment: &Assessment) -> Vec<String> {
    let expect = &scenario.expect;
    let mut found = Vec::new();
    let mut differ = |what: &str, expected: String, actual: String| {
        if expected != actual {
            found.push(format!("{what}: {expected} expected, {actual} came out"));
        }
    };
    let reason = &assessment.reason;
    differ("readiness", expect.readiness.name().to_owned(), assessment.readiness.name().to_owned());
    differ("reason", expect.reason.clone().unwrap_or_else(|| reason.to_string()), reason.to_string());
    differ("stack", expect.stack.unwrap_or(assessment.stack).name().to_owned(), assessment.stack.name().to_owned());
    let codes = |codes: &mut dyn Iterator<Item = Code>| {
        codes.map(Code::name).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    let expected = codes(&mut expect.findings.iter().copied());
    differ("findings", expected, codes(&mut assessment.findings.iter().map(|finding| finding.code)));
    for (code, args) in &expect.args {
        let finding = assessment.findings.iter().find(|finding| finding.code == *code);
        for (name, value) in args {
            let actual = finding.and_then(|finding| finding.args.get(name)).unwrap_or_default().to_owned();
            differ(&format!("{} {name}", code.name()), value.clone(), actual);
        }
    }
    let facts = &assessment.facts;
    let ns6 = facts.ns6.map_or_else(|| "?".to_owned(), |(works, all)| format!("{works}/{all}"));
    differ("ns6", expect.ns6.clone().unwrap_or_else(|| ns6.clone()), ns6);
    let mail = facts.mail.as_ref().map_or_else(
        || "not measured".to_owned(),
        |mail| format!("{} {}", mail.state.name(), mail.reason).trim_end().to_owned(),
    );
    differ("mail", expect.mail.clone().unwrap_or_else(|| mail.clone()), mail);
    for (what, expected) in &expect.rates {
        differ(what, expected.clone(), rate(facts, what).unwrap_or_default());
    }
    if expect.resolves6.is_some() {
        differ("resolves6", format!("{:?}", expect.resolves6), format!("{:?}", facts.resolves6));
    }
    found
}

/// A rate as scenario files write it. None: not measured.
fn rate(facts: &Facts, what: &str) -> Option<String> {
    let links = facts.links.as_deref();
    let rate = match what {
        "level2" => links?.level2,
        "level2_external" => links?.level2_external,
        "level3" => links?.level3,
        "level3_external" => links?.level3_external,
        "skylight" => facts.skylight.as_ref()?.hosts,
        _ => return Some("no such rate".to_owned()),
    };
    Some(format!("{}/{} of {}", rate.supported, rate.judged, rate.found))
}

fn report(scenario: &Scenario, lines: &[String], observation: Option<&Observation>, vantage: &Vantage) -> String {
    let mut text = format!("{} ({}):\n", scenario.id, scenario.name);
    for line in lines {
        let _ = writeln!(text, "    {line}");
    }
    let _ = writeln!(text, "    proofs: {}", serde_json::to_string(&vantage.proofs).expect("JSON"));
    for round in observation.into_iter().flat_map(|observation| &observation.rounds) {
        let _ = writeln!(text, "    {}", serde_json::to_string(round).expect("JSON"));
    }
    text
}

/// Checks one row. None: it is as it should be.
fn check(scenario: &Scenario, evidence: &Evidence, lab: &Lab) -> Option<String> {
    let (mut lines, observation) = match judge(scenario, evidence) {
        Err(nothing) => (vec![nothing], None),
        Ok((assessment, observation)) => (differences(scenario, &assessment), Some(observation)),
    };
    lines.extend(scenario.expect.check_saw(&lab.log()));
    (!lines.is_empty()).then(|| report(scenario, &lines, observation.as_ref(), &evidence.vantage))
}

/// Runs one scenario in a world of its own.
pub(crate) async fn run(scenario: &Scenario) -> (Lab, Evidence) {
    let lab = Lab::start(scenario.world().with_anchors()).await.expect("a lab");
    let transports = if scenario.options.without_ipv6 { Transports::WithoutIpv6 } else { Transports::Both };
    let mut setting = Setting::usual(4, transports);
    setting.rules.criteria = criteria(scenario.options.timed);
    let mut prober = prober(&lab, Patience::USUAL);
    prober.profile = if scenario.options.deep { Profile::Deep } else { Profile::Standard };
    prober.mail = mails(&scenario.mail_canaries);
    let (evidence, report) = scan_under(setting, prober, vec![listed(scenario)]).await;
    assert_eq!(report.lost, 0);
    (lab, evidence)
}

/// How mail is looked at. None: it is not.
pub(crate) fn mails(canaries: &[String]) -> Option<Arc<Mails>> {
    let rules = MailRules { canaries: canaries.to_vec(), greeting: Duration::from_secs(2), ..MailRules::default() };
    (!canaries.is_empty()).then(|| Arc::new(Mails::new(rules)))
}

async fn alone(scenario: &Scenario) -> Option<String> {
    let (lab, evidence) = run(scenario).await;
    check(scenario, &evidence, &lab)
}

pub(crate) fn none_failed(failures: &[String], of: usize) {
    assert!(failures.is_empty(), "{} of {of} scenarios failed\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_alone() {
    let scenarios = all();
    let runs = futures_util::stream::iter(&scenarios).map(alone).buffer_unordered(AT_ONCE);
    let failures: Vec<String> = runs.filter_map(std::future::ready).collect().await;
    none_failed(&failures, scenarios.len());
}

/// All rows whose vantage is an ordinary one and that are not about time, in one world.
pub(crate) async fn in_one_world() -> (Vec<Scenario>, Lab) {
    world_of(Profile::Standard).await
}

/// The same for the rows of one profile.
pub(crate) async fn world_of(profile: Profile) -> (Vec<Scenario>, Lab) {
    world_with(|scenario| scenario.mail_canaries.is_empty() && scenario.options.deep == (profile == Profile::Deep))
        .await
}

/// The same for all mail rows whose port 25 is let through: their hosts share one canary, which is given as well.
pub(crate) async fn world_of_mail() -> (Vec<Scenario>, Lab, [String; 1]) {
    let canaries = [MAIL_CANARY.to_owned()];
    let (scenarios, lab) = world_with(|scenario| scenario.mail_canaries == canaries).await;
    (scenarios, lab, canaries)
}

/// The same for those of a kind.
async fn world_with(kind: impl Fn(&Scenario) -> bool) -> (Vec<Scenario>, Lab) {
    let mut scenarios = all();
    scenarios.retain(|scenario| {
        let options = scenario.options;
        let usual = !options.without_ipv6 && options.vantage_ipv6 && !options.timed;
        usual && kind(scenario)
    });
    let mut world = Scenario::merged_world(&scenarios).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(world.merge(World::new().with_anchors()), Vec::<String>::new());
    (scenarios, Lab::start(world).await.expect("a lab"))
}

/// All of them in one run, in an order of their own.
async fn together(jobs: usize, seed: &str, patience: Patience) {
    let (scenarios, lab) = in_one_world().await;
    let sites = plan::order(scenarios.iter().map(listed).collect(), seed);
    let evidence = scan(prober(&lab, patience), sites, jobs, Transports::Both).await;
    let failures: Vec<String> = scenarios.iter().filter_map(|scenario| check(scenario, &evidence, &lab)).collect();
    none_failed(&failures, scenarios.len());
}

/// How often the whole table is run in each way, in an order of its own each time: `V6READY_REPEAT=5`. None: `usual`.
pub(crate) fn repetitions(usual: u64) -> u64 {
    let asked = std::env::var("V6READY_REPEAT").ok();
    asked.map_or(usual, |text| text.parse().expect("V6READY_REPEAT is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_scenarios_at_once() {
    let times = repetitions(2);
    for seed in 0..times {
        together(200, &format!("at once {seed}"), Patience::CROWDED).await;
    }
    println!("all rows at once: n={times} runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_deep_scenarios_in_one_world() {
    for (jobs, patience) in [(1, Patience::USUAL), (200, Patience::CROWDED)] {
        let (scenarios, lab) = world_of(Profile::Deep).await;
        let sites = plan::order(scenarios.iter().map(listed).collect(), "deep");
        let mut prober = prober(&lab, patience);
        prober.profile = Profile::Deep;
        let evidence = scan(prober, sites, jobs, Transports::Both).await;
        let failures: Vec<String> = scenarios.iter().filter_map(|scenario| check(scenario, &evidence, &lab)).collect();
        none_failed(&failures, scenarios.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mail_scenarios_in_one_world() {
    for (jobs, patience) in [(1, Patience::USUAL), (200, Patience::CROWDED)] {
        let (scenarios, lab, canaries) = world_of_mail().await;
        let sites = plan::order(scenarios.iter().map(listed).collect(), "mail");
        let mut prober = prober(&lab, patience);
        prober.mail = mails(&canaries);
        let evidence = scan(prober, sites, jobs, Transports::Both).await;
        let failures: Vec<String> = scenarios.iter().filter_map(|scenario| check(scenario, &evidence, &lab)).collect();
        none_failed(&failures, scenarios.len());
        let asked_for_more = lab.log().count(|event| matches!(event, Event::Command { line, .. } if line != "QUIT"));
        assert_eq!(asked_for_more, 0);
    }
}

/// A vantage without IPv6 says of no mail that it cannot be delivered over it, and goes to no mail server.
#[tokio::test(flavor = "multi_thread")]
async fn without_ipv6_nothing_is_said_of_mail() {
    let (scenarios, lab, canaries) = world_of_mail().await;
    let mut prober = prober(&lab, Patience::USUAL);
    prober.mail = mails(&canaries);
    let evidence = scan(prober, scenarios.iter().map(listed).collect(), 4, Transports::WithoutIpv6).await;
    for scenario in &scenarios {
        let (assessment, _) = judge(scenario, &evidence).expect("evidence");
        assert_eq!(assessment.facts.mail, None, "{}", scenario.id);
    }
    assert_eq!(lab.log().count(|event| event.address().port() == 25), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_scenarios_one_after_another() {
    let times = repetitions(1);
    for seed in 0..times {
        together(1, &format!("one by one {seed}"), Patience::USUAL).await;
    }
    println!("all rows one by one: n={times} runs");
}
