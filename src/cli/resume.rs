//! Which interrupted run goes on, why another does not, and what is written down of the interruption. Leaves to others: what is
//! left to do of it ([`crate::engine::resume`]), measuring ([`super::scan`]).

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::CliError;
use crate::config::Resolved;
use crate::engine::gate::Opening;
use crate::engine::plan::order;
use crate::engine::resume::{Reckoning, Standing};
use crate::engine::scan::Journal;
use crate::judge::Criteria;
use crate::model::METHOD_VERSION;
use crate::model::address::Family;
use crate::model::outage::{Line, Outage, Trigger};
use crate::model::run::{ClockGap, Cost, DnsProof, Proof, ResolverState, Run, RunEnd, RunId};
use crate::model::time::Timestamp;
use crate::probe::Prober;
use crate::store::{Store, StoreError, StoredRun};
use crate::targets::Loaded;

/// Groups of the configuration that change neither what is measured nor what counts: pace, wording, and who is told when. The vantage's name and
/// the age of runs that go on are compared elsewhere, or are no matter of the run.
const FREE: [&str; 5] = ["notify", "pace", "report", "schedule", "watch"];
/// The one key beside them.
const AGE: &str = "measure.resume_within";

/// What a scan is about to measure.
pub(super) struct Wanted<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) resolved: &'a Resolved,
    pub(super) without_ipv6: bool,
    pub(super) now: Timestamp,
}

/// The run that may go on, or why none does.
pub(super) enum Found {
    /// Every run of these lists is over.
    Nothing,
    /// It began too long ago.
    TooOld(RunId),
    /// It was measured otherwise, or from other lists: what differs.
    Differs(RunId, Vec<String>),
    /// This one.
    Unfinished(Box<StoredRun>),
}

/// An interrupted run that goes on.
pub(super) struct Earlier {
    pub(super) run: Run,
    pub(super) standing: Standing,
    /// The last moment of which something is stored.
    last: Timestamp,
}

/// Looks for the latest run of the same lists. A later one that was finished has overtaken all before it.
pub(super) async fn find(store: &Store, wanted: &Wanted<'_>) -> Result<Found, CliError> {
    let within = wanted.resolved.config.measure.resume_within;
    let horizon = wanted.now.0.saturating_sub(i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
    let mut other = None;
    for (back, header) in store.runs().await?.into_iter().rev().enumerate() {
        let old = header.started.0 < horizon;
        let unfinished = matches!(header.end, RunEnd::Open | RunEnd::Interrupted);
        let stored = store.load_run(&header.id).await?;
        let lists = other_lists(&stored, wanted.loaded);
        if lists.is_empty() {
            return Ok(match (unfinished, old) {
                (false, _) => Found::Nothing,
                (true, true) => Found::TooOld(header.id),
                (true, false) => {
                    let differs = other_ways(&stored, wanted)?;
                    if differs.is_empty() {
                        Found::Unfinished(Box::new(stored))
                    } else {
                        Found::Differs(header.id, differs)
                    }
                }
            });
        }
        if back == 0 && unfinished && !old {
            other = Some(Found::Differs(header.id, lists));
        }
        if old {
            break;
        }
    }
    Ok(other.unwrap_or(Found::Nothing))
}

/// The lists that are not what they were. Empty: all are.
fn other_lists(stored: &StoredRun, loaded: &Loaded) -> Vec<String> {
    if stored.roster == loaded.roster && stored.policy == loaded.policy {
        return Vec::new();
    }
    let (then, now) = (&stored.roster.sources, &loaded.roster.sources);
    let mut differs: Vec<String> = now
        .iter()
        .filter(|list| !then.iter().any(|known| known.path == list.path && known.sha256 == list.sha256))
        .map(|list| list.path.clone())
        .collect();
    differs
        .extend(then.iter().filter(|list| !now.iter().any(|new| new.path == list.path)).map(|list| list.path.clone()));
    if stored.policy != loaded.policy {
        differs.push("policy.toml".to_owned());
    }
    if differs.is_empty() {
        // The same bytes, read otherwise: regions, opt-outs, or an option.
        differs.push("regions, opt-outs, or how the lists are read".to_owned());
    }
    differs
}

/// What changed of program and configuration that evidence hangs on. Empty: nothing.
fn other_ways(stored: &StoredRun, wanted: &Wanted<'_>) -> Result<Vec<String>, CliError> {
    let mut differs = Vec::new();
    let run = &stored.run;
    if run.method_version != METHOD_VERSION || run.program_version != env!("CARGO_PKG_VERSION") {
        differs.push(format!("program {} with method {}", run.program_version, run.method_version));
    }
    if run.without_ipv6 != wanted.without_ipv6 {
        differs.push("--without-ipv6".to_owned());
    }
    differs.extend(other_keys(&stored.config, &wanted.resolved.to_toml()?));
    Ok(differs)
}

/// Keys of two configurations that differ and matter, as `group.key`. A configuration that cannot be read differs as a whole.
fn other_keys(then: &str, now: &str) -> Vec<String> {
    let (Ok(then), Ok(now)) = (then.parse::<toml::Table>(), now.parse::<toml::Table>()) else {
        return vec!["configuration".to_owned()];
    };
    let mut differs = Vec::new();
    for (one, two) in [(&then, &now), (&now, &then)] {
        for (group, keys) in one.iter().filter(|(group, _)| !FREE.contains(&group.as_str())) {
            for (key, value) in keys.as_table().into_iter().flatten() {
                if two.get(group).and_then(|group| group.get(key)) != Some(value) {
                    differs.push(format!("{group}.{key}"));
                }
            }
        }
    }
    differs.sort();
    differs.dedup();
    differs.retain(|key| key != AGE);
    differs
}

/// Finds out what is left to do of a run. None: the clock stands before its last moment, so that the order of its proofs would
/// not be known.
pub(super) async fn take_up(store: &Store, found: StoredRun, wanted: &Wanted<'_>) -> Result<Option<Earlier>, CliError> {
    let run = found.run;
    let pause = wanted.resolved.config.attempts.second_round_after;
    let mut reckoning = Reckoning::new(found.roster.sites, &run.vantage, Criteria::default(), pause);
    store
        .for_each_observation::<StoreError, _>(&run.id, |observation| {
            reckoning.add(&observation);
            Ok(())
        })
        .await?;
    let (mut standing, looked) = reckoning.finish();
    standing.todo = order(standing.todo, &run.id.0);
    let proofs = run.vantage.proofs.iter().map(|proof| proof.at);
    let tests = run.vantage.dns_proofs.iter().map(|proof| proof.at);
    let moments = proofs.chain(tests).chain(looked).chain(run.ended);
    let last = moments.fold(run.started, Timestamp::max);
    Ok((last < wanted.now).then_some(Earlier { run, standing, last }))
}

impl Earlier {
    /// The run as it goes on, once the gate is open: with a mark on every line that nothing was proven from its last moment to
    /// now, so that no failure before is excused, or borne out, by a proof after.
    pub(super) fn go_on(&self, opening: &Opening, resolvers: &[std::net::SocketAddr], now: Timestamp) -> Run {
        let mut run = self.run.clone();
        let at = Timestamp(self.last.0 + 1);
        let vantage = &mut run.vantage;
        vantage.proofs.extend(Family::BOTH.map(|family| Proof { at, family, good: false, page_bytes: 0 }));
        let untested = |server: &std::net::SocketAddr| DnsProof { at, server: *server, state: ResolverState::Untested };
        vantage.dns_proofs.extend(vantage.resolvers.iter().map(untested));
        vantage.proofs.extend(&opening.proofs);
        vantage.dns_proofs.extend(&opening.dns_proofs);
        let added = resolvers.iter().filter(|server| !self.run.vantage.resolvers.contains(server));
        vantage.resolvers.extend(added);
        if let Some(clock) = &mut vantage.clock {
            let proof = opening.clock.as_ref().filter(|proof| proof.holds());
            let until = proof.map(|proof| proof.at);
            clock.gaps.iter_mut().filter(|gap| gap.until.is_none()).for_each(|gap| gap.until = until);
            clock.gaps.push(ClockGap { from: self.last, until });
        }
        for outage in run.outages.iter_mut().filter(|outage| outage.until.is_none()) {
            outage.until = Some(now);
        }
        let why = Trigger::Interrupted;
        let (since, opened, until) = (self.last, Some(self.last), Some(now));
        let quarantined = u32::try_from(self.standing.anew.len()).unwrap_or(u32::MAX);
        run.outages.extend(Line::ALL.map(|line| Outage { line, why, since, opened, until, quarantined, redone: 0 }));
        run.gate = opening.gate.clone();
        (run.ended, run.end) = (None, RunEnd::Open);
        run
    }
}

/// The run with what has become known since it began, or went on.
pub(super) fn with(run: &Run, known: Journal, cost: Cost) -> Run {
    let mut run = run.clone();
    run.vantage.proofs.extend(known.proofs);
    run.vantage.dns_proofs.extend(known.dns_proofs);
    if let Some(clock) = &mut run.vantage.clock {
        clock.gaps.extend(known.clock_gaps);
    }
    run.outages.extend(known.outages);
    let before = run.cost.take().unwrap_or_default();
    run.cost = Some(Cost {
        bytes_sent: before.bytes_sent + cost.bytes_sent,
        bytes_received: before.bytes_received + cost.bytes_received,
        pauses: before.pauses.into_iter().chain(cost.pauses).collect(),
    });
    run
}

/// What a prober has cost others so far.
pub(super) fn cost(prober: &Prober) -> Cost {
    let (bytes_sent, bytes_received) = prober.net.connector.traffic().so_far();
    Cost { bytes_sent, bytes_received, pauses: prober.net.turns.pauses(prober.net.clock.now()) }
}

/// Stores what becomes known of the vantage while the run is under way. Ends with the scan, or when the store fails.
pub(super) fn keep(
    store: Store,
    run: Run,
    prober: Arc<Prober>,
    mut journal: watch::Receiver<Journal>,
) -> JoinHandle<Result<(), StoreError>> {
    tokio::spawn(async move {
        while journal.changed().await.is_ok() {
            let known = journal.borrow_and_update().clone();
            store.update_run(&with(&run, known, cost(&prober))).await?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_evidence_hangs_on_are_compared() {
        let file = "[pace]\njobs = 4\n[measure]\nresume_within = \"1d\"\n[dns]\nattempts = 2\ntimeout = \"2s\"\n";
        let changed = file.replace("jobs = 4", "jobs = 9").replace("\"1d\"", "\"2d\"");
        assert_eq!(other_keys(file, &changed), Vec::<String>::new());
        assert_eq!(other_keys(file, &file.replace("attempts = 2", "tries = 2")), ["dns.attempts", "dns.tries"]);
        assert_eq!(other_keys(file, &format!("{file}[gate]\nminimum_pass = 2\n")), ["gate.minimum_pass"]);
        assert_eq!(other_keys("no toml", file), ["configuration"]);
    }
}
