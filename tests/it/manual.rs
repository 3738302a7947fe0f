//! The manual, held to the program where it lists what the program has: both READMEs, the verdicts, the exit codes.

use v6ready::exit::Exit;
use v6ready::model::METHOD_VERSION;
use v6ready::model::verdict::Readiness;
use v6ready::report::Lang;
use v6ready::report::text::Text;

const ENGLISH: &str = include_str!("../../README.md");
const CHINESE: &str = include_str!("../../README.zh.md");
const VERDICT: &str = include_str!("../../docs/method/verdict.md");

/// The lines inside fenced blocks.
fn commands(text: &str) -> Vec<&str> {
    text.split("```").skip(1).step_by(2).flat_map(|block| block.lines().skip(1)).collect()
}

#[test]
fn both_readmes_give_the_same_commands() {
    let set_up = ["cargo run --release -- demo", "cargo test", "cargo run --release -- scan targets/henan"];
    assert_eq!(commands(ENGLISH), set_up);
    assert_eq!(commands(CHINESE), set_up);
}

#[test]
fn every_verdict_is_explained() {
    for readiness in Readiness::ALL {
        let row = format!("| `{}` |", readiness.name());
        for (page, text) in [("README.md", ENGLISH), ("README.zh.md", CHINESE), ("verdict.md", VERDICT)] {
            assert!(text.lines().any(|line| line.starts_with(&row)), "{page} has no row for {row}");
        }
    }
}

/// Whoever reads a report reads no reason as the machine spells it.
#[test]
fn every_reason_of_the_manual_is_worded_in_both_languages() {
    let page = include_str!("../../docs/method/verdict.md");
    let table =
        page.split("## Reasons").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table of reasons");
    let cells = table.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('|').nth(2));
    let reasons: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(reasons.len() > 50, "n={}", reasons.len());
    for lang in [Lang::Zh, Lang::En] {
        let text = Text::of(lang);
        for reason in &reasons {
            assert_ne!(text.reason(reason), *reason, "{lang:?}");
        }
    }
}

#[test]
fn every_exit_code_is_explained() {
    for (page, text) in [("README.md", ENGLISH), ("README.zh.md", CHINESE)] {
        let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        let numbers: Vec<u8> =
            cells.flat_map(|cell| cell.split([',', '、', ' '])).filter_map(|number| number.parse().ok()).collect();
        assert_eq!(numbers, Exit::ALL.map(Exit::code), "{page}");
    }
}

#[test]
fn the_method_version_is_documented() {
    assert!(include_str!("../../CHANGELOG.md").contains(&format!("`METHOD_VERSION` {METHOD_VERSION}")));
    assert!(include_str!("../../docs/method/README.md").contains(&format!("`{METHOD_VERSION}`")));
}

/// The text of all sources of the program and of this binary.
fn sources() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    let mut folders = vec![root.join("src"), root.join("tests/it")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).expect("a source"));
            }
        }
    }
    sources
}

/// Every row of the table of rows that are no single site names tests that are there.
#[test]
fn rows_that_are_no_single_site_have_tests_that_exist() {
    let sources = sources();
    let page = include_str!("../scenarios/README.md");
    let is_row = |line: &&str| line.starts_with("| V") || line.starts_with("| D");
    let rows: Vec<&str> = page.lines().filter(is_row).collect();
    assert_eq!(rows.len(), 15);
    for row in rows {
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "{row}");
        }
    }
}

/// Tests and scenarios that the threat model names are there.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources();
    let page = include_str!("../../docs/threat-model.md");
    let words: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let tests: Vec<&&str> =
        words.iter().filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')).collect();
    let tests: Vec<_> = tests.into_iter().filter(|word| word.matches('_').count() >= 2).collect();
    assert!(tests.len() > 20, "n={}", tests.len());
    let missing: Vec<_> = tests.iter().filter(|word| !sources.contains(&format!("fn {word}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for row in words.iter().filter(|word| word.starts_with("A-") && word.len() > 2) {
        assert!(root.join(format!("tests/scenarios/{row}.toml")).is_file(), "{row}");
    }
}

/// `v6ready config init > v6ready.toml` gives a file to begin with.
#[test]
fn the_file_to_begin_with_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let v6ready = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_v6ready"));
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("V6READY_"));
        for (name, _) in ours {
            command.env_remove(name);
        }
        let output = command.args(arguments).current_dir(folder.path()).output().expect("the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let without_file = v6ready(&["config", "show"]);
    std::fs::write(folder.path().join("v6ready.toml"), v6ready(&["config", "init"])).expect("a file");
    let values = |shown: &str| -> Vec<String> {
        shown.lines().filter_map(|line| Some(line.rsplit_once("  # ")?.0.trim_end().to_owned())).collect()
    };
    let with_file = v6ready(&["config", "show"]);
    assert_eq!(values(&with_file), values(&without_file));
    assert!(with_file.lines().all(|line| line.is_empty() || line.contains("# v6ready.toml:")), "{with_file}");
}
