//! `check`: one or a few names, now, with every step explained.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::{CheckArgs, Common};
use super::assemble::{self, Surroundings};
use super::error::CliError;
use super::history::{explain, explain_json};
use super::output::{json, line, note, say};
use super::settings;
use crate::engine::gate::{self, Witness};
use crate::engine::resolvers::{DnsControls, self_test};
use crate::exit::Exit;
use crate::judge::{Criteria, assess, first_look};
use crate::model::evidence::{EVIDENCE_VERSION, Observation};
use crate::model::optout::OptOuts;
use crate::model::run::{ClockProof, DnsProof, Proof, Vantage};
use crate::model::site::{Site, SiteKey};
use crate::report::Lang;
use crate::targets::normalise::{Named, cell};
use crate::targets::wording::{Fault, in_chinese};

/// Anchors that are asked what time it is, until enough have said so.
const WITNESS_TURNS: usize = 5;

pub(super) async fn run(common: &Common, args: &CheckArgs) -> Result<Exit, CliError> {
    let resolved = settings::resolve(common, &settings::flags(common, Some(&args.measure), None))?;
    let config = &resolved.config;
    let lang = settings::lang(config);
    let transports = assemble::transports(args.measure.without_ipv6);
    let mut surroundings = Surroundings::real(config)?.over(transports);
    let (sites, refused) = read(&args.names, surroundings.lab);
    for (name, fault) in &refused {
        note(refusal(name, *fault, lang));
    }
    if sites.is_empty() {
        return Err(CliError::NoNames);
    }
    assemble::deny_nat64(config, &mut surroundings).await;
    let prober = assemble::prober(config, &surroundings)?;
    let gate_rules = assemble::gate(config, &OptOuts::default());
    let anchors: Vec<Site> = gate_rules.anchors.iter().map(|anchor| anchor.site.clone()).collect();
    let criteria = Criteria::default();
    let mut canary = gate::canary(&prober, &anchors, 0, transports).await;
    let mut proofs: Vec<Proof> = std::mem::take(&mut canary.proofs);
    let mut witnesses = canary.witnesses;
    let controls = DnsControls::new(&gate_rules);
    let mut dns_proofs: Vec<DnsProof> = self_test(&prober, &controls, 0).await;
    let mut observations = Vec::new();
    for site in sites.values() {
        let round = prober.observe(site, 1, transports).await;
        observations.push(Observation { version: EVIDENCE_VERSION, site: site.clone(), rounds: vec![round] });
    }
    let canary = gate::canary(&prober, &anchors, 1, transports).await;
    proofs.extend(canary.proofs);
    witnesses.extend(canary.witnesses);
    dns_proofs.extend(self_test(&prober, &controls, 1).await);
    let again: Vec<usize> = (0..observations.len()).filter(|i| first_look(&observations[*i], &criteria).1).collect();
    if !again.is_empty() {
        note(format!("{} {} s", say(lang, "复测失败项，等待", "looking again at what failed, in"), args.pause));
        tokio::time::sleep(Duration::from_secs(args.pause)).await;
        for index in again {
            let round = prober.observe(&observations[index].site.clone(), 2, transports).await;
            observations[index].rounds.push(round);
        }
        proofs.extend(gate::canary(&prober, &anchors, 2, transports).await.proofs);
        dns_proofs.extend(self_test(&prober, &controls, 2).await);
    }
    // Each anchor is one witness, however often it was heard; where they are too few, another is asked.
    let proven = |witnesses: &[Witness]| {
        let ahead: BTreeMap<&str, i64> = witnesses.iter().map(|each| (each.anchor.as_str(), each.ahead_ms)).collect();
        ClockProof::from_anchors(prober.net.clock.now(), ahead.into_values().collect(), anchors.len())
    };
    let mut clock = proven(&witnesses);
    for turn in 2..anchors.len().min(WITNESS_TURNS) {
        if clock.is_some() {
            break;
        }
        witnesses.extend(gate::canary(&prober, &anchors, turn, transports).await.witnesses);
        clock = proven(&witnesses);
    }
    let vantage = Vantage {
        name: config.vantage.name.clone(),
        isp: config.vantage.isp.clone(),
        resolvers: prober.net.resolvers.clone(),
        proofs,
        dns_proofs,
        clock,
    };
    for observation in &observations {
        let assessment = assess(observation, &vantage, &criteria);
        if args.json {
            json(&explain_json(observation, &assessment));
        } else {
            line(explain(observation, &assessment, lang));
        }
    }
    Ok(Exit::Done)
}

/// The names as they would be read in a list, and those that no list could have.
fn read(names: &[String], allow_reserved: bool) -> (BTreeMap<SiteKey, Site>, Vec<(String, Fault)>) {
    let (mut sites, mut refused) = (BTreeMap::new(), Vec::new());
    for name in names {
        let found = cell(name, allow_reserved);
        if found.is_empty() {
            refused.push((name.clone(), Fault::Empty));
        }
        for Named { site, text, .. } in found {
            match site {
                Ok(site) => {
                    sites.insert(site.key.clone(), site);
                }
                Err(fault) => refused.push((text, fault)),
            }
        }
    }
    (sites, refused)
}

/// Why a name is not probed. One of the demo's exists in the demo alone, where it can be looked at.
fn refusal(name: &str, fault: Fault, lang: Lang) -> String {
    let (reason, remedy) = (fault.reason(), fault.remedy());
    let said = match lang {
        Lang::Zh => format!("{name}：{}（{}）", in_chinese(reason), in_chinese(remedy)),
        Lang::En => format!("{name}: {reason} ({remedy})"),
    };
    let demo = format!("`v6ready show demo {name} --store reports/demo.db`");
    match (fault, lang) {
        (Fault::Reserved, Lang::Zh) => {
            format!("{said}\n  虚构学校的域名在互联网上不存在；演示结果请用 {demo} 查看")
        }
        (Fault::Reserved, Lang::En) => {
            format!("{said}\n  names of invented schools are not on the Internet: {demo} has what the demo saw")
        }
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_probed_is_named_with_its_reason() {
        let names = ["www.school.edu.cn", "WWW.school.edu.cn.", "www.a.example", "nodot", "无"];
        let (sites, refused) = read(&names.map(str::to_owned), false);
        assert_eq!(sites.keys().map(SiteKey::as_str).collect::<Vec<_>>(), ["www.school.edu.cn"]);
        let wanted = [("www.a.example", Fault::Reserved), ("nodot", Fault::SingleLabel), ("无", Fault::Empty)];
        assert_eq!(refused, wanted.map(|(name, fault)| (name.to_owned(), fault)));
        let said = refusal("www.a.example", Fault::Reserved, Lang::Zh);
        assert!(said.contains("show demo www.a.example") && said.contains("保留"), "{said}");
        assert!(!refusal("nodot", Fault::SingleLabel, Lang::En).contains("demo"));
        assert_eq!(read(&["www.a.example".to_owned()], true).1, []);
    }
}
