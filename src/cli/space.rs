//! Room on the disk: whether a scan's evidence and reports will fit, asked before anything is measured.
//!
//! An estimate, and a generous one: a run that meets a full disk all the same stores nothing more, says so and goes on later. Leaves
//! to others: what happens then ([`crate::store`]), and the least room that `status` wants ([`crate::upkeep::health`]).

use std::path::{Path, PathBuf};

use super::error::CliError;

/// What a site adds to the history, in bytes: two rounds of evidence, a verdict, its line of the lists. Measured: 2 to 5 KiB.
const HISTORY_PER_SITE: u64 = 6 << 10;
/// What a site adds to the reports of all formats. Measured: 7 to 10 KiB.
const REPORTS_PER_SITE: u64 = 10 << 10;
/// What any run needs: the write-ahead log, and pages that every report has.
const BASE: u64 = 2 << 20;
/// So many times the estimate has to be free.
const MARGIN: u64 = 3;

/// Refuses to begin where evidence or reports of so many sites would not fit. Where the system does not say how much is
/// free, nothing is refused.
pub(super) fn enough(history: &Path, reports: &Path, sites: usize) -> Result<(), CliError> {
    let sites = sites as u64;
    let (for_history, for_reports) =
        (MARGIN * (BASE + sites * HISTORY_PER_SITE), MARGIN * (BASE + sites * REPORTS_PER_SITE));
    let (history, reports) = (existing(folder_of(history)), existing(reports));
    if same_disk(&history, &reports) {
        return room(&history, for_history + for_reports);
    }
    room(&history, for_history)?;
    room(&reports, for_reports)
}

fn room(folder: &Path, needed: u64) -> Result<(), CliError> {
    match free_bytes(folder) {
        Some(free) if free < needed => {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            Err(CliError::NoRoom { folder: folder.to_owned(), free_mib: free >> 20, needed_mib: mib(needed) })
        }
        _ => Ok(()),
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder itself, or the nearest above it that is there: the rest is made later.
fn existing(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|folder| folder.is_dir());
    found.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(unix)]
fn same_disk(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let disk = |folder: &Path| std::fs::metadata(folder).ok().map(|found| found.dev());
    disk(one) == disk(other)
}

#[cfg(not(unix))]
fn same_disk(_: &Path, _: &Path) -> bool {
    true
}

/// Bytes that may still be written into a folder. None: not known.
#[cfg(unix)]
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
pub(super) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_will_not_fit_is_refused_with_figures() {
        let folder = tempfile::tempdir().unwrap();
        let (history, reports) = (folder.path().join("deep/down/history.db"), folder.path().join("reports"));
        enough(&history, &reports, 10).unwrap();
        // More sites than any disk has room for.
        let Err(CliError::NoRoom { folder: full, free_mib, needed_mib }) = enough(&history, &reports, 1 << 40) else {
            panic!("not refused");
        };
        assert_eq!(full, folder.path());
        assert!(free_mib < needed_mib);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_where_it_will_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b/c")), folder.path());
        assert_eq!(existing(Path::new("no such folder")), Path::new("."));
    }
}
