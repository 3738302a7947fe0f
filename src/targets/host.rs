//! Host names: which ones can be a public web site, and the canonical spelling of those.
//!
//! Works on one name that [`super::normalise`] has already cut out of its cell. Pure. Whether the name exists, and what
//! addresses it has, is for the probe to find out.
//!
//! Sources: UTS 46 through `idna`; RFC 1035 §2.3.4 (lengths); RFC 5890 (LDH labels); RFC 2606, RFC 6761, RFC 6762,
//! RFC 7686, RFC 9476 (reserved names); the WHATWG URL standard's "ends in a number" (IPv4 in any notation).

use super::wording::{Change, Fault};

/// A host name that may be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// A-labels, lower case, no trailing dot.
    pub(super) ascii: String,
    /// U-labels, where they differ.
    pub(super) unicode: Option<String>,
}

/// Names under which the Chinese registry registers, and top-level domains are single labels anyway. Two-letter
/// provincial names are in [`PROVINCES`].
const CN_SUFFIXES: [&str; 9] = ["ac", "com", "edu", "gov", "mil", "net", "org", "xn--55qx5d", "xn--io0a7i"];

/// The provincial second-level names under `cn`, which are also the provincial zones under `edu.cn`.
const PROVINCES: [&str; 34] = [
    "ah", "bj", "cq", "fj", "gd", "gs", "gx", "gz", "ha", "hb", "he", "hi", "hk", "hl", "hn", "jl", "js", "jx", "ln",
    "mo", "nm", "nx", "qh", "sc", "sd", "sh", "sn", "sx", "tj", "tw", "xj", "xz", "yn", "zj",
];

/// Top-level names that never lead to a public web site.
const RESERVED: [&str; 9] = ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"];

/// The last labels of common names; a piece of a cell that is nothing but one of these is the rest of a broken name.
const ENDINGS: [&str; 12] =
    ["cn", "com", "net", "org", "edu", "gov", "edu.cn", "com.cn", "net.cn", "org.cn", "gov.cn", "ac.cn"];

/// Whether a piece of a cell is only the tail of a name, such as `cn` in `www.a.edu, cn`.
pub(super) fn is_ending(piece: &str) -> bool {
    let piece = piece.trim_matches('.');
    ENDINGS.iter().any(|ending| piece.eq_ignore_ascii_case(ending))
}

/// Checks a host name and brings it into its canonical spelling.
///
/// In this order: emptiness, wildcards, characters, UTS 46, labels, addresses, single labels, suffixes, reserved names.
pub(super) fn check(raw: &str, allow_reserved: bool, changes: &mut Vec<Change>) -> Result<Host, Fault> {
    let trimmed = raw.trim_end_matches('.');
    if trimmed.is_empty() {
        return Err(Fault::Empty);
    }
    if trimmed.len() < raw.len() {
        Change::TrailingDot.note(changes);
    }
    if trimmed.contains('*') {
        return Err(Fault::Wildcard);
    }
    if trimmed.contains('_') {
        return Err(Fault::Underscore);
    }
    if trimmed.chars().any(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '-' && c != '.') {
        return Err(Fault::Character);
    }
    let ascii = to_ascii(trimmed, changes)?;
    labels(&ascii)?;
    if ends_in_number(&ascii) {
        return Err(Fault::Address);
    }
    if !ascii.contains('.') {
        return Err(Fault::SingleLabel);
    }
    if is_suffix(&ascii) {
        return Err(Fault::Suffix);
    }
    if is_reserved(&ascii) && !allow_reserved {
        return Err(Fault::Reserved);
    }
    if is_provincial_zone(&ascii) {
        Change::ProvincialZone.note(changes);
    }
    let unicode = ascii.contains("xn--").then(|| idna::domain_to_unicode(&ascii).0).filter(|name| *name != ascii);
    // An A-label stands for one U-label and the other way round (RFC 5890 §2.3.2.1). `idna` also decodes labels that it would
    // not take in their decoded form, such as those that are encoded twice.
    if unicode.as_deref().is_some_and(|name| to_ascii(name, &mut Vec::new()).as_ref() != Ok(&ascii)) {
        return Err(Fault::Idn);
    }
    if unicode.as_deref().is_some_and(|name| name.split('.').any(is_mixed_script)) {
        Change::MixedScript.note(changes);
    }
    Ok(Host { ascii, unicode })
}

fn to_ascii(name: &str, changes: &mut Vec<Change>) -> Result<String, Fault> {
    let plain = name.bytes().all(|b| b == b'.' || b == b'-' || b.is_ascii_digit() || b.is_ascii_lowercase());
    // Nearly every name of a list takes this way; it spares a million-row list the tables.
    if plain && !name.contains("xn--") {
        return Ok(name.to_owned());
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Change::UpperCase.note(changes);
    }
    // A label of hostile length is refused before it is decoded: decoding takes quadratic time.
    if name.split('.').any(|label| label.len() > 63 * 4) {
        return Err(Fault::LabelLength);
    }
    let ascii = idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::STD3).map_err(|_| Fault::Idn)?;
    // The mapping can bring forth new trailing dots (U+2026 and the like do not pass, U+2488 does).
    Ok(ascii.trim_end_matches('.').to_owned())
}

fn labels(name: &str) -> Result<(), Fault> {
    for label in name.split('.') {
        if label.is_empty() {
            return Err(Fault::EmptyLabel);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(Fault::Hyphen);
        }
        if label.len() > 63 {
            return Err(Fault::LabelLength);
        }
    }
    if name.len() > 253 { Err(Fault::NameLength) } else { Ok(()) }
}

/// Whether URL parsers would read the name as an IPv4 address: `127.0.0.1`, `2130706433`, `0x7f.1`, `0177.1`.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal || last.bytes().all(|b| b.is_ascii_digit())
}

fn is_suffix(name: &str) -> bool {
    name.strip_suffix(".cn").is_some_and(|label| CN_SUFFIXES.contains(&label) || PROVINCES.contains(&label))
}

/// `ha.edu.cn` and its like: zones with schools below them. Some have a site of their own, so this is only a hint.
fn is_provincial_zone(name: &str) -> bool {
    name.strip_suffix(".edu.cn").is_some_and(|label| PROVINCES.contains(&label))
}

fn is_reserved(name: &str) -> bool {
    let mut labels = name.rsplit('.');
    let last = labels.next().unwrap_or(name);
    let second = labels.next().unwrap_or("");
    RESERVED.contains(&last) || (second == "example" && matches!(last, "com" | "net" | "org"))
}

/// Whether a label mixes scripts that do not belong together. Latin with Chinese, Japanese or Korean is ordinary
/// (UTS 39, "highly restrictive"); Latin with Cyrillic or Greek is how look-alikes are made.
fn is_mixed_script(label: &str) -> bool {
    let mut seen = [false; 5];
    for c in label.chars() {
        let script = match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => 0,
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => 1,
            '\u{400}'..='\u{52f}' => 2,
            '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
                3
            }
            c if c.is_alphabetic() => 4,
            _ => continue,
        };
        seen[script] = true;
    }
    let [latin, greek, cyrillic, east, other] = seen;
    [latin || east, greek, cyrillic, other].into_iter().filter(|seen| *seen).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str) -> Result<Host, Fault> {
        check(name, false, &mut Vec::new())
    }

    #[test]
    fn faults_by_name() {
        let long_label = format!("{}.edu.cn", "a".repeat(64));
        let long_name = format!("{}edu.cn", format!("{}.", "a".repeat(60)).repeat(5));
        for (name, fault) in [
            ("", Fault::Empty),
            (".", Fault::Empty),
            ("*.a.edu.cn", Fault::Wildcard),
            ("my_school.edu.cn", Fault::Underscore),
            ("-a.edu.cn", Fault::Hyphen),
            ("a-.edu.cn", Fault::Hyphen),
            ("a..edu.cn", Fault::EmptyLabel),
            (".a.edu.cn", Fault::EmptyLabel),
            ("a%20b.cn", Fault::Character),
            ("a\u{0}b.cn", Fault::Character),
            ("localhost", Fault::SingleLabel),
            ("school", Fault::SingleLabel),
            ("cn", Fault::SingleLabel),
            ("edu.cn", Fault::Suffix),
            ("EDU.CN.", Fault::Suffix),
            ("com.cn", Fault::Suffix),
            ("ha.cn", Fault::Suffix),
            ("公司.cn", Fault::Suffix),
            ("www.localhost", Fault::Reserved),
            ("printer.local", Fault::Reserved),
            ("a.test", Fault::Reserved),
            ("a.example", Fault::Reserved),
            ("www.example.com", Fault::Reserved),
            ("10.in-addr.arpa", Fault::Reserved),
            ("abc.onion", Fault::Reserved),
            ("127.0.0.1", Fault::Address),
            ("2130706433", Fault::Address),
            ("0x7f.1", Fault::Address),
            ("0x7F000001", Fault::Address),
            ("0177.0.0.01", Fault::Address),
            ("①②⑦.0.0.1", Fault::Address),
            ("a.edu.0x", Fault::Address),
            ("xn--a.cn", Fault::Idn),
            ("xn--example-.cn", Fault::Idn),
            ("xn--.cn", Fault::Idn),
            // Encoded twice.
            ("xn--xn--xn-s3s.cn", Fault::Idn),
            (long_label.as_str(), Fault::LabelLength),
            (long_name.as_str(), Fault::NameLength),
        ] {
            assert_eq!(checked(name), Err(fault), "{name}");
        }
    }

    #[test]
    fn names_that_pass() {
        let label = format!("{}.edu.cn", "a".repeat(63));
        for (name, ascii) in [
            ("www.zzu.edu.cn", "www.zzu.edu.cn"),
            ("WWW.ZZU.edu.cn.", "www.zzu.edu.cn"),
            ("学校.中国", "xn--48s290a.xn--fiqs8s"),
            ("xn--48s290a.xn--fiqs8s", "xn--48s290a.xn--fiqs8s"),
            ("1zhong.cn", "1zhong.cn"),
            ("a--b.cn", "a--b.cn"),
            ("ha.edu.cn", "ha.edu.cn"),
            (label.as_str(), label.as_str()),
        ] {
            assert_eq!(checked(name).map(|host| host.ascii), Ok(ascii.to_owned()), "{name}");
        }
        assert_eq!(checked("学校.中国").unwrap().unicode.as_deref(), Some("学校.中国"));
    }

    #[test]
    fn labs_may_use_reserved_names() {
        assert!(check("www.school.example", true, &mut Vec::new()).is_ok());
        assert_eq!(check("localhost", true, &mut Vec::new()), Err(Fault::SingleLabel));
    }

    #[test]
    fn look_alikes_and_zones_are_noted() {
        for (name, note) in
            [("еdu-a.cn", Change::MixedScript), ("ha.edu.cn", Change::ProvincialZone), ("A.cn", Change::UpperCase)]
        {
            let mut changes = Vec::new();
            check(name, false, &mut changes).unwrap();
            assert_eq!(changes, [note], "{name}");
        }
        let mut changes = Vec::new();
        check("郑大zzu.中国", false, &mut changes).unwrap();
        assert!(changes.is_empty());
    }

    #[test]
    fn broken_tails_are_known() {
        assert!(is_ending("cn"));
        assert!(is_ending(".EDU.CN"));
        assert!(!is_ending("www.a.cn"));
    }
}
