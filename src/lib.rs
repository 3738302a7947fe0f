//! v6ready: IPv6 upgrade readiness of a province's schools. Evidence first, verdict second.
//!
//! # The map
//!
//! In the order of the line. Each part's own page begins with what it is responsible for and what it leaves to others.
//!
//! 1. [`targets`]: lists in any shape become a roster of schools and sites. Every row is accounted for: accepted, or
//!    rejected with line, column and reason.
//! 2. [`engine`]: which sites when, how fast, and whether this vantage can be believed: plan, pace, run gate, canaries, breaker, two
//!    rounds, stopping.
//! 3. [`probe`]: one site, step by step: lookup, delegation, address scope, connect, handshake,
//!    exchange; in the deep profile links, embedded resources and samples as well.
//! 4. [`net`]: the outside world, the only part that opens sockets. Facts, never opinions. Its seam
//!    [`net::route`] is where the lab stands in for the Internet.
//! 5. [`model::evidence::Observation`]: the evidence. Left of it the weather decides; from here on everything is
//!    deterministic and can be done again offline.
//! 6. [`judge`]: evidence, the vantage's proofs and parameters become one verdict with findings, and verdicts become
//!    numbers: completion, changes between runs, root causes, points by rule sets. Pure.
//! 7. [`store`]: evidence, runs and verdicts in one SQLite file. The only part that knows SQL.
//! 8. [`report`]: verdicts and numbers become bytes, and bytes a folder. Wording is a table by code and language.
//! 9. [`cli`]: arguments become calls, events become progress, errors become exit codes. No decisions.
//!
//! Beside the line: [`model`], the nouns that all parts share; [`config`], every parameter and where its value comes
//! from; [`calendar`], the times in which nothing may be measured; [`clock`], the one place that asks what time it is;
//! [`upkeep`], the timetable, heartbeat, ledger, metrics and notices of a machine that nobody watches; [`exit`], the exit
//! codes; `failpoint`, moments at which tests let the process die; [`lab`], a simulated internet on loopback for the demo and the tests.
//!
//! # Who may know whom
//!
//! ```text
//! cli ──▶ everything
//! engine ──▶ probe ──▶ net ──▶ clock      engine ──▶ judge (which sites are worth a second look)
//! report ──▶ judge                        lab ──▶ net, clock
//! config, engine ──▶ calendar             config ──▶ upkeep (the timetable) ──▶ clock
//! targets, engine, probe, net, judge, store, report, lab, clock, calendar ──▶ model ──▶ nothing of ours
//! ```
//!
//! `model` and `judge` touch neither files, network nor clock. `net` knows no verdicts, `report` knows neither network nor
//! store, and nobody but `cli` knows the whole configuration: each part takes a small struct of its own. A test reads
//! the sources and holds all this (`tests/it/architecture.rs`).
//!
//! # Where to begin
//!
//! [`model::evidence`] says what is known about a site, [`model::verdict`] what is claimed, `judge/rollup.rs` how one becomes
//! the other. The method is described in `docs/method/`, the history's file in `docs/data-model.md`, and why things are as
//! they are in `docs/decisions/`.

pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod exit;
mod failpoint;
pub mod judge;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod net;
pub mod probe;
pub mod report;
pub mod store;
pub mod targets;
pub mod upkeep;
