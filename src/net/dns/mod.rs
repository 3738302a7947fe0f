//! DNS: explicit exchanges for the names under judgement, and the infrastructure behind them.
//!
//! [`exchange`] asks one question of one server and keeps ten outcomes apart; [`watch`] listens for
//! a second reply; `wire` reads replies; [`authority`] finds
//! a name's authoritative servers through hickory-resolver. Leaves to others: whom to ask, how often, and what the
//! outcomes mean together.

pub mod authority;
pub mod exchange;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod nat64;
pub(crate) mod provider;
pub mod watch;
pub(crate) mod wire;
