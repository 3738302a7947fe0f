//! Whose hosts pages are put together from: by name only, from a dated table ([`classes.toml`](../../../../src/judge/deep/classes.toml)).

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::deep::HostClass;

/// Domains of one class; names below them belong to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// When it was made: `2026-11`.
    #[cfg_attr(not(test), expect(dead_code, reason = "says how old the table is"))]
    date: String,
    school: Vec<String>,
    government: Vec<String>,
    cdn: Vec<String>,
    foreign: Vec<String>,
}

static TABLE: LazyLock<Option<Table>> = LazyLock::new(|| {
    // The table is part of the program; a test reads it.
    toml::from_str(include_str!("classes.toml")).ok()
});

/// The class of a host. A network that delivers content comes before the country it is in.
pub(super) fn class_of(host: &str, own: bool) -> HostClass {
    let Some(table) = &*TABLE else { return HostClass::Other };
    let below = |domains: &[String]| {
        domains
            .iter()
            .any(|domain| host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    };
    match () {
        () if own => HostClass::Same,
        () if below(&table.government) => HostClass::Government,
        () if below(&table.school) => HostClass::School,
        () if below(&table.cdn) => HostClass::Cdn,
        () if below(&table.foreign) => HostClass::Foreign,
        () => HostClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_by_name() {
        let table = TABLE.as_ref().unwrap();
        assert_eq!(table.date.len(), 7);
        let cases = [
            ("www.zzu.edu.cn", false, HostClass::School),
            ("www.zzu.edu.cn", true, HostClass::Same),
            ("jyt.henan.gov.cn", false, HostClass::Government),
            ("notgov.cn", false, HostClass::Other),
            ("cdn.bootcdn.net", false, HostClass::Cdn),
            ("fonts.googleapis.com", false, HostClass::Foreign),
            ("cdn.jsdelivr.net", false, HostClass::Cdn),
            ("www.a.example", false, HostClass::Other),
            ("192.0.2.1", false, HostClass::Other),
        ];
        for (host, own, expected) in cases {
            assert_eq!(class_of(host, own), expected, "{host}");
        }
    }
}
