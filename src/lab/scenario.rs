//! A scenario file: a piece of the simulated internet, what the target list says of it, and what must come out.
//!
//! Leaves to others: running the scanner, judging, and serving the world ([`super::Lab`]).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::dns::facts::{NameFacts, ServerFacts, ZoneFacts};
use super::log::Log;
use super::saw::Saw;
use super::web::facts::HostFacts;
use super::world::World;
use crate::model::finding::Code;
use crate::model::verdict::{Readiness, Stack};

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read scenario {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("scenario {} is not valid: {source}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The file contradicts itself.
    #[error("scenario {} contradicts itself: {}", path.display(), complaints.join("; "))]
    Contradiction {
        /// Which file.
        path: PathBuf,
        /// In what.
        complaints: Vec<String>,
    },
    /// Scenarios cannot share one world.
    #[error("scenarios clash: {}", .0.join("; "))]
    Clash(Vec<String>),
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Row of the truth table, such as `D09a`; also the name of the file.
    pub id: String,
    /// One line on the situation.
    pub name: String,
    /// What the target list says: names or URLs. Empty: the only name under `[dns]`.
    #[serde(default)]
    pub list: Vec<String>,
    /// Names.
    #[serde(default)]
    pub dns: BTreeMap<String, NameFacts>,
    /// Zones that are not derived.
    #[serde(default)]
    pub zone: BTreeMap<String, ZoneFacts>,
    /// DNS servers that are not reached as they should be.
    #[serde(default)]
    pub server: BTreeMap<IpAddr, ServerFacts>,
    /// Web addresses.
    #[serde(default)]
    pub host: BTreeMap<IpAddr, HostFacts>,
    /// How the scanner is to be run.
    #[serde(default)]
    pub options: Options,
    /// Mail is looked at, and these hosts show whether port 25 is let through. Empty: mail is not looked at.
    #[serde(default)]
    pub mail_canaries: Vec<String>,
    /// What must come out.
    pub expect: Expectation,
}

/// How the scanner is to be run.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The run is told not to use IPv6.
    pub without_ipv6: bool,
    /// The vantage has proven IPv6.
    pub vantage_ipv6: bool,
    /// The site is looked at with the deep profile.
    pub deep: bool,
    /// What comes out depends on how long things take, so nothing else may keep the machine busy.
    pub timed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { without_ipv6: false, vantage_ipv6: true, deep: false, timed: false }
    }
}

/// What must come out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The verdict.
    pub readiness: Readiness,
    /// The verdict's reason. None: any.
    #[serde(default)]
    pub reason: Option<String>,
    /// Which families serve. None: any.
    #[serde(default)]
    pub stack: Option<Stack>,
    /// All findings, in any order.
    #[serde(default)]
    pub findings: Vec<Code>,
    /// Arguments that findings must have. Others are not looked at.
    #[serde(default)]
    pub args: BTreeMap<Code, BTreeMap<String, String>>,
    /// Name servers that work over IPv6, of all: `"1/2"`, or `"?"` for not known. None: any.
    #[serde(default)]
    pub ns6: Option<String>,
    /// A resolver that has IPv6 only can look the name up. None: any.
    #[serde(default)]
    pub resolves6: Option<bool>,
    /// Whether mail can be delivered over IPv6, with its reason if it has one: `"unknown port25"`. None: any.
    #[serde(default)]
    pub mail: Option<String>,
    /// Rates of links by `level2`, `level2_external`, `level3`, `level3_external`, and of resource hosts by `skylight`:
    /// `"15/20 of 20"`, supported, judged and found. Others are not looked at.
    #[serde(default)]
    pub rates: BTreeMap<String, String>,
    /// What the servers must and must not have seen.
    #[serde(default)]
    pub saw: Saw,
}

impl Expectation {
    /// Demands on what the servers saw that the log does not meet, each as a line.
    pub fn check_saw(&self, log: &Log) -> Vec<String> {
        self.saw.check(log)
    }
}

impl Scenario {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads every `.toml` file of a folder, in order of their names.
    pub fn load_all(folder: &Path) -> Result<Vec<Self>, ScenarioError> {
        let unreadable = |source| ScenarioError::Read { path: folder.to_owned(), source };
        let entries = std::fs::read_dir(folder).map_err(unreadable)?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| Self::load(path)).collect()
    }

    /// Reads the text of a file; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        let mut scenario: Self = toml::from_str(text)
            .map_err(|source| ScenarioError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let mut complaints = scenario.world().complaints();
        if scenario.list.is_empty() {
            match scenario.dns.keys().next() {
                Some(only) if scenario.dns.len() == 1 => scenario.list.push(only.clone()),
                _ => complaints.push("`list` must say which of the names is listed".to_owned()),
            }
        }
        if complaints.is_empty() {
            Ok(scenario)
        } else {
            Err(ScenarioError::Contradiction { path: path.to_owned(), complaints })
        }
    }

    /// Its piece of the internet, without anchors.
    pub fn world(&self) -> World {
        let mut world = World::new();
        let clashes = world.merge(World {
            dns: self.dns.clone(),
            zones: self.zone.clone(),
            servers: self.server.clone(),
            hosts: self.host.clone(),
            log_limit: None,
            stand_ins: None,
        });
        debug_assert!(clashes.is_empty(), "an empty world has nothing to clash with");
        world
    }

    /// The worlds of many scenarios as one. Their names, zones and addresses must be disjoint.
    pub fn merged_world(scenarios: &[Self]) -> Result<World, ScenarioError> {
        let mut world = World::new();
        let mut clashes = Vec::new();
        for scenario in scenarios {
            let found = world.merge(scenario.world());
            clashes.extend(found.into_iter().map(|clash| format!("{}: {clash}", scenario.id)));
        }
        if clashes.is_empty() { Ok(world) } else { Err(ScenarioError::Clash(clashes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Lab;

    fn all() -> Vec<Scenario> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
        Scenario::load_all(&folder).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_file_is_a_scenario_named_after_its_row() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
        for scenario in all() {
            assert!(folder.join(format!("{}.toml", scenario.id)).exists(), "{}", scenario.id);
            assert_eq!(scenario.list.len(), 1, "{}", scenario.id);
        }
    }

    #[tokio::test]
    async fn all_scenarios_live_in_one_world_with_the_anchors() {
        let scenarios = all();
        let mut world = Scenario::merged_world(&scenarios).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(world.merge(World::new().with_anchors()), Vec::<String>::new());
        let lab = Lab::start(world).await.expect("a lab");
        for scenario in scenarios {
            let violations = scenario.expect.check_saw(&lab.log());
            assert!(violations.iter().all(|each| each.contains(" 0 seen")), "{}: {violations:?}", scenario.id);
        }
    }

    #[test]
    fn mistakes_are_told() {
        let reading = |text: &str| {
            let text = format!("id = \"X\"\nname = \"x\"\n{text}\n[expect]\nreadiness = \"READY\"");
            Scenario::parse(&text, Path::new("x.toml")).expect_err("a mistake").to_string()
        };
        assert!(reading("[dns.\"a.example\"]\naaa = []").contains("aaa"));
        assert!(reading("[host.\"192.0.2.1\"]\nweb = { page = \"no such\" }").contains("no such"));
        assert!(reading("[host.\"192.0.2.1\"]\nweb = { nth = { x = {} } }").contains("not a count"));
        assert!(reading("[host.\"192.0.2.53\"]\nweb = {}").contains("resolver"));
        assert!(reading("").contains("list"));
    }
}
