//! The integration tests, as one binary: it links once, and its modules share the bench.

mod architecture;
mod bench_net;
mod cli;
mod dns_lies;
mod evidence;
mod golden;
mod manual;
mod properties;
mod scenarios;
mod ssrf;
mod weather;
