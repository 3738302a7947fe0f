//! A scan, and what is left of it for those who look after the machine: the ledger, the metrics, a message.
//!
//! What is left never changes how the scan ends: a ledger or a textfile that cannot be written is a warning. A scan that
//! another one turned away leaves nothing, since it is the other's turn.

use super::args::{Common, ScanArgs};
use super::error::CliError;
use super::notify;
use super::output::{note, say};
use super::scan::{self, Published};
use super::settings;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::exit::Exit;
use crate::model::run::RunEnd;
use crate::model::time::Timestamp;
use crate::report::text::Text;
use crate::upkeep::ledger::{Attempt, GoodRun, Ledger};
use crate::upkeep::metrics;

/// Characters of an error that the ledger keeps.
const ERROR_CHARACTERS: usize = 500;

pub(super) async fn run(common: &Common, args: &ScanArgs) -> Result<Exit, CliError> {
    let began = SystemClock.now();
    let mut published = None;
    let result = scan::run(common, args, &mut published).await;
    let exit = result.as_ref().map_or_else(Exit::from, |exit| *exit);
    // Without a configuration nobody knows where anything is to be left, and a wrong command line is no start.
    if ![Exit::Locked, Exit::Usage].contains(&exit)
        && let Ok(resolved) = settings::resolve(common, &settings::flags(common, Some(&args.measure), Some(args)))
    {
        let attempt = Attempt {
            began,
            ended: SystemClock.now(),
            exit: exit.code(),
            complete: [Exit::Done, Exit::BelowThreshold].contains(&exit),
            error: result.as_ref().err().map(|error| error.to_string().chars().take(ERROR_CHARACTERS).collect()),
        };
        let before = Ledger::read(&args.store).attempt;
        leave(&resolved.config, args, attempt.clone(), published.as_ref());
        notify::tell(&resolved.config, before.as_ref(), &attempt, published.as_ref()).await;
    }
    result
}

fn leave(config: &Config, args: &ScanArgs, attempt: Attempt, published: Option<&Published>) {
    let lang = settings::lang(config);
    if let Some(path) = &config.watch.metrics {
        let summary = published.map(|published| (&published.judged.summary, ended(published, &attempt)));
        if let Err(error) = metrics::write(path, &attempt, summary) {
            let text = say(lang, "监控指标文件写入失败", "cannot write the metrics");
            note(format!("{text} {}: {}", path.display(), Text::of(lang).message(&error.to_string())));
        }
    }
    let mut ledger = Ledger::read(&args.store);
    if let Some(published) = published.filter(|published| published.judged.run.end == RunEnd::Complete) {
        ledger.good = Some(good(published, &attempt));
    }
    ledger.attempt = Some(attempt);
    // Where nothing was ever stored, nobody misses a ledger, and its absence would stand before what really went wrong.
    let stored = args.store.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    if stored && let Err(error) = ledger.write(&args.store) {
        let text = say(lang, "运行台账写入失败", "cannot write the ledger beside");
        note(format!("{text} {}: {}", args.store.display(), Text::of(lang).message(&error.to_string())));
    }
}

fn ended(published: &Published, attempt: &Attempt) -> Timestamp {
    published.judged.run.ended.unwrap_or(attempt.ended)
}

fn good(published: &Published, attempt: &Attempt) -> GoodRun {
    let total = &published.judged.summary.total;
    GoodRun {
        run: published.judged.run.id.0.clone(),
        ended: ended(published, attempt),
        listed: total.listed,
        judged: total.judged(),
        ready: total.ready(),
        not_judged: total.inconclusive(),
    }
}
