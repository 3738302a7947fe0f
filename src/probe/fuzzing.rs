//! A door for the fuzz targets, under `cfg(fuzzing)` alone: what a walk makes of a reference.

use url::Url;

use super::target;

/// The URL that a reference leads to, and the Host header it is asked with; or why it is not followed.
pub fn follow(base: &Url, reference: &str, longest: usize, listed_port: u16) -> Result<(Url, String), String> {
    let url = target::join(base, reference, longest, listed_port).map_err(|refused| format!("{refused:?}"))?;
    let (_, authority) = target::authority(&url).map_err(|failure| failure.word())?;
    Ok((url, authority))
}
