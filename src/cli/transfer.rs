//! `history export` and `history import`: runs out of a history into a file, and back.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::args::{Common, HistoryArgs, HistoryCommand};
use super::error::CliError;
use super::finish::{judge_run, remember};
use super::output::{line, say};
use super::prune;
use super::settings;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use crate::model::run::RunId;
use crate::report::Lang;
use crate::store::{OpenMode, Scope, Store};

pub(super) async fn run(common: &Common, args: &HistoryArgs) -> Result<Exit, CliError> {
    let lang = settings::lang(&settings::resolve(common, &settings::flags(common, None, None))?.config);
    match &args.command {
        HistoryCommand::Export { runs, all, output, public, store } => {
            let store = Store::open(&store.store, OpenMode::ReadOnly).await?;
            let ids = chosen(&store, runs, *all).await?;
            let scope = if *public { Scope::Public } else { Scope::Whole };
            export(&store, &ids, scope, output, lang).await
        }
        HistoryCommand::Import { files, vantage, store } => import(&store.store, files, vantage.as_deref(), lang).await,
        HistoryCommand::Prune { keep, dry_run, store } => prune::run(&store.store, *keep, *dry_run, lang).await,
    }
}

/// The runs that are meant, earliest first.
async fn chosen(store: &Store, names: &[String], all: bool) -> Result<Vec<RunId>, CliError> {
    if names.is_empty() && !all {
        return Ok(vec![store.resolve_run("latest").await?]);
    }
    let mut wanted = Vec::new();
    for name in names {
        wanted.push(store.resolve_run(name).await?);
    }
    let runs = store.runs().await?.into_iter().map(|run| run.id);
    Ok(runs.filter(|id| all || wanted.contains(id)).collect())
}

/// A file that stopped half way would look like a backup: it is written beside its name, and takes it at the end.
async fn export(store: &Store, ids: &[RunId], scope: Scope, output: &Path, lang: Lang) -> Result<Exit, CliError> {
    let create = |path: &Path| {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        made.map_err(|source| CliError::Create { path: path.to_owned(), source })
    };
    drop(create(output)?);
    let mut partial = output.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let written = async {
        let file = create(&partial)?;
        let failed = |source| CliError::Create { path: partial.clone(), source };
        let mut out = BufWriter::new(&file);
        for id in ids {
            let exported = store.export_run(id, scope, &mut out).await?;
            line(format!("{id}  {} {}", exported.rounds, say(lang, "轮证据", "rounds of evidence")));
        }
        out.flush().map_err(failed)?;
        drop(out);
        file.sync_all().and_then(|()| std::fs::rename(&partial, output)).map_err(failed)
    };
    if let Err(error) = written.await {
        // The error that matters is the one that brought us here.
        let _ = std::fs::remove_file(&partial);
        let _ = std::fs::remove_file(output);
        return Err(error);
    }
    line(output.display());
    Ok(Exit::Done)
}

async fn import(path: &Path, files: &[PathBuf], vantage: Option<&str>, lang: Lang) -> Result<Exit, CliError> {
    let store = Store::open(path, OpenMode::ReadWrite).await?;
    let _lock = store.lock(SystemClock.now())?;
    for name in files {
        let file = File::open(name).map_err(|source| CliError::Read { path: name.clone(), source })?;
        for run in store.import_of(vantage, BufReader::new(file), name).await? {
            if !run.known {
                remember(&store, &judge_run(&store, &run.id, None).await?).await?;
            }
            let known = if run.known { say(lang, "  已有，未改动", "  was there, left as it is") } else { "" };
            line(format!("{}  {} {}{known}", run.id, run.rounds, say(lang, "轮证据", "rounds of evidence")));
        }
    }
    store.close().await;
    Ok(Exit::Done)
}
