//! Looking back: `runs`, `show`, `judge`, `report`. All offline, all from stored evidence.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{Common, JudgeArgs, ReportArgs, RunsArgs, ShowArgs};
use super::error::CliError;
use super::finish::{Shown, judge_run, remember, report_run, told_in};
use super::output::{json, line, say};
use super::rules;
use super::settings;
use super::vantages;
use crate::exit::Exit;
use crate::judge::{Criteria, assess};
use crate::model::evidence::Observation;
use crate::model::school::{Roster, Row};
use crate::model::site::SiteKey;
use crate::model::verdict::Assessment;
use crate::report::Lang;
use crate::report::text::Text;
use crate::report::trail;
use crate::store::{OpenMode, Store};
use crate::targets::normalise;

fn lang(common: &Common) -> Result<Lang, CliError> {
    Ok(settings::lang(&settings::resolve(common, &settings::flags(common, None, None))?.config))
}

pub(super) async fn runs(common: &Common, args: &RunsArgs) -> Result<Exit, CliError> {
    let lang = lang(common)?;
    let store = Store::open(&args.store.store, OpenMode::ReadOnly).await?;
    for run in store.runs().await? {
        if args.json {
            json(&serde_json::json!({
                "id": run.id, "vantage": run.vantage, "isp": run.isp, "started": run.started, "ended": run.ended,
                "end": run.end, "method_version": run.method_version, "sites": run.sites,
            }));
        } else {
            let end =
                serde_json::to_value(run.end).ok().and_then(|end| Some(end.as_str()?.to_owned())).unwrap_or_default();
            line(format!("{}  {:<14} {:>7} {}  {}", run.id, end, run.sites, say(lang, "个网站", "sites"), run.vantage));
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn show(common: &Common, args: &ShowArgs) -> Result<Exit, CliError> {
    let lang = lang(common)?;
    let store = Store::open(&args.store.store, OpenMode::ReadOnly).await?;
    let id = store.resolve_run(&args.run).await?;
    let run = store.load_run(&id).await?;
    let mut found = false;
    for key in meant(&run.roster, &args.name) {
        if let Some(observation) = store.observation(&id, key).await? {
            found = true;
            let assessment = assess(&observation, &run.run.vantage, &Criteria::default());
            if args.json {
                json(&explain_json(&observation, &assessment));
            } else {
                line(explain(&observation, &assessment, lang));
            }
        }
    }
    if found { Ok(Exit::Done) } else { Err(CliError::NoEvidence { run: id.0, name: args.name.clone() }) }
}

/// The sites that somebody means by a site's key, a host or URL in any spelling, or a school's name.
fn meant<'a>(roster: &'a Roster, name: &str) -> BTreeSet<&'a SiteKey> {
    let hosts: BTreeSet<_> =
        normalise::cell(name, true).into_iter().filter_map(|named| Some(named.site.ok()?.host)).collect();
    let of_school = |row: &&Row| roster.schools.get(row.school).is_some_and(|school| school.name == name.trim());
    let by_school = roster.rows.iter().filter(of_school).filter_map(|row| row.site.as_ref());
    let is_meant = |key: &&SiteKey| key.as_str() == name || hosts.contains(key.host());
    let measured = |key: &SiteKey| roster.sites.get_key_value(key).map(|(key, _)| key);
    roster.sites.keys().filter(is_meant).chain(by_school.filter_map(measured)).collect()
}

pub(super) async fn judge(common: &Common, args: &JudgeArgs) -> Result<Exit, CliError> {
    let lang = lang(common)?;
    if !args.vantages.is_empty() {
        return vantages::judge(args, lang).await;
    }
    if let Some(name) = &args.rules {
        let rules = rules::named(name)?;
        let store = Store::open(&args.store.store, OpenMode::ReadOnly).await?;
        let id = store.resolve_run(&args.run).await?;
        let judged = judge_run(&store, &id, None).await?;
        rules::print(&rules, judged.assessments.values(), args.json);
        return Ok(Exit::Done);
    }
    let path = &args.store.store;
    // Who judges makes no history: where there is none, that is the error.
    let mode = if path.exists() { OpenMode::ReadWrite } else { OpenMode::ReadOnly };
    let store = Store::open(path, mode).await?;
    let id = store.resolve_run(&args.run).await?;
    let judged = judge_run(&store, &id, None).await?;
    remember(&store, &judged).await?;
    for assessment in judged.assessments.values() {
        if args.json {
            json(assessment);
        } else {
            line(format!("{:<14} {:<20} {}", assessment.readiness.name(), assessment.reason, assessment.site));
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

pub(super) async fn report(common: &Common, args: &ReportArgs) -> Result<Exit, CliError> {
    let mut flags = settings::flags(common, None, None);
    settings::set_rules(&mut flags, &args.rules);
    settings::set_output(&mut flags, &args.output);
    let config = settings::resolve(common, &flags)?.config;
    let shown = Shown::read(&config)?;
    let store = Store::open(&args.store.store, OpenMode::ReadOnly).await?;
    let id = store.resolve_run(&args.run).await?;
    let judged = judge_run(&store, &id, told_in(&config)).await?;
    let folder = report_run(&store, &judged, &args.reports, &config, &shown).await?;
    line(folder.join("index.html").display());
    Ok(Exit::Done)
}

/// The whole explanation of one site.
pub(super) fn explain(observation: &Observation, assessment: &Assessment, lang: Lang) -> String {
    let words = Text::of(lang);
    let context = BTreeMap::from([("host", observation.site.host.to_string())]);
    let mut lines = vec![String::new()];
    let reason = if assessment.reason.is_empty() { String::new() } else { format!(" ({})", assessment.reason) };
    lines.push(format!(
        "{}  {}  {}{reason}",
        assessment.site,
        assessment.readiness.name(),
        words.verdict(assessment.readiness)
    ));
    lines.push(format!("  {} {}", say(lang, "协议栈", "stack"), assessment.stack.name()));
    if let Some((works, all)) = assessment.facts.ns6 {
        lines.push(format!("  {} {works} / {all}", words.w("s.ns6")));
    }
    if let Some(resolves) = assessment.facts.resolves6 {
        let answer = words.w(if resolves { "s.yes" } else { "s.no" });
        lines.push(format!("  {} {answer}", words.w("s.resolves6")));
    }
    if let Some(mail) = &assessment.facts.mail {
        let key = format!("s.mail.{}", mail.state.name());
        let state = words.w(&key);
        let reason = if mail.reason.is_empty() { String::new() } else { format!(" ({})", mail.reason) };
        lines.push(format!("  {} {state}{reason}", words.w("s.mail")));
    }
    for finding in &assessment.findings {
        let wording = words.advise(finding, &context);
        lines.push(format!("  {}  {}", finding.code.name(), wording.title));
        lines.push(format!("    {}", wording.explanation));
        if !wording.remedy.is_empty() {
            lines.push(format!("    {} {}", say(lang, "整改：", "Remedy:"), wording.remedy.replace('\n', "\n      ")));
        }
    }
    lines.push(say(lang, "证据：", "Evidence:").to_owned());
    lines.extend(trail(observation, lang).into_iter().map(|step| format!("  {step}")));
    lines.push(format!("{} {}", say(lang, "复现：", "Repeat:"), assessment.repeat_command()));
    lines.join("\n")
}

/// The same as one JSON object.
pub(super) fn explain_json(observation: &Observation, assessment: &Assessment) -> serde_json::Value {
    serde_json::json!({
        "observation": observation, "assessment": assessment, "repeat": assessment.repeat_command(),
    })
}
