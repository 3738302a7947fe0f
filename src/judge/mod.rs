//! Decisions: what evidence means, and what many verdicts add up to. Pure: imports the model only.

pub mod summarise;
