//! `history prune`: space given back by the evidence of old runs.

use std::path::Path;

use super::error::CliError;
use super::output::{line, note, say};
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use crate::report::Lang;
use crate::store::{OpenMode, Store};

/// Says what may go, and unless only that was asked for, lets it go. Never while a scan runs.
pub(super) async fn run(path: &Path, keep: u32, dry_run: bool, lang: Lang) -> Result<Exit, CliError> {
    // Opened for writing also to look: a missing history is no empty one.
    drop(Store::open(path, OpenMode::ReadOnly).await?);
    let store = Store::open(path, OpenMode::ReadWrite).await?;
    let _lock = store.lock(SystemClock.now())?;
    let prunable = store.prunable(keep as usize).await?;
    for run in &prunable {
        let size = mib(run.bytes);
        line(match lang {
            Lang::Zh => format!("{}  {} 轮证据，{size:.1} MiB", run.run, run.rows),
            Lang::En => format!("{}  {} rounds of evidence, {size:.1} MiB", run.run, run.rows),
        });
    }
    let size = mib(prunable.iter().map(|run| run.bytes).sum());
    if dry_run || prunable.is_empty() {
        line(format!("{} {size:.1} MiB", say(lang, "可释放", "may be given back:")));
        store.close().await;
        return Ok(Exit::Done);
    }
    store.prune(&prunable).await?;
    if let Err(error) = store.compact().await {
        note(format!(
            "{}: {error}",
            say(lang, "空间留在文件内供后续使用", "the space stays in the file for later runs")
        ));
    }
    store.close().await;
    line(format!("{} {size:.1} MiB", say(lang, "已释放（判定结果全部保留）", "given back, all verdicts kept:")));
    Ok(Exit::Done)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
