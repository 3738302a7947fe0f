//! `judge --vantages`: the runs of several vantages over the same names, taken together.
//!
//! Each run is judged by its own evidence and proofs as always, and nothing is stored: a run's verdicts stay its vantage's.

use std::collections::{BTreeMap, BTreeSet};

use super::args::JudgeArgs;
use super::error::CliError;
use super::finish::{Judged, judge_run};
use super::output::{json, line, say};
use crate::exit::Exit;
use crate::judge::quorum::{Quorum, VANTAGES, Voice, quorum};
use crate::model::site::SiteKey;
use crate::report::Lang;
use crate::store::{OpenMode, Store};

/// How far apart the runs may have begun: sites change, and then it is no disagreement of networks.
const APART_MS: u64 = 24 * 3600 * 1000;

pub(super) async fn judge(args: &JudgeArgs, lang: Lang) -> Result<Exit, CliError> {
    let store = Store::open(&args.store.store, OpenMode::ReadOnly).await?;
    let mut runs = Vec::new();
    for name in &args.vantages {
        let id = store.resolve_run(name).await?;
        runs.push(judge_run(&store, &id, None).await?);
    }
    comparable(&runs)?;
    let sites: BTreeSet<&SiteKey> = runs.iter().flat_map(|run| run.assessments.keys()).collect();
    for site in sites {
        let voices: Vec<Voice> = runs.iter().map(|run| voice(run, site)).collect();
        let together = quorum(&voices);
        if args.json {
            json(&as_json(site, &together, &voices));
        } else {
            line(as_text(site, &together, &voices, lang));
        }
    }
    Ok(Exit::Done)
}

/// The runs may be taken together: enough of them, one of each vantage, of one day, of one method and of one world.
fn comparable(runs: &[Judged]) -> Result<(), CliError> {
    let refuse = |why: String| Err(CliError::NotTogether { why });
    if runs.len() < VANTAGES {
        return refuse(format!("{} runs were given, and {VANTAGES} vantages at least are needed", runs.len()));
    }
    let mut names: BTreeMap<&str, &Judged> = BTreeMap::new();
    for judged in runs {
        let name = judged.run.vantage.name.as_str();
        if let Some(other) = names.insert(name, judged) {
            return refuse(format!("{} and {} are both of vantage {name}", other.run.id, judged.run.id));
        }
    }
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    for other in others {
        let (one, two) = (&first.run, &other.run);
        if one.method_version != two.method_version {
            return refuse(format!("{} and {} were measured by different methods", one.id, two.id));
        }
        if (one.simulated, one.lab) != (two.simulated, two.lab) {
            return refuse(format!(
                "{} and {} are of different worlds: one is simulated or of a laboratory",
                one.id, two.id
            ));
        }
    }
    let began = || runs.iter().map(|judged| judged.run.started);
    if let (Some(first), Some(last)) = (began().min(), began().max())
        && first.distance_ms(last) > APART_MS
    {
        return refuse("they began more than 24 hours apart".to_owned());
    }
    Ok(())
}

fn voice(judged: &Judged, site: &SiteKey) -> Voice {
    let verdict = judged.assessments.get(site).map(|assessment| (assessment.readiness, assessment.reason.clone()));
    let vantage = &judged.run.vantage;
    Voice { vantage: vantage.name.clone(), isp: vantage.isp.clone().unwrap_or_default(), verdict }
}

fn as_json(site: &SiteKey, together: &Quorum, voices: &[Voice]) -> serde_json::Value {
    let vantages: Vec<serde_json::Value> = voices
        .iter()
        .map(|voice| {
            let (readiness, reason) = voice.verdict.clone().unzip();
            serde_json::json!({ "vantage": voice.vantage, "isp": voice.isp, "readiness": readiness, "reason": reason })
        })
        .collect();
    serde_json::json!({
        "site": site, "readiness": together.readiness, "reason": together.reason,
        "reached": together.reached.0, "judged": together.reached.1, "vantages": vantages,
    })
}

/// `READY(2/3)  www.school.example`, and then who said what.
fn as_text(site: &SiteKey, together: &Quorum, voices: &[Voice], lang: Lang) -> String {
    let word = |reason: &str| if reason.is_empty() { String::new() } else { format!("[{reason}]") };
    let each: Vec<String> = voices
        .iter()
        .map(|voice| match &voice.verdict {
            Some((readiness, reason)) => format!("{} {}{}", voice.vantage, readiness.name(), word(reason)),
            None => format!("{} {}", voice.vantage, say(lang, "未测", "not measured")),
        })
        .collect();
    let (reached, judged) = together.reached;
    let verdict = format!("{}({reached}/{judged}){}", together.readiness.name(), word(&together.reason));
    format!("{verdict:<36} {site}  {}", each.join(" · "))
}
