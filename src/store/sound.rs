//! Opening a history for a scan: alone, and only if the file is sound. Leaves to others: the lock itself (`lock`), the hashes of
//! evidence, which are checked whenever it is read (`evidence`).
//!
//! A damaged file is never measured into: what it says could not be told from what it said before. It is set aside under a name
//! with the time, nothing of it deleted, and an empty one begins, so that a schedule that nobody watches goes on.

use std::path::{Path, PathBuf};

use super::{Lock, OpenMode, Store, StoreError};
use crate::model::time::Timestamp;

/// The files of one database.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// A history to scan into.
#[derive(Debug)]
pub struct Sound {
    /// The history.
    pub store: Store,
    /// The right to write it.
    pub lock: Lock,
    /// Where the damaged file is that was found in its place, and what was found. None: it was sound, or there was none.
    pub aside: Option<(PathBuf, StoreError)>,
}

impl Store {
    /// Takes the lock, lets SQLite look over the whole file and checks the seal of every run.
    pub async fn open_for_scan(path: &Path, now: Timestamp) -> Result<Sound, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Create { path: path.to_owned(), source })?;
        }
        let lock = Lock::take(path, now)?;
        match open_sound(path).await {
            Ok(store) => Ok(Sound { store, lock, aside: None }),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Corrupt { .. })) => {
                let aside = set_aside(path, now)?;
                let store = open_sound(path).await?;
                Ok(Sound { store, lock, aside: Some((aside, error)) })
            }
            Err(error) => Err(error),
        }
    }
}

async fn open_sound(path: &Path) -> Result<Store, StoreError> {
    let store = Store::open(path, OpenMode::ReadWrite).await?;
    let found = async {
        store.check().await?;
        store.runs().await.map(|_| ())
    };
    match found.await {
        Ok(()) => Ok(store),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

/// Renames the database and whatever belongs to it. The log goes along: it may hold commits that the file lacks.
fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let time = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ");
    let named = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    // Two in one second, by whatever means: the first is not overwritten.
    let free = (0..).map(|n| if n == 0 { format!(".damaged-{time}") } else { format!(".damaged-{time}-{n}") });
    let mark = free.into_iter().find(|mark| !named(mark.clone()).exists()).unwrap_or_default();
    for part in PARTS {
        match std::fs::rename(named(part.to_owned()), named(format!("{mark}{part}"))) {
            Err(source) if part.is_empty() || source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Create { path: path.to_owned(), source });
            }
            _ => {}
        }
    }
    Ok(named(mark))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::model::run::RunId;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    async fn history(path: &Path, sites: usize) {
        let Sound { store, .. } = Store::open_for_scan(path, NOW).await.unwrap();
        store.begin_run(&fixture::run("r", 1000), &fixture::roster(3), &fixture::policy(), "").await.unwrap();
        let rounds: Vec<_> = (0..sites).map(|i| fixture::round(&format!("s{i}.example"), 1)).collect();
        store.put_rounds(&RunId("r".into()), &rounds).await.unwrap();
        store.close().await;
    }

    #[tokio::test]
    async fn a_damaged_file_is_set_aside_and_nothing_of_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        history(&path, 400).await;
        let mut bytes = std::fs::read(&path).unwrap();
        let pages = bytes.len() / 4096;
        bytes[4096..4096 * pages.min(9)].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let sound = Store::open_for_scan(&path, NOW).await.unwrap();
        let (aside, why) = sound.aside.unwrap();
        assert!(aside.to_string_lossy().contains("history.db.damaged-2026"), "{}", aside.display());
        assert!(matches!(why, StoreError::Damaged { .. } | StoreError::Corrupt { .. }), "{why}");
        assert_eq!(std::fs::read(&aside).unwrap(), bytes);
        assert_eq!(sound.store.runs().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_run_whose_record_was_changed_is_noticed_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        history(&path, 1).await;
        let store = Store::open(&path, OpenMode::ReadWrite).await.unwrap();
        let forged = "UPDATE runs SET run_json = replace(run_json, '\"open\"', '\"complete\"')";
        sqlx::raw_sql(forged).execute(&store.pool).await.unwrap();
        store.close().await;
        let sound = Store::open_for_scan(&path, NOW).await.unwrap();
        assert!(matches!(sound.aside, Some((_, StoreError::Corrupt { .. }))));
    }

    #[tokio::test]
    async fn a_run_whose_text_is_no_text_is_damage_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        history(&path, 1).await;
        let store = Store::open(&path, OpenMode::ReadWrite).await.unwrap();
        let garbled = "UPDATE runs SET run_json = CAST(CAST(run_json AS BLOB) || x'ff' AS TEXT)";
        sqlx::raw_sql(garbled).execute(&store.pool).await.unwrap();
        store.close().await;
        let sound = Store::open_for_scan(&path, NOW).await.unwrap();
        assert!(matches!(sound.aside, Some((_, StoreError::Corrupt { .. }))));
    }

    #[tokio::test]
    async fn a_sound_file_stays_and_a_second_scan_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        history(&path, 70).await;
        let first = Store::open_for_scan(&path, NOW).await.unwrap();
        assert!(first.aside.is_none());
        assert_eq!(first.store.runs().await.unwrap()[0].sites, 70);
        let second = Store::open_for_scan(&path, NOW).await.unwrap_err();
        assert!(matches!(second, StoreError::Locked { pid: Some(_), .. }), "{second}");
    }
}
