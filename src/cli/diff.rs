//! `diff`: what changed from one run to another, on one screen or as JSON. Both are judged anew, so that one version of
//! the rules speaks about both.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{Common, DiffArgs};
use super::error::CliError;
use super::finish::{Judged, judge_run};
use super::output::{json, line, say};
use super::past::between_runs;
use super::settings;
use crate::exit::Exit;
use crate::judge::compare::{Change, Delta, Difference};
use crate::judge::summarise::Standing;
use crate::model::METHOD_VERSION;
use crate::model::deep::FaultyLinks;
use crate::model::summary::Completion;
use crate::report::clean::clean;
use crate::report::format::{percent, rfc3339};
use crate::report::model::{Named, SchoolRow};
use crate::report::text::Text;
use crate::report::{Lang, Report, ReportInput, Template, Trails};
use crate::store::{OpenMode, Store};

/// Version of the JSON. Raised when a reader would have to change.
const SCHEMA_VERSION: u32 = 1;

pub(super) async fn run(common: &Common, args: &DiffArgs) -> Result<Exit, CliError> {
    let config = settings::resolve(common, &settings::flags(common, None, None))?.config;
    let lang = settings::lang(&config);
    let store = Store::open(&args.store.store, OpenMode::ReadOnly).await?;
    let (from, to) = (store.resolve_run(&args.from).await?, store.resolve_run(&args.to).await?);
    if from == to {
        return Err(CliError::SameRun { run: from });
    }
    let (from, to) = (judge_run(&store, &from, None).await?, judge_run(&store, &to, None).await?);
    if (from.run.started, &from.run.id) >= (to.run.started, &to.run.id) {
        return Err(CliError::NotEarlier { from: from.run.id.0, to: to.run.id.0 });
    }
    let (past, differences) = between_runs(&store, &from, &to).await?;
    let (trails, links, seen) = (Trails::default(), FaultyLinks::default(), BTreeMap::new());
    let (zone, formats) = (settings::zone(&config), BTreeSet::new());
    let report = Report::new(&ReportInput {
        run: &to.run,
        roster: &to.roster,
        policy: &to.policy,
        assessments: &to.assessments,
        summary: &to.summary,
        causes: &to.causes,
        rules: &[],
        trails: &trails,
        faulty_links: &links,
        say: str::to_owned,
        first_seen: &seen,
        past: &past,
        evidence: None,
        lang,
        zone: &zone,
        formats: &formats,
        template: Template::shipped(lang),
    });
    let same = past.delta().map(|delta| same_schools(&delta)).unwrap_or_default();
    let diff = Diff { from: &from, to: &to, differences, report, same };
    if args.json {
        json(&diff.as_json());
    } else {
        diff.print(lang);
    }
    Ok(Exit::Done)
}

struct Diff<'a> {
    from: &'a Judged,
    to: &'a Judged,
    /// What stands between the runs.
    differences: Vec<Difference>,
    report: Report<'a>,
    /// Then and now, over the schools that both lists have.
    same: [Completion; 2],
}

/// Then and now, over the schools that both lists have.
fn same_schools(delta: &Delta) -> [Completion; 2] {
    let mut sums = [Completion::default(), Completion::default()];
    for school in delta.schools.iter().filter(|school| !school.added) {
        for (sum, standing) in sums.iter_mut().zip([school.before.last, school.after.last]) {
            if let Some(standing) = standing {
                standing.count_into(sum);
            }
        }
    }
    sums
}

impl Diff<'_> {
    /// The schools of which this may be said, by the rows that they count by.
    fn counted(&self, wanted: impl Fn(Option<Change>) -> bool) -> impl Iterator<Item = SchoolRow<'_>> {
        self.report.schools.rows().those(move |row| row.counted && wanted(row.changed()))
    }

    fn as_json(&self) -> serde_json::Value {
        let run = |of: &Judged| {
            serde_json::json!({
                "id": of.run.id, "started": rfc3339(of.run.started), "vantage": of.run.vantage.name,
                "isp": of.run.vantage.isp, "measured_by_method": of.run.method_version,
            })
        };
        let counts = |of: &Completion| {
            serde_json::json!({
                "listed": of.listed, "ready": of.ready(), "judged": of.judged(), "inconclusive": of.inconclusive(),
            })
        };
        let schools: Vec<_> = self
            .counted(|changed| !matches!(changed, None | Some(Change::Same | Change::New)))
            .map(|row| {
                serde_json::json!({
                    "name": row.name, "region": row.region, "domain": row.domain, "changed": row.changed,
                    "previous": row.previous, "settled": row.settled, "readiness": row.readiness,
                    "reason": row.reason, "unconfirmed": row.unconfirmed, "flapping": row.flapping,
                })
            })
            .collect();
        serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "from": run(self.from), "to": run(self.to), "judged_by_method": METHOD_VERSION,
            "differences": self.differences,
            "total": {
                "from": counts(&self.from.summary.total), "to": counts(&self.to.summary.total),
                "same_from": counts(&self.same[0]), "same_to": counts(&self.same[1]),
            },
            "changes": self.report.changes,
            "schools": schools,
        })
    }

    fn print(&self, lang: Lang) {
        let text = Text::of(lang);
        let (from, to) = (&self.from.run, &self.to.run);
        line(format!("{} → {}   {}", from.id, to.id, clean(&to.vantage.name)));
        for difference in &self.differences {
            let words = text.w(&format!("differs.{}", difference.word())).to_owned();
            line(format!("  {}{words}", say(lang, "注意，两次监测不完全可比：", "careful, not quite comparable: ")));
        }
        let totals = [
            (say(lang, "按各自名单", "each by its own list"), [&self.from.summary.total, &self.to.summary.total]),
            (say(lang, "同一批学校", "the same schools"), [&self.same[0], &self.same[1]]),
        ];
        for (label, [then, now]) in totals {
            line(format!("  {label}  {}  →  {}", rate(then), rate(now)));
        }
        for (change, title) in [
            (Change::Gained, "change.gained"),
            (Change::Lost, "change.lost"),
            (Change::Unconfirmed, "change.unconfirmed"),
            (Change::Flapping, "change.flapping"),
            (Change::Other, "change.other"),
        ] {
            let schools: Vec<SchoolRow> = self.counted(|changed| changed == Some(change)).collect();
            line(format!("{} {}", text.w(title), schools.len()));
            for row in schools {
                line(format!("  {}", moved(&row, text)));
            }
        }
        self.print_lists(text);
    }

    fn print_lists(&self, text: &Text) {
        let changes = &self.report.changes;
        if changes.added > 0 {
            line(text.fill("past.added", &[("added", &changes.added.to_string())]));
        }
        for school in &changes.moved {
            let (name, from, to) = (&school.school.name, &school.from_name, &school.school.region_name);
            line(format!("{}  {}  {} → {}", text.w("past.moved"), clean(name), clean(from), clean(to)));
        }
        let named = |title: &str, schools: &[Named]| {
            for school in schools {
                line(format!("{}  {}  {}", text.w(title).to_owned(), clean(&school.region_name), clean(&school.name)));
            }
        };
        named("past.closed", &changes.closed);
        named("past.removed", &changes.removed);
    }
}

/// `12 / 20 = 60.00 %`.
fn rate(of: &Completion) -> String {
    let share = percent(of.ready(), of.judged()).map_or_else(|| "–".to_owned(), |share| format!("{share} %"));
    format!("{} / {} = {share}", of.ready(), of.judged())
}

/// Region, name, site, then and now, and why.
fn moved(row: &SchoolRow, text: &Text) -> String {
    let then = row.settled.or(row.previous).map_or("–", |verdict| text.verdict(verdict));
    let now = match row.standing {
        Standing::Verdict(verdict) => text.verdict(verdict),
        Standing::Roster(_) => text.standing(row.standing),
    };
    let site = row.domain.as_ref().map(|key| clean(key.as_str()).into_owned()).unwrap_or_default();
    let why = if row.reason.is_empty() { String::new() } else { format!("  {}", text.why(row.standing, row.reason)) };
    format!("{}  {}  {site}  {then} → {now}{why}", clean(row.region_name), clean(row.name))
}
