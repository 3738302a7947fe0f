//! `scan`: lists in, gate, evidence, verdicts, history, reports out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::args::{Common, ScanArgs};
use super::assemble::{self, Surroundings};
use super::error::CliError;
use super::finish::{Judged, Shown, judge_run, print_result, remember, report_run, told_in};
use super::output::{json, note, say};
use super::progress::{self, Mode};
use super::proving;
use super::resume::{self, Earlier, Found, Wanted};
use super::settings;
use super::signals::{self, Listening};
use super::space;
use crate::calendar::Freeze;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::gate::{GateRules, Opening};
use crate::engine::plan::order;
use crate::engine::resume::Standing;
use crate::engine::scan::{Journal, Scan, ScanRules, Stop};
use crate::exit::Exit;
use crate::model::METHOD_VERSION;
use crate::model::outage::Trigger;
use crate::model::run::{CheckOutcome, GateCheck, Run, RunEnd, RunId, Vantage};
use crate::model::time::Timestamp;
use crate::probe::{Prober, Transports};
use crate::report::Lang;
use crate::report::text::Text;
use crate::store::{Sound, Store, StoreError, Writer};
use crate::targets::{LoadOptions, Loaded, load};
use crate::upkeep::heartbeat::Heartbeat;

/// Rows on their way to the writer.
const CHANNEL: usize = 256;

/// What a run is, besides its sites.
pub(super) struct RunPlan {
    pub(super) id: RunId,
    pub(super) vantage: String,
    pub(super) isp: Option<String>,
    pub(super) config_toml: String,
    pub(super) config_sha256: String,
    pub(super) lab: bool,
    pub(super) simulated: bool,
    pub(super) mode: Mode,
    pub(super) lang: Lang,
    pub(super) heartbeat: Heartbeat,
    /// The interrupted run that goes on. None: a new one begins.
    pub(super) earlier: Option<Earlier>,
}

/// A run whose reports were written.
pub(super) struct Published {
    pub(super) judged: Judged,
    /// The folder they are in.
    pub(super) folder: PathBuf,
}

/// One scan. What came of it is put into `told` as soon as reports are written, for those who are told of it.
pub(super) async fn run(common: &Common, args: &ScanArgs, told: &mut Option<Published>) -> Result<Exit, CliError> {
    let resolved = settings::resolve(common, &settings::flags(common, Some(&args.measure), Some(args)))?;
    let config = &resolved.config;
    let lang = settings::lang(config);
    let shown = Shown::read(config)?;
    assemble::enough_descriptors()?;
    let transports = assemble::transports(args.measure.without_ipv6);
    let mut surroundings = Surroundings::real(config)?.over(transports);
    let options = LoadOptions {
        encoding: args.encoding.clone(),
        allow_reserved: surroundings.lab,
        direct_counties: config.targets.direct_counties,
        ..LoadOptions::default()
    };
    let loaded = load(&args.targets, &options)?;
    match loaded.roster.rows_in() {
        0 => return Err(CliError::EmptyLists),
        _ if loaded.roster.sites.is_empty() => return Err(CliError::NothingToProbe),
        _ => {}
    }
    announce(&loaded, lang);
    if !args.quiet {
        anonymous(config, lang);
    }
    space::enough(&args.store, &args.reports, loaded.roster.sites.len())?;
    // Outputs are opened before the long run, so that a bad path fails at once.
    let Sound { store, lock: _lock, aside } = Store::open_for_scan(&args.store, SystemClock.now()).await?;
    if let Some((aside, why)) = aside {
        say_set_aside(&aside, &why, lang);
    }
    if !args.quiet && !args.json {
        proving::announce(&surroundings.resolvers, config.gate.anchors.len(), lang);
    }
    assemble::deny_nat64(config, &mut surroundings).await;
    let mut prober = assemble::prober(config, &surroundings)?;
    prober.opt_outs = loaded.roster.opt_outs.clone();
    let prober = Arc::new(prober);
    let heartbeat = Heartbeat::begin(&args.store, Arc::new(SystemClock));
    let scan_rules = assemble::scan_rules(config, transports);
    if scan_rules.jobs < config.pace.jobs {
        note(format!(
            "{} {}",
            say(
                lang,
                "文件描述符上限较低，同时探测的网站数降为",
                "few file descriptors (ulimit -n): sites at once lowered to"
            ),
            scan_rules.jobs
        ));
    }
    wait_until_allowed(&scan_rules.freeze, &SystemClock, lang).await;
    let started = prober.net.clock.now();
    let wanted = Wanted { loaded: &loaded, resolved: &resolved, without_ipv6: args.measure.without_ipv6, now: started };
    let earlier = earlier(&store, &wanted, Resume::of(args), lang).await?;
    let plan = RunPlan {
        id: earlier.as_ref().map_or_else(|| RunId(format_id(started)), |earlier| earlier.run.id.clone()),
        earlier,
        vantage: config.vantage.name.clone(),
        isp: config.vantage.isp.clone(),
        config_toml: resolved.to_toml()?,
        config_sha256: resolved.sha256()?,
        lab: surroundings.lab,
        simulated: false,
        mode: if args.json {
            Mode::Json
        } else if args.quiet {
            Mode::Quiet
        } else {
            Mode::Human
        },
        lang,
        heartbeat,
    };
    let gate = assemble::gate(config, &loaded.roster.opt_outs);
    let end = Box::pin(measure(&store, prober, &gate, scan_rules, &plan, loaded)).await?;
    let judged = judge_run(&store, &plan.id, told_in(config)).await?;
    remember(&store, &judged).await?;
    let folder = report_run(&store, &judged, &args.reports, config, &shown).await?;
    store.close().await;
    if plan.mode != Mode::Json {
        print_result(&judged, &folder, lang);
    }
    let wanted = config.report.fail_under;
    let rate = judged.summary.total.rate();
    *told = Some(Published { judged, folder });
    match (end, rate) {
        (RunEnd::Complete, Some(rate)) if rate * 100.0 < wanted => {
            Err(CliError::BelowThreshold { actual: rate * 100.0, wanted })
        }
        (RunEnd::Complete, _) => Ok(Exit::Done),
        _ => Err(CliError::Incomplete),
    }
}

/// The gate, the rounds, and the store; returns how the run ended. A shut gate leaves no run behind.
pub(super) async fn measure(
    store: &Store,
    prober: Arc<Prober>,
    gate_rules: &GateRules,
    rules: ScanRules,
    plan: &RunPlan,
    mut loaded: Loaded,
) -> Result<RunEnd, CliError> {
    let started = prober.net.clock.now();
    if plan.mode == Mode::Human {
        note(say(plan.lang, "测量点自检……", "checking this vantage ..."));
    }
    let told = (plan.mode == Mode::Human).then_some(plan.lang);
    let opening = proving::open(&prober, gate_rules, rules.transports, told).await;
    print_gate(&opening, plan);
    if !opening.gate.is_open() {
        return Err(CliError::GateShut);
    }
    let fresh = Run {
        id: plan.id.clone(),
        vantage: Vantage {
            name: plan.vantage.clone(),
            isp: plan.isp.clone(),
            resolvers: prober.net.resolvers.clone(),
            proofs: opening.proofs.clone(),
            dns_proofs: opening.dns_proofs.clone(),
            clock: opening.clock.clone(),
        },
        started,
        ended: None,
        end: RunEnd::Open,
        config_sha256: plan.config_sha256.clone(),
        method_version: METHOD_VERSION.to_owned(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        gate: opening.gate.clone(),
        outages: Vec::new(),
        without_ipv6: rules.transports == Transports::WithoutIpv6,
        lab: plan.lab,
        simulated: plan.simulated,
        cost: None,
    };
    let (run, standing) = match &plan.earlier {
        None => {
            store.begin_run(&fresh, &loaded.roster, &loaded.policy, &plan.config_toml).await?;
            // The rest of the lists is in the store now, and read from there when they are judged.
            let sites = std::mem::take(&mut loaded.roster.sites);
            drop(loaded);
            (fresh, Standing::fresh(order(sites.into_values().collect(), &plan.id.0)))
        }
        Some(earlier) => {
            let run = earlier.go_on(&opening, &prober.net.resolvers, started);
            store.update_run(&run).await?;
            drop(loaded);
            (run, earlier.standing.clone())
        }
    };
    let (sink, receiver) = mpsc::channel(CHANNEL);
    let writer = Writer::spawn(store.clone(), plan.id.clone(), receiver);
    let (journal, kept) = watch::channel(Journal::default());
    let keeper = resume::keep(store.clone(), run.clone(), Arc::clone(&prober), kept);
    let listening = Listening::begin();
    let stop = signals::stop_scan(plan.lang);
    let scan = Scan {
        prober: Arc::clone(&prober),
        rules,
        canaries: opening.canaries,
        dns_controls: opening.dns_controls,
        wall: Arc::new(SystemClock),
        room: Arc::new(assemble::room),
        listener: progress::with_heartbeat(progress::listener(plan.mode, plan.lang), plan.heartbeat.clone()),
        sink,
        stop: stop.clone(),
    };
    let report = scan.go_on(standing, journal).await;
    let ended = |what| move |error: tokio::task::JoinError| CliError::Setup { what, why: error.to_string() };
    let written = writer.await.map_err(ended("the writer"))?;
    let kept = keeper.await.map_err(ended("the journal"))?;
    let known = Journal {
        proofs: report.proofs,
        dns_proofs: report.dns_proofs,
        clock_gaps: report.clock_gaps,
        outages: report.outages,
    };
    let mut run = resume::with(&run, known, resume::cost(&prober));
    run.ended = Some(prober.net.clock.now());
    run.end = report.end;
    if run.end != RunEnd::Interrupted {
        // What was interrupted has been made up for.
        run.outages.iter_mut().filter(|o| o.why == Trigger::Interrupted).for_each(|o| o.redone = o.quarantined);
    }
    store.update_run(&run).await?;
    written?;
    kept?;
    drop(listening);
    // Who asked twice does not want to wait for reports.
    if *stop.borrow() == Stop::Now { Err(CliError::Incomplete) } else { Ok(run.end) }
}

/// What becomes of an interrupted run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    /// It stays as it is.
    No,
    /// It goes on, or it is said why it cannot, and nothing is begun.
    Yes,
    /// It goes on if it may; otherwise a new one begins.
    IfPossible,
}

impl Resume {
    fn of(args: &ScanArgs) -> Self {
        match (args.resume, args.resume_if_possible) {
            (true, _) => Self::Yes,
            (false, true) => Self::IfPossible,
            (false, false) => Self::No,
        }
    }
}

/// The interrupted run that goes on, if one is wanted and may. Says what becomes of it otherwise.
async fn earlier(store: &Store, wanted: &Wanted<'_>, how: Resume, lang: Lang) -> Result<Option<Earlier>, CliError> {
    let resume = how != Resume::No;
    let cannot = |run: RunId, what: String| match how {
        Resume::IfPossible => {
            note(match lang {
                Lang::Zh => format!("扫描 {run} 不能继续（{what} 已改变），开始新的一次"),
                Lang::En => format!("run {run} cannot go on, {what} differs: a new one begins"),
            });
            Ok(None)
        }
        Resume::No | Resume::Yes => Err(CliError::CannotResume { run, what }),
    };
    match resume::find(store, wanted).await? {
        Found::Nothing if how == Resume::Yes => {
            note(say(lang, "没有可以继续的扫描，开始新的一次", "no interrupted run of these lists: a new one begins"));
        }
        Found::TooOld(id) if resume => note(match lang {
            Lang::Zh => format!("扫描 {id} 中断已久（超过 measure.resume_within），不再继续，开始新的一次"),
            Lang::En => {
                format!("run {id} began too long ago to go on with (measure.resume_within): a new one begins")
            }
        }),
        Found::Differs(run, what) if resume => return cannot(run, what.join(", ")),
        Found::Unfinished(stored) if resume => {
            let id = stored.run.id.clone();
            let Some(earlier) = resume::take_up(store, *stored, wanted).await? else {
                return cannot(id, say(lang, "时钟（已被回拨）", "the clock, set back since then,").to_owned());
            };
            let (left, all) = (earlier.standing.sites(), wanted.loaded.roster.sites.len());
            note(match lang {
                Lang::Zh => format!("继续扫描 {id}：共 {all} 个网站，尚需探测 {left} 个"),
                Lang::En => format!("going on with run {id}: {left} of {all} sites are left to be looked at"),
            });
            return Ok(Some(earlier));
        }
        Found::Unfinished(stored) => note(match lang {
            Lang::Zh => {
                format!("同一名单的扫描 {} 尚未完成（加 --resume 可继续）；现在开始新的一次", stored.run.id)
            }
            Lang::En => format!(
                "run {} of these lists is not finished (--resume goes on with it); a new one begins now",
                stored.run.id
            ),
        }),
        Found::Nothing | Found::TooOld(_) | Found::Differs(..) => {}
    }
    Ok(None)
}

fn say_set_aside(aside: &Path, why: &StoreError, lang: Lang) {
    let aside = aside.display();
    note(match lang {
        Lang::Zh => format!(
            "历史库已损坏（{why}），原文件已更名保存为 {aside}，内容未作任何删改；现建立新的历史库继续扫描。\
             如有备份，可停止程序后用备份文件替换新库；也可用 v6ready history import 导入各次报告中的 evidence.jsonl.zst"
        ),
        Lang::En => format!(
            "the history is damaged ({why}): it was renamed to {aside}, nothing of it was deleted, and an empty one begins. \
             Where there is a backup, stop the program and put the backup in the new one's place; without one, \
             v6ready history import reads the evidence.jsonl.zst of the reports"
        ),
    });
}

/// Says what windows are ahead, and waits until the one that holds now is over: not even the gate is asked in it.
async fn wait_until_allowed(freeze: &Freeze, clock: &dyn Clock, lang: Lang) {
    while let Some(until) = freeze.until(clock.now()) {
        let local = freeze.say(until);
        note(match lang {
            Lang::Zh => format!("现在是不探测时段（pace.freeze），等待至 {local}；Ctrl-C 放弃"),
            Lang::En => format!("nothing may be measured now (pace.freeze): waiting until {local}; Ctrl-C gives up"),
        });
        // Asked anew, since the clock may be set meanwhile.
        while clock.now() < until && freeze.until(clock.now()).is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let now = clock.now();
    if let Some(next) = freeze.next(now) {
        let (from, until) = (freeze.say(next.from), freeze.say(next.until));
        note(match lang {
            Lang::Zh => format!("下一个不探测时段：{from} 至 {until}，届时未完成的扫描会等待"),
            Lang::En => {
                format!("next window without measurements: {from} to {until}; a scan that is not done by then waits")
            }
        });
    }
}

/// Whoever is probed must be able to find out by whom.
fn anonymous(config: &Config, lang: Lang) {
    let project = &config.project;
    if project.contact.is_empty() || project.has_default_page() {
        note(say(
            lang,
            "注意：project.contact 或 project.url 仍为默认值，学校无从得知由谁探测、如何联系；正式扫描前请填写（见 v6ready doctor）",
            "warning: project.contact or project.url is at its default, so schools cannot find out who probes them: set both before a \
             real scan (see v6ready doctor)",
        ));
    }
}

fn announce(loaded: &Loaded, lang: Lang) {
    let roster = &loaded.roster;
    let offices = roster.schools.iter().filter(|school| !school.category.is_of_schools()).count();
    note(match lang {
        Lang::Zh if offices > 0 => format!(
            "名单：{} 行，学校及其他单位 {} 个（其中行政、考试机构 {offices} 个），网站 {} 个，无法读取 {} 行（详见 v6ready targets check）",
            roster.rows_in(),
            roster.schools.len(),
            roster.sites.len(),
            roster.rejected.len()
        ),
        Lang::Zh => format!(
            "名单：{} 行，学校 {} 所，网站 {} 个，无法读取 {} 行（详见 v6ready targets check）",
            roster.rows_in(),
            roster.schools.len(),
            roster.sites.len(),
            roster.rejected.len()
        ),
        Lang::En if offices > 0 => format!(
            "lists: {} rows, {} schools and offices ({offices} of them offices), {} sites, {} rows rejected (see v6ready targets check)",
            roster.rows_in(),
            roster.schools.len(),
            roster.sites.len(),
            roster.rejected.len()
        ),
        Lang::En => format!(
            "lists: {} rows, {} schools, {} sites, {} rows rejected (see v6ready targets check)",
            roster.rows_in(),
            roster.schools.len(),
            roster.sites.len(),
            roster.rejected.len()
        ),
    });
}

fn print_gate(opening: &Opening, plan: &RunPlan) {
    let open = opening.gate.is_open();
    for check in &opening.gate.checks {
        let shown = match check.outcome {
            CheckOutcome::Pass | CheckOutcome::Skipped => plan.mode == Mode::Human && !open,
            CheckOutcome::Warn => plan.mode == Mode::Human || !open,
            CheckOutcome::Fail => true,
        };
        if shown {
            note(gate_line(check, plan.lang));
        }
    }
    if !open {
        note(say(
            plan.lang,
            "测量点不具备测量条件，未作任何判定。--without-ipv6 可只测 DNS 与 IPv4；v6ready doctor 给出建议",
            "the gate is shut: nothing was judged. --without-ipv6 measures DNS and IPv4 only; v6ready doctor gives advice",
        ));
    }
    if plan.mode == Mode::Json {
        json(&serde_json::json!({"event": "gate", "open": open, "checks": opening.gate.checks}));
    }
}

/// One check of the gate as a line, with its advice.
pub(super) fn gate_line(check: &GateCheck, lang: Lang) -> String {
    let text = Text::of(lang);
    let word = match check.outcome {
        _ if lang == Lang::Zh => text.outcome(check.outcome),
        CheckOutcome::Pass => "ok",
        CheckOutcome::Warn => "warning",
        CheckOutcome::Fail => "FAILED",
        CheckOutcome::Skipped => "skipped",
    };
    // A Chinese character takes two places.
    let width = if lang == Lang::Zh { 8 - word.chars().count().min(8) } else { 8 };
    let mut line = format!("  {:<14} {word:<width$} {}", check.name, text.message(&check.detail));
    if !check.advice.is_empty() {
        line.push('\n');
        line.push_str(&" ".repeat(25));
        line.push_str("→ ");
        line.push_str(&text.message(&check.advice));
    }
    line
}

/// `20261123T191000Z`.
fn format_id(started: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(started.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
