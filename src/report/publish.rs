//! Puts a finished report into place: all of it or none of it.
//!
//! The files are written and synced in a hidden folder beside the target, which then changes places with it in one step where
//! the system can do that, so that a reader always finds one report or the other; `latest` is switched last. What a process that
//! was killed left behind is removed by the next one. File names come from [`super::names`] only. This is the one part of
//! `report` that touches the disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::failpoint;
use crate::model::run::RunId;

use super::json::FileEntry;
use super::names::{is_file_name, is_stem};
use super::{File, Written};

/// Why a report could not be published. The previous report, if any, is still in place.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The run's identifier cannot be the name of a folder.
    #[error("run identifier {0:?} cannot name a folder")]
    Run(String),
    /// A file has a name that no report has, or the same name as another.
    #[error("{0:?} is not a file of a report")]
    Name(String),
    /// The system refused. The kind tells a missing or read-only folder from a full disk.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl PublishError {
    /// The kind of the system's error. None: the system was not asked.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

/// A report on its way into its place. Dropped before it is finished, it leaves everything as it was.
#[derive(Debug)]
pub struct Publication {
    dir: PathBuf,
    run: RunId,
    /// The hidden folder.
    fresh: PathBuf,
    /// Tells others that it is in use. None: the system has no such locks.
    _in_use: Option<fs::File>,
    names: BTreeSet<String>,
}

impl Publication {
    /// Begins the report of this run in the folder of all reports.
    pub fn begin(dir: &Path, run: &RunId) -> Result<Self, PublishError> {
        if !is_stem(&run.0) || run.0 == "latest" {
            return Err(PublishError::Run(run.0.clone()));
        }
        create_all(dir)?;
        sweep(dir);
        let fresh = beside(dir, run, "new");
        // Left behind by a process that was killed and had the same number.
        remove(&fresh)?;
        create_all(&fresh)?;
        let in_use = in_use(&fresh);
        Ok(Self { dir: dir.to_owned(), run: run.clone(), fresh, _in_use: in_use, names: BTreeSet::new() })
    }

    /// Writes one file, so that it outlasts a power failure.
    pub fn add(&mut self, (name, bytes): &File) -> Result<(), PublishError> {
        let (path, mut file) = self.create(name)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(io_error("write", &path))?;
        failpoint::at("report-file-written");
        Ok(())
    }

    /// Begins one file that is too large for memory. It must be finished before the publication is.
    pub fn stream(&mut self, name: &str) -> Result<Stream, PublishError> {
        let (path, file) = self.create(name)?;
        Ok(Stream { name: name.to_owned(), path, file, sha256: Sha256::new(), bytes: 0 })
    }

    /// Writes one file piece by piece, with what the manifest has to name.
    pub fn write(&mut self, name: &str, write: Written<'_>) -> Result<FileEntry, PublishError> {
        let mut out = BufWriter::with_capacity(1 << 16, self.stream(name)?);
        let written = write(&mut out).and_then(|()| out.flush());
        if let Err(source) = written {
            let refused = out.get_ref().refused(source);
            // Nothing that was begun stays: it may be written again. What cannot be removed is in the way of that alone.
            let _ = fs::remove_file(self.fresh.join(name));
            self.names.remove(name);
            return Err(refused);
        }
        let (stream, _) = out.into_parts();
        let entry = stream.finish()?;
        failpoint::at("report-file-written");
        Ok(entry)
    }

    fn create(&mut self, name: &str) -> Result<(PathBuf, fs::File), PublishError> {
        if !is_file_name(name) || !self.names.insert(name.to_owned()) {
            return Err(PublishError::Name(name.to_owned()));
        }
        let path = self.fresh.join(name);
        if let Some(parent) = path.parent() {
            create_all(parent)?;
        }
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(io_error("write", &path))?;
        Ok((path, file))
    }

    /// Puts the files into place as `<dir>/<run>`, replacing what was there, and lets `<dir>/latest` point to it. Gives the
    /// folder.
    ///
    /// A run never takes `latest` from one named by a later time: rendering an old run anew does not make it the latest, and nor is
    /// the demo, which has no time for its name, ever shown in place of a scan.
    pub fn finish(self) -> Result<PathBuf, PublishError> {
        sync_folder(&self.fresh.join("regions"));
        sync_folder(&self.fresh);
        let target = self.dir.join(&self.run.0);
        failpoint::at("report-before-rename");
        replace(&self.fresh, &target, &beside(&self.dir, &self.run, "old"))?;
        failpoint::at("report-before-latest");
        sync_folder(&self.dir);
        switch_latest(&self.dir, &self.run)?;
        failpoint::at("report-after-latest");
        Ok(target)
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        // Finished, it is no longer there. The error that matters is the one that ended this early.
        let _ = remove(&self.fresh);
    }
}

/// A file of a report that is written piece by piece.
#[derive(Debug)]
pub struct Stream {
    name: String,
    path: PathBuf,
    file: fs::File,
    sha256: Sha256,
    bytes: u64,
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Stream {
    /// Ends the file, so that it outlasts a power failure, and says what the manifest has to name.
    pub fn finish(self) -> Result<FileEntry, PublishError> {
        self.file.sync_all().map_err(io_error("write", &self.path))?;
        Ok(FileEntry::new(self.name, self.bytes, &self.sha256.finalize()))
    }

    /// The error for a write that the system refused, with the file's name.
    pub fn refused(&self, source: io::Error) -> PublishError {
        io_error("write", &self.path)(source)
    }
}

/// A hidden name beside the run's folder, of this process.
fn beside(dir: &Path, run: &RunId, what: &str) -> PathBuf {
    dir.join(format!(".{run}.{what}-{}", std::process::id()))
}

/// Lets the new folder and what is in its place change places, in one step where the system can.
fn replace(fresh: &Path, target: &Path, aside: &Path) -> Result<(), PublishError> {
    if exchange(fresh, target) {
        failpoint::at("report-exchanged");
        // The new report stands; a leftover of the old one is no reason to say that publishing failed.
        let _ = remove(fresh);
        return Ok(());
    }
    remove(aside)?;
    let _in_use = in_use(target);
    let moved = match fs::rename(target, aside) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(io_error("move aside", target)(error)),
    };
    if let Err(error) = fs::rename(fresh, target) {
        if moved {
            // If even this fails the old report is still there under its other name.
            let _ = fs::rename(aside, target);
        }
        return Err(io_error("move into place", target)(error));
    }
    // As above.
    let _ = remove(aside);
    Ok(())
}

/// Whether two folders have changed places. Not, where one is missing or the file system cannot do it.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> bool {
    false
}

/// Removes what processes that were killed have left in the folder of all reports. An old report that was moved aside and
/// has nothing in its place goes back there. What cannot be removed is left: it is in nobody's way.
fn sweep(dir: &Path) {
    let Some(_alone) = in_use(dir) else { return };
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((run, what)) = name.to_str().and_then(leftover) else { continue };
        let (path, target) = (entry.path(), dir.join(run));
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        // Links on their way to `latest` are made by whoever has the lock on all reports, which is held here.
        let lock = if folder { in_use(&path) } else { None };
        if folder && lock.is_none() {
            continue;
        }
        if folder && what == "old" && fs::symlink_metadata(&target).is_err() {
            let _ = fs::rename(&path, &target);
        } else {
            let _ = remove(&path);
        }
    }
}

/// Run and purpose in a name that [`beside`] makes.
fn leftover(name: &str) -> Option<(&str, &str)> {
    let (rest, process) = name.strip_prefix('.')?.rsplit_once('-')?;
    let (run, what) = rest.rsplit_once('.')?;
    let ours = ["new", "old"].contains(&what) && is_stem(run) && !process.is_empty();
    (ours && process.bytes().all(|byte| byte.is_ascii_digit())).then_some((run, what))
}

/// Marks a folder as in use for as long as the file is held, by a lock that the system takes back however a process ends.
/// None: another process uses it, or the system has no such locks.
fn in_use(folder: &Path) -> Option<fs::File> {
    let folder = fs::File::open(folder).ok()?;
    folder.try_lock().ok().map(|()| folder)
}

/// Points `latest` at the run: a relative symbolic link, or `latest.txt` where there are none.
fn switch_latest(dir: &Path, run: &RunId) -> Result<(), PublishError> {
    // One at a time, where the system has such locks: also so that nobody sweeps away what is made here.
    let alone = fs::File::open(dir).ok();
    let _alone = alone.as_ref().map(fs::File::lock);
    let note = dir.join("latest.txt");
    let link = dir.join("latest");
    let current = fs::read_link(&link)
        .ok()
        .and_then(|target| target.to_str().map(str::to_owned))
        .or_else(|| fs::read_to_string(&note).ok().map(|text| text.trim().to_owned()));
    // What has another name is no measurement of its time, such as the demo's.
    let later = |current: &str| !is_time(&run.0) || current > run.0.as_str();
    if current.is_some_and(|current| is_time(&current) && later(&current) && dir.join(&current).is_dir()) {
        return Ok(());
    }
    let fresh = dir.join(format!(".latest.new-{}", std::process::id()));
    remove(&fresh)?;
    if symlink(&run.0, &fresh).and_then(|()| fs::rename(&fresh, &link)).is_ok() {
        remove(&note)?;
    } else {
        // A file system without links, or something else under that name which is not ours to remove.
        remove(&fresh)?;
        fs::write(&fresh, format!("{run}\n")).map_err(io_error("write", &fresh))?;
        fs::rename(&fresh, &note).map_err(io_error("write", &note))?;
    }
    sync_folder(dir);
    Ok(())
}

/// Whether a run is named by its time: `20261123T191000Z`.
fn is_time(run: &str) -> bool {
    run.len() == 16
        && run.bytes().enumerate().all(|(position, byte)| match position {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_target: &str, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes a folder with everything in it, a file, or a link (never what it points to). Nothing there is fine.
fn remove(path: &Path) -> Result<(), PublishError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(io_error("remove", path))
}

fn create_all(path: &Path) -> Result<(), PublishError> {
    fs::create_dir_all(path).map_err(io_error("create", path))
}

/// Makes renames in a folder last. Not every system lets a folder be opened; then there is nothing more to be done.
fn sync_folder(path: &Path) {
    if let Ok(folder) = fs::File::open(path) {
        let _ = folder.sync_all();
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(dir: &Path, run: &RunId, files: &[File]) -> Result<PathBuf, PublishError> {
        let mut publication = Publication::begin(dir, run)?;
        files.iter().try_for_each(|file| publication.add(file))?;
        publication.finish()
    }

    fn file(name: &str, text: &str) -> File {
        (name.to_owned(), text.as_bytes().to_vec())
    }

    fn run(name: &str) -> RunId {
        RunId(name.to_owned())
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let first = [file("index.html", "one"), file("regions/1.html", "r"), file("schools.csv", "")];
        let at = publish(dir.path(), &run("demo"), &first).unwrap();
        assert_eq!(at, dir.path().join("demo"));
        assert_eq!(names(&at), ["index.html", "regions", "schools.csv"]);
        publish(dir.path(), &run("demo"), &[file("index.html", "two")]).unwrap();
        assert_eq!(names(&at), ["index.html"]);
        assert_eq!(fs::read_to_string(at.join("index.html")).unwrap(), "two");
        assert_eq!(names(dir.path()), ["demo", "latest"]);
        assert_eq!(fs::read_to_string(dir.path().join("latest/index.html")).unwrap(), "two");
    }

    #[test]
    fn a_streamed_file_is_named_as_one_that_was_added_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut publication = Publication::begin(dir.path(), &run("demo")).unwrap();
        let mut stream = publication.stream("evidence.jsonl.zst").unwrap();
        stream.write_all(b"one").unwrap();
        stream.write_all(b"two").unwrap();
        let entry = stream.finish().unwrap();
        assert_eq!(entry, FileEntry::of(&file("evidence.jsonl.zst", "onetwo")));
        assert!(matches!(publication.stream("evidence.jsonl.zst"), Err(PublishError::Name(_))));
        assert!(matches!(publication.stream("../x"), Err(PublishError::Name(_))));
        let at = publication.finish().unwrap();
        assert_eq!(fs::read_to_string(at.join("evidence.jsonl.zst")).unwrap(), "onetwo");
    }

    #[test]
    fn nothing_is_touched_when_something_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        publish(dir.path(), &run("demo"), &[file("index.html", "one")]).unwrap();
        for name in ["../x", "/etc/passwd", "regions/../../x.html", "index.htm"] {
            let error = publish(dir.path(), &run("demo"), &[file("index.html", "two"), file(name, "")]).unwrap_err();
            assert!(matches!(error, PublishError::Name(_)), "{name}");
        }
        let twins = [file("regions/ab.html", ""), file("regions/ab.html", "")];
        assert!(matches!(publish(dir.path(), &run("demo"), &twins), Err(PublishError::Name(_))));
        let long = "汉".repeat(300);
        let hostile = ["../../etc/cron.d/x", "/abs", "C:\\x", "a\0b", ".", "x.", "x ", "é", "e\u{301}", &long];
        for name in ["..", "", "a/b", "latest", "CON"].into_iter().chain(hostile) {
            assert!(matches!(publish(dir.path(), &run(name), &[]), Err(PublishError::Run(_))), "{name}");
        }
        assert_eq!(fs::read_to_string(dir.path().join("demo/index.html")).unwrap(), "one");
        assert_eq!(names(dir.path()), ["demo", "latest"]);
    }

    #[test]
    fn an_old_run_does_not_become_the_latest() {
        let dir = tempfile::tempdir().unwrap();
        let latest = || fs::read_link(dir.path().join("latest")).unwrap().to_str().unwrap().to_owned();
        for (name, expected) in [
            ("20261101T000000Z", "20261101T000000Z"),
            ("20261201T000000Z", "20261201T000000Z"),
            ("20261101T000000Z", "20261201T000000Z"),
            ("demo", "20261201T000000Z"),
            ("20261202T000000Z", "20261202T000000Z"),
        ] {
            publish(dir.path(), &run(name), &[file("index.html", "")]).unwrap();
            assert_eq!(latest(), expected);
        }
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("index.html"), "precious").unwrap();
        symlink(outside.path().to_str().unwrap(), &dir.path().join("demo")).unwrap();
        publish(dir.path(), &run("demo"), &[file("index.html", "ours")]).unwrap();
        let untouched = || assert_eq!(fs::read_to_string(outside.path().join("index.html")).unwrap(), "precious");
        untouched();
        assert_eq!(fs::read_to_string(dir.path().join("demo/index.html")).unwrap(), "ours");
        // Nor at any name that is used on the way.
        let process = std::process::id();
        for name in [format!(".demo.new-{process}"), format!(".demo.old-{process}"), format!(".latest.new-{process}")] {
            symlink(outside.path().to_str().unwrap(), &dir.path().join(&name)).unwrap();
            publish(dir.path(), &run("demo"), &[file("index.html", "again")]).unwrap();
            untouched();
            assert!(fs::symlink_metadata(dir.path().join(&name)).is_err(), "{name} is still there");
        }
        assert_eq!(names(dir.path()), ["demo", "latest"]);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_of_a_living_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("index.html"), name).unwrap();
        };
        for name in [".demo.new-7", ".gone.old-8", ".demo.old-9", ".of others", ".demo.new-x"] {
            folder(name);
        }
        symlink("nowhere", &dir.path().join(".latest.new-7")).unwrap();
        let alive = Publication::begin(dir.path(), &run("other")).unwrap();
        publish(dir.path(), &run("demo"), &[file("index.html", "one")]).unwrap();
        let hidden = format!(".other.new-{}", std::process::id());
        // The second is an old report that had been moved aside when its process was killed: it goes back.
        assert_eq!(names(dir.path()), [".demo.new-x", ".of others", &hidden, "demo", "gone", "latest"]);
        assert_eq!(fs::read_to_string(dir.path().join("gone/index.html")).unwrap(), ".gone.old-8");
        drop(alive);
        assert_eq!(names(dir.path()), [".demo.new-x", ".of others", "demo", "gone", "latest"]);
    }

    #[test]
    fn the_systems_reason_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        fs::write(&blocked, "").unwrap();
        let error = publish(&blocked.join("reports"), &run("demo"), &[]).unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::NotADirectory));
    }

    #[test]
    fn without_links_a_note_says_it() {
        let dir = tempfile::tempdir().unwrap();
        // A real folder under that name: not ours to remove.
        fs::create_dir(dir.path().join("latest")).unwrap();
        publish(dir.path(), &run("demo"), &[file("index.html", "")]).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("latest.txt")).unwrap(), "demo\n");
        assert_eq!(names(dir.path()), ["demo", "latest", "latest.txt"]);
    }
}
