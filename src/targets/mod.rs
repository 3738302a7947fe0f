//! Target lists → the roster: files of any shape are parsed, normalised and deduplicated, and every row is accounted
//! for, either in the roster or with line, column, reason and remedy among the rejected.
//!
//! In the order of the way: `files` reads bytes, `decode` makes text of them, `records` cuts the text into
//! fields, `columns` says which field is what, [`normalise`] and `host` read the site's cell, `regions` and `words` the
//! others, `roster` puts the row together and into a `book`; `list` leads a list along it, a piece at a time. [`check`]
//! tells people what was read.
//!
//! Only `files` touches the file system; everything else is pure, and [`load_bytes`] is the whole of it without files.
//! Leaves to others: whether a name exists (the probe), which sites are probed when (the engine), what the numbers mean
//! (the judge). [`Roster::sites`] holds the sites that a [`Listed`](crate::model::school::RosterState::Listed) row
//! names and no others, so a school that opted out cannot be probed by mistake; such a row still says its site's key.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use serde::Deserialize;

use crate::model::optout::OptOuts;
use crate::model::school::{Roster, Tile};
use crate::model::summary::Policy;

mod book;
pub mod check;
mod columns;
mod decode;
pub mod embedded;
mod files;
mod host;
mod known;
mod list;
pub mod normalise;
mod optout;
pub mod policy;
mod records;
mod regions;
mod roster;
mod tally;
mod text;
pub mod wording;
mod words;

use book::{Book, RosterBook};
use files::Input;
use list::Manner;
use regions::Regions;
use roster::{Builder, Built};

/// Why target lists cannot be used at all. Rows that cannot be used are data, not errors.
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// The file system refused.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A device, pipe, socket or folder stands where a list should be.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The file.
        path: String,
    },
    /// A list is larger than allowed.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// [`LoadOptions::max_file_bytes`].
        limit: u64,
    },
    /// A folder holds nothing to read.
    #[error("{path} holds no list files (csv, txt, tsv)")]
    EmptyFolder {
        /// The folder.
        path: String,
    },
    /// There is no list among the inputs.
    #[error("no target lists were given")]
    NoLists,
    /// A spreadsheet or another binary file was given as a list.
    #[error("{path} is a {kind}, not a text file: save it as CSV in UTF-8")]
    Binary {
        /// The file.
        path: String,
        /// What it looks like.
        kind: &'static str,
    },
    /// The encoding asked for is not one.
    #[error("unknown encoding {label:?}: try utf-8, gb18030 or utf-16le")]
    Encoding {
        /// [`LoadOptions::encoding`].
        label: String,
    },
    /// A region, tile or opt-out table is wrong.
    #[error("{path}:{line}: {reason}")]
    Table {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A policy or settings file is wrong.
    #[error("{path}: {reason}")]
    Settings {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// There are two policies, and only one can hold.
    #[error("{first} and {second} are both policies: give one")]
    TwoPolicies {
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
}

impl TargetsError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }

    fn table(path: &str, line: u64, reason: impl Into<String>) -> Self {
        Self::Table { path: path.to_owned(), line, reason: reason.into() }
    }
}

/// How lists are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Encoding of the lists, by any of its usual names. None: found for each list.
    pub encoding: Option<String>,
    /// Separator of the columns. None: found for each list.
    pub separator: Option<char>,
    /// Reserved names such as `www.school.example` are sites, as labs need it. Otherwise such rows are invalid.
    pub allow_reserved: bool,
    /// Counties under direct provincial administration report on their own.
    pub direct_counties: bool,
    /// Largest list in bytes.
    pub max_file_bytes: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            encoding: None,
            separator: None,
            allow_reserved: false,
            direct_counties: false,
            max_file_bytes: 64 * 1024 * 1024,
        }
    }
}

impl LoadOptions {
    /// Options for labs: reserved names are allowed.
    pub fn lab() -> Self {
        Self { allow_reserved: true, ..Self::default() }
    }
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Schools, sites, rows.
    pub roster: Roster,
    /// The policy; without tasks where no `policy.toml` was given.
    pub policy: Policy,
    /// Name of the lists as `targets.toml` gives it. None: it gives none.
    pub name: Option<String>,
    /// How each list was read, in the order of [`Roster::sources`].
    pub readings: Vec<Reading>,
}

/// How one list was read, beside what [`SourceFile`](crate::model::school::SourceFile) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Separator of the columns. None: one column.
    pub separator: Option<char>,
    /// Whether the first row was a header.
    pub header: bool,
    /// The column that was read as the site, by its title or number. None: there is none, so every school of the list
    /// is without a site.
    pub site_column: Option<String>,
    /// Rows that only repeat the header, not counted as rows.
    pub repeated_headers: u64,
    /// Titles of columns that mean nothing to the program, made harmless, each with the known title it resembles, if any.
    pub unused: Vec<(String, Option<&'static str>)>,
}

/// `targets.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    simulated: bool,
    name: Option<String>,
    /// Name of the opt-out file in the same folder.
    opt_out: Option<String>,
}

/// Loads files and folders.
///
/// A folder holds any number of lists (`*.csv`, `*.txt`, `*.tsv`) and, all optional, `regions.csv`, `tiles.csv`,
/// `policy.toml`, `targets.toml` and `optout.txt`. The same names have the same meaning when a file is given by itself.
pub fn load(inputs: &[PathBuf], options: &LoadOptions) -> Result<Loaded, TargetsError> {
    load_given(&Given::files(inputs, options)?, options)
}

/// Loads files that are in memory, by name and bytes. Pure.
pub fn load_bytes<N: AsRef<str>, B: AsRef<[u8]>>(
    files: &[(N, B)],
    options: &LoadOptions,
) -> Result<Loaded, TargetsError> {
    load_given(&Given::bytes(files), options)
}

fn load_given(given: &Given<'_>, options: &LoadOptions) -> Result<Loaded, TargetsError> {
    let settled = Settled::of(given, options)?;
    let (Built { book, sources, regions, opt_outs }, readings) = settled.read(RosterBook::default())?;
    let Settled { policy, name, tiles, simulated, .. } = settled;
    let roster = Roster { regions, sources, tiles, opt_outs, simulated, ..book.roster };
    Ok(Loaded { roster, policy, name, readings })
}

/// The files that were given, by name.
struct Given<'a>(Vec<(String, Content<'a>)>);

/// A file, found or in memory.
enum Content<'a> {
    Bytes(&'a [u8]),
    File(PathBuf, u64),
}

impl<'a> Given<'a> {
    fn files(inputs: &[PathBuf], options: &LoadOptions) -> Result<Self, TargetsError> {
        let limit = options.max_file_bytes;
        let files = files::find(inputs, limit)?.into_iter();
        Ok(Self(files.map(|path| (path.display().to_string(), Content::File(path, limit))).collect()))
    }

    fn bytes<N: AsRef<str>, B: AsRef<[u8]>>(files: &'a [(N, B)]) -> Self {
        Self(files.iter().map(|(name, bytes)| (name.as_ref().to_owned(), Content::Bytes(bytes.as_ref()))).collect())
    }

    fn inputs(&self) -> impl Iterator<Item = (&str, Input<'_>)> + Clone {
        self.0.iter().map(|(name, content)| match content {
            Content::Bytes(bytes) => (name.as_str(), Input::Bytes(bytes)),
            Content::File(path, limit) => (name.as_str(), Input::File(path, *limit)),
        })
    }
}

/// Everything but the lists themselves, read and settled.
struct Settled<'a> {
    regions: Regions,
    tiles: Vec<Tile>,
    opt_outs: OptOuts,
    policy: Policy,
    name: Option<String>,
    simulated: bool,
    allow_reserved: bool,
    manner: Manner,
    lists: Vec<(&'a str, Input<'a>)>,
}

impl<'a> Settled<'a> {
    fn of(given: &'a Given<'_>, options: &LoadOptions) -> Result<Self, TargetsError> {
        let encoding = match &options.encoding {
            None => None,
            Some(label) => Some(
                Encoding::for_label(label.trim().as_bytes())
                    .filter(|encoding| *encoding != encoding_rs::REPLACEMENT)
                    .ok_or_else(|| TargetsError::Encoding { label: label.clone() })?,
            ),
        };
        let files = sort(given.inputs())?;
        let mut regions = Regions::default();
        for (path, input) in &files.regions {
            regions.read(path, &input.bytes()?, options.direct_counties)?;
        }
        let mut tiles = Vec::new();
        for (path, input) in &files.tiles {
            tiles.extend(regions.tiles(path, &input.bytes()?)?);
        }
        let mut opt_outs = OptOuts::default();
        for (path, input) in &files.opt_outs {
            optout::read(&mut opt_outs, path, &input.bytes()?)?;
        }
        let policy = match files.policies.as_slice() {
            [] => policy::none(),
            [(path, input)] => policy::parse(path, &utf8(path, &input.bytes()?)?)?,
            [(first, _), (second, _), ..] => {
                return Err(TargetsError::TwoPolicies { first: (*first).to_owned(), second: (*second).to_owned() });
            }
        };
        if files.lists.is_empty() {
            return Err(TargetsError::NoLists);
        }
        let manner = Manner { encoding, separator: options.separator };
        let (simulated, name, allow_reserved) = (files.simulated, files.name, options.allow_reserved);
        Ok(Self { regions, tiles, opt_outs, policy, name, simulated, allow_reserved, manner, lists: files.lists })
    }

    /// Reads all lists into a book.
    fn read<B: Book>(&self, book: B) -> Result<(Built<B>, Vec<Reading>), TargetsError> {
        let mut builder = Builder::new(book, self.regions.clone(), self.opt_outs.clone(), self.allow_reserved);
        let mut readings = Vec::with_capacity(self.lists.len());
        let mut names = HashSet::new();
        for (path, input) in &self.lists {
            // Two files of one name would share their line numbers.
            let mut path = (*path).to_owned();
            while !names.insert(path.clone()) {
                path.push_str(" (again)");
            }
            readings.push(list::read(&mut builder, &self.regions, &path, *input, self.manner)?);
        }
        Ok((builder.finish(), readings))
    }
}

/// Input files by what they are.
#[derive(Default)]
struct Sorted<'a> {
    regions: Vec<(&'a str, Input<'a>)>,
    tiles: Vec<(&'a str, Input<'a>)>,
    policies: Vec<(&'a str, Input<'a>)>,
    opt_outs: Vec<(&'a str, Input<'a>)>,
    lists: Vec<(&'a str, Input<'a>)>,
    simulated: bool,
    name: Option<String>,
}

fn split_path(path: &str) -> (&str, &str) {
    path.rfind(['/', '\\']).map_or(("", path), |at| path.split_at(at + 1))
}

fn sort<'a>(files: impl Iterator<Item = (&'a str, Input<'a>)> + Clone) -> Result<Sorted<'a>, TargetsError> {
    let mut sorted = Sorted::default();
    let mut opt_out_paths = HashSet::new();
    for (path, input) in files.clone() {
        let (folder, name) = split_path(path);
        if name != "targets.toml" {
            continue;
        }
        let wrong = |error: toml::de::Error| TargetsError::Settings {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        };
        let settings: Settings = toml::from_str(&utf8(path, &input.bytes()?)?).map_err(wrong)?;
        sorted.simulated |= settings.simulated;
        sorted.name = sorted.name.or(settings.name);
        if let Some(name) = settings.opt_out {
            let named = format!("{folder}{name}");
            // A request that is overlooked does harm, so a missing file is an error.
            if !files.clone().any(|(path, _)| path == named) {
                let reason = format!("the opt-out file {name} is not there");
                return Err(TargetsError::Settings { path: path.to_owned(), reason });
            }
            opt_out_paths.insert(named);
        }
    }
    for (path, input) in files {
        let place = match split_path(path).1 {
            _ if opt_out_paths.contains(path) => &mut sorted.opt_outs,
            "regions.csv" => &mut sorted.regions,
            "tiles.csv" => &mut sorted.tiles,
            "policy.toml" => &mut sorted.policies,
            "optout.txt" => &mut sorted.opt_outs,
            "targets.toml" => continue,
            _ => &mut sorted.lists,
        };
        place.push((path, input));
    }
    Ok(sorted)
}

fn utf8(path: &str, bytes: &[u8]) -> Result<String, TargetsError> {
    let decoded = decode::decode(bytes);
    match decoded.bad_lines.first_key_value() {
        None => Ok(decoded.text),
        Some((line, _)) => Err(TargetsError::table(path, *line, "bytes that are not valid in the file's encoding")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
