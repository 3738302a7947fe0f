//! The architecture, held by reading the sources: who may know whom (the map is in `lib.rs`), who may touch the world
//! outside, which versions of dependencies are too old, and that the lints are on.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod source;

use std::collections::BTreeSet;

use self::source::{Source, sources};

/// Who may know whom. A part may always know itself. `*`: everybody.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &["model"]),
    ("calendar", &["model"]),
    ("config", &["model", "calendar", "upkeep"]),
    ("upkeep", &["model", "clock"]),
    ("targets", &["model"]),
    ("judge", &["model"]),
    ("net", &["model", "clock"]),
    ("probe", &["model", "clock", "net"]),
    // The engine asks the judge only which sites are worth a second look, and for provisional verdicts.
    ("engine", &["model", "clock", "calendar", "net", "probe", "judge"]),
    // Functions that are empty in a release.
    ("failpoint", &[]),
    ("store", &["model", "clock", "failpoint"]),
    ("report", &["model", "judge", "failpoint"]),
    ("lab", &["model", "net", "clock"]),
    // The one match from error to exit code.
    ("exit", &["config", "targets", "store", "report"]),
    ("cli", &["*"]),
    // main.rs and lib.rs.
    ("", &["*"]),
];

/// Paths that belong to some parts only. A final `*` stands for any rest of a name.
const BELONGS: &[(&[&str], &[&str])] = &[
    (&["sqlx"], &["store"]),
    (&["reqwest"], &["net"]),
    (&["lettre"], &["net"]),
    (&["hickory*"], &["net", "lab"]),
    (
        &["socket2", "tokio::net", "std::net::TcpStream", "std::net::TcpListener", "std::net::UdpSocket"],
        &["net", "lab"],
    ),
    (&["std::io::stdout", "std::io::stderr", "std::io::stdin"], &["cli"]),
    (&["std::time::SystemTime", "jiff::Timestamp::now", "jiff::Zoned::now"], &["clock"]),
    // A program that exits in the middle leaves nobody the time to store and to release the lock.
    (&["std::process::exit", "process::exit"], &[]),
];

/// What pure parts never name: input, output, clocks, threads.
const IMPURE: &[&str] = &[
    "tokio*",
    "reqwest",
    "hyper*",
    "hickory*",
    "rustls",
    "sqlx",
    "socket2",
    "futures_util",
    "jiff",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Versions below these have known faults (RustSec advisories).
const FLOORS: &[(&str, &str)] = &[
    ("hickory-proto", "0.26.1"),
    ("hickory-net", "0.26.1"),
    ("h2", "0.4.16"),
    ("rustls", "0.23.18"),
    ("rustls-webpki", "0.103.13"),
    ("ring", "0.17.12"),
    ("idna", "1.0.3"),
    ("url", "2.5.4"),
    ("tracing-subscriber", "0.3.20"),
    ("time", "0.3.47"),
    ("bytes", "1.11.1"),
    ("tokio", "1.44.2"),
    ("crossbeam-channel", "0.5.15"),
    ("slab", "0.4.11"),
    ("lru", "0.18.2"),
    ("quick-xml", "0.41.0"),
    ("zip", "2.3.0"),
    ("libsqlite3-sys", "0.25.1"),
    ("sqlx", "0.8.1"),
];

/// Packages with known faults in every version, and one of the few successors that has none.
const NEVER: &[(&str, &str)] = &[("hickory-recursor", "hickory-resolver"), ("serde_yml", "toml")];

/// The path begins with a pattern's segments.
fn begins(path: &[String], pattern: &str) -> bool {
    let wanted: Vec<&str> = pattern.split("::").collect();
    path.len() >= wanted.len()
        && wanted.iter().zip(path).all(|(wanted, segment)| match wanted.strip_suffix('*') {
            Some(beginning) => segment.starts_with(beginning),
            None => segment == wanted,
        })
}

#[test]
fn who_may_know_whom() {
    let sources = sources();
    let parts: BTreeSet<&str> = sources.iter().map(Source::top).collect();
    let unknown: Vec<_> = parts.iter().filter(|part| !MAY_KNOW.iter().any(|(known, _)| known == *part)).collect();
    assert!(unknown.is_empty(), "say in MAY_KNOW and in lib.rs whom {unknown:?} may know");
    let mut wrong = Vec::new();
    for source in &sources {
        let allowed = MAY_KNOW.iter().find(|(part, _)| *part == source.top()).map_or(&[][..], |(_, known)| known);
        for path in &source.paths {
            let Some(target) = source.seen_from_root(path).and_then(|rest| rest.first()) else { continue };
            let is_part = parts.contains(target.as_str());
            let may = target == source.top() || allowed.contains(&"*") || allowed.contains(&target.as_str());
            if is_part && !may {
                wrong.push(format!("{} names {}", source.file, path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_whole_configuration_is_known_to_the_command_line_only() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !["cli", "config"].contains(&source.top())) {
        for path in &source.paths {
            let Some(rest) =
                source.seen_from_root(path).filter(|rest| rest.first().is_some_and(|part| part == "config"))
            else {
                continue;
            };
            // Exit codes know the error, not the values.
            if !(source.top() == "exit" && rest.join("::") == "config::ConfigError") {
                wrong.push(format!("{} names {}", source.file, path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_parts_are_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| ["model", "judge"].contains(&source.top())) {
        for path in source.paths.iter().filter(|path| IMPURE.iter().any(|impure| begins(path, impure))) {
            wrong.push(format!("{} names {}", source.file, path.join("::")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn everything_has_its_place() {
    let mut wrong = Vec::new();
    for source in &sources() {
        for (patterns, places) in BELONGS.iter().filter(|(_, places)| !places.contains(&source.top())) {
            for path in source.paths.iter().filter(|path| patterns.iter().any(|pattern| begins(path, pattern))) {
                wrong.push(format!("{} names {}, which belongs in {places:?}", source.file, path.join("::")));
            }
        }
        for name in ["print", "println", "eprint", "eprintln", "dbg", "todo"] {
            // The command line and main.rs may print.
            let printing = name.contains("print") && ["cli", ""].contains(&source.top());
            if source.macros.contains(name) && !printing {
                wrong.push(format!("{} calls {name}!", source.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A rule that matches nothing holds nothing: the places that rules name must use what they are the place for.
#[test]
fn the_rules_see_what_they_are_about() {
    let sources = sources();
    let uses = |part: &str, pattern: &str| {
        sources.iter().filter(|s| s.top() == part).any(|s| s.paths.iter().any(|path| begins(path, pattern)))
    };
    for (part, pattern) in [
        ("store", "sqlx"),
        ("net", "reqwest"),
        ("net", "hickory*"),
        ("net", "socket2"),
        ("net", "tokio::net"),
        ("clock", "std::time::SystemTime"),
    ] {
        assert!(uses(part, pattern), "{part} does not name {pattern}: mend the rule or the reader");
    }
    assert!(sources.len() > 50, "{} files", sources.len());
}

/// Numbers of a version, without what follows a hyphen or plus.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap();
    plain.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn no_dependency_is_too_old() {
    let lock: toml::Table = toml::from_str(include_str!("../../Cargo.lock")).unwrap();
    let packages: Vec<(&str, &str)> = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["name"].as_str().unwrap(), package["version"].as_str().unwrap()))
        .collect();
    for (name, floor) in FLOORS {
        for (_, version) in packages.iter().filter(|(package, _)| package == name) {
            assert!(numbers(version) >= numbers(floor), "{name} {version} is below {floor}");
        }
    }
    for (name, instead) in NEVER {
        assert!(!packages.iter().any(|(package, _)| package == name), "{name} is not used: take {instead}");
    }
    for name in ["hickory-proto", "rustls", "rustls-webpki", "ring", "idna", "tokio", "sqlx", "libsqlite3-sys"] {
        assert!(packages.iter().any(|(package, _)| *package == name), "{name} is not in Cargo.lock any more");
    }
}

#[test]
fn the_lints_are_on() {
    let manifest: toml::Table = toml::from_str(include_str!("../../Cargo.toml")).unwrap();
    let level = |group: &str, lint: &str| -> String {
        let lint = &manifest["lints"][group].get(lint).unwrap_or_else(|| panic!("lint {group}::{lint} is missing"));
        let level = lint.get("level").unwrap_or(lint);
        level.as_str().unwrap().to_owned()
    };
    assert_eq!(level("rust", "unsafe_code"), "forbid");
    for (group, lint) in [
        ("rust", "unreachable_pub"),
        ("rust", "missing_docs"),
        ("clippy", "pedantic"),
        ("clippy", "unwrap_used"),
        ("clippy", "print_stdout"),
        ("clippy", "print_stderr"),
        ("clippy", "exit"),
        ("clippy", "dbg_macro"),
        ("clippy", "todo"),
    ] {
        assert!(["warn", "deny", "forbid"].contains(&level(group, lint).as_str()), "{group}::{lint} is off");
    }
    let clippy: toml::Table = toml::from_str(include_str!("../../clippy.toml")).unwrap();
    let methods = clippy["disallowed-methods"].as_array().unwrap();
    for method in [
        "std::time::SystemTime::now",
        "reqwest::Client::new",
        "reqwest::Client::builder",
        "tokio::net::TcpStream::connect",
        "tokio::net::UdpSocket::bind",
        "tokio::net::lookup_host",
    ] {
        assert!(methods.iter().any(|row| row["path"].as_str() == Some(method)), "{method} is allowed everywhere");
    }
}
