//! One writer: a lock file beside the database, locked by the operating system for as long as a scan lasts.
//!
//! The operating system releases it however the process ends, so there is no stale lock to clean up; the file itself
//! stays. What stands in it (process and start) is for people and error messages only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::failpoint;
use crate::model::time::Timestamp;

/// The right to scan into a history. Given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of a database at once, or says who has it.
    pub(super) fn take(database: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let path = lock_path(database);
        let fault = |source| StoreError::LockFile { path: path.clone(), source };
        // Not truncated here: the content belongs to whoever holds the lock.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(fault(source)),
            Err(TryLockError::WouldBlock) => {
                let (pid, started) = read_holder(&mut file);
                return Err(StoreError::Locked { path: database.to_owned(), pid, started });
            }
        }
        let started = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default();
        write_holder(&mut file, &format!("pid {}\nstarted {started}\n", std::process::id())).map_err(fault)?;
        failpoint::at("lock-taken");
        Ok(Self { file })
    }
}

/// Who scans into a history now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process. None: it did not say yet.
    pub pid: Option<u32>,
    /// When it took the lock. None: it did not say yet.
    pub started: Option<Timestamp>,
}

/// Who holds the lock of a history. None: nobody.
///
/// An empty lock file is not tried: trying it would turn away a scan that begins at that very moment.
pub fn holder(database: &Path) -> Result<Option<Holder>, StoreError> {
    let path = lock_path(database);
    let fault = |source| StoreError::LockFile { path: path.clone(), source };
    let mut file = match OpenOptions::new().read(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    if file.metadata().map_err(fault)?.len() == 0 {
        return Ok(None);
    }
    match file.try_lock_shared() {
        // Left behind by a process that was killed.
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let (pid, started) = read_holder(&mut file);
            Ok(Some(Holder { pid, started }))
        }
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // So that nobody reads an old holder in the moment between two. Failure costs only that.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn write_holder(file: &mut File, text: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn read_holder(file: &mut File) -> (Option<u32>, Option<Timestamp>) {
    let mut text = String::new();
    // The holder may be in the middle of writing; then the error message simply says less.
    let _ = file.take(200).read_to_string(&mut text);
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let started = value("started ").and_then(|text| text.parse::<jiff::Timestamp>().ok());
    (value("pid ").and_then(|text| text.parse().ok()), started.map(|at| Timestamp(at.as_millisecond())))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_holder_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("history.db");
        let lock = Lock::take(&database, Timestamp(1_795_000_000_123)).unwrap();
        let error = Lock::take(&database, Timestamp(1)).unwrap_err();
        let StoreError::Locked { pid, started, .. } = &error else { panic!("{error}") };
        assert_eq!((*pid, *started), (Some(std::process::id()), Some(Timestamp(1_795_000_000_123))));
        assert!(error.to_string().contains("since 2026-11-"), "{error}");
        drop(lock);
        Lock::take(&database, Timestamp(2)).unwrap();
    }

    #[test]
    fn the_holder_is_named_while_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("history.db");
        assert_eq!(holder(&database).unwrap(), None);
        let lock = Lock::take(&database, Timestamp(5000)).unwrap();
        let named = Holder { pid: Some(std::process::id()), started: Some(Timestamp(5000)) };
        assert_eq!(holder(&database).unwrap(), Some(named));
        drop(lock);
        assert_eq!(holder(&database).unwrap(), None);
        // As after kill -9: the text stays, the lock does not.
        std::fs::write(lock_path(&database), "pid 1\nstarted 2020-01-01T00:00:00Z\n").unwrap();
        assert_eq!(holder(&database).unwrap(), None);
    }

    #[test]
    fn what_a_killed_process_left_behind_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("history.db");
        std::fs::write(lock_path(&database), "pid 1\nstarted 2020-01-01T00:00:00Z\nand a longer rest\n").unwrap();
        let _lock = Lock::take(&database, Timestamp(0)).unwrap();
        let text = std::fs::read_to_string(lock_path(&database)).unwrap();
        assert_eq!(text, format!("pid {}\nstarted 1970-01-01T00:00:00Z\n", std::process::id()));
    }

    /// Where [`a_child_holds_the_lock`] finds the database. Not set: nothing to do.
    const CHILD: &str = "V6READY_TEST_CHILD_LOCKS";

    #[test]
    fn a_child_holds_the_lock() {
        let Some(database) = std::env::var_os(CHILD) else { return };
        loop {
            // The parent tries as well, and may be first.
            if let Ok(_lock) = Lock::take(Path::new(&database), Timestamp(5000)) {
                std::thread::sleep(Duration::from_mins(1));
            }
        }
    }

    #[test]
    fn another_process_is_named_and_leaves_no_stale_lock_when_killed() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("history.db");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::lock::tests::a_child_holds_the_lock"])
            .env(CHILD, &database)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut named = false;
        for _ in 0..1000 {
            std::thread::sleep(Duration::from_millis(10));
            if let Err(StoreError::Locked { pid: Some(pid), started, .. }) = Lock::take(&database, Timestamp(0)) {
                named = pid == child.id() && started == Some(Timestamp(5000));
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(named);
        Lock::take(&database, Timestamp(0)).unwrap();
    }
}
