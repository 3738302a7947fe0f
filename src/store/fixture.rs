//! Small histories in real files, for the tests of this folder.

use std::net::IpAddr;

use tempfile::TempDir;

use super::{OpenMode, Store};
use crate::model::METHOD_VERSION;
use crate::model::evidence::{Connect, Round};
use crate::model::run::{Gate, Run, RunEnd, RunId, Vantage};
use crate::model::school::Roster;
use crate::model::site::Site;
use crate::model::summary::Policy;
use crate::model::time::Timestamp;

/// The run that [`with_run`] has begun.
pub(super) const RUN: &str = "20261123T191000Z";

/// A history and the folder it lives in.
pub(super) struct Home {
    pub(super) store: Store,
    folder: TempDir,
}

impl Home {
    pub(super) async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(self.store.path(), OpenMode::ReadOnly).await.unwrap();
        Self { store, folder: self.folder }
    }
}

pub(super) async fn empty() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("history.db"), OpenMode::ReadWrite).await.unwrap();
    Home { store, folder }
}

pub(super) async fn with_run() -> Home {
    let home = empty().await;
    home.store.begin_run(&run(RUN, 1000), &roster(3), &policy(), "").await.unwrap();
    home
}

pub(super) fn run(id: &str, started: i64) -> Run {
    Run {
        id: RunId(id.into()),
        vantage: Vantage {
            name: "campus".into(),
            isp: Some("教育网".into()),
            resolvers: vec![],
            proofs: vec![],
            dns_proofs: vec![],
            clock: None,
        },
        started: Timestamp(started),
        ended: None,
        end: RunEnd::Open,
        config_sha256: String::new(),
        method_version: METHOD_VERSION.into(),
        program_version: "0.1.0".into(),
        gate: Gate::default(),
        outages: vec![],
        without_ipv6: false,
        lab: false,
        simulated: false,
        cost: None,
    }
}

pub(super) fn roster(sites: usize) -> Roster {
    let sites = (0..sites).map(|i| site(&format!("s{i}.example"))).map(|site| (site.key.clone(), site)).collect();
    Roster { sites, ..Roster::default() }
}

pub(super) fn policy() -> Policy {
    Policy { number: "教科技函〔2023〕99号".into(), minimum_coverage: 0.98, ..Policy::default() }
}

pub(super) fn site(host: &str) -> Site {
    Site::new(host, None, None, None)
}

/// A round with a little of everything that compresses differently.
pub(super) fn round(host: &str, number: u8) -> (Site, Round) {
    let mut round = Round::new(number, Timestamp(1_795_000_000_000));
    round.connects.push(Connect {
        address: IpAddr::from([192, 0, 2, 1]),
        port: 443,
        failure: None,
        started: Timestamp(1_795_000_000_001),
        duration_us: 1234,
        attempt: 1,
    });
    (site(host), round)
}
