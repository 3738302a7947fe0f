//! The integration tests, as one binary: it links once, and its modules share the bench.

mod bench_net;
mod evidence;
mod properties;
mod scenarios;
