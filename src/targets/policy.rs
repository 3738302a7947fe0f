//! `policy.toml` ↔ [`Policy`]: the document, its tasks, and how much must be judged before a region is ranked.
//!
//! Unknown keys are errors: a misspelt `target` must not silently become a default. Leaves what a task's numbers mean to
//! the judging side.

use serde::{Deserialize, Serialize};

use super::TargetsError;
use crate::model::school::Category;
use crate::model::summary::{Policy, Task};

/// Coverage below which a region is not ranked, where no policy says otherwise (docs/method, "regions, tasks").
pub const MINIMUM_COVERAGE: f64 = 0.98;

/// The file's shape. Its own type, because the model's is stored with runs and must stay readable across versions.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    title: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    area: String,
    #[serde(default = "minimum_coverage")]
    minimum_coverage: f64,
    #[serde(default)]
    tasks: Vec<TaskFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskFile {
    id: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title_en: Option<String>,
    #[serde(default)]
    wording: String,
    target: f64,
    #[serde(default)]
    target_official: bool,
    categories: Vec<Category>,
    #[serde(default)]
    responsible: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
}

fn minimum_coverage() -> f64 {
    MINIMUM_COVERAGE
}

/// The policy of lists that come without one: no tasks.
pub fn none() -> Policy {
    Policy { minimum_coverage: MINIMUM_COVERAGE, ..Policy::default() }
}

/// Reads a policy. `path` is only for messages.
pub fn parse(path: &str, text: &str) -> Result<Policy, TargetsError> {
    let wrong = |reason: String| TargetsError::Settings { path: path.to_owned(), reason };
    let file: PolicyFile = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    if !is_share(file.minimum_coverage) {
        return Err(wrong(format!("minimum_coverage is a share from 0 to 1, not {}", file.minimum_coverage)));
    }
    for (at, task) in file.tasks.iter().enumerate() {
        let id = &task.id;
        if id.is_empty() || file.tasks[..at].iter().any(|earlier| earlier.id == *id) {
            return Err(wrong(format!("task {} needs an id of its own, not {id:?}", at + 1)));
        }
        if !is_share(task.target) {
            return Err(wrong(format!("target of task {id} is a share from 0 to 1, not {}", task.target)));
        }
        if task.categories.is_empty() {
            return Err(wrong(format!("task {id} names no categories")));
        }
        if task.deadline.as_deref().is_some_and(|date| !is_date(date)) {
            return Err(wrong(format!("deadline of task {id} is a date such as 2023-12-31")));
        }
    }
    Ok(file.into())
}

/// Writes a policy as [`parse`] reads it.
pub fn to_toml(policy: &Policy) -> String {
    // Strings, numbers and lists of them always have a TOML form.
    toml::to_string_pretty(&PolicyFile::from(policy.clone())).unwrap_or_default()
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |at: usize, length: usize| {
        let part = parts.get(at).filter(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    };
    let valid = |(month, day)| (1..=12).contains(&month) && (1..=31).contains(&day);
    parts.len() == 3 && number(0, 4).is_some() && number(1, 2).zip(number(2, 2)).is_some_and(valid)
}

impl From<PolicyFile> for Policy {
    fn from(file: PolicyFile) -> Self {
        let tasks = file.tasks.into_iter().map(|task| Task {
            id: task.id,
            title: task.title,
            title_en: task.title_en,
            wording: task.wording,
            target: task.target,
            target_official: task.target_official,
            categories: task.categories,
            responsible: task.responsible,
            deadline: task.deadline,
        });
        Self {
            title: file.title,
            number: file.number,
            area: file.area,
            tasks: tasks.collect(),
            minimum_coverage: file.minimum_coverage,
        }
    }
}

impl From<Policy> for PolicyFile {
    fn from(policy: Policy) -> Self {
        let tasks = policy.tasks.into_iter().map(|task| TaskFile {
            id: task.id,
            title: task.title,
            title_en: task.title_en,
            wording: task.wording,
            target: task.target,
            target_official: task.target_official,
            categories: task.categories,
            responsible: task.responsible,
            deadline: task.deadline,
        });
        Self {
            title: policy.title,
            number: policy.number,
            area: policy.area,
            tasks: tasks.collect(),
            minimum_coverage: policy.minimum_coverage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
title = "通知"
[[tasks]]
id = "2"
title = "中小学"
target = 0.9
categories = ["k12"]
deadline = "2023-12-31"
"#;

    #[test]
    fn there_and_back() {
        let policy = parse("policy.toml", GOOD).unwrap();
        assert!((policy.minimum_coverage - MINIMUM_COVERAGE).abs() < f64::EPSILON);
        assert!(!policy.tasks[0].target_official);
        assert_eq!(parse("again", &to_toml(&policy)).unwrap(), policy);
        assert_eq!(parse("none", "title = ''").unwrap(), none());
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, message) in [
            ("target = 0.9", "target = 90", "target of task 2 is a share from 0 to 1, not 90"),
            ("target = 0.9", "targte = 0.9", "unknown field `targte`"),
            ("\"k12\"", "\"k13\"", "unknown variant `k13`"),
            ("[\"k12\"]", "[]", "task 2 names no categories"),
            ("\"2\"", "\"\"", "task 1 needs an id of its own"),
            ("2023-12-31", "2023年底", "deadline of task 2 is a date"),
            ("title = \"通知\"", "", "missing field `title`"),
            ("title = \"通知\"", "title = \"通知\"\nminimum_coverage = 98", "minimum_coverage is a share"),
        ] {
            let error = parse("p/policy.toml", &GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.starts_with("p/policy.toml: ") && error.contains(message), "{error}");
        }
    }
}
