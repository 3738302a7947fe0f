//! The integration tests, as one binary: it links once, and its modules share the bench.

mod architecture;
mod bench_net;
mod cli;
mod evidence;
mod golden;
mod manual;
mod outage;
mod properties;
mod scenarios;
mod ssrf;
mod weather;
