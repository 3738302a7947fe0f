//! The integration tests, as one binary: it links once, and its modules share the bench.

mod architecture;
mod bench_net;
mod cli;
mod evidence;
mod golden;
mod loss;
mod manual;
mod properties;
mod scenarios;
mod slowness;
mod ssrf;
mod statuses;
mod weather;
