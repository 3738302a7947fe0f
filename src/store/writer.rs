//! The one task that writes evidence while a scan is under way. Leaves to others: what to do when it stops.
//!
//! Commits at the latest when [`BATCH`] rows or [`DELAY`] have gathered, so that a kill loses no more than that, and
//! compresses rows as they come in, so that no commit holds a worker thread for long. When the writer ends, early
//! because of an error or not, senders see a closed channel.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::codec::Encoder;
use super::evidence::{PackedRound, PutReport, pack};
use super::{Store, StoreError};
use crate::model::evidence::Round;
use crate::model::run::RunId;
use crate::model::site::Site;

/// Rows that are held back at most.
const BATCH: usize = 64;
/// For how long a row is held back at most.
const DELAY: Duration = Duration::from_secs(1);

/// What a writer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterReport {
    /// What became of the rows.
    pub rows: PutReport,
    /// Transactions.
    pub commits: u64,
}

/// The writer task. It has no state of its own between two runs.
#[derive(Debug)]
pub struct Writer;

impl Writer {
    /// Starts writing what comes through the channel, until it is closed and empty; then flushes and ends.
    pub fn spawn(
        store: Store,
        run: RunId,
        receiver: Receiver<(Site, Round)>,
    ) -> JoinHandle<Result<WriterReport, StoreError>> {
        tokio::spawn(write(store, run, receiver))
    }
}

async fn write(store: Store, run: RunId, mut receiver: Receiver<(Site, Round)>) -> Result<WriterReport, StoreError> {
    let mut encoder = Encoder::new();
    let mut report = WriterReport::default();
    let mut open = true;
    while open {
        let Some((site, round)) = receiver.recv().await else { break };
        let deadline = Instant::now() + DELAY;
        let mut batch: Vec<PackedRound> = vec![pack(&mut encoder, &run, &site, &round)?];
        while batch.len() < BATCH {
            match tokio::time::timeout_at(deadline, receiver.recv()).await {
                Ok(Some((site, round))) => batch.push(pack(&mut encoder, &run, &site, &round)?),
                Ok(None) => {
                    open = false;
                    break;
                }
                Err(_elapsed) => break,
            }
        }
        report.rows.add(store.put_packed(&run, batch).await?);
        report.commits += 1;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, RUN};
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn writes_in_batches_and_flushes_at_the_end() {
        let home = fixture::with_run().await;
        let (sender, receiver) = mpsc::channel(200);
        for i in 0..150 {
            sender.send(fixture::round(&format!("s{i}.example"), 1)).await.unwrap();
        }
        sender.send(fixture::round("s0.example", 1)).await.unwrap();
        drop(sender);
        let report = Writer::spawn(home.store.clone(), RunId(RUN.into()), receiver).await.unwrap().unwrap();
        assert_eq!((report.rows.stored, report.rows.repeated.len(), report.commits), (150, 1, 3));
        assert_eq!(home.store.done_keys(&RunId(RUN.into()), 1).await.unwrap().len(), 150);
    }

    #[tokio::test]
    async fn a_lone_row_does_not_wait_for_company() {
        let home = fixture::with_run().await;
        let (sender, receiver) = mpsc::channel(1);
        let writer = Writer::spawn(home.store.clone(), RunId(RUN.into()), receiver);
        sender.send(fixture::round("a.example", 1)).await.unwrap();
        tokio::time::sleep(DELAY * 2).await;
        assert_eq!(home.store.done_keys(&RunId(RUN.into()), 1).await.unwrap().len(), 1);
        drop(sender);
        assert_eq!(writer.await.unwrap().unwrap().commits, 1);
    }

    #[tokio::test]
    async fn a_writer_that_fails_closes_the_channel() {
        let home = fixture::empty().await;
        let (sender, receiver) = mpsc::channel(1);
        let writer = Writer::spawn(home.store.clone(), RunId("unknown".into()), receiver);
        sender.send(fixture::round("a.example", 1)).await.unwrap();
        assert!(matches!(writer.await.unwrap(), Err(StoreError::NoSuchRun { .. })));
        assert!(sender.is_closed());
    }
}
