//! Target lists → the roster: files of any shape are parsed, normalised and deduplicated, and every row is accounted
//! for, either in the roster or with line, column, reason and remedy among the rejected.
//!
//! In the order of the way: `files` reads bytes, `decode` makes text of them, `records` cuts the text into
//! fields, `columns` says which field is what, [`normalise`] and `host` read the site's cell, `regions` and `words` the
//! others, `roster` puts the row together. [`check`] tells people what was read.
//!
//! Only `files` touches the file system; everything else is pure, and [`load_bytes`] is the whole of it without files.
//! Leaves to others: whether a name exists (the probe), which sites are probed when (the engine), what the numbers mean
//! (the judge). [`Roster::sites`] holds the sites that a [`Listed`](crate::model::school::RosterState::Listed) row
//! names and no others, so a school that opted out cannot be probed by mistake; such a row still says its site's key.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::model::optout::OptOuts;
use crate::model::school::{Roster, SourceFile};
use crate::model::summary::Policy;

pub mod check;
mod columns;
mod decode;
pub mod embedded;
mod files;
mod host;
pub mod normalise;
mod optout;
pub mod policy;
mod records;
mod regions;
mod roster;
mod text;
pub mod wording;
mod words;

use columns::Columns;
use records::{Reader, Record};
use regions::Regions;

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

/// How one list was read, beside what [`SourceFile`] says.
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
    load_bytes(&files::read(inputs, options.max_file_bytes)?, options)
}

/// Loads files that are in memory, by name and bytes. Pure.
pub fn load_bytes<N: AsRef<str>, B: AsRef<[u8]>>(
    files: &[(N, B)],
    options: &LoadOptions,
) -> Result<Loaded, TargetsError> {
    let asked = match &options.encoding {
        None => None,
        Some(label) => Some(
            Encoding::for_label(label.trim().as_bytes())
                .filter(|encoding| *encoding != encoding_rs::REPLACEMENT)
                .ok_or_else(|| TargetsError::Encoding { label: label.clone() })?,
        ),
    };
    let files = sort(files.iter().map(|(name, bytes)| (name.as_ref(), bytes.as_ref())))?;
    let mut regions = Regions::default();
    for (path, bytes) in &files.regions {
        regions.read(path, bytes, options.direct_counties)?;
    }
    let mut tiles = Vec::new();
    for (path, bytes) in &files.tiles {
        tiles.extend(regions.tiles(path, bytes)?);
    }
    let mut opt_outs = OptOuts::default();
    for (path, bytes) in &files.opt_outs {
        optout::read(&mut opt_outs, path, bytes)?;
    }
    let policy = match files.policies.as_slice() {
        [] => policy::none(),
        [(path, bytes)] => policy::parse(path, &utf8(path, bytes)?)?,
        [(first, _), (second, _), ..] => {
            return Err(TargetsError::TwoPolicies { first: (*first).to_owned(), second: (*second).to_owned() });
        }
    };
    if files.lists.is_empty() {
        return Err(TargetsError::NoLists);
    }
    let mut builder = roster::Builder::new(regions.clone(), opt_outs, options.allow_reserved);
    builder.roster.tiles = tiles;
    builder.roster.simulated = files.simulated;
    let mut readings = Vec::with_capacity(files.lists.len());
    let mut names = HashSet::new();
    for (path, bytes) in &files.lists {
        // Two files of one name would share their line numbers.
        let mut path = (*path).to_owned();
        while !names.insert(path.clone()) {
            path.push_str(" (again)");
        }
        readings.push(read_list(&mut builder, &regions, &path, bytes, asked, options.separator)?);
    }
    Ok(Loaded { roster: builder.finish(), policy, name: files.name, readings })
}

/// Input files by what they are.
#[derive(Default)]
struct Sorted<'a> {
    regions: Vec<(&'a str, &'a [u8])>,
    tiles: Vec<(&'a str, &'a [u8])>,
    policies: Vec<(&'a str, &'a [u8])>,
    opt_outs: Vec<(&'a str, &'a [u8])>,
    lists: Vec<(&'a str, &'a [u8])>,
    simulated: bool,
    name: Option<String>,
}

fn split_path(path: &str) -> (&str, &str) {
    path.rfind(['/', '\\']).map_or(("", path), |at| path.split_at(at + 1))
}

fn sort<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Result<Sorted<'a>, TargetsError> {
    let mut sorted = Sorted::default();
    let mut opt_out_paths = HashSet::new();
    for (path, bytes) in files.clone() {
        let (folder, name) = split_path(path);
        if name != "targets.toml" {
            continue;
        }
        let wrong = |error: toml::de::Error| TargetsError::Settings {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        };
        let settings: Settings = toml::from_str(&utf8(path, bytes)?).map_err(wrong)?;
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
    for (path, bytes) in files {
        let place = match split_path(path).1 {
            _ if opt_out_paths.contains(path) => &mut sorted.opt_outs,
            "regions.csv" => &mut sorted.regions,
            "tiles.csv" => &mut sorted.tiles,
            "policy.toml" => &mut sorted.policies,
            "optout.txt" => &mut sorted.opt_outs,
            "targets.toml" => continue,
            _ => &mut sorted.lists,
        };
        place.push((path, bytes));
    }
    Ok(sorted)
}

fn utf8<'a>(path: &str, bytes: &'a [u8]) -> Result<std::borrow::Cow<'a, str>, TargetsError> {
    let decoded = decode::decode(bytes, None);
    match decoded.bad_lines.first_key_value() {
        None => Ok(decoded.text),
        Some((line, _)) => Err(TargetsError::table(path, *line, "bytes that are not valid in the file's encoding")),
    }
}

/// Reads one list into the roster.
fn read_list(
    builder: &mut roster::Builder,
    regions: &Regions,
    path: &str,
    bytes: &[u8],
    encoding: Option<&'static Encoding>,
    separator: Option<char>,
) -> Result<Reading, TargetsError> {
    if let Some(kind) = binary_kind(bytes) {
        return Err(TargetsError::Binary { path: path.to_owned(), kind });
    }
    let decoded = decode::decode(bytes, encoding);
    let separator = separator.or_else(|| records::find_separator(&decoded.text));
    let mut reader = Reader::new(&decoded.text, separator);
    let columns = find_columns(&mut reader, regions);
    let list = roster::List { path, columns: &columns, bad_lines: &decoded.bad_lines };
    let (mut rows, mut repeated_headers) = (0, 0);
    for record in reader {
        if record.fields.as_ref().is_ok_and(|fields| columns.is_repeated_header(fields)) {
            repeated_headers += 1;
            continue;
        }
        rows += 1;
        builder.add(&list, &record);
    }
    let sha256 = Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    builder.finish_list(SourceFile { path: path.to_owned(), sha256, encoding: decoded.encoding.to_owned(), rows });
    let site_column = columns.title(columns::Column::Site);
    Ok(Reading { separator, header: columns.has_header(), site_column, repeated_headers })
}

/// The columns of a list; the reader is left at its first row.
fn find_columns(reader: &mut Reader<'_>, regions: &Regions) -> Columns {
    let sample: Vec<Record<'_>> = reader.clone().take(50).collect();
    match sample.first() {
        Some(first) if columns::is_header(first) => {
            reader.next();
            Columns::of_header(first, &sample[1..])
        }
        _ => Columns::of_rows(&sample, regions),
    }
}

/// What a file is that is not text, by its first bytes.
fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 5] = [
        (b"PK\x03\x04", "spreadsheet or archive (zip)"),
        (b"\xd0\xcf\x11\xe0", "spreadsheet or document (old Office)"),
        (b"%PDF-", "PDF document"),
        (b"MZ\x90\x00", "program"),
        (b"\x7fELF", "program"),
    ];
    kinds.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
