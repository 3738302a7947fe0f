//! The pages: `index.html` for the province, `regions/<code>.html` for each region.
//!
//! Each page is one file that loads nothing: style and script are inside it, and its content security policy allows
//! exactly these two, by hash. Templates escape everything; text that nobody vouches for is made visible first. The
//! script only sorts, filters and searches what is already readable without it.

mod causes;
mod fold;
pub(super) mod head;
mod index;
mod past;
mod region;
mod room;
mod scores;
pub(super) mod tables;

use askama::Template;
use sha2::{Digest, Sha256};

use crate::judge::summarise::Standing;
use crate::model::school::RosterState;
use crate::model::site::Site;
use crate::model::verdict::Readiness;

use super::format::base64;
use super::model::{Report, SchoolRow};
use super::text::{self, Context, Text};
use super::{FileEntry, Folder, ReportInput};

/// Renders all pages into the folder, one after another, and says which: of a region with thousands of schools a page has many
/// megabytes, and never is in memory.
pub fn render<F: Folder>(report: &Report, input: &ReportInput, folder: &mut F) -> Result<Vec<FileEntry>, F::Error> {
    let text = Text::of(input.lang);
    let scopes = tables::scopes(report);
    let mut made = vec![page("index.html", &index::Index::new(report, input, text), folder)?];
    for region in &report.regions {
        let rows = scopes.of(&region.code);
        made.push(page(&region.page, &region::RegionPage::new(report, input, text, region, rows), folder)?);
    }
    Ok(made)
}

fn page<F: Folder>(name: &str, template: &impl Template, folder: &mut F) -> Result<FileEntry, F::Error> {
    folder.stream(name, &|out| {
        Template::write_into(template, out)?;
        out.write_all(b"\n")
    })
}

/// The content security policy: nothing from anywhere, but this style and this script.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        inline_hash(include_str!("../../../templates/style.css")),
        inline_hash(include_str!("../../../templates/script.js")),
    )
}

/// The hash of an included file as it stands in the page: templates drop one line end at the end of a file.
fn inline_hash(source: &str) -> String {
    base64(&Sha256::digest(source.strip_suffix('\n').unwrap_or(source)))
}

/// Arguments that every finding of a row may use in its wording.
pub(super) fn context(row: &SchoolRow) -> Context {
    text::context(row.site.map(|site| &*site.host), row.aaaa)
}

/// A link to a site, rebuilt from its checked parts. None: the host is nothing that may stand in a link.
pub(super) fn link(site: &Site) -> Option<String> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    let host = &site.host;
    if !(1..=253).contains(&host.len()) || !host.bytes().all(fine) || host.starts_with(['.', '-']) {
        return None;
    }
    let (scheme, port) = *site.entries().first()?;
    let port = if port == scheme.default_port() { String::new() } else { format!(":{port}") };
    Some(format!("{scheme}://{host}{port}/"))
}

/// The class and icon name of a standing.
pub(super) fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Verdict(Readiness::Ready) => "ready",
        Standing::Verdict(Readiness::ReadyDefect) => "defect",
        Standing::Verdict(Readiness::Broken) => "broken",
        Standing::Verdict(Readiness::Absent) => "absent",
        Standing::Verdict(Readiness::Down) => "down",
        Standing::Verdict(Readiness::NoName) => "noname",
        Standing::Verdict(Readiness::Inconclusive) | Standing::Roster(RosterState::Listed) => "unknown",
        Standing::Roster(_) => "out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::site::Scheme;

    #[test]
    fn links_are_rebuilt_from_checked_parts() {
        let site = |host: &str, scheme, port| Site::new(host, None, scheme, port);
        assert_eq!(link(&site("www.school.example", None, None)).unwrap(), "http://www.school.example/");
        assert_eq!(link(&site("a.example", Some(Scheme::Https), Some(8443))).unwrap(), "https://a.example:8443/");
        for host in ["", "a b", "a\"onclick=x", "a/../b", "A.example", "javascript:alert(1)", "-a", "a@b"] {
            assert_eq!(link(&site(host, None, None)), None, "{host}");
        }
    }
}
