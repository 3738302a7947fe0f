//! What is read and written: lists, trust anchors, reports, and the laboratory's exceptions.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::text::maybe;

/// `[tls]`: what certificates are checked against. They never decide whether a site is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Trust anchors.
    pub roots: Roots,
    /// A PEM file with further trust anchors. None: none.
    #[serde(with = "maybe")]
    pub ca_file: Option<PathBuf>,
}

/// Trust anchors beside those of [`Tls::ca_file`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Roots {
    /// Those of Mozilla, built into the program, so that every vantage judges alike.
    #[default]
    Bundled,
    /// None.
    None,
}

/// `[report]`: how reports are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Their language.
    pub lang: Language,
    /// IANA name of the time zone of local times and days on reports.
    pub timezone: String,
    /// Which files are made beside `manifest.json`.
    pub formats: Vec<Format>,
    /// Folder with `bulletin.zh.toml` and `bulletin.en.toml`, the wording of `bulletin.docx`. None: the program's own.
    #[serde(with = "maybe")]
    pub templates: Option<PathBuf>,
    /// Rule sets that reports show: names of shipped ones, or TOML files (docs/method/rules.md).
    pub rules: Vec<String>,
    /// Completion in percent below which the program ends with exit code 6. 0: never.
    pub fail_under: f64,
}

impl Default for Report {
    fn default() -> Self {
        let rules = ["portal", "national-2024", "municipal-20-40-40"].map(str::to_owned).to_vec();
        Self {
            lang: Language::Zh,
            timezone: "Asia/Shanghai".to_owned(),
            formats: vec![Format::Html, Format::Xlsx, Format::Csv, Format::Json, Format::Docx],
            templates: None,
            rules,
            fail_under: 0.0,
        }
    }
}

/// Files of a report that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Pages.
    Html,
    /// Workbooks.
    Xlsx,
    /// Tables as text.
    Csv,
    /// `summary.json`.
    Json,
    /// The draft of a circular.
    Docx,
}

/// A language of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// `[targets]`: how lists are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// Counties administered by the province (省直管县市) are reported beside the cities instead of below one.
    pub direct_counties: bool,
}

/// `[lab]`: exceptions for laboratories. A run that uses one is marked LAB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lab {
    /// Prefixes that are treated as public though they are not.
    pub public_prefixes: Vec<IpNet>,
}
