//! The manual, held to the program where it lists what the program has: both READMEs, the verdicts, the exit codes.

use v6ready::exit::Exit;
use v6ready::model::METHOD_VERSION;
use v6ready::model::verdict::Readiness;

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
