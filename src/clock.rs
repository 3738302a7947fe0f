//! The clock.
use crate::model::time::Timestamp;
/// Clock.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
