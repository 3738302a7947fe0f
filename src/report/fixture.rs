//! A small invented run for the tests: every verdict, every roster state, two levels of regions, a shared site, a second
//! system of a school, a name with U-labels. Schools, names and addresses are made up (RFC 2606, RFC 3849, RFC 5737).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::judge::causes::causes;
use crate::judge::compare::Past;
use crate::judge::rules::{self, RuleSet};
use crate::judge::summarise::summarise;
use crate::model::address::{Family, Scope};
use crate::model::cause::Causes;
use crate::model::deep::FaultyLinks;
use crate::model::evidence::{
    AddressFact, AddressRecord, Certificate, Connect, DnsTransport, EVIDENCE_VERSION, Exchange, Handshake, Hop, Lookup,
    LookupOutcome, Observation, Page, Pointer, Purpose, RecordType, Round, ServerRole, Sketch, StepKind, Via, Walk,
    WalkEnd,
};
use crate::model::failure::Failure;
use crate::model::finding::{Code, Finding};
use crate::model::outage::{Line, Outage, Trigger};
use crate::model::owner::Aliases;
use crate::model::run::{CheckOutcome, DnsProof, Gate, GateCheck, Proof, ResolverState, Run, RunEnd, RunId, Vantage};
use crate::model::school::{
    Category, Region, RegionCode, RegionLevel, RejectedRow, Role, Roster, RosterState, Row, RowProblem, School,
    SourceFile, SourceLine, Tile,
};
use crate::model::site::{Scheme, Site, SiteKey};
use crate::model::summary::{Policy, Summary, Task};
use crate::model::time::Timestamp;
use crate::model::verdict::{Assessment, Facts, Readiness, Stack};

use super::text::Lang;
use super::trail::trail;
use super::{Format, ReportInput, Template, Trails};

/// 2026-11-23T19:10:00Z.
const START: Timestamp = Timestamp(1_795_461_000_000);

/// Everything a [`ReportInput`] borrows.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) run: Run,
    pub(crate) roster: Roster,
    pub(crate) policy: Policy,
    pub(crate) assessments: BTreeMap<SiteKey, Assessment>,
    pub(crate) summary: Summary,
    pub(crate) causes: Causes,
    pub(crate) rules: Vec<RuleSet>,
    pub(crate) trails: Trails,
    pub(crate) faulty_links: FaultyLinks,
    pub(crate) first_seen: BTreeMap<SiteKey, Timestamp>,
    pub(crate) past: Past,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) formats: BTreeSet<Format>,
}

impl Fixture {
    pub(crate) fn input(&self, lang: Lang) -> ReportInput<'_> {
        ReportInput {
            run: &self.run,
            roster: &self.roster,
            policy: &self.policy,
            assessments: &self.assessments,
            summary: &self.summary,
            causes: &self.causes,
            rules: &self.rules,
            trails: &self.trails,
            faulty_links: &self.faulty_links,
            say: str::to_owned,
            first_seen: &self.first_seen,
            past: &self.past,
            evidence: None,
            lang,
            zone: &self.zone,
            formats: &self.formats,
            template: Template::shipped(lang),
        }
    }

    /// Counts anew after something was changed.
    pub(crate) fn recount(&mut self) {
        self.summary = summarise(&self.roster, &self.policy, &self.assessments);
        self.causes = causes(&self.roster, &self.policy, &self.assessments, &Aliases::default());
        self.past = past(&self.roster, &self.policy, &self.assessments, true);
    }

    /// Forgets all earlier runs.
    pub(crate) fn as_first_run(&mut self) {
        self.first_seen.clear();
        self.past = past(&self.roster, &self.policy, &self.assessments, false);
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn region(code: &str, name: &str, english: &str, level: RegionLevel, parent: Option<&str>) -> Region {
    Region {
        code: RegionCode(code.into()),
        name: name.into(),
        name_en: Some(english.into()),
        level,
        parent: parent.map(|code| RegionCode(code.into())),
    }
}

/// A school and its portal: name, region, county, category, unit, host or roster state.
type Spec<'a> = (&'a str, &'a str, Option<&'a str>, Category, &'a str, Result<&'a str, RosterState>);

const SCHOOLS: &[Spec] = &[
    ("甲州市第一中学", "990100", Some("990102"), Category::K12, "甲州市教育局", Ok("www.yz1.school.example")),
    ("甲州市第二中学", "990100", Some("990102"), Category::K12, "甲州市教育局", Ok("www.broken.school.example")),
    ("甲州市实验小学", "990100", Some("990103"), Category::K12, "甲州市教育局", Ok("sy.school.example")),
    ("甲州市第三中学", "990100", Some("990103"), Category::K12, "甲州市教育局", Ok("www.defect.school.example")),
    ("甲州职业中等专业学校", "990100", None, Category::SecondaryVocational, "甲州市教育局", Ok("zz.school.example")),
    ("甲州市特殊教育学校", "990100", Some("990102"), Category::K12, "甲州市教育局", Err(RosterState::NoSite)),
    ("乙阳市外国语学校", "990200", None, Category::K12, "乙阳市教育局", Ok("wgy.school.example")),
    ("乙阳市第五中学", "990200", None, Category::K12, "乙阳市教育局", Ok("www.down.school.example")),
    ("乙阳市红星小学", "990200", None, Category::K12, "乙阳市教育局", Ok("gone.school.example")),
    ("乙阳市理工中等专业学校", "990200", None, Category::SecondaryVocational, "乙阳市教育局", Ok("lg.school.example")),
    ("乙阳市东关小学", "990200", None, Category::K12, "乙阳市教育局", Err(RosterState::Closed)),
    ("丙丘县中心小学", "990281", None, Category::K12, "丙丘县教育局", Ok("zx.bq.school.example")),
    ("丙丘县第一高级中学", "990281", None, Category::K12, "丙丘县教育局", Ok("bq1.school.example")),
    ("丙丘县希望小学", "990281", None, Category::K12, "丙丘县教育局", Err(RosterState::OptedOut)),
    ("丁川市第一小学", "990300", None, Category::K12, "丁川市教育局", Ok("dc1.school.example")),
    ("丁川市职业技术学院", "990300", None, Category::HigherEducation, "丁川市教育局", Ok("weather.school.example")),
    ("丁川市第二小学", "990300", None, Category::K12, "丁川市教育局", Err(RosterState::Invalid)),
    ("示例大学", "990000", None, Category::HigherEducation, "示例大学", Ok("www.shili.example")),
    ("示例师范学院", "990000", None, Category::HigherEducation, "示例师范学院", Ok("xn--fiqs8s.example")),
    ("示例开放大学", "990000", None, Category::AdultHigherEducation, "", Ok("open.example")),
    ("省实验中学", "990000", None, Category::K12, "示例省教育厅", Ok("late.school.example")),
];

fn roster() -> Roster {
    let mut roster = Roster {
        regions: vec![
            region("990000", "示例省", "Shili", RegionLevel::Province, None),
            region("990100", "甲州市", "Jiazhou", RegionLevel::City, Some("990000")),
            region("990200", "乙阳市", "Yiyang-invented", RegionLevel::City, Some("990000")),
            region("990300", "丁川市", "Dingchuan", RegionLevel::City, Some("990000")),
            region("990281", "丙丘县", "Bingqiu", RegionLevel::County, Some("990200")),
            region("990102", "城关区", "Chengguan", RegionLevel::County, Some("990100")),
            region("990103", "河东区", "Hedong", RegionLevel::County, Some("990100")),
        ],
        simulated: true,
        tiles: [("990100", 1, 2), ("990200", 2, 1), ("990300", 2, 3)]
            .map(|(code, row, column)| Tile { code: RegionCode(code.into()), row, column })
            .to_vec(),
        ..Roster::default()
    };
    for (index, (name, area, county, category, unit, portal)) in SCHOOLS.iter().enumerate() {
        roster.schools.push(School {
            name: (*name).into(),
            code: Some(format!("21990{index:05}")),
            region: RegionCode((*area).into()),
            county: county.map(|code| RegionCode(code.into())),
            category: *category,
            subtype: (*category == Category::HigherEducation).then(|| "普通本科".into()),
            responsible_unit: (!unit.is_empty()).then(|| (*unit).into()),
        });
        let line = index as u64 + 2;
        match portal {
            Ok(host) => add_row(&mut roster, index, host, Role::Portal, line),
            Err(state) => roster.rows.push(Row {
                school: index,
                source: SourceLine { file: "targets/示例.csv".into(), line },
                state: *state,
                role: Role::Portal,
                site: None,
                changes: Vec::new(),
                problem: (*state == RosterState::Invalid)
                    .then(|| RowProblem {
                        column: Some("域名".into()),
                        reason: "这是内网地址，不是公网网站".into(),
                        remedy: "填写学校对外的域名".into(),
                        text: "http://10.0.0.8/".into(),
                    })
                    .map(Box::new),
            }),
        }
    }
    // A second system of a school, and a second school on a shared site.
    add_row(&mut roster, 0, "lib.school.example", Role::Service, 24);
    add_row(&mut roster, 2, "www.yz1.school.example", Role::Service, 25);
    roster.rejected.push(RejectedRow {
        source: SourceLine { file: "/srv/lists/示例.csv".into(), line: 26 },
        problem: RowProblem {
            column: None,
            reason: "缺少学校名称".into(),
            remedy: "补上学校名称后重新导入".into(),
            text: ",,,".into(),
        },
    });
    roster.sources.push(SourceFile {
        path: "/srv/lists/示例.csv".into(),
        sha256: "5d41402abc4b2a76b9719d911017c592ae2b1f9d6a1c2e7b3f4d5e6a7b8c9d0e".into(),
        encoding: "GB18030".into(),
        rows: 24,
    });
    roster
}

fn add_row(roster: &mut Roster, school: usize, host: &str, role: Role, line: u64) {
    let unicode = host.starts_with("xn--").then(|| "中国.example".to_owned());
    let site = Site::new(host, unicode, None, None);
    roster.rows.push(Row {
        school,
        source: SourceLine { file: "/srv/lists/示例.csv".into(), line },
        state: RosterState::Listed,
        role,
        site: Some(site.key.clone()),
        changes: Vec::new(),
        problem: None,
    });
    roster.sites.insert(site.key.clone(), site);
}

pub(crate) fn finding(code: Code, args: &[(&str, &str)]) -> Finding {
    Finding {
        code,
        args: args.iter().copied().collect(),
        evidence: vec![Pointer { round: 1, step: StepKind::Connect, index: 0 }],
    }
}

/// Host, verdict, reason, findings.
type Verdict<'a> = (&'a str, Readiness, &'a str, &'a [(Code, &'a [(&'a str, &'a str)])]);

const VERDICTS: &[Verdict] = &[
    ("www.yz1.school.example", Readiness::Ready, "", &[]),
    (
        "www.broken.school.example",
        Readiness::Broken,
        "timeout",
        &[(Code::V6Timeout, &[("address", "2001:db8::10"), ("port", "443"), ("count", "6")])],
    ),
    ("sy.school.example", Readiness::Absent, "", &[(Code::AaaaAbsent, &[])]),
    (
        "www.defect.school.example",
        Readiness::ReadyDefect,
        "",
        &[
            (Code::PortDiff, &[("port", "80"), ("failure", "refused")]),
            (Code::CertV6, &[("fault", "name"), ("names", "default.invalid"), ("address", "2001:db8::10")]),
            (Code::ContentUnverified, &[]),
        ],
    ),
    ("zz.school.example", Readiness::Ready, "", &[]),
    ("wgy.school.example", Readiness::Absent, "", &[(Code::AaaaAbsent, &[])]),
    ("www.down.school.example", Readiness::Down, "timeout", &[(Code::BothFail, &[("failure", "timeout")])]),
    ("gone.school.example", Readiness::NoName, "nxdomain", &[(Code::NameNxdomain, &[])]),
    ("lg.school.example", Readiness::Ready, "", &[]),
    ("zx.bq.school.example", Readiness::Ready, "", &[]),
    (
        "bq1.school.example",
        Readiness::Broken,
        "wrong_vhost",
        &[(Code::WrongVhost, &[("mark", "default:nginx"), ("address", "2001:db8::10")])],
    ),
    ("dc1.school.example", Readiness::Absent, "", &[(Code::AaaaAbsent, &[])]),
    ("weather.school.example", Readiness::Inconclusive, "vantage", &[(Code::VantageUnproven, &[])]),
    ("www.shili.example", Readiness::Ready, "", &[]),
    ("xn--fiqs8s.example", Readiness::Ready, "", &[]),
    (
        "open.example",
        Readiness::Broken,
        "redirect_v4only",
        &[(Code::RedirectV4only, &[("target", "portal.open.example")])],
    ),
    ("lib.school.example", Readiness::Absent, "", &[(Code::AaaaAbsent, &[])]),
];

fn assessment(verdict: &Verdict) -> Assessment {
    let (host, readiness, reason, findings) = *verdict;
    let serves6 = matches!(readiness, Readiness::Ready | Readiness::ReadyDefect);
    let named6 = serves6 || readiness == Readiness::Broken || readiness == Readiness::Inconclusive;
    let serves4 = serves6 || matches!(readiness, Readiness::Broken | Readiness::Absent | Readiness::Inconclusive);
    Assessment {
        site: SiteKey(host.into()),
        readiness,
        reason: reason.into(),
        stack: match (serves6, serves4) {
            (true, _) => Stack::DualStack,
            (false, true) => Stack::Ipv4Only,
            (false, false) => Stack::None,
        },
        reach6: named6.then_some(serves6),
        rule: 4,
        findings: findings.iter().map(|(code, args)| finding(*code, args)).collect(),
        evidence: vec![Pointer { round: 1, step: StepKind::Walk, index: 0 }],
        facts: Facts {
            a: if readiness == Readiness::NoName { Vec::new() } else { vec![ip("192.0.2.10")] },
            aaaa: if named6 { vec![ip("2001:db8::10")] } else { Vec::new() },
            v4_status: if serves4 { "200".into() } else { "timeout".into() },
            v6_status: match (serves6, named6) {
                (true, _) => "200".into(),
                (false, true) => "timeout".into(),
                (false, false) => "none".into(),
            },
            latency_v4_ms: serves4.then_some(31.25),
            latency_v6_ms: serves6.then_some(28.0),
            title: serves4.then(|| "欢迎访问本校网站".into()),
            ns6: named6.then_some((2, 2)),
            resolves6: named6.then_some(true),
            v6_tries: named6.then_some(if serves6 { (2, 2) } else { (0, 6) }),
            ..Facts::default()
        },
    }
}

fn task(id: &str, title: &str, wording: &str, target: f64, categories: &[Category]) -> Task {
    Task {
        id: id.into(),
        title: title.into(),
        title_en: Some(format!("Invented task {id}")),
        wording: wording.into(),
        target,
        target_official: target >= 1.0,
        categories: categories.to_vec(),
        responsible: vec!["各地教育局".into(), "厅直属实验学校".into()],
        deadline: Some("2026-12-31".into()),
    }
}

/// The run as the tests use it.
pub(crate) fn fixture() -> Fixture {
    let roster = roster();
    let policy = Policy {
        title: "示例省教育系统 IPv6 升级方案".into(),
        number: "示教科〔2026〕1号".into(),
        area: "示例省".into(),
        tasks: vec![
            task("2", "中小学门户网站 IPv6 升级", "基本完成", 0.9, &[Category::K12]),
            task(
                "8",
                "职业教育和高等教育门户网站 IPv6 升级",
                "全面完成",
                1.0,
                &[Category::SecondaryVocational, Category::HigherEducation, Category::AdultHigherEducation],
            ),
        ],
        minimum_coverage: 0.98,
    };
    let assessments: BTreeMap<SiteKey, Assessment> =
        VERDICTS.iter().map(|verdict| (SiteKey(verdict.0.into()), assessment(verdict))).collect();
    let mut trails: BTreeMap<SiteKey, Vec<String>> = assessments
        .keys()
        .map(|key| (key.clone(), vec!["第1轮 2026-11-23 19:10:00 UTC".into(), format!("  DNS AAAA {key} → …")]))
        .collect();
    trails.insert(SiteKey("www.broken.school.example".into()), trail(&timeout_observation("甲州市第二中学"), Lang::Zh));
    let summary = summarise(&roster, &policy, &assessments);
    let causes = causes(&roster, &policy, &assessments, &Aliases::default());
    let rules = rules::shipped().map(|id| rules::by_id(id).unwrap().unwrap()).collect();
    Fixture {
        rules,
        run: run(),
        past: past(&roster, &policy, &assessments, true),
        roster,
        policy,
        assessments,
        summary,
        causes,
        trails: trails.into_iter().collect(),
        faulty_links: FaultyLinks::default(),
        first_seen: EARLIER.iter().map(|(host, ..)| (SiteKey((*host).into()), days_ago(30))).collect(),
        zone: zone(),
        formats: Format::ALL.into(),
    }
}

fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get("Asia/Shanghai").unwrap()
}

/// Sites of earlier runs, with their verdicts of thirty and of fifteen days ago.
const EARLIER: [(&str, Readiness, Readiness); 6] = [
    ("www.yz1.school.example", Readiness::Ready, Readiness::Ready),
    ("www.broken.school.example", Readiness::Ready, Readiness::Ready),
    ("zz.school.example", Readiness::Absent, Readiness::Absent),
    ("www.down.school.example", Readiness::ReadyDefect, Readiness::Down),
    ("sy.school.example", Readiness::Absent, Readiness::Absent),
    ("weather.school.example", Readiness::Ready, Readiness::Ready),
];

fn days_ago(days: i64) -> Timestamp {
    Timestamp(START.0 - days * 86_400_000)
}

/// The run, and two earlier ones over the same lists if there are any.
fn past(roster: &Roster, policy: &Policy, now: &BTreeMap<SiteKey, Assessment>, earlier: bool) -> Past {
    let mut past = Past::default();
    let of = |site: &SiteKey| EARLIER.iter().find(|(host, ..)| *host == site.as_str());
    if earlier {
        let id = |text: &str| RunId(text.into());
        past.add(id("20261024T191000Z"), days_ago(30), roster, policy, &|site| Some(of(site)?.1));
        past.add(id("20261108T191000Z"), days_ago(15), roster, policy, &|site| Some(of(site)?.2));
    }
    past.add(run().id, START, roster, policy, &|site| now.get(site).map(|now| now.readiness));
    past
}

fn run() -> Run {
    let check = |name: &str, outcome, detail: &str, advice: &str| GateCheck {
        name: name.into(),
        outcome,
        detail: detail.into(),
        advice: advice.into(),
    };
    Run {
        id: RunId("demo".into()),
        vantage: Vantage {
            name: "省教育网监测点".into(),
            isp: Some("教育网".into()),
            resolvers: vec!["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()],
            proofs: vec![
                Proof { at: START, family: Family::V6, good: true, page_bytes: 0 },
                Proof { at: START.plus_ms(20_000), family: Family::V6, good: false, page_bytes: 0 },
                Proof { at: START.plus_ms(40_000), family: Family::V6, good: true, page_bytes: 0 },
            ],
            dns_proofs: [ResolverState::Sane, ResolverState::Silent, ResolverState::Sane]
                .into_iter()
                .zip([0, 20_000, 40_000])
                .map(|(state, at)| DnsProof { at: START.plus_ms(at), server: "192.0.2.53:53".parse().unwrap(), state })
                .collect(),
            clock: None,
        },
        started: START,
        ended: Some(START.plus_ms(95_000)),
        end: RunEnd::Complete,
        config_sha256: "c0ffee00aa11bb22cc33dd44ee55ff660718293a4b5c6d7e8f90a1b2c3d4e5f6".into(),
        method_version: "2026.1".into(),
        program_version: "0.1.0".into(),
        gate: Gate {
            checks: vec![
                check("anchors-ipv6", CheckOutcome::Pass, "5 / 5", ""),
                check("dns64", CheckOutcome::Pass, "ipv4only.arpa AAAA: nodata", ""),
                check("clock", CheckOutcome::Warn, "+0.8 s", "启用 NTP 校时"),
            ],
        },
        outages: vec![Outage {
            line: Line::Ipv6,
            why: Trigger::Canaries,
            since: START.plus_ms(20_000),
            opened: Some(START.plus_ms(25_000)),
            until: Some(START.plus_ms(40_000)),
            quarantined: 3,
            redone: 2,
        }],
        without_ipv6: false,
        lab: false,
        simulated: true,
        cost: None,
    }
}

/// One round at a site whose IPv6 does not answer. `title` stands in its page.
pub(crate) fn timeout_observation(title: &str) -> Observation {
    let host = "www.broken.school.example";
    let (v4, v6) = (ip("192.0.2.10"), ip("2001:db8::10"));
    let mut round = Round::new(1, START);
    round.lookups.push(Lookup {
        name: host.into(),
        rtype: RecordType::Aaaa,
        server: "192.0.2.53:53".parse().unwrap(),
        role: ServerRole::Resolver,
        transport: DnsTransport::Udp,
        retried_over_tcp: false,
        checking_disabled: false,
        outcome: LookupOutcome::Answer,
        broken: None,
        authoritative: Some(false),
        authenticated: Some(false),
        soa_owner: None,
        chain: Vec::new(),
        addresses: vec![AddressRecord { address: v6, ttl: 600 }],
        names: Vec::new(),
        hints: Vec::new(),
        rival: None,
        started: START,
        duration_us: 12_000,
        attempt: 1,
    });
    round.addresses = [(v6, Scope::Public), (ip("fd00::1"), Scope::UniqueLocal), (v4, Scope::Public)]
        .map(|(address, scope)| AddressFact { address, scope, dialled: scope.is_public() })
        .to_vec();
    let connect = |address, failure, duration_us, attempt| Connect {
        address,
        port: 443,
        failure,
        started: START,
        duration_us,
        attempt,
    };
    round.connects.extend((1..=3).map(|attempt| connect(v6, Some(Failure::Timeout), 5_000_000, attempt)));
    round.connects.push(connect(v4, None, 31_000, 1));
    round.handshakes.push(Handshake {
        address: v4,
        port: 443,
        server_name: host.into(),
        failure: None,
        protocol: Some("TLS1.3".into()),
        certificate: Some(Certificate {
            sha256: "ab".repeat(32),
            subject: Some(host.into()),
            issuer: Some("Example CA".into()),
            names: vec![host.into()],
            not_before: Timestamp(1_767_225_600_000),
            not_after: Timestamp(1_798_761_600_000),
            chain_length: 2,
            faults: Vec::new(),
        }),
        started: START,
        duration_us: 40_000,
        attempt: 1,
    });
    let walk = |family, address, exchange, end| Walk {
        family,
        scheme: Scheme::Https,
        purpose: Purpose::Entry,
        hops: vec![Hop {
            url: format!("https://{host}/"),
            via: Via::Start,
            address: Some(address),
            port: 443,
            handshake: None,
            exchange,
        }],
        end,
    };
    let page = Exchange {
        status: 200,
        location: None,
        server: Some("nginx".into()),
        content_type: Some("text/html".into()),
        retry_after_s: None,
        date: None,
        cookies: Vec::new(),
        started: START,
        ttfb_us: 48_000,
        total_us: 120_000,
        wire_bytes: 9_000,
        decoded_bytes: 31_900,
        body_failure: None,
        digest: "00".repeat(32),
        page: Some(Page { title: Some(title.into()), links: Sketch::default(), ..Page::default() }),
    };
    round.walks.push(walk(Family::V6, v6, None, WalkEnd::Failed(Failure::Timeout)));
    round.walks.push(walk(Family::V4, v4, Some(page), WalkEnd::Landed));
    round.ended = START.plus_ms(15_000);
    Observation { version: EVIDENCE_VERSION, site: Site::new(host, None, None, None), rounds: vec![round] }
}
