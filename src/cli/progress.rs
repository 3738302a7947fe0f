//! Progress of a scan: bars on a terminal, a line every few seconds elsewhere, events as JSON where asked for.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{json, note, say};
use crate::engine::ScanEvent;
use crate::engine::breaker::Turn;
use crate::engine::scan::Listener;
use crate::model::outage::Line;
use crate::model::site::SiteKey;
use crate::model::verdict::Readiness;
use crate::report::Lang;
use crate::upkeep::heartbeat::Heartbeat;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not at all.
    Quiet,
    /// Bars or lines.
    Human,
    /// Events as JSON lines.
    Json,
}

struct Progress {
    mode: Mode,
    lang: Lang,
    bar: ProgressBar,
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    total: u64,
    done: u64,
    began: Instant,
    shown: Instant,
    verdicts: BTreeMap<SiteKey, Readiness>,
    counts: BTreeMap<Readiness, u64>,
}

/// A listener that shows progress.
pub(super) fn listener(mode: Mode, lang: Lang) -> Listener {
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let target =
        if mode == Mode::Human && terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "{bar:30.cyan/blue} {pos}/{len} {per_sec} ETA {eta}  {wide_msg}";
    // The template is a constant; a mistake in it would fall back to the plain style.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let now = Instant::now();
    let state = State { total: 0, done: 0, began: now, shown: now, verdicts: BTreeMap::new(), counts: BTreeMap::new() };
    let progress = Progress { mode, lang, bar, terminal, state: Mutex::new(state) };
    Arc::new(move |event| progress.hear(&event))
}

/// The same listener, and a heartbeat that says how far the scan is.
pub(super) fn with_heartbeat(listener: Listener, heartbeat: Heartbeat) -> Listener {
    Arc::new(move |event| {
        match &event {
            ScanEvent::Started { sites } | ScanEvent::SecondRound { sites, .. } => heartbeat.round(*sites),
            ScanEvent::Requeued { sites } => heartbeat.more(*sites),
            ScanEvent::Probed { .. } => heartbeat.done(),
            _ => {}
        }
        listener(event);
    })
}

impl Progress {
    fn hear(&self, event: &ScanEvent) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Json => json(&as_json(event)),
            Mode::Human => self.show(event),
        }
    }

    fn show(&self, event: &ScanEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            ScanEvent::Started { sites } => {
                state.total = *sites as u64;
                self.bar.set_length(state.total);
                self.tell(&format!("{} {sites}", say(self.lang, "开始探测，网站数", "probing sites:")));
            }
            ScanEvent::Probed { site, readiness, .. } => {
                state.done += 1;
                if let Some(before) = state.verdicts.insert(site.clone(), *readiness) {
                    *state.counts.entry(before).or_default() -= 1;
                }
                *state.counts.entry(*readiness).or_default() += 1;
                self.bar.set_position(state.done);
                self.bar.set_message(counts(&state));
                self.line_now_and_then(&mut state);
            }
            ScanEvent::SecondRound { sites, pause_s } => {
                state.total = *sites as u64;
                state.done = 0;
                state.began = Instant::now();
                self.bar.reset();
                self.bar.set_length(state.total);
                self.tell(&match self.lang {
                    Lang::Zh => format!("第二轮：{sites} 个网站将在 {pause_s} 秒后复测（一次失败不足以认定）"),
                    Lang::En => format!(
                        "second round: {sites} sites are looked at again in {pause_s} s (one failure is no verdict)"
                    ),
                });
            }
            ScanEvent::Frozen { local, .. } => self.tell(&match self.lang {
                Lang::Zh => format!("处于不探测时段（pace.freeze），{local} 之后继续；进行中的网站会做完"),
                Lang::En => format!(
                    "nothing may be measured now (pace.freeze): sites under way are finished, the rest waits until {local}"
                ),
            }),
            // What a canary means is told by the breaker.
            ScanEvent::Canary { .. } => {}
            ScanEvent::Breaker { line, turn } => self.breaker(*line, *turn),
            ScanEvent::Requeued { sites } => {
                state.total += *sites as u64;
                self.bar.set_length(state.total);
                self.tell(&format!(
                    "{} {sites}",
                    say(self.lang, "中断期间受影响、将重新探测的网站数", "sites to be measured anew:")
                ));
            }
            ScanEvent::Pressure { jobs } => {
                let text = say(
                    self.lang,
                    "本机资源不足，同时探测的网站数降为",
                    "this machine runs short, sites at once lowered to",
                );
                self.tell(&format!("{text} {jobs}"));
            }
            ScanEvent::Lost { total, .. } => {
                self.tell(&format!(
                    "{} {total}",
                    say(self.lang, "内部错误，丢失的探测数", "internal errors, probes lost:")
                ));
            }
            ScanEvent::Stopping { in_flight } => {
                let text = say(self.lang, "正在停止，等待进行中的探测", "stopping, waiting for probes in flight:");
                self.tell(&format!("{text} {in_flight}"));
            }
        }
    }

    fn breaker(&self, line: Line, turn: Turn) {
        let name = match line {
            Line::Ipv4 => "IPv4",
            Line::Ipv6 => "IPv6",
            Line::Dns => "DNS",
        };
        let text = match turn {
            Turn::Doubt(_) => say(self.lang, "测量点自检失败，正在复查", "this vantage's canary failed, looking again"),
            Turn::Open(_) => say(
                self.lang,
                "测量点网络中断，暂停探测，恢复后自动继续",
                "this vantage lost its network: the run waits for it to come back",
            ),
            Turn::Close => say(self.lang, "测量点正常，继续探测", "this vantage works, the run goes on"),
        };
        self.tell(&format!("{name}: {text}"));
    }

    fn line_now_and_then(&self, state: &mut State) {
        let last = state.done == state.total;
        if self.terminal || (!last && state.shown.elapsed() < LINE_EVERY) {
            return;
        }
        state.shown = Instant::now();
        let seconds = state.began.elapsed().as_secs_f64().max(0.001);
        let rate = state.done as f64 / seconds;
        let left = (state.total.saturating_sub(state.done)) as f64 / rate.max(0.001);
        note(format!("{}/{}  {rate:.1}/s  ETA {left:.0} s  {}", state.done, state.total, counts(state)));
    }

    fn tell(&self, text: &str) {
        if self.terminal { self.bar.suspend(|| note(text)) } else { note(text) }
    }
}

fn counts(state: &State) -> String {
    let parts: Vec<String> = Readiness::ALL
        .iter()
        .filter_map(|readiness| {
            let count = state.counts.get(readiness).copied().filter(|count| *count > 0)?;
            Some(format!("{} {count}", readiness.name()))
        })
        .collect();
    parts.join(" · ")
}

fn as_json(event: &ScanEvent) -> serde_json::Value {
    match event {
        ScanEvent::Started { sites } => serde_json::json!({"event": "started", "sites": sites}),
        ScanEvent::Probed { site, round, readiness, again } => serde_json::json!({
            "event": "probed", "site": site, "round": round, "provisional": readiness, "again": again
        }),
        ScanEvent::SecondRound { sites, pause_s } => {
            serde_json::json!({"event": "second_round", "sites": sites, "pause_s": pause_s})
        }
        ScanEvent::Frozen { until, local } => serde_json::json!({"event": "frozen", "until": until, "local": local}),
        ScanEvent::Canary { family, good } => serde_json::json!({"event": "canary", "family": family, "good": good}),
        ScanEvent::Breaker { line, turn } => {
            let (turn, why) = match turn {
                Turn::Doubt(why) => ("doubt", Some(why.name())),
                Turn::Open(why) => ("open", Some(why.name())),
                Turn::Close => ("close", None),
            };
            serde_json::json!({"event": "breaker", "line": line, "turn": turn, "why": why})
        }
        ScanEvent::Requeued { sites } => serde_json::json!({"event": "requeued", "sites": sites}),
        ScanEvent::Pressure { jobs } => serde_json::json!({"event": "pressure", "jobs": jobs}),
        ScanEvent::Lost { site, total } => serde_json::json!({"event": "lost", "site": site, "total": total}),
        ScanEvent::Stopping { in_flight } => serde_json::json!({"event": "stopping", "in_flight": in_flight}),
    }
}
