//! Tests of the layers: who wins, what is said when something is wrong.

use std::io::Write as _;
use std::time::Duration;

use super::*;
use crate::config::Language;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn from_file(text: &str) -> Result<Resolved, ConfigError> {
    Config::resolve(Some(file(text).path()), &BTreeMap::new(), &FlagValues::default())
}

fn from_environment(variable: &str, text: &str) -> Result<Resolved, ConfigError> {
    let environment = BTreeMap::from([(variable.to_owned(), text.to_owned())]);
    Config::resolve(None, &environment, &FlagValues::default())
}

#[test]
fn without_anything_it_is_the_default() {
    let resolved = Config::resolve(None, &BTreeMap::new(), &FlagValues::default()).unwrap();
    assert_eq!(resolved.config, Config::default());
    assert_eq!(resolved.origin("pace.jobs"), &Origin::Default);
    let documented = from_file(Config::default_toml(crate::config::Language::En)).unwrap();
    assert_eq!(documented.config, Config::default());
    assert_eq!(documented.sha256().unwrap(), resolved.sha256().unwrap());
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let file = file("[pace]\njobs = 1\nper_prefix = 1\n\n[deadlines]\ntls = \"1s\"\n[dns]\nattempts = 1\n");
    let environment = BTreeMap::from([
        ("V6READY_PACE_JOBS".to_owned(), "2".to_owned()),
        ("V6READY_DEADLINES_TLS".to_owned(), "2s".to_owned()),
        ("V6READY_DNS_ATTEMPTS".to_owned(), String::new()),
        ("V6READY_STORE".to_owned(), "x.db".to_owned()),
        ("HOME".to_owned(), "/".to_owned()),
    ]);
    let mut flags = FlagValues::default();
    flags.set("pace.jobs", "--jobs", "3");
    let resolved = Config::resolve(Some(file.path()), &environment, &flags).unwrap();
    let config = &resolved.config;
    assert_eq!((config.pace.jobs, config.pace.per_prefix, config.dns.attempts), (3, 1, 1));
    assert_eq!(config.deadlines.tls, Duration::from_secs(2));
    assert_eq!(resolved.unknown_environment, ["V6READY_STORE"]);
    assert_eq!(resolved.origin("pace.jobs").to_string(), "flag --jobs");
    assert_eq!(resolved.origin("deadlines.tls").to_string(), "environment V6READY_DEADLINES_TLS");
    assert_eq!(resolved.origin("pace.per_prefix"), &Origin::File { path: file.path().to_owned(), line: 3 });
    assert_eq!(resolved.origin("pace.per_address").to_string(), "default");

    let shown = resolved.show().unwrap();
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("pace.jobs = 3 ").ends_with("# flag --jobs"), "{shown}");
    assert!(line("deadlines.tls = \"2s\" ").ends_with("# environment V6READY_DEADLINES_TLS"), "{shown}");
    assert!(line("vantage.isp = \"\" ").ends_with("# default"), "{shown}");
}

#[test]
fn a_wrong_file_says_where_and_what_would_be_right() {
    let wrong = |text: &str| match from_file(text).unwrap_err() {
        ConfigError::Parse { line, column, message, .. } => (line, column, message),
        other => panic!("{other}"),
    };
    let (line, column, message) = wrong("[dns]\nattempts = 2\n[deadlines]\n  conect = \"5s\"\n");
    assert_eq!((line, column), (4, 3));
    assert!(message.contains("`conect`") && message.contains("`connect`, `connect_retry`"), "{message}");
    let (line, _, message) = wrong("[dns]\n\n[deadline]\nconnect = \"5s\"\n");
    assert_eq!(line, 3);
    assert!(message.contains("`deadline`") && message.contains("`deadlines`"), "{message}");
    let (line, column, message) = wrong("[deadlines]\nconnect = 5\n");
    assert_eq!((line, column), (2, 11));
    assert!(message.contains("string"), "{message}");
    let (line, column, message) = wrong("[deadlines]\nconnect = \"5\"\n");
    assert_eq!((line, column), (2, 11));
    assert!(message.contains("500ms"), "{message}");
    let (_, _, message) = wrong("[report]\nlang = \"fr\"\n");
    assert!(message.contains("`zh` or `en`"), "{message}");
    let (line, _, _) = wrong("[dns]\nresolvers = [\"1.1.1.1\",\n");
    assert!(line >= 2);
    let (line, _, message) = wrong("[gate]\nanchors = [{ host = \"a.example\", net = \"x\" }]\n");
    assert_eq!(line, 2);
    assert!(message.contains("`host` or `network`"), "{message}");
    // The key has the right spelling but stands outside its group.
    assert!(wrong("jobs = 5\n").2.contains("`jobs`"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::resolve(Some(Path::new("no/such.toml")), &BTreeMap::new(), &FlagValues::default()).unwrap_err();
    assert!(error.to_string().contains("no/such.toml"), "{error}");
}

#[test]
fn a_windows_file_is_read() {
    let resolved = from_file("\u{feff}[vantage]\r\nname = \"校园\"\r\nisp = \"教育网\"\r\n").unwrap();
    assert_eq!(resolved.config.vantage.isp.as_deref(), Some("教育网"));
    assert!(resolved.origin("vantage.isp").to_string().ends_with(":3"));
}

#[test]
fn the_environment_is_read_by_the_kind_of_the_key() {
    let config = |variable, text| from_environment(variable, text).map(|resolved| resolved.config);
    let dns = config("V6READY_DNS_RESOLVERS", "192.0.2.1, [2001:db8::1]:5353").unwrap().dns;
    assert_eq!(dns.resolvers, ["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:5353".parse().unwrap()]);
    assert_eq!(config("V6READY_DNS_RESOLVERS", "[]").unwrap().dns.resolvers, []);
    assert_eq!(config("V6READY_GATE_CONTROLS", "[100::9]:80").unwrap().gate.controls.len(), 1);
    let anchors = "[{host = 'a.example', network = 'x'}, {host = 'b.example', network = 'y'}]";
    assert!(config("V6READY_GATE_ANCHORS", anchors).unwrap_err().to_string().contains("gate.minimum_pass (default)"));
    assert_eq!(config("V6READY_REPORT_LANG", "en").unwrap().report.lang, Language::En);
    assert!(config("V6READY_TARGETS_DIRECT_COUNTIES", "true").unwrap().targets.direct_counties);
    assert!((config("V6READY_REPORT_FAIL_UNDER", "90").unwrap().report.fail_under - 90.0).abs() < 1e-9);
    let error = config("V6READY_PACE_JOBS", "many").unwrap_err().to_string();
    assert_eq!(error, "V6READY_PACE_JOBS: `many` is not a whole number (it sets pace.jobs)");
    assert!(config("V6READY_PACE_JOBS", "-1").is_err());
}

#[test]
fn flags_that_repeat_make_a_list() {
    let mut flags = FlagValues::default();
    flags.set_list("dns.resolvers", "--resolver", vec!["192.0.2.1".into(), "192.0.2.2:5300".into()]);
    flags.set("gate.nxdomain_suffixes", "--suffixes", "com,cn,net");
    let config = Config::resolve(None, &BTreeMap::new(), &flags).unwrap().config;
    assert_eq!((config.dns.resolvers.len(), config.gate.nxdomain_suffixes.len()), (2, 3));
    flags.set("report.lang", "--lang", "fr");
    let error = Config::resolve(None, &BTreeMap::new(), &flags).unwrap_err().to_string();
    assert!(error.starts_with("--lang: ") && error.contains("`zh`"), "{error}");
    let mut flags = FlagValues::default();
    flags.set("pace.job", "--jobs", "3");
    assert!(Config::resolve(None, &BTreeMap::new(), &flags).is_err());
}

#[test]
fn what_cannot_be_used_is_said_all_at_once() {
    let error = from_file("[pace]\njobs = 0\n[report]\nfail_under = 101.0\n").unwrap_err().to_string();
    assert!(error.contains("pace.jobs (") && error.contains(".toml:2) is out of range: 1 to"), "{error}");
    assert!(error.contains("report.fail_under (") && error.contains(".toml:4) is no percentage"), "{error}");
}

#[test]
fn secrets_are_not_shown() {
    let mut value = Value::from("postgres://scan:hunter2@db.example/v6ready?x=a@b");
    redact("database", &mut value);
    assert_eq!(value.as_str(), Some("postgres://***@db.example/v6ready?x=a@b"));
    let mut value = Value::from("hunter2");
    redact("queue_password", &mut value);
    assert_eq!(value.as_str(), Some("***"));
    for text in ["", "noc@scan.example", "https://scan.example/@x"] {
        let mut value = Value::from(text);
        redact("contact", &mut value);
        assert_eq!(value.as_str(), Some(text));
    }
    let resolved = from_file("[project]\nurl = \"https://me:hunter2@scan.example/\"\n").unwrap();
    for text in [resolved.show().unwrap(), resolved.to_toml().unwrap()] {
        assert!(!text.contains("hunter2") && text.contains("https://***@scan.example/"), "{text}");
    }
}

#[test]
fn what_is_stored_with_a_run_can_be_used_again() {
    let resolved = from_file("[vantage]\nname = \"b\"\n[tls]\nca_file = \"own.pem\"\n").unwrap();
    let again = from_file(&resolved.to_toml().unwrap()).unwrap();
    assert_eq!(again.config, resolved.config);
    assert_eq!(again.sha256().unwrap(), resolved.sha256().unwrap());
    assert_ne!(again.sha256().unwrap(), from_file("").unwrap().sha256().unwrap());
}
