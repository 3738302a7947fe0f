//! Configuration.

/// Why the configuration is unusable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {}
