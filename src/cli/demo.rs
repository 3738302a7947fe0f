//! `demo`: an invented province on a simulated internet on loopback, through the very code of a scan.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::{Common, DemoArgs};
use super::assemble::{self, Surroundings};
use super::error::CliError;
use super::finish::{Shown, judge_run, print_result, remember, report_run, told_in};
use super::output::{line, note, say};
use super::progress::Mode;
use super::scan::{RunPlan, measure};
use super::settings;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;
use crate::lab::demo::demo_world;
use crate::lab::world::{ANCHORS, CONTROL_V4ONLY};
use crate::lab::{Lab, PUBLIC_PREFIXES, RESOLVERS, ROOTS};
use crate::model::run::{RunEnd, RunId};
use crate::model::site::Site;
use crate::net::scope::AddressPolicy;
use crate::probe::Transports;
use crate::store::{OpenMode, Store};
use crate::targets::{LoadOptions, embedded, load_bytes};
use crate::upkeep::heartbeat::Heartbeat;

/// The run's name and its folder's.
const RUN: &str = "demo";

pub(super) async fn run(common: &Common, args: &DemoArgs) -> Result<Exit, CliError> {
    let mut flags = settings::flags(common, None, None);
    settings::set_output(&mut flags, &args.output);
    let resolved = settings::resolve(common, &flags)?;
    let lang = settings::lang(&resolved.config);
    let shown = Shown::read(&resolved.config)?;
    note(say(
        lang,
        "演示：虚构的省份、虚构的学校、本机回环上的模拟网络；不访问互联网",
        "demo: an invented province with invented schools on a simulated internet on loopback; the Internet is not used",
    ));
    let loaded = load_bytes(embedded::SAMPLE, &LoadOptions::lab())?;
    let sites: Vec<Site> = loaded.roster.sites.values().cloned().collect();
    let lab = Lab::start(demo_world(&sites)).await?;
    let config = quick(&resolved.config);
    let surroundings = Surroundings {
        route: lab.route(),
        policy: AddressPolicy { public_prefixes: lab_prefixes(), local_deny: Vec::new() },
        resolvers: RESOLVERS.iter().map(|address| (*address, 53).into()).collect(),
        roots: ROOTS.to_vec(),
        bundled_roots: true,
        anchors_pem: vec![lab.ca_pem().into_bytes()],
        lab: false,
        turns: assemble::turns(&config),
    };
    let mut prober = assemble::prober(&config, &surroundings)?;
    prober.opt_outs = loaded.roster.opt_outs.clone();
    let prober = Arc::new(prober);
    let path = args.reports.join("demo.db");
    remove_database(&path);
    let store = Store::open(&path, OpenMode::ReadWrite).await?;
    let _lock = store.lock(prober.net.clock.now())?;
    let plan = RunPlan {
        id: RunId(RUN.to_owned()),
        vantage: say(lang, "模拟测量点", "simulated vantage").to_owned(),
        isp: None,
        config_toml: resolved.to_toml()?,
        config_sha256: resolved.sha256()?,
        lab: false,
        simulated: true,
        mode: if args.quiet { Mode::Quiet } else { Mode::Human },
        lang,
        heartbeat: Heartbeat::begin(&path, Arc::new(SystemClock)),
        earlier: None,
    };
    let rules = assemble::scan_rules(&config, Transports::Both);
    let gate = assemble::gate(&config, &loaded.roster.opt_outs);
    let end = measure(&store, prober, &gate, rules, &plan, loaded).await?;
    let judged = judge_run(&store, &plan.id, told_in(&config)).await?;
    remember(&store, &judged).await?;
    let folder = report_run(&store, &judged, &args.reports, &config, &shown).await?;
    store.close().await;
    print_result(&judged, &folder, lang);
    let (path, example) = (path.display(), "www.sampleu.example");
    line(format!(
        "{} v6ready runs --store {path} · v6ready show {RUN} {example} --store {path}",
        say(lang, "接着可试：", "Then try:")
    ));
    if end == RunEnd::Complete { Ok(Exit::Done) } else { Err(CliError::Incomplete) }
}

pub(super) fn lab_prefixes() -> Vec<ipnet::IpNet> {
    // Constants of the lab; a test of its own parses them.
    PUBLIC_PREFIXES.iter().filter_map(|prefix| prefix.parse().ok()).collect()
}

/// The configuration for a network without distance: the method's steps unchanged, its pauses short.
pub(super) fn quick(config: &Config) -> Config {
    let mut quick = config.clone();
    quick.dns.timeout = Duration::from_millis(800);
    quick.dns.second_reply = Duration::from_millis(50);
    quick.deadlines.connect = Duration::from_secs(1);
    quick.deadlines.connect_retry = Duration::from_secs(1);
    quick.deadlines.tls = Duration::from_secs(3);
    quick.deadlines.first_byte = Duration::from_secs(3);
    quick.deadlines.fetch = Duration::from_secs(6);
    quick.attempts.spacing = Duration::from_millis(200);
    quick.attempts.second_round_after = Duration::from_secs(2);
    quick.pace.jobs = 64;
    // Otherwise all of its sites would be under way at once, and there would be no progress to be seen.
    quick.pace.slow_jobs = 0;
    quick.pace.per_host_interval = Duration::ZERO;
    quick.pace.per_address = 0;
    quick.pace.per_prefix = 0;
    quick.pace.resolver_qps = 0;
    quick.pace.authority_qps = 0;
    quick.pace.reset_pause = Duration::ZERO;
    quick.pace.freeze = Vec::new();
    quick.gate.anchors = ANCHORS
        .iter()
        .enumerate()
        .map(|(i, host)| crate::config::Anchor { host: (*host).to_owned(), network: format!("lab-{}", i % 3) })
        .collect();
    quick.gate.dns64_names = vec!["ipv4only.arpa".to_owned(), CONTROL_V4ONLY.to_owned()];
    quick.gate.nxdomain_suffixes = vec!["example".to_owned()];
    quick.gate.controls = vec![(std::net::Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1), 80).into()];
    quick.gate.canary_interval = Duration::from_secs(2);
    quick.gate.dns_interval = Duration::from_secs(5);
    quick.gate.recovery_interval = Duration::from_secs(1);
    quick
}

/// A demo begins with an empty history.
fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // Not there is what is wanted; anything else shows when the store is opened.
        let _ = std::fs::remove_file(name);
    }
}
