//! The textfile for node_exporter's collector: numbers of the latest start and of the latest report, in Prometheus's text
//! format.
//!
//! A start that brought no report replaces what is said of the start and keeps the numbers of schools as they were: a gauge
//! that disappears looks like a server that is down. Leaves to others: when it is written (`cli`).

use std::fmt::Write as _;
use std::path::Path;

use super::ledger::Attempt;
use super::replace;
use crate::model::school::Category;
use crate::model::summary::{Completion, Summary};
use crate::model::time::Timestamp;
use crate::model::verdict::Readiness;

/// What begins the lines about the start, which every start replaces.
const OF_THE_START: &str = "v6ready_last_run_";
/// A textfile of ours is smaller; what is larger is not kept.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Replaces the textfile. `summary`: of the report that the start wrote. None: it wrote none.
pub fn write(path: &Path, attempt: &Attempt, summary: Option<(&Summary, Timestamp)>) -> std::io::Result<()> {
    let schools = summary.map_or_else(|| kept(path), |(summary, ended)| of_schools(summary, ended));
    replace(path, format!("{}{schools}", of_start(attempt)).as_bytes())
}

/// What an earlier start said of schools. Empty: nothing, or the file is none of ours.
fn kept(path: &Path) -> String {
    if !std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MOST_BYTES) {
        return String::new();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let about = |line: &str| line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").to_owned();
    text.lines()
        .filter(|line| about(line).starts_with("v6ready_") && !about(line).starts_with(OF_THE_START))
        .fold(String::new(), |kept, line| kept + line + "\n")
}

fn of_start(attempt: &Attempt) -> String {
    let mut text = String::new();
    family(&mut text, "v6ready_last_run_timestamp_seconds", "When the latest start ended.");
    value(&mut text, "v6ready_last_run_timestamp_seconds", "", seconds(attempt.ended));
    family(&mut text, "v6ready_last_run_duration_seconds", "How long the latest start took.");
    let took = attempt.ended.distance_ms(attempt.began) as f64 / 1000.0;
    value(&mut text, "v6ready_last_run_duration_seconds", "", took);
    family(&mut text, "v6ready_last_run_success", "1 if the latest start ended with a complete run, else 0.");
    value(&mut text, "v6ready_last_run_success", "", f64::from(u8::from(attempt.complete)));
    family(&mut text, "v6ready_last_run_exit_code", "Exit code of the latest start.");
    value(&mut text, "v6ready_last_run_exit_code", "", f64::from(attempt.exit));
    text
}

fn of_schools(summary: &Summary, ended: Timestamp) -> String {
    let mut text = String::new();
    family(&mut text, "v6ready_report_timestamp_seconds", "When the run ended that the following numbers are of.");
    value(&mut text, "v6ready_report_timestamp_seconds", "", seconds(ended));
    let groups = groups(summary);
    family(&mut text, "v6ready_support_ratio", "Schools that pass to schools that were judged, 0 to 1.");
    for (region, category, completion) in &groups {
        if let Some(rate) = completion.rate() {
            value(&mut text, "v6ready_support_ratio", &labels(region, *category), rate);
        }
    }
    family(&mut text, "v6ready_coverage_ratio", "Schools that were judged to schools that could be, 0 to 1.");
    for (region, category, completion) in &groups {
        if let Some(coverage) = completion.coverage() {
            value(&mut text, "v6ready_coverage_ratio", &labels(region, *category), coverage);
        }
    }
    family(&mut text, "v6ready_targets", "Schools by verdict, every category together.");
    for (region, _, completion) in groups.iter().filter(|(_, category, _)| category.is_none()) {
        for readiness in Readiness::ALL {
            let labels = format!("{{region=\"{}\",verdict=\"{}\"}}", escape(region), readiness.name());
            value(&mut text, "v6ready_targets", &labels, completion.of(readiness) as f64);
        }
    }
    text
}

/// Every region, the whole as `all`, with every category that it has and with all together.
fn groups(summary: &Summary) -> Vec<(String, Option<Category>, &Completion)> {
    let mut groups = vec![("all".to_owned(), None, &summary.total)];
    groups.extend(summary.categories.iter().map(|(category, of)| ("all".to_owned(), Some(*category), of)));
    for region in &summary.regions {
        groups.push((region.code.0.to_string(), None, &region.completion));
        groups.extend(region.categories.iter().map(|(category, of)| (region.code.0.to_string(), Some(*category), of)));
    }
    groups
}

fn labels(region: &str, category: Option<Category>) -> String {
    format!("{{region=\"{}\",category=\"{}\"}}", escape(region), category.map_or("all", Category::name))
}

/// A label's value as the format wants it: region codes come from lists.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn family(text: &mut String, name: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn value(text: &mut String, name: &str, labels: &str, value: f64) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::summary::RegionSummary;

    /// What a reader of the format makes of a text: samples by name and labels. Refuses what the format forbids.
    fn read(text: &str) -> BTreeMap<(String, BTreeMap<String, String>), f64> {
        assert!(text.ends_with('\n'));
        let (mut typed, mut samples) = (BTreeSet::new(), BTreeMap::new());
        let mut family = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(kind, "gauge");
                assert!(typed.insert(name.to_owned()), "{name} twice");
                name.clone_into(&mut family);
                continue;
            }
            if line.starts_with("# HELP ") {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            assert_eq!(name, family, "samples of a family stand together");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
            let key = (name.to_owned(), read_labels(labels));
            assert!(samples.insert(key, value.parse().unwrap()).is_none(), "{line} twice");
        }
        samples
    }

    fn read_labels(text: &str) -> BTreeMap<String, String> {
        let (mut labels, mut rest) = (BTreeMap::new(), text);
        while let Some((name, after)) = rest.split_once("=\"") {
            let (mut value, mut characters) = (String::new(), after.char_indices());
            let end = loop {
                match characters.next().expect("an end of the value") {
                    (_, '\\') => value.push(match characters.next().expect("what is escaped").1 {
                        'n' => '\n',
                        other => other,
                    }),
                    (at, '"') => break at + 1,
                    (_, other) => value.push(other),
                }
            };
            labels.insert(name.trim_start_matches(',').to_owned(), value);
            rest = &after[end..];
        }
        labels
    }

    fn completion(verdicts: &[(Readiness, u64)]) -> Completion {
        let mut completion = Completion::default();
        for (readiness, count) in verdicts {
            (0..*count).for_each(|_| completion.add_verdict(*readiness));
        }
        completion
    }

    fn summary(code: &str) -> Summary {
        let all = completion(&[(Readiness::Ready, 3), (Readiness::Absent, 1), (Readiness::Inconclusive, 1)]);
        let region = RegionSummary {
            code: code.into(),
            rank: None,
            rankable: false,
            completion: all.clone(),
            services: Completion::default(),
            categories: BTreeMap::from([(Category::K12, all.clone())]),
            counties: BTreeMap::new(),
        };
        Summary {
            total: all.clone(),
            services: Completion::default(),
            regions: vec![region],
            categories: BTreeMap::from([(Category::K12, all)]),
            units: BTreeMap::new(),
            tasks: Vec::new(),
        }
    }

    fn sample<'a>(labels: &[(&'a str, &'a str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn attempt(exit: u8) -> Attempt {
        Attempt { began: Timestamp(1_000), ended: Timestamp(1_795_000_000_500), exit, complete: exit == 0, error: None }
    }

    #[test]
    fn numbers_are_those_of_the_summary_and_labels_cannot_break_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v6ready.prom");
        for code in ["990100", "a\"b\\c\nd{e} 1,x=\"y\""] {
            write(&path, &attempt(0), Some((&summary(code), Timestamp(5_000)))).unwrap();
            let samples = read(&std::fs::read_to_string(&path).unwrap());
            let of = |name: &str, labels: &[(&str, &str)]| samples.get(&(name.to_owned(), sample(labels))).copied();
            assert_eq!(of("v6ready_support_ratio", &[("region", code), ("category", "all")]), Some(0.75));
            assert_eq!(of("v6ready_coverage_ratio", &[("region", "all"), ("category", "all")]), Some(0.8));
            assert_eq!(of("v6ready_targets", &[("region", code), ("verdict", "READY")]), Some(3.0));
            assert_eq!(of("v6ready_targets", &[("region", "all"), ("verdict", "DOWN")]), Some(0.0));
            assert_eq!(of("v6ready_last_run_success", &[]), Some(1.0));
            assert_eq!(of("v6ready_last_run_timestamp_seconds", &[]), Some(1_795_000_000.5));
        }
    }

    #[test]
    fn a_start_without_report_keeps_the_numbers_of_schools() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v6ready.prom");
        write(&path, &attempt(4), None).unwrap();
        assert_eq!(read(&std::fs::read_to_string(&path).unwrap()).len(), 4);
        write(&path, &attempt(0), Some((&summary("990100"), Timestamp(5_000)))).unwrap();
        let before = read(&std::fs::read_to_string(&path).unwrap());
        write(&path, &attempt(4), None).unwrap();
        let after = read(&std::fs::read_to_string(&path).unwrap());
        let differ: Vec<&str> = before
            .iter()
            .filter(|(key, value)| after.get(*key) != Some(*value))
            .map(|((name, _), _)| &**name)
            .collect();
        assert_eq!(before.len(), after.len());
        assert_eq!(differ, ["v6ready_last_run_exit_code", "v6ready_last_run_success"]);
    }
}
