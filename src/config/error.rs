//! What can be wrong with the configuration, said so that it can be put right without the manual.

use std::fmt;
use std::path::PathBuf;

/// Why the configuration is unusable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, has a key there is not, or a value of the wrong kind.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong; for an unknown key, with the keys there are.
        message: String,
    },
    /// A flag or an environment variable has a value of the wrong kind, or sets a key there is not.
    #[error("{origin}: {message} (it sets {key})")]
    Override {
        /// The flag or variable.
        origin: String,
        /// The key it sets.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// Values that are well-formed but cannot be used.
    #[error("unusable configuration:{}", list(problems))]
    Invalid {
        /// Each with its remedy. Never empty.
        problems: Vec<Problem>,
    },
    /// The configuration cannot be written as TOML.
    #[error("cannot write the configuration as TOML")]
    Write {
        /// Why.
        #[from]
        source: toml::ser::Error,
    },
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its key, such as `gate.anchors`.
    pub key: String,
    /// Where the value comes from.
    pub origin: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}: {}", self.key, self.origin, self.problem, self.remedy)
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect::<Vec<_>>().concat()
}
