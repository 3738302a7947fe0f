//! v6ready: IPv6 upgrade readiness of a province's schools. Evidence first, verdict second.

pub mod judge;
pub mod model;
pub mod net;
pub mod report;
