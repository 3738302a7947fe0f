//! The invented sample province, carried inside the program for the demo.
//!
//! Loads like any folder: `targets::load_bytes(embedded::SAMPLE, &LoadOptions::lab())`.

/// The files of `targets/sample`, by name.
pub const SAMPLE: &[(&str, &[u8])] = &[
    ("sample/regions.csv", include_bytes!("../../targets/sample/regions.csv")),
    ("sample/tiles.csv", include_bytes!("../../targets/sample/tiles.csv")),
    ("sample/policy.toml", include_bytes!("../../targets/sample/policy.toml")),
    ("sample/targets.toml", include_bytes!("../../targets/sample/targets.toml")),
    ("sample/optout.txt", include_bytes!("../../targets/sample/optout.txt")),
    ("sample/higher.csv", include_bytes!("../../targets/sample/higher.csv")),
    ("sample/k12.csv", include_bytes!("../../targets/sample/k12.csv")),
    ("sample/other-units.csv", include_bytes!("../../targets/sample/other-units.csv")),
    ("sample/vocational.csv", include_bytes!("../../targets/sample/vocational.csv")),
];
