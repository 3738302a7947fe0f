//! What a machine that nobody watches leaves for those who look: a heartbeat, a ledger of starts, metrics; and the
//! timetable by which it starts.
//!
//! All of it lies in small files beside the history that are replaced as a whole, so that a reader never sees half of one.
//! Nothing here decides anything about a site, and nothing here is evidence: a file that is lost costs only what it said.
//! Leaves to others: the runs themselves ([`crate::store`]), telling people (`cli`).

pub mod health;
pub mod heartbeat;
pub mod ledger;
pub mod metrics;
pub mod notice;
pub mod timetable;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A file beside another: `history.db` and `.heartbeat` give `history.db.heartbeat`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Replaces a file as a whole: readers see the old bytes or the new ones.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Two processes never share it, and one that was killed leaves at most this one behind.
    let fresh = beside(path, &format!(".new-{}", std::process::id()));
    let written = std::fs::File::create(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let result = written.and_then(|()| std::fs::rename(&fresh, path));
    if result.is_err() {
        // The error that matters is the one that brought us here.
        let _ = std::fs::remove_file(&fresh);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["a long first text", "short"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let nowhere = folder.path().join("missing/file");
        assert_eq!(replace(&nowhere, b"").unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
