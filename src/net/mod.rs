//! The outside world: the only folder that opens sockets, besides the lab's servers. It delivers facts, never opinions.

pub mod route;
