//! File names of a report. They come from a fixed table or from a region code that was checked, never from text as it
//! was found.

use sha2::{Digest, Sha256};

use crate::model::school::RegionCode;

use super::format::hex;

/// What every verdict of a run rests on.
pub const EVIDENCE_FILE: &str = "evidence.jsonl.zst";

/// Files at the top of a run's folder, whoever renders them.
const TOP: &[&str] = &[
    "index.html",
    "workbook.xlsx",
    "bulletin.docx",
    "schools.csv",
    "regions.csv",
    "findings.csv",
    "causes.csv",
    "links.csv",
    "faulty_links.csv",
    "blocking.csv",
    "summary.json",
    EVIDENCE_FILE,
    "manifest.json",
];

/// Names that Windows keeps for devices, whatever the extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];

/// The stem of a region's files: its code where that is a safe name, else a hash of it. Codes that differ in nothing but capital
/// letters would meet on file systems that do not tell these apart.
pub fn region_stem(code: &RegionCode) -> String {
    if is_stem(&code.0) && !code.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return code.0.to_string();
    }
    let digest = Sha256::digest(code.0.as_bytes());
    format!("x{}", &hex(&digest)[..16])
}

/// The path of a region's page inside the run's folder.
pub fn region_page(code: &RegionCode) -> String {
    format!("regions/{}.html", region_stem(code))
}

/// The path of a region's workbook inside the run's folder.
pub fn region_workbook(code: &RegionCode) -> String {
    format!("regions/{}.xlsx", region_stem(code))
}

/// A short name that is the same on every file system: `[0-9A-Za-z_-]{1,32}`, and no device of Windows.
pub fn is_stem(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let numbered =
        |port: &str| lower.len() == 4 && lower.starts_with(port) && lower.ends_with(|c: char| c.is_ascii_digit());
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && !DEVICES.contains(&lower.as_str())
        && !numbered("com")
        && !numbered("lpt")
}

/// Whether a report may hold a file of this name.
pub fn is_file_name(name: &str) -> bool {
    if TOP.contains(&name) {
        return true;
    }
    let stem = name.strip_prefix("regions/").and_then(|rest| rest.strip_suffix(".html").or(rest.strip_suffix(".xlsx")));
    stem.is_some_and(is_stem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn hostile_codes_become_hashes() {
        let long = "汉".repeat(300);
        for code in [
            "",
            ".",
            "..",
            "../../etc/cron.d/x",
            "/abs",
            "C:\\x",
            "CON",
            "com1",
            "a\0b",
            "410100 ",
            "a.",
            long.as_str(),
        ] {
            let page = region_page(&RegionCode(code.into()));
            assert!(is_file_name(&page), "{page}");
            assert!(page.starts_with("regions/x"), "{page}");
        }
    }

    #[test]
    fn different_codes_have_different_pages_on_every_file_system() {
        let codes = [
            "ab", "AB", "aB", "é", "e\u{301}", "ａｂ", "con", "CON", "con.", "x", "x ", "x.", "../x", "..\\x", "汉",
            "漢",
        ];
        let pages: BTreeSet<String> =
            codes.iter().map(|code| region_page(&RegionCode((*code).into())).to_lowercase()).collect();
        assert_eq!(pages.len(), codes.len());
    }

    #[test]
    fn ordinary_codes_stay() {
        for code in ["410100", "990000", "direct", "41-a_b"] {
            assert_eq!(region_page(&RegionCode(code.into())), format!("regions/{code}.html"));
        }
        for name in
            ["../index.html", "regions/../x.html", "regions/a/b.html", "latest", "regions/a.exe", "regions/.html"]
        {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
