//! Decisions: from stored evidence to one verdict, and from verdicts to numbers. Pure: no input, no output, no clock.
//!
//! [`assess`] gives one site's verdict from its observation; [`first_look`] says whether a site is worth another
//! look at the end of a run; [`faulty_links`] names the links to mend; [`summarise`] counts, [`compare`] says what changed between runs, [`causes`] folds what
//! fails, [`rules`] gives points, and [`quorum`]
//! takes several vantages together. The rules and their numbers are those of `docs/method/verdict.md`.

pub mod causes;
pub mod compare;
mod deep;
mod delegation;
mod findings;
mod landing;
mod mail;
mod naming;
pub mod operators;
mod pair;
mod parity;
pub mod quorum;
mod resolvers;
mod rollup;
pub mod rules;
mod service;
pub mod summarise;

pub use rollup::{Criteria, DEFECTS, assess, faulty_links, first_look};
