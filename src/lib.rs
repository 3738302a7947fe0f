//! v6ready: IPv6 upgrade readiness of a province's schools. Evidence first, verdict second.

#[cfg(test)]
mod architecture_tests;

pub mod clock;
pub mod config;
pub mod engine;
pub mod exit;
pub mod judge;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod net;
pub mod probe;
pub mod store;
