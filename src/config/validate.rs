//! Whether well-formed values can be used: one small function a rule, each with the remedy it prints.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Config, Roots};

/// A rule that is not kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The key to change.
    pub(super) key: &'static str,
    /// What is wrong with its value.
    pub(super) problem: String,
    /// What to do.
    pub(super) remedy: &'static str,
}

type Found = Vec<Violation>;

const RULES: [fn(&Config) -> Found; 26] = [
    vantage_has_a_name,
    project_url_is_a_page,
    contact_fits_a_header,
    resolvers_can_be_asked,
    roots_are_unicast,
    attempts_are_few,
    deep_is_bounded,
    aliases_are_domains,
    deadlines_last,
    later_deadlines_are_longer,
    limits_let_something_through,
    decoded_body_holds_the_wire_body,
    redirects_are_few,
    some_jobs,
    windows_leave_time,
    anchors_suffice,
    anchors_are_names,
    mail_canaries_are_names,
    gate_names_are_names,
    canaries_are_close_enough,
    resolvers_are_tested_often_enough,
    second_reply_is_soon,
    breaker_can_close,
    something_is_trusted,
    reports_can_be_written,
    super::unattended::can_be_kept,
];

/// Every rule that is not kept.
pub(super) fn violations(config: &Config) -> Found {
    RULES.iter().flat_map(|rule| rule(config)).collect()
}

/// The violation, if the condition does not hold.
pub(super) fn demand(holds: bool, key: &'static str, problem: impl Into<String>, remedy: &'static str) -> Found {
    if holds { Vec::new() } else { vec![Violation { key, problem: problem.into(), remedy }] }
}

fn vantage_has_a_name(config: &Config) -> Found {
    let name = &config.vantage.name;
    let good = !name.trim().is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control);
    demand(good, "vantage.name", "is not a name", "give this place a name of up to 100 characters")
}

fn project_url_is_a_page(config: &Config) -> Found {
    let url = &config.project.url;
    let good = plain(url) && url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    demand(good, "project.url", format!("is not the address of a page: `{url}`"), "write http://... or https://...")
}

fn contact_fits_a_header(config: &Config) -> Found {
    let good = plain(&config.project.contact);
    demand(good, "project.contact", "cannot be sent", "use printable ASCII characters without brackets")
}

/// May stand in the comment of a User-Agent (RFC 9110 §5.6.5) without quoting.
fn plain(text: &str) -> bool {
    text.chars().all(|c| (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '(' | ')' | '\\'))
}

fn resolvers_can_be_asked(config: &Config) -> Found {
    let bad = config.dns.resolvers.iter().find(|resolver| {
        let address = resolver.ip();
        address.is_unspecified() || address.is_multicast() || resolver.port() == 0
    });
    demand(
        bad.is_none(),
        "dns.resolvers",
        bad.map_or_else(String::new, |resolver| format!("holds {resolver}, which cannot be asked")),
        "write the address of a resolver",
    )
}

fn roots_are_unicast(config: &Config) -> Found {
    let bad = config.dns.roots.iter().find(|root| {
        root.is_unspecified() || root.is_loopback() || root.is_multicast() || root.to_ipv4_mapped().is_some()
    });
    demand(
        bad.is_none(),
        "dns.roots",
        bad.map_or_else(String::new, |root| format!("holds {root}, which is no root server")),
        "leave it out to use the IANA's, or write the addresses of your laboratory's root",
    )
}

fn attempts_are_few(config: &Config) -> Found {
    let within = |count| (1..=10).contains(&count);
    let remedy = "1 to 10 are possible";
    let mut found = demand(within(config.dns.attempts), "dns.attempts", "is out of range", remedy);
    found.extend(demand(within(config.attempts.per_address), "attempts.per_address", "is out of range", remedy));
    found
}

fn deep_is_bounded(config: &Config) -> Found {
    let deep = &config.deep;
    let counts = [
        ("deep.level2", deep.level2, 1000),
        ("deep.level3", deep.level3, 1000),
        ("deep.external", deep.external, 1000),
        ("deep.requests", deep.requests, 5000),
        ("deep.hosts", deep.hosts, 500),
        ("deep.styles", deep.styles, 50),
        ("deep.samples", deep.samples as usize, 100),
    ];
    let mut found: Found = counts
        .into_iter()
        .flat_map(|(key, count, most)| {
            demand(count <= most, key, format!("is {count}, more than {most}"), "write less")
        })
        .collect();
    let lasts = deep.time >= Duration::from_secs(1);
    found.extend(demand(lasts, "deep.time", "is too short", "write at least \"1s\""));
    found
}

fn aliases_are_domains(config: &Config) -> Found {
    let is_group = |names: &String| {
        let mut count = 0;
        let good = names.split_whitespace().all(|name| {
            count += 1;
            idna::domain_to_ascii(name).is_ok_and(|ascii| ascii == name.to_ascii_lowercase() && ascii.contains('.'))
        });
        good && count >= 2
    };
    let bad = config.deep.aliases.iter().find(|names| !is_group(names));
    demand(
        bad.is_none(),
        "deep.aliases",
        bad.map_or_else(String::new, |names| format!("holds `{names}`, which is no group of domains")),
        "write two or more domains with spaces between, in A-labels",
    )
}

fn deadlines_last(config: &Config) -> Found {
    let d = &config.deadlines;
    let durations = [
        ("deadlines.connect", d.connect),
        ("deadlines.connect_retry", d.connect_retry),
        ("deadlines.tls", d.tls),
        ("deadlines.first_byte", d.first_byte),
        ("deadlines.fetch", d.fetch),
        ("deadlines.site", d.site),
        ("dns.timeout", config.dns.timeout),
        ("limits.slow_window", config.limits.slow_window),
    ];
    let remedy = "from 10ms to 1h is possible";
    let good = Duration::from_millis(10)..=Duration::from_hours(1);
    durations
        .into_iter()
        .flat_map(|(key, value)| demand(good.contains(&value), key, "is out of range", remedy))
        .collect()
}

/// An inner deadline must end before the outer one, or the specific failure is never recorded.
fn later_deadlines_are_longer(config: &Config) -> Found {
    let d = &config.deadlines;
    [
        ("deadlines.connect_retry", d.connect_retry, "deadlines.connect", d.connect),
        ("deadlines.fetch", d.fetch, "deadlines.first_byte", d.first_byte),
        ("deadlines.site", d.site, "deadlines.fetch", d.fetch),
        (
            "limits.retry_after_longest",
            config.limits.retry_after_longest,
            "limits.retry_after",
            config.limits.retry_after,
        ),
    ]
    .into_iter()
    .flat_map(|(key, outer, inner_key, inner)| {
        demand(outer >= inner, key, format!("is shorter than {inner_key}"), "make it at least as long")
    })
    .collect()
}

fn limits_let_something_through(config: &Config) -> Found {
    let l = &config.limits;
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    [
        ("limits.header_bytes", count(l.header_bytes), 1024),
        ("limits.header_lines", count(l.header_lines), 10),
        ("limits.body_wire", l.body_wire, 1024),
        ("limits.ratio", l.ratio, 10),
        ("limits.url_bytes", count(l.url_bytes), 100),
        ("limits.addresses_tried", count(l.addresses_tried), 1),
        ("limits.queries", count(l.queries), 20),
    ]
    .into_iter()
    .flat_map(|(key, value, least)| {
        demand(value >= least, key, "leaves no site measurable", "leave it out, or give a larger number")
    })
    .collect()
}

fn decoded_body_holds_the_wire_body(config: &Config) -> Found {
    let good = config.limits.body_decoded >= config.limits.body_wire;
    demand(good, "limits.body_decoded", "is smaller than limits.body_wire", "make it at least as large")
}

/// Browsers give up at 20.
fn redirects_are_few(config: &Config) -> Found {
    demand(config.limits.redirects <= 20, "limits.redirects", "is out of range", "0 to 20 are possible")
}

fn some_jobs(config: &Config) -> Found {
    let pace = &config.pace;
    let mut found =
        demand((1..=10_000).contains(&pace.jobs), "pace.jobs", "is out of range", "1 to 10000 are possible");
    found.extend(demand(pace.slow_jobs <= 10_000, "pace.slow_jobs", "is out of range", "0 to 10000 are possible"));
    let soon = Duration::from_millis(10)..=Duration::from_mins(10);
    found.extend(demand(
        soon.contains(&pace.slow_after),
        "pace.slow_after",
        "is out of range",
        "from 10ms to 10m is possible",
    ));
    found
}

fn windows_leave_time(config: &Config) -> Found {
    // A zone that is none is another rule's matter.
    let zone = jiff::tz::TimeZone::get(&config.report.timezone).unwrap_or(jiff::tz::TimeZone::UTC);
    let read = crate::calendar::Freeze::read(&config.pace.freeze, zone);
    let remedy = "write windows such as \"07:30-12:00 Mon-Fri\" or \"2026-06-07..2026-06-09\"";
    demand(read.is_ok(), "pace.freeze", read.err().unwrap_or_default(), remedy)
}

fn anchors_suffice(config: &Config) -> Found {
    let gate = &config.gate;
    let networks: BTreeSet<&str> = gate.anchors.iter().map(|anchor| anchor.network.as_str()).collect();
    let mut found = demand(
        (1..=gate.anchors.len()).contains(&gate.minimum_pass),
        "gate.minimum_pass",
        format!("cannot be met with {} anchors", gate.anchors.len()),
        "1 to the number of gate.anchors is possible",
    );
    found.extend(demand(
        (1..=networks.len()).contains(&gate.minimum_networks),
        "gate.minimum_networks",
        format!("cannot be met with anchors in {} networks", networks.len()),
        "add anchors in other networks, or lower it",
    ));
    found
}

fn anchors_are_names(config: &Config) -> Found {
    let bad = config.gate.anchors.iter().find(|anchor| !is_name(&anchor.host) || !anchor.host.contains('.'));
    demand(
        bad.is_none(),
        "gate.anchors",
        bad.map_or_else(String::new, |anchor| format!("holds `{}`, which is no host name", anchor.host)),
        "write host = \"www.school.example\" without scheme, port or path",
    )
}

fn mail_canaries_are_names(config: &Config) -> Found {
    let bad = config.measure.mail_canaries.iter().find(|name| !is_name(name) || !name.contains('.'));
    demand(
        bad.is_none(),
        "measure.mail_canaries",
        bad.map_or_else(String::new, |name| format!("holds `{name}`, which is no host name")),
        "write the names of mail servers, such as mx.school.example, without port",
    )
}

fn gate_names_are_names(config: &Config) -> Found {
    [("gate.dns64_names", &config.gate.dns64_names), ("gate.nxdomain_suffixes", &config.gate.nxdomain_suffixes)]
        .into_iter()
        .flat_map(|(key, names)| {
            let good = names.iter().all(|name| is_name(name));
            demand(good, key, "holds something that is no domain name", "write names such as \"ipv4only.arpa\"")
        })
        .collect()
}

/// A domain name of letters, digits and hyphens (RFC 1123 §2.1), as A-labels.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// A failure counts only with good proofs within 60 s on both sides (docs/method/verdict.md, rule 5).
fn canaries_are_close_enough(config: &Config) -> Found {
    let good = (Duration::from_secs(1)..=Duration::from_secs(50)).contains(&config.gate.canary_interval);
    demand(
        good,
        "gate.canary_interval",
        "is out of range",
        "from 1s to 50s is possible, or no failure would ever count",
    )
}

/// A negative answer counts only with good self-tests within 3 min on both sides (docs/method/gate.md).
fn resolvers_are_tested_often_enough(config: &Config) -> Found {
    let good = (Duration::from_secs(1)..=Duration::from_mins(2)).contains(&config.gate.dns_interval);
    demand(good, "gate.dns_interval", "is out of range", "from 1s to 2m is possible, or no absence would ever count")
}

fn second_reply_is_soon(config: &Config) -> Found {
    let good = config.dns.second_reply <= Duration::from_secs(10);
    demand(good, "dns.second_reply", "is out of range", "from 0s (not at all) to 10s is possible")
}

/// A breaker that opens by itself or never closes would measure nothing.
fn breaker_can_close(config: &Config) -> Found {
    let gate = &config.gate;
    let remedy = "1 to 10 are possible";
    let within = |count: &u32| (1..=10).contains(count);
    let mut found = demand(within(&gate.breaker_opens_after), "gate.breaker_opens_after", "is out of range", remedy);
    found.extend(demand(within(&gate.breaker_closes_after), "gate.breaker_closes_after", "is out of range", remedy));
    let short = !(Duration::from_millis(100)..=gate.canary_interval).contains(&gate.recovery_interval);
    let problem = "is out of range";
    found.extend(demand(!short, "gate.recovery_interval", problem, "from 100ms to gate.canary_interval is possible"));
    found
}

fn something_is_trusted(config: &Config) -> Found {
    let good = config.tls.roots == Roots::Bundled || config.tls.ca_file.is_some();
    demand(good, "tls.roots", "leaves nothing to trust", "give tls.ca_file as well, or write \"bundled\"")
}

fn reports_can_be_written(config: &Config) -> Found {
    let report = &config.report;
    let zone = jiff::tz::TimeZone::get(&report.timezone).is_ok();
    let mut found = demand(zone, "report.timezone", "is no time zone", "write an IANA name such as \"Asia/Shanghai\"");
    found.extend(demand(
        !report.formats.is_empty(),
        "report.formats",
        "is empty",
        "write at least one of html, xlsx, csv, json, docx, or leave it out",
    ));
    let percent = (0.0..=100.0).contains(&report.fail_under);
    found.extend(demand(percent, "report.fail_under", "is no percentage", "0 (never) to 100 are possible"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Anchor;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        violations(&config).into_iter().map(|violation| violation.key).collect()
    }

    #[test]
    fn the_default_can_be_used() {
        assert_eq!(violations(&Config::default()), []);
    }

    #[test]
    fn each_rule_names_its_key() {
        assert_eq!(keys(|c| c.vantage.name = " ".into()), ["vantage.name"]);
        assert_eq!(keys(|c| c.project.url = "ftp://x/".into()), ["project.url"]);
        assert_eq!(keys(|c| c.project.url = "https://x/\r\nA: b".into()), ["project.url"]);
        assert_eq!(keys(|c| c.project.contact = "a\nb".into()), ["project.contact"]);
        assert_eq!(keys(|c| c.dns.resolvers.push(([0, 0, 0, 0], 53).into())), ["dns.resolvers"]);
        assert_eq!(keys(|c| c.dns.roots.push("::1".parse().unwrap())), ["dns.roots"]);
        assert_eq!(keys(|c| c.dns.roots.clear()), [""; 0]);
        assert_eq!(keys(|c| c.dns.attempts = 0), ["dns.attempts"]);
        assert_eq!(keys(|c| c.attempts.per_address = 11), ["attempts.per_address"]);
        assert_eq!(keys(|c| c.deadlines.tls = Duration::ZERO), ["deadlines.tls"]);
        assert_eq!(keys(|c| c.deadlines.connect = Duration::from_secs(11)), ["deadlines.connect_retry"]);
        assert_eq!(keys(|c| c.deadlines.site = Duration::from_secs(29)), ["deadlines.site"]);
        assert_eq!(keys(|c| c.limits.addresses_tried = 0), ["limits.addresses_tried"]);
        assert_eq!(keys(|c| c.limits.body_decoded = 1), ["limits.body_decoded"]);
        assert_eq!(keys(|c| c.limits.redirects = 21), ["limits.redirects"]);
        assert_eq!(keys(|c| c.pace.jobs = 0), ["pace.jobs"]);
        assert_eq!(keys(|c| c.pace.slow_jobs = 10_001), ["pace.slow_jobs"]);
        assert_eq!(keys(|c| c.pace.slow_after = Duration::ZERO), ["pace.slow_after"]);
        assert_eq!(keys(|c| c.pace.freeze = vec!["at night".into()]), ["pace.freeze"]);
        assert_eq!(keys(|c| c.pace.freeze = vec!["Mon-Sun".into()]), ["pace.freeze"]);
        assert_eq!(keys(|c| c.gate.minimum_pass = 11), ["gate.minimum_pass"]);
        assert_eq!(keys(|c| c.gate.anchors.truncate(3)), ["gate.minimum_pass", "gate.minimum_networks"]);
        let anchor = |host: &str| Anchor { host: host.into(), network: "n".into() };
        assert_eq!(keys(|c| c.gate.anchors.push(anchor("https://a.example/"))), ["gate.anchors"]);
        assert_eq!(keys(|c| c.gate.dns64_names = vec!["a..b".into()]), ["gate.dns64_names"]);
        assert_eq!(keys(|c| c.gate.canary_interval = Duration::from_secs(51)), ["gate.canary_interval"]);
        assert_eq!(keys(|c| c.gate.dns_interval = Duration::from_secs(121)), ["gate.dns_interval"]);
        assert_eq!(keys(|c| c.dns.second_reply = Duration::from_secs(11)), ["dns.second_reply"]);
        assert_eq!(keys(|c| c.limits.queries = 19), ["limits.queries"]);
        assert_eq!(keys(|c| c.gate.breaker_opens_after = 0), ["gate.breaker_opens_after"]);
        assert_eq!(keys(|c| c.gate.breaker_closes_after = 11), ["gate.breaker_closes_after"]);
        assert_eq!(keys(|c| c.gate.recovery_interval = Duration::from_secs(21)), ["gate.recovery_interval"]);
        assert_eq!(keys(|c| c.tls.roots = Roots::None), ["tls.roots"]);
        assert_eq!(keys(|c| c.report.timezone = "Mars".into()), ["report.timezone"]);
        assert_eq!(keys(|c| c.report.fail_under = f64::NAN), ["report.fail_under"]);
        assert_eq!(keys(|c| c.report.formats.clear()), ["report.formats"]);
    }
}
