//! A large invented internet.
