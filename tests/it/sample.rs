//! Makes `reports/sample`: six runs over some rows of the demo's lists, in the demo's world, with a few changes from
//! run to run so that the pages about history have something to show. Everything in it is invented and says so.
//!
//! `V6READY_SAMPLE=reports cargo test --test it make_the_sample -- --ignored` writes it anew.

#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::path::Path;

use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::demo::demo_world;
use v6ready::lab::web::facts::HostFacts;
use v6ready::lab::world::World;
use v6ready::model::METHOD_VERSION;
use v6ready::model::run::{Gate, Run, RunEnd, RunId, Vantage};
use v6ready::model::site::Site;
use v6ready::model::time::Timestamp;
use v6ready::probe::Transports;
use v6ready::store::{OpenMode, Store};
use v6ready::targets::{LoadOptions, Loaded, embedded, load_bytes};

use crate::bench_net::{Patience, prober, scan};

const RUNS: u32 = 6;
const WEEK: i64 = 7 * 86_400_000;

/// The cities that are kept: the beginning of their codes, and their names.
const CITIES: [(&str, &str); 5] =
    [("9901", "云栎市"), ("9902", "霁坞市"), ("9903", "砚汐市"), ("9904", "珞陵市"), ("9905", "棠汀市")];

/// Of each list the rows about these cities and the province's own, and of the schools every fifth.
fn lists() -> Loaded {
    let about = |line: &str| {
        line.contains("990000")
            || CITIES.iter().any(|(code, name)| {
                line.starts_with(code) || line.contains(&format!(",{code}")) || line.contains(&format!(",{name},"))
            })
    };
    let thinned: Vec<(&str, Vec<u8>)> = embedded::SAMPLE
        .iter()
        .map(|(name, bytes)| {
            let text = std::str::from_utf8(bytes).unwrap();
            if Path::new(name).extension().is_none_or(|extension| extension != "csv") {
                return (*name, bytes.to_vec());
            }
            let step = if ["regions.csv", "tiles.csv"].iter().any(|whole| name.ends_with(whole)) { 1 } else { 5 };
            let mut lines = text.split_inclusive('\n');
            let header = lines.next().unwrap().to_owned();
            let rows: String = lines.filter(|line| about(line)).step_by(step).collect();
            (*name, (header + &rows).into_bytes())
        })
        .collect();
    load_bytes(&thinned, &LoadOptions::lab()).unwrap()
}

/// The demo's world as it is in a run: IPv6 comes to one site after another, and goes again at a few.
fn world(sites: &[Site], run: u32) -> World {
    let mut world = demo_world(sites);
    for site in sites {
        let number: u32 = site.host.bytes().map(u32::from).sum();
        let Some(name) = world.dns.get_mut(&*site.host) else { continue };
        if number % 7 > run + 1 {
            name.aaaa.clear();
        }
        let refuses = match number % 9 {
            3 => run == RUNS - 1,
            1 => run >= RUNS - 2,
            8 => run % 2 == 1,
            _ => false,
        };
        let addresses = name.aaaa.clone();
        for address in addresses.into_iter().filter(|_| refuses) {
            world.hosts.insert(address.into(), HostFacts::default());
        }
    }
    world
}

async fn measure(store: &Store, list: &Loaded, sites: &[Site], run: u32) {
    let lab = Lab::start(world(sites, run)).await.unwrap();
    let evidence = scan(prober(&lab, Patience::USUAL), sites.to_vec(), 24, Transports::Both).await;
    let began = evidence.observations.values().flat_map(|of| &of.rounds).map(|round| round.started.0).min().unwrap();
    let back = i64::from(RUNS - 1 - run) * WEEK;
    let run = Run {
        id: RunId(if back == 0 { "sample".to_owned() } else { format!("sample-{run}") }),
        vantage: Vantage { name: "模拟测量点".into(), ..evidence.vantage.clone() },
        started: Timestamp(began - back),
        ended: Some(Timestamp(began - back + 60_000)),
        end: RunEnd::Complete,
        config_sha256: String::new(),
        method_version: METHOD_VERSION.into(),
        program_version: env!("CARGO_PKG_VERSION").into(),
        gate: Gate::default(),
        outages: Vec::new(),
        without_ipv6: false,
        lab: false,
        simulated: true,
        cost: None,
    };
    store.begin_run(&run, &list.roster, &list.policy, "").await.unwrap();
    let rounds = evidence.observations.values();
    let rounds: Vec<_> = rounds.flat_map(|of| of.rounds.iter().map(|round| (of.site.clone(), round.clone()))).collect();
    store.put_rounds(&run.id, &rounds).await.unwrap();
    let verdicts = evidence.observations.values().map(|of| assess(of, &run.vantage, &Criteria::default()));
    let verdicts = verdicts.map(|assessment| (assessment.site, assessment.readiness, assessment.reason));
    store.put_verdicts(&run.id, METHOD_VERSION, verdicts).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds, and replaces the sample in the folder named by V6READY_SAMPLE, if one is"]
async fn make_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let store = Store::open(&path, OpenMode::ReadWrite).await.unwrap();
    let list = lists();
    let sites: Vec<Site> = list.roster.sites.values().cloned().collect();
    for run in 0..RUNS {
        measure(&store, &list, &sites, run).await;
    }
    store.close().await;
    let mut report = std::process::Command::new(env!("CARGO_BIN_EXE_v6ready"));
    report.args(["report", "--run", "sample", "--store"]).arg(&path).arg("--reports").arg(folder.path());
    assert!(report.status().unwrap().success());
    for file in ["index.html", "workbook.xlsx", "bulletin.docx", "evidence.jsonl.zst", "regions/990100.html"] {
        assert!(folder.path().join("sample").join(file).metadata().unwrap().len() > 0, "{file}");
    }
    let Some(reports) = std::env::var_os("V6READY_SAMPLE") else { return };
    let target = Path::new(&reports).join("sample");
    if target.exists() {
        std::fs::remove_dir_all(&target).unwrap();
    }
    let moved = std::process::Command::new("cp").arg("-r").arg(folder.path().join("sample")).arg(&target).status();
    assert!(moved.unwrap().success());
}
