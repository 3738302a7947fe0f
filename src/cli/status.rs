//! `status`: do scans go well on this machine? For people, and as an exit code for monitoring.

use std::path::Path;

use serde_json::json;

use super::args::{Common, StatusArgs};
use super::error::CliError;
use super::output::{self, line};
use super::settings;
use super::space::{folder_of, free_bytes};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::exit::Exit;
use crate::model::run::RunEnd;
use crate::model::time::Timestamp;
use crate::report::Lang;
use crate::report::text::Text;
use crate::store::{Holder, OpenMode, Store, holder};
use crate::upkeep::health::{Demands, Facts, Problem, problems};
use crate::upkeep::heartbeat;
use crate::upkeep::ledger::{GoodRun, Ledger};
use crate::upkeep::timetable::Timetable;

pub(super) async fn run(common: &Common, args: &StatusArgs) -> Result<Exit, CliError> {
    let config = settings::resolve(common, &settings::flags(common, None, None))?.config;
    let path = &args.store.store;
    let holder = holder(path)?;
    let mut ledger = Ledger::read(path);
    if ledger.good.is_none() {
        ledger.good = from_history(path).await?;
    }
    let facts = Facts {
        ledger,
        running: holder.is_some(),
        beat: heartbeat::last(path),
        free_bytes: free_bytes(folder_of(path)),
    };
    let now = SystemClock.now();
    let least_free = config.watch.least_free_mib.saturating_mul(1 << 20);
    let found = problems(&facts, Demands { most_age: config.watch.stale_after, least_free }, now);
    let status = Status { facts, holder, found, next: next(&config, now), now };
    if args.json {
        output::json(&status.json());
    } else {
        status.lines(settings::lang(&config), &settings::zone(&config)).iter().for_each(line);
    }
    Ok(if status.found.is_empty() { Exit::Done } else { Exit::Failure })
}

struct Status {
    facts: Facts,
    holder: Option<Holder>,
    found: Vec<Problem>,
    next: Option<Timestamp>,
    now: Timestamp,
}

/// The latest complete run of a history whose ledger is lost, without its numbers.
async fn from_history(path: &Path) -> Result<Option<GoodRun>, CliError> {
    if !path.exists() {
        return Ok(None);
    }
    let store = Store::open(path, OpenMode::ReadOnly).await?;
    let runs = store.runs().await?;
    let good = runs.iter().rev().find(|run| run.end == RunEnd::Complete && !run.invented);
    Ok(good.and_then(|run| {
        let ended = run.ended?;
        Some(GoodRun { run: run.id.0.clone(), ended, listed: 0, judged: 0, ready: 0, not_judged: 0 })
    }))
}

fn next(config: &Config, now: Timestamp) -> Option<Timestamp> {
    let cron = config.schedule.cron.as_deref()?;
    Timetable::read(cron, settings::zone(config)).ok()?.next(now)
}

impl Status {
    fn json(&self) -> serde_json::Value {
        let ago = |at: Timestamp| self.now.0.saturating_sub(at.0).max(0) / 1000;
        json!({
            "ok": self.found.is_empty(),
            "problems": self.found,
            "running": self.holder.map(|holder| json!({"pid": holder.pid, "started": holder.started})),
            "heartbeat": self.facts.beat,
            "heartbeat_age_s": self.facts.beat.as_ref().map(|beat| ago(beat.at)),
            "last_attempt": self.facts.ledger.attempt,
            "last_good": self.facts.ledger.good,
            "last_good_age_s": self.facts.ledger.good.as_ref().map(|good| ago(good.ended)),
            "next_start": self.next,
            "free_bytes": self.facts.free_bytes,
        })
    }

    fn lines(&self, lang: Lang, zone: &jiff::tz::TimeZone) -> Vec<String> {
        let zh = lang == Lang::Zh;
        let say = |zh_text: &'static str, en: &'static str| if zh { zh_text } else { en };
        let local = |at: Timestamp| {
            jiff::Timestamp::from_millisecond(at.0)
                .map(|at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
                .unwrap_or_default()
        };
        let mut lines = Vec::new();
        let mut add = |name: &str, text: String| lines.push(format!("{name}{text}"));
        let none = || say("无", "none").to_owned();
        let good = self.facts.ledger.good.as_ref().map_or_else(none, |good| {
            let ended = local(good.ended);
            match (good.listed, zh) {
                (0, _) => format!("{} ({ended})", good.run),
                (_, true) => {
                    let (ready, judged, open) = (good.ready, good.judged, good.not_judged);
                    format!("{}（{ended}），就绪/已判定 {ready}/{judged}，未判定 {open}", good.run)
                }
                (_, false) => {
                    let (ready, judged, open) = (good.ready, good.judged, good.not_judged);
                    format!("{} ({ended}), ready/judged {ready}/{judged}, not judged {open}", good.run)
                }
            }
        });
        add(say("最近一次完整扫描：", "last complete run:  "), good);
        let attempt = self.facts.ledger.attempt.as_ref().map_or_else(none, |attempt| {
            let code = format!("{} {}", say("退出码", "exit code"), attempt.exit);
            let error =
                attempt.error.as_ref().map(|error| format!(": {}", Text::of(lang).message(error))).unwrap_or_default();
            format!("{}  {code}{error}", local(attempt.ended))
        });
        add(say("最近一次启动结果：", "last start ended:   "), attempt);
        let running = self.holder.map_or_else(
            || say("否", "no").to_owned(),
            |holder| {
                let pid = holder.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
                let since = holder.started.map(local).unwrap_or_default();
                let beat = self.facts.beat.as_ref();
                let done = beat.map(|beat| format!("  {}/{}", beat.done, beat.sites.unwrap_or_default()));
                format!("pid {pid}  {} {since}{}", say("始于", "since"), done.unwrap_or_default())
            },
        );
        add(say("正在扫描：        ", "running:            "), running);
        let next =
            self.next.map_or_else(|| say("未设置（schedule.cron）", "not set (schedule.cron)").to_owned(), local);
        add(say("下次启动时间：    ", "next start:         "), next);
        let free = self.facts.free_bytes.map_or_else(|| "?".to_owned(), |free| format!("{} MiB", free >> 20));
        add(say("磁盘可用空间：    ", "free space:         "), free);
        for problem in &self.found {
            lines.push(format!("! {}", wording(*problem, zh)));
        }
        if self.found.is_empty() {
            lines.push(say("运行正常。", "All is well.").to_owned());
        }
        lines
    }
}

fn wording(problem: Problem, zh: bool) -> &'static str {
    match (problem, zh) {
        (Problem::Failed, true) => "最近一次启动未产生完整的扫描结果，请查看日志",
        (Problem::Failed, false) => "the last start did not end with a complete run: see its log",
        (Problem::NeverRan, true) => "尚无完整的扫描结果",
        (Problem::NeverRan, false) => "there never was a complete run",
        (Problem::Stale, true) => "最近一次完整扫描已超过 watch.stale_after 规定的时限",
        (Problem::Stale, false) => "the last complete run is older than watch.stale_after",
        (Problem::Hangs, true) => "扫描进程仍持有锁，但心跳已停止超过 60 秒",
        (Problem::Hangs, false) => "a scan holds the lock, but its heartbeat is older than 60 s",
        (Problem::DiskLow, true) => "磁盘可用空间低于 watch.least_free_mib",
        (Problem::DiskLow, false) => "less space is free than watch.least_free_mib",
    }
}
