//! The integration tests, as one binary: it links once, and its modules share the bench.

mod architecture;
mod bench_net;
mod cli;
mod clocks;
mod deep;
mod dns_lies;
mod evidence;
mod gate;
mod golden;
mod hostile;
mod injection;
mod load;
mod loss;
mod manual;
mod outage;
mod politeness;
mod properties;
mod redirects;
mod registry;
mod scenarios;
mod sharing;
mod slowness;
mod ssrf;
mod statuses;
mod weather;
mod zones;
