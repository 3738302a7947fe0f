//! The thin shell over the file system: inputs → names, and bytes as they are read.
//!
//! Refuses what is not a regular file, and files that are too large, before reading them. Leaves the meaning of names
//! and bytes to the rest of the module.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::TargetsError;

/// Extensions of list files in a folder. A file that is named by itself may have any.
const LISTS: [&str; 3] = ["csv", "txt", "tsv"];
/// Files of a folder that are read beside the lists.
const SETTINGS: [&str; 2] = ["policy.toml", "targets.toml"];

/// One file's bytes.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    /// They are in memory.
    Bytes(&'a [u8]),
    /// They are in a file, of which no more than this is read.
    File(&'a Path, u64),
}

impl<'a> Input<'a> {
    /// The bytes from the first one, and one more than the limit where the file is longer.
    pub(super) fn open(self) -> Result<Box<dyn Read + 'a>, TargetsError> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(bytes)),
            Self::File(path, limit) => Ok(Box::new(file(path, limit)?.take(limit.saturating_add(1)))),
        }
    }

    /// All bytes, of a small file.
    pub(super) fn bytes(self) -> Result<Cow<'a, [u8]>, TargetsError> {
        let path = match self {
            Self::Bytes(bytes) => return Ok(Cow::Borrowed(bytes)),
            Self::File(path, _) => path,
        };
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes).map_err(|source| TargetsError::io(path, source))?;
        self.check_length(bytes.len() as u64)?;
        Ok(Cow::Owned(bytes))
    }

    /// Refuses a file that has grown beyond the limit while it was read.
    pub(super) fn check_length(self, length: u64) -> Result<(), TargetsError> {
        match self {
            Self::File(path, limit) if length > limit => {
                Err(TargetsError::TooLarge { path: path.display().to_string(), limit })
            }
            _ => Ok(()),
        }
    }
}

/// All inputs, files and folders, in the order given; the files of a folder by name. A file that is reached twice is there
/// once. What cannot be read is refused at once, before the first list is.
pub(super) fn find(inputs: &[PathBuf], limit: u64) -> Result<Vec<PathBuf>, TargetsError> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for input in inputs {
        let metadata = fs::metadata(input).map_err(|source| TargetsError::io(input, source))?;
        let paths = if metadata.is_dir() { folder(input)? } else { vec![input.clone()] };
        for path in paths {
            let real = fs::canonicalize(&path).map_err(|source| TargetsError::io(&path, source))?;
            if seen.insert(real) {
                file(&path, limit)?;
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, TargetsError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(|source| TargetsError::io(path, source))? {
        let path = entry.map_err(|source| TargetsError::io(path, source))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_list = LISTS.iter().any(|known| extension.eq_ignore_ascii_case(known));
        // Office programs leave lock files (~$, .~lock) beside an open list.
        let is_hidden = name.starts_with('.') || name.starts_with('~');
        if (is_list || SETTINGS.contains(&name)) && !is_hidden {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(TargetsError::EmptyFolder { path: path.display().to_string() });
    }
    paths.sort();
    Ok(paths)
}

fn file(path: &Path, limit: u64) -> Result<File, TargetsError> {
    let name = || path.display().to_string();
    // Before opening: opening a FIFO waits for its other end.
    let metadata = fs::metadata(path).map_err(|source| TargetsError::io(path, source))?;
    if !metadata.is_file() {
        return Err(TargetsError::NotAFile { path: name() });
    }
    if metadata.len() > limit {
        return Err(TargetsError::TooLarge { path: name(), limit });
    }
    File::open(path).map_err(|source| TargetsError::io(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[PathBuf], limit: u64) -> Result<Vec<String>, String> {
        let files = find(inputs, limit).map_err(|error| error.to_string())?;
        Ok(files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn folders_files_and_doubles() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["b.csv", "a.TXT", "policy.toml", "README.md", "Cargo.toml", ".~lock.b.csv", "other.dat"] {
            fs::write(path(name), "x").unwrap();
        }
        fs::create_dir(path("below")).unwrap();
        let found = names(&[folder.path().to_owned(), path("b.csv"), path("other.dat")], 10);
        assert_eq!(found.unwrap(), ["a.TXT", "b.csv", "policy.toml", "other.dat"]);
    }

    #[test]
    fn refusals_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large.csv");
        fs::write(&large, "12345").unwrap();
        for (input, limit, message) in [
            (large.clone(), 4, "larger than 4 bytes"),
            (PathBuf::from("/dev/zero"), 4, "not a regular file"),
            (folder.path().join("missing.csv"), 4, "cannot read"),
        ] {
            let error = names(&[input], limit).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        fs::remove_file(&large).unwrap();
        assert!(names(&[folder.path().to_owned()], 4).unwrap_err().contains("no list files"));
        fs::create_dir(folder.path().join("folder.csv")).unwrap();
        assert!(names(&[folder.path().to_owned()], 4).unwrap_err().contains("not a regular file"));
    }
}
