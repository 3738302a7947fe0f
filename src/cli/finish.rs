//! From a stored run to verdicts, numbers and published reports. The same path for `scan`, `demo`, `judge` and `report`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::output::{line, say};
use super::past;
use super::{rules, settings};
use crate::config::Config;
use crate::judge::causes::causes;
use crate::judge::rules::RuleSet;
use crate::judge::summarise::Standing;
use crate::judge::summarise::summarise;
use crate::judge::{Criteria, assess, faulty_links};
use crate::model::METHOD_VERSION;
use crate::model::cause::Causes;
use crate::model::deep::FaultyLinks;
use crate::model::owner::Aliases;
use crate::model::run::{Run, RunId};
use crate::model::school::{Roster, RosterState};
use crate::model::site::SiteKey;
use crate::model::summary::{Policy, Summary};
use crate::model::verdict::{Assessment, Readiness};
use crate::report::names::EVIDENCE_FILE;
use crate::report::text::Text;
use crate::report::trail;
use crate::report::trails::Packer;
use crate::report::{
    File, FileEntry, Folder, Format, Lang, Publication, ReportInput, Template, Trails, Written, render_each,
};
use crate::store::{Given, Scope, Store, StoreError, StoredRun};
use crate::targets::wording::in_chinese;

/// A run with its verdicts.
pub(super) struct Judged {
    pub(super) run: Run,
    pub(super) roster: Roster,
    pub(super) policy: Policy,
    /// The configuration that the run was made with.
    pub(super) config: String,
    pub(super) assessments: BTreeMap<SiteKey, Assessment>,
    /// The evidence as lines, where it was asked for.
    pub(super) trails: Trails,
    pub(super) faulty_links: FaultyLinks,
    pub(super) summary: Summary,
    pub(super) causes: Causes,
}

/// What reports show beside the verdicts, and in which words: files of the user's. Read before anything is measured, so
/// that a mistake shows at once.
pub(super) struct Shown {
    pub(super) rules: Vec<RuleSet>,
    template: Template,
}

impl Shown {
    /// Reads what is configured.
    pub(super) fn read(config: &Config) -> Result<Self, CliError> {
        let lang = settings::lang(config);
        let template = match &config.report.templates {
            None => Template::shipped(lang).clone(),
            Some(folder) => {
                let path = folder.join(Template::file_name(lang));
                let read = std::fs::read_to_string(&path);
                let text = read.map_err(|source| CliError::Read { path: path.clone(), source })?;
                Template::parse(&path.to_string_lossy(), &text)?
            }
        };
        Ok(Self { rules: rules::configured(config)?, template })
    }
}

/// Judges a run's stored evidence. `told` asks for the evidence as lines as well, in this language.
pub(super) async fn judge_run(store: &Store, id: &RunId, told: Option<Lang>) -> Result<Judged, CliError> {
    if store.is_pruned(id).await? {
        return Err(StoreError::Pruned { path: store.path().to_owned(), id: id.clone() }.into());
    }
    let stored = store.load_run(id).await?;
    let criteria = Criteria::default();
    let mut assessments = Vec::with_capacity(stored.roster.sites.len());
    let mut trails = Packer::default();
    let mut links = FaultyLinks::default();
    store
        .for_each_observation::<CliError, _>(id, |observation| {
            let mut assessment = assess(&observation, &stored.run.vantage, &criteria);
            // Lists of one or two that grew as if they were to be long.
            assessment.findings.shrink_to_fit();
            assessment.evidence.shrink_to_fit();
            if let Some(lang) = told {
                trails.add(assessment.site.clone(), &trail(&observation, lang));
            }
            links.add(&assessment.site, faulty_links(&observation, &stored.run.vantage, &criteria));
            assessments.push((assessment.site.clone(), assessment));
            Ok(())
        })
        .await?;
    // From a whole list, a map is built without room to spare.
    let assessments: BTreeMap<_, _> = assessments.into_iter().collect();
    let trails = trails.finish();
    let summary = summarise(&stored.roster, &stored.policy, &assessments);
    let causes = causes(&stored.roster, &stored.policy, &assessments, &aliases(&stored.config));
    let StoredRun { run, roster, policy, config } = stored;
    Ok(Judged { run, roster, policy, config, assessments, trails, faulty_links: links, summary, causes })
}

/// The language in which the evidence is told, if a format has room for it.
pub(super) fn told_in(config: &Config) -> Option<Lang> {
    settings::formats(config).contains(&Format::Html).then(|| settings::lang(config))
}

/// Keeps the verdicts for history.
pub(super) async fn remember(store: &Store, judged: &Judged) -> Result<(), CliError> {
    let verdicts = judged.assessments.values().map(|a| (a.site.clone(), a.readiness, a.reason.clone()));
    store.put_verdicts(&judged.run.id, METHOD_VERSION, verdicts).await?;
    Ok(())
}

/// Renders and publishes a run's reports. Returns their folder.
pub(super) async fn report_run(
    store: &Store,
    judged: &Judged,
    reports: &Path,
    config: &Config,
    shown: &Shown,
) -> Result<PathBuf, CliError> {
    let first_seen = store.first_seen(&judged.run.id).await?;
    let past = past::of_run(store, judged).await?;
    let mut summary = judged.summary.clone();
    past::give_places(&mut summary, &past);
    let formats = settings::formats(config);
    let mut publication = Publication::begin(reports, &judged.run.id)?;
    // Of a large province it is the largest file by far, so it never is in memory.
    let evidence = if formats.contains(&Format::Json) {
        let mut stream = publication.stream(EVIDENCE_FILE)?;
        let given = Given { run: &judged.run, roster: &judged.roster, policy: &judged.policy, config: &judged.config };
        match store.export_given(given, Scope::Public, &mut stream).await {
            Ok(_) => Some(stream.finish()?),
            Err(StoreError::Export { source, .. }) => return Err(stream.refused(source).into()),
            Err(error) => return Err(error.into()),
        }
    } else {
        None
    };
    let input = ReportInput {
        run: &judged.run,
        roster: &judged.roster,
        policy: &judged.policy,
        assessments: &judged.assessments,
        summary: &summary,
        causes: &judged.causes,
        rules: &shown.rules,
        trails: &judged.trails,
        faulty_links: &judged.faulty_links,
        say: match settings::lang(config) {
            Lang::Zh => in_chinese,
            Lang::En => str::to_owned,
        },
        first_seen: &first_seen,
        past: &past,
        evidence: evidence.as_ref(),
        lang: settings::lang(config),
        zone: &settings::zone(config),
        formats: &formats,
        template: &shown.template,
    };
    render_each(&input, &mut Published(&mut publication))?;
    Ok(publication.finish()?)
}

/// The folder of a report that is on its way.
struct Published<'a>(&'a mut Publication);

impl Folder for Published<'_> {
    type Error = CliError;

    fn add(&mut self, file: File) -> Result<(), CliError> {
        Ok(self.0.add(&file)?)
    }

    fn stream(&mut self, name: &str, write: Written<'_>) -> Result<FileEntry, CliError> {
        Ok(self.0.write(name, write)?)
    }
}

/// The result on one screen.
pub(super) fn print_result(judged: &Judged, folder: &Path, lang: Lang) {
    let total = &judged.summary.total;
    let percent = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0));
    line("");
    let kind = match (judged.run.simulated || judged.roster.simulated, judged.run.lab) {
        (true, _) => say(lang, "（模拟数据：学校与网络均为虚构）", " (simulated: schools and network are invented)"),
        (false, true) => " (LAB)",
        (false, false) => "",
    };
    line(format!("{}{kind}", say(lang, "IPv6 升级改造完成情况", "IPv6 upgrade readiness")));
    let (low, high) = total.range().map_or((None, None), |(low, high)| (Some(low), Some(high)));
    line(format!(
        "  {} {} / {} = {}   {} {}   {} [{}, {}]",
        say(lang, "就绪/已判定", "ready/judged"),
        total.ready(),
        total.judged(),
        percent(total.rate()),
        say(lang, "覆盖率", "coverage"),
        percent(total.coverage()),
        say(lang, "可能范围", "range"),
        percent(low),
        percent(high),
    ));
    for readiness in Readiness::ALL {
        let count = total.of(readiness);
        line(format!("  {:<14} {count:>7}  {}", readiness.name(), Text::of(lang).verdict(readiness)));
    }
    for state in
        [RosterState::NoSite, RosterState::Invalid, RosterState::OptedOut, RosterState::Closed, RosterState::Listed]
    {
        if let Some(count) = total.roster.get(&state) {
            line(format!("  {:<14} {count:>7}", Text::of(lang).standing(Standing::Roster(state))));
        }
    }
    for progress in &judged.summary.tasks {
        let task = &progress.task;
        line(format!(
            "  {} {}: {} / {} = {} ({} {:.0} %)",
            say(lang, "任务", "task"),
            task.id,
            progress.completion.ready(),
            progress.completion.judged(),
            percent(progress.completion.rate()),
            say(lang, "目标", "target"),
            task.target * 100.0,
        ));
    }
    print_cost(judged, lang);
    line("");
    let page = folder.join("index.html");
    if page.is_file() {
        line(format!("{} {}", say(lang, "汇总页：", "Summary page:"), page.display()));
    } else {
        line(format!("{} {}", say(lang, "报告文件夹：", "Report folder:"), folder.display()));
    }
}

/// Who owns several registrable domains, as the run's own configuration says: the same whenever it is judged again.
fn aliases(config: &str) -> Aliases {
    let stored: Option<toml::Table> = toml::from_str(config).ok();
    let groups = stored.as_ref().and_then(|stored| stored.get("deep")?.get("aliases")?.as_array());
    let groups = groups.into_iter().flatten().filter_map(|group| group.as_str().map(str::to_owned));
    Aliases::read(&groups.collect::<Vec<_>>())
}

/// What the run cost others: bytes on the wire, and networks that were left alone for a while.
fn print_cost(judged: &Judged, lang: Lang) {
    let Some(cost) = &judged.run.cost else { return };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (sent, received) = (mib(cost.bytes_sent), mib(cost.bytes_received));
    line("");
    line(match lang {
        Lang::Zh => format!("本次探测的流量：发出 {sent:.1} MiB，收到 {received:.1} MiB"),
        Lang::En => format!("traffic of this run: {sent:.1} MiB sent, {received:.1} MiB received"),
    });
    for pause in &cost.pauses {
        let minutes = (pause.until.0 - pause.from.0) / 60_000;
        line(match lang {
            Lang::Zh => format!("  {} 连续重置连接，已暂停探测 {minutes} 分钟", pause.network),
            Lang::En => {
                format!("  {} reset one connection after another and was left alone for {minutes} min", pause.network)
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_those_of_the_run() {
        let mut config = Config::default();
        config.deep.aliases = vec!["a.cn b.cn".to_owned(), "c.cn d.cn".to_owned()];
        let stored = toml::to_string(&config).expect("TOML");
        assert_eq!(aliases(&stored), Aliases::read(&config.deep.aliases));
        assert_eq!(aliases(""), Aliases::default());
    }
}
