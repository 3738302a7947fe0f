//! Reports: what was decided, for people and for machines.
//!
//! The way is straight: inner types → [`model::Report`] (published shapes, versioned) → bytes ([`html`], [`xlsx`],
//! [`csv`], [`json`], [`docx`]) → a folder ([`mod@publish`]). Rendering is pure: bytes out, time only from the run, the
//! same bytes on repeat.
//! Nothing is decided here; verdicts and sums come from [`crate::judge`]. Wording lives in [`text`], by code and language.

mod build;
pub mod clean;
pub mod csv;
mod deep;
pub mod docx;
pub mod format;
pub mod html;
pub mod json;
pub mod model;
pub mod names;
pub mod publish;
pub mod rows;
pub mod text;
pub mod trail;
pub mod trails;
pub mod xlsx;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod office_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::judge::compare::Past;
use crate::judge::rules::RuleSet;
use crate::model::cause::Causes;
use crate::model::deep::FaultyLinks;
use crate::model::run::Run;
use crate::model::school::Roster;
use crate::model::site::SiteKey;
use crate::model::summary::{Policy, Summary};
use crate::model::time::Timestamp;
use crate::model::verdict::Assessment;

pub use docx::template::Template;
pub use json::FileEntry;
pub use model::Report;
pub use publish::{Publication, PublishError};
pub use text::Lang;
pub use trail::trail;
pub use trails::Trails;

/// A file of a report: its path inside the run's folder, with `/`, and its bytes.
pub type File = (String, Vec<u8>);

/// Files of a report that belong together. `manifest.json` is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `index.html` and a page for each region.
    Html,
    /// `workbook.xlsx` and a workbook for each region.
    Xlsx,
    /// The tables as text.
    Csv,
    /// `summary.json`.
    Json,
    /// `bulletin.docx`.
    Docx,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Html, Self::Xlsx, Self::Csv, Self::Json, Self::Docx];
}

/// Why a file of a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A workbook.
    #[error("cannot make {file}")]
    Workbook {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: rust_xlsxwriter::XlsxError,
    },
    /// A file that is written piece by piece.
    #[error("cannot make {file}")]
    Write {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A document.
    #[error("cannot make {file}: {why}")]
    Document {
        /// The file.
        file: &'static str,
        /// Why.
        why: String,
    },
}

/// Everything that a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The run.
    pub run: &'a Run,
    /// The lists.
    pub roster: &'a Roster,
    /// The policy that progress is measured by.
    pub policy: &'a Policy,
    /// The verdicts.
    pub assessments: &'a BTreeMap<SiteKey, Assessment>,
    /// The sums.
    pub summary: &'a Summary,
    /// What would have to be mended.
    pub causes: &'a Causes,
    /// Rule sets to show the points of.
    pub rules: &'a [RuleSet],
    /// The evidence as short lines ([`trail()`]). A site may be missing.
    pub trails: &'a Trails,
    /// The links to mend, where links were looked at.
    pub faulty_links: &'a FaultyLinks,
    /// When sites were first measured. A site that is not in it is measured for the first time.
    pub first_seen: &'a BTreeMap<SiteKey, Timestamp>,
    /// The runs that this one is compared with, and this one as the last of them.
    pub past: &'a Past,
    /// `evidence.jsonl.zst`, which lies beside the report already ([`Publication::stream`]): what every verdict rests on. None: the
    /// report goes without.
    pub evidence: Option<&'a FileEntry>,
    /// A sentence of the lists' readers in the language of the pages; the sentence itself where there is none.
    pub say: fn(&str) -> String,
    /// The language of pages and wording. Column names, codes and keys are the same in all.
    pub lang: Lang,
    /// The time zone of local times and days.
    pub zone: &'a jiff::tz::TimeZone,
    /// Which files to make.
    pub formats: &'a BTreeSet<Format>,
    /// The wording of `bulletin.docx`.
    pub template: &'a Template,
}

/// Where the files of a report go, one after another.
pub trait Folder {
    /// Why one cannot.
    type Error: From<RenderError>;

    /// Takes a file.
    fn add(&mut self, file: File) -> Result<(), Self::Error>;

    /// Takes a file that is written piece by piece, because it is too large for memory. What could not be written to its end is
    /// not there, and may be begun again under the same name.
    fn stream(&mut self, name: &str, write: Written<'_>) -> Result<FileEntry, Self::Error>;
}

/// Writes a file.
pub type Written<'a> = &'a dyn Fn(&mut (dyn io::Write + Send)) -> io::Result<()>;

/// Renders the files of the wanted formats, the manifest last, and hands on each before the next is made: of a large province's
/// report, no large file is ever in memory.
pub fn render_each<F: Folder>(input: &ReportInput, folder: &mut F) -> Result<(), F::Error> {
    let report = Report::new(input);
    let wants = |format| input.formats.contains(&format);
    let mut made = Vec::new();
    if wants(Format::Html) {
        made.extend(html::render(&report, input, folder)?);
    }
    if wants(Format::Xlsx) {
        made.extend(xlsx::render(&report, input, folder)?);
    }
    if wants(Format::Docx) {
        let file = docx::render(&report, input)?;
        made.push(FileEntry::of(&file));
        folder.add(file)?;
    }
    if wants(Format::Csv) {
        made.extend(csv::render(&report, input.lang, folder)?);
        made.extend(deep::render(&report, input.faulty_links, folder)?);
    }
    if wants(Format::Json) {
        made.push(folder.stream(json::SUMMARY, &|out| json::summary(&report, out))?);
    }
    made.extend(input.evidence.cloned());
    folder.add(json::manifest(&report, input, made))
}

/// The same, all of them at once.
pub fn render_all(input: &ReportInput) -> Result<Vec<File>, RenderError> {
    let mut files = InMemory(Vec::new());
    render_each(input, &mut files)?;
    Ok(files.0)
}

/// A folder in memory.
struct InMemory(Vec<File>);

impl Folder for InMemory {
    type Error = RenderError;

    fn add(&mut self, file: File) -> Result<(), RenderError> {
        self.0.push(file);
        Ok(())
    }

    fn stream(&mut self, name: &str, write: Written<'_>) -> Result<FileEntry, RenderError> {
        let mut bytes = Vec::new();
        write(&mut bytes).map_err(|source| RenderError::Write { file: name.to_owned(), source })?;
        let file = (name.to_owned(), bytes);
        let entry = FileEntry::of(&file);
        self.0.push(file);
        Ok(entry)
    }
}
