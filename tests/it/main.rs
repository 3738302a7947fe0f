//! The integration tests, as one binary: it links once, and its modules share the bench.

mod architecture;
mod bench_net;
mod evidence;
mod manual;
mod properties;
mod scenarios;
