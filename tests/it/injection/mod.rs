//! What others wrote must stay text, wherever it goes. Every payload goes through the real pipeline as the name of a school,
//! a region and a unit, as a bad address, and as what a server says in its title, Server, cookie, redirect, certificate and
//! alias; a second run is the same with harmless text. Then the pages of both must have the same elements and attributes to an
//! independent parser, the tables must be read back, and nothing hidden may reach the terminal. Messages and letters about a
//! scan are `notices`.
//!
//! `V6READY_INJECTION=DIR` keeps the reports there, for a browser and a spreadsheet (`tests/acceptance/browser`).
#![expect(clippy::print_stdout, reason = "numbers to be read by people")]

mod notices;
mod payloads;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scraper::Html;
use v6ready::lab::Lab;
use v6ready::lab::dns::facts::NameFacts;
use v6ready::lab::web::facts::{Cert, HostFacts, Spot, TlsFacts};
use v6ready::lab::world::World;
use v6ready::model::run::{Run, RunId};
use v6ready::model::school::{Roster, School};
use v6ready::model::site::Site;
use v6ready::probe::Transports;
use v6ready::report::csv::unguard;
use v6ready::store::{OpenMode, Store};
use v6ready::targets::{LoadOptions, Loaded, load_bytes};

use crate::bench_net::{Evidence, Patience, prober, scan};

/// The name of the list itself.
const LIST: &str = "lists/\"><img src=x onerror=v6x()>.csv";
const RUN: &str = "20261123T191000Z";

/// One payload's place: its number, and the text.
fn host(number: usize) -> String {
    format!("www.i{number}.example")
}

/// The list: for each text a school with a site, and one whose address is the text.
fn list(texts: &[String]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["学校名称", "网站地址", "地区", "责任单位", "学校标识码"]).expect("memory");
    for (number, text) in texts.iter().enumerate() {
        let text = for_cell(text);
        let (school, region, unit) =
            (format!("{text}校{number}"), format!("{text}市{number}"), format!("{text}局{number}"));
        writer.write_record([&school, &host(number), &region, &unit, &text]).expect("memory");
        let bad = format!("坏{number}{text}");
        writer.write_record([&bad, &no_address(&text), &region, &unit, ""]).expect("memory");
    }
    // Rows that do not even name a school.
    for text in texts {
        writer.write_record(["", &no_address(&for_cell(text)), "", "", ""]).expect("memory");
    }
    writer.into_inner().expect("memory")
}

/// What a cell of a list can carry: with NUL in it, it is no text file at all, and a row of more than 8 KiB is rejected.
fn for_cell(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(400).collect()
}

/// An address that is none, since a list may also say an address in a sentence.
fn no_address(text: &str) -> String {
    format!("«{}", text.replace('.', ""))
}

/// What a header can carry of a text: the rest would end it.
fn for_header(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).take(2_000).collect()
}

/// A label that holds the text, as far as it fits.
fn for_label(text: &str) -> String {
    let mut label = "x".to_owned();
    for c in text.chars().filter(|c| *c != '.') {
        if label.len() + c.len_utf8() > 60 {
            break;
        }
        label.push(c);
    }
    label
}

/// The servers of one text. Every third site is broken, every third without IPv6, so that there are findings with arguments.
fn place(world: &mut World, number: usize, text: &str) {
    let low = u16::try_from(number).expect("few");
    let (v4, v6) = (Ipv4Addr::new(203, 0, 113, 9), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, low + 1));
    // A page that leads elsewhere has no title; that is tested elsewhere.
    let title = format!("题{}", text.replace("http-equiv", "http-equal"));
    let header = for_header(text);
    let headers = BTreeMap::from([
        ("Server".to_owned(), header.clone()),
        ("Set-Cookie".to_owned(), format!("{header}=1; Path=/")),
    ]);
    let page = Spot { title: Some(title), headers: headers.clone(), ..Spot::default() };
    let tls = TlsFacts { cert: Cert::WrongName, common_name: Some(text.replace('\0', "")), ..TlsFacts::default() };
    let shown = Spot { tls: Some(tls), ..page.clone() };
    let redirect = Spot { redirect: Some(format!("gopher://{header}")), headers, ..Spot::default() };
    let over_v6 = if number.is_multiple_of(3) { redirect } else { shown.clone() };
    world.hosts.insert(v6.into(), HostFacts { web: Some(over_v6), ..HostFacts::default() });
    let shared = world.hosts.entry(v4.into()).or_default();
    shared.web.get_or_insert_default().vhost.insert(host(number), shown);
    let alias = format!("{}.alias{number}.example", for_label(text));
    let aaaa = if number % 3 == 1 { Vec::new() } else { vec![v6] };
    world.dns.insert(alias.to_ascii_lowercase(), NameFacts { a: vec![v4], aaaa, ..NameFacts::default() });
    world.dns.insert(host(number), NameFacts { cname: Some(alias), ..NameFacts::default() });
}

async fn evidence(loaded: &Loaded, texts: &[String]) -> Evidence {
    let mut world = World::new().with_anchors();
    for (number, text) in texts.iter().enumerate() {
        place(&mut world, number, text);
    }
    let lab = Lab::start(world).await.expect("a lab");
    let sites: Vec<Site> = loaded.roster.sites.values().cloned().collect();
    for (number, text) in texts.iter().enumerate() {
        let listed = sites.iter().any(|site| *site.host == *host(number));
        assert!(listed, "{} is not a site of the list, because of {text:?}", host(number));
    }
    scan(prober(&lab, Patience::USUAL), sites, 60, Transports::Both).await
}

fn the_run(evidence: &Evidence, text: &str) -> Run {
    let check = serde_json::json!({"name": "anchors", "outcome": "warn", "detail": text, "advice": text});
    let run = serde_json::json!({
        "id": RUN, "started": 1_700_000_000_000_i64, "ended": 1_700_000_100_000_i64, "end": "complete",
        "vantage": {"name": text, "isp": text, "resolvers": [], "proofs": evidence.vantage.proofs},
        "config_sha256": "", "method_version": v6ready::model::METHOD_VERSION, "program_version": "0",
        "gate": {"checks": [check]}, "without_ipv6": false, "lab": true, "simulated": false,
    });
    serde_json::from_value(run).expect("a run")
}

/// List, scan, store and the real program's reports for a row of texts. Gives the roster.
async fn pipeline(folder: &Path, texts: &[String], spice: &str) -> Roster {
    let loaded = load_bytes(&[(LIST, list(texts))], &LoadOptions::lab()).expect("a list");
    assert_eq!(loaded.roster.rows_in(), 3 * texts.len() as u64);
    let evidence = evidence(&loaded, texts).await;
    let store = Store::open(&folder.join("history.db"), OpenMode::ReadWrite).await.expect("a store");
    store.begin_run(&the_run(&evidence, spice), &loaded.roster, &loaded.policy, "").await.expect("a run");
    for observation in evidence.observations.values() {
        let rounds: Vec<_> = observation.rounds.iter().map(|round| (observation.site.clone(), round.clone())).collect();
        store.put_rounds(&RunId(RUN.to_owned()), &rounds).await.expect("stored");
    }
    store.close().await;
    for lang in ["zh", "en"] {
        let output = v6ready(folder, &["--lang", lang, "report", "--store", "history.db", "--reports", lang]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    fs::write(folder.join("list.csv"), list(texts)).expect("written");
    loaded.roster
}

fn v6ready(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_v6ready"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("V6READY_")) {
        command.env_remove(name);
    }
    command.output().expect("the program runs")
}

/// Every file of a report.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |at: &Path| {
        fs::read_dir(at).expect("a folder").map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for path in entries(&at) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// How often each kind of element stands in a page: its name with the names of its attributes, and what it points to.
fn shape(page: &Path) -> BTreeMap<String, usize> {
    let html = Html::parse_document(&fs::read_to_string(page).expect("a page"));
    let mut shape = BTreeMap::new();
    for element in html.tree.nodes().filter_map(|node| node.value().as_element()) {
        let mut attributes: Vec<&str> = element.attrs().map(|(name, _)| name).collect();
        attributes.sort_unstable();
        assert_ne!(element.attr("id"), Some(payloads::MARK), "{}", page.display());
        for (name, value) in element.attrs().filter(|(name, _)| matches!(*name, "href" | "src" | "action" | "data")) {
            let inside = value.starts_with('#') || is_file_of_the_report(page, value);
            let site = value.starts_with("http://www.i") && value.ends_with(".example/");
            // The empty icon keeps a browser from asking for one.
            let icon = element.name() == "link" && value == "data:,";
            assert!(inside || icon || (site && element.name() == "a"), "{name}={value} in {}", page.display());
        }
        *shape.entry(format!("{} {}", element.name(), attributes.join(" "))).or_default() += 1;
    }
    shape
}

fn is_file_of_the_report(page: &Path, link: &str) -> bool {
    let plain = link.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    plain && page.parent().is_some_and(|folder| folder.join(link).is_file())
}

/// All pages' shapes.
fn shapes(report: &Path) -> Vec<BTreeMap<String, usize>> {
    let pages = files(report).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "html"));
    pages.map(|page| shape(&page)).collect()
}

fn cells(table: &Path) -> Vec<csv::StringRecord> {
    let bytes = fs::read(table).expect("a table");
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").expect("a byte order mark");
    let mut reader = csv::Reader::from_reader(text);
    assert!(reader.headers().is_ok());
    reader.records().map(|record| record.expect("as many cells as titles")).collect()
}

/// Whether a spreadsheet could take a cell for a formula.
fn is_formula(cell: &str) -> bool {
    let bare = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    bare.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || cell.starts_with(['\t', '\r', '\n', '\0'])
}

/// Characters that act on a terminal or hide, by their Unicode numbers.
fn hides(text: &str) -> Option<char> {
    text.chars().find(|c| {
        let number = u32::from(*c);
        (number < 0x20 && *c != '\n')
            || (0x7f..=0x9f).contains(&number)
            || matches!(number, 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb)
            || (0xe0000..=0xe0fff).contains(&number)
    })
}

fn terminal(output: &Output) -> String {
    let text =
        [&output.stdout[..], &output.stderr].map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8")).concat();
    assert_eq!(hides(&text), None, "{text:?}");
    text
}

fn tables_are_safe(report: &Path, roster: &Roster) {
    for table in ["schools.csv", "regions.csv", "findings.csv", "causes.csv"] {
        let records = cells(&report.join(table));
        assert!(records.len() > if table == "causes.csv" { 0 } else { 100 }, "{table}: {}", records.len());
        for cell in records.iter().flatten() {
            assert!(!is_formula(cell), "{table}: {cell:?}");
        }
    }
    let read: BTreeSet<String> =
        cells(&report.join("schools.csv")).iter().map(|row| unguard(&row[1]).to_owned()).collect();
    // What the list's reader keeps has nothing hidden in it but what a report writes out.
    let visible = |school: &School| v6ready::report::clean::clean(&school.name).into_owned();
    assert_eq!(read, roster.schools.iter().map(visible).collect());
}

/// Workbooks hold text, numbers and days only, and links to the list's own sites; the circular is a document of paragraphs.
fn office_files_are_safe(report: &Path) {
    let mut workbooks = 0;
    for path in files(report) {
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_owned();
        if !["xlsx", "docx"].contains(&kind.as_str()) {
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).expect("a ZIP file");
        for index in 0..archive.len() {
            let mut part = archive.by_index(index).expect("a part");
            let name = part.name().expect("a name").into_owned();
            let mut xml = String::new();
            std::io::Read::read_to_string(&mut part, &mut xml).expect("UTF-8");
            let mut reader = quick_xml::Reader::from_str(&xml);
            loop {
                let event = reader.read_event().unwrap_or_else(|error| panic!("{}: {name}: {error}", path.display()));
                if let quick_xml::events::Event::Eof = event {
                    break;
                }
                if let quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) = event {
                    let tag = tag.name().as_ref().to_owned();
                    let field = tag == "w:instrText" && name == "word/footer1.xml";
                    assert!(!["f", "ddeLink", "w:object", "w:hyperlink"].contains(&tag.as_str()), "{name}: {tag}");
                    assert!(!tag.starts_with("w:instr") || field, "{name}: {tag}");
                }
            }
            assert_eq!(hides(&xml.replace(['\n', '\r'], "")), None, "{name}");
            let ours = xml.matches("Target=\"http://www.i").count();
            assert_eq!(xml.matches("TargetMode=\"External\"").count(), ours, "{}: {name}", path.display());
        }
        if kind == "xlsx" {
            workbooks += 1;
            let mut book: calamine::Xlsx<_> =
                calamine::Reader::new(std::io::Cursor::new(bytes)).expect("a workbook that can be read");
            for (sheet, range) in calamine::Reader::worksheets(&mut book) {
                for (_, _, cell) in range.used_cells() {
                    let calamine::Data::String(text) = cell else { continue };
                    assert!(!is_formula(text), "{} {sheet}: {text:?}", path.display());
                }
            }
        }
    }
    assert!(workbooks > 100, "{workbooks} workbooks");
}

fn json_is_safe(folder: &Path, sites: usize) {
    let judged = v6ready(folder, &["judge", "--store", "history.db", "--json"]);
    let text = terminal(&judged);
    assert_eq!(text.lines().count(), sites, "one assessment a line");
    for line in text.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).expect("JSON").is_object());
    }
    let runs = terminal(&v6ready(folder, &["runs", "--store", "history.db", "--json"]));
    assert_eq!(runs.lines().count(), 1);
    for number in (0..sites).step_by(7) {
        let shown = terminal(&v6ready(folder, &["show", "latest", &host(number), "--store", "history.db", "--json"]));
        assert_eq!(shown.lines().count(), 1);
        serde_json::from_str::<serde_json::Value>(&shown).expect("JSON");
        let shown =
            terminal(&v6ready(folder, &["--lang", "en", "show", "latest", &host(number), "--store", "history.db"]));
        assert!(shown.contains("Evidence:"), "{shown}");
    }
    let report = folder.join("zh").join(RUN);
    for name in ["summary.json", "manifest.json"] {
        let text = fs::read_to_string(report.join(name)).expect("a file");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        assert_eq!(hides(&text), None, "{name}");
    }
    // What is stored is what was seen: that nothing ends its line early is all that is asked of it.
    let packed = fs::read(report.join("evidence.jsonl.zst")).expect("a file");
    let evidence = String::from_utf8(zstd::decode_all(&packed[..]).expect("packed")).expect("UTF-8");
    assert!(evidence.lines().count() > sites, "evidence of every site, and the run");
    for line in evidence.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).expect("JSON").is_object());
    }
}

/// A scan of such a list, as far as it can be made without a network: what it says on the way to a shut gate.
fn a_scan_says_nothing_hidden(folder: &Path) {
    let config = "[vantage]\nname = \"<b id=v6x>\"\n[dns]\nresolvers = [\"127.0.0.1:9\"]\ntimeout = \"100ms\"\nattempts = 1\n\
                  [attempts]\nspacing = \"1ms\"\n[gate]\ncontrols = [\"[::1]:9\"]\n";
    fs::write(folder.join("blind.toml"), config).expect("written");
    for json in [&["--quiet"][..], &["--json"][..]] {
        let arguments = ["scan", "list.csv", "--config", "blind.toml", "--store", "other.db"];
        let output = v6ready(folder, &[&arguments[..], json].concat());
        terminal(&output);
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("an event a line");
        }
    }
    let check = terminal(&v6ready(folder, &["targets", "check", "list.csv", "--most", "10000"]));
    assert!(check.lines().count() > 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_others_wrote_comes_alive() {
    let texts = payloads::all();
    assert!(texts.len() >= 120, "{}", texts.len());
    let kept = std::env::var_os("V6READY_INJECTION").map(PathBuf::from);
    let own = tempfile::tempdir().expect("a folder");
    let root = kept.unwrap_or_else(|| own.path().to_owned());
    let (hostile, harmless) = (root.join("hostile"), root.join("harmless"));
    for folder in [&hostile, &harmless] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let plain: Vec<String> = (0..texts.len()).map(|number| format!("示例{number}")).collect();
    let roster = pipeline(&hostile, &texts, "<b id=v6x>\u{1b}[2J\u{202e}").await;
    pipeline(&harmless, &plain, "示例").await;
    for lang in ["zh", "en"] {
        let (bad, good) = (shapes(&hostile.join(lang).join(RUN)), shapes(&harmless.join(lang).join(RUN)));
        assert!(good.len() > 100, "{} pages", good.len());
        assert_eq!(bad.len(), good.len());
        // How many of each there are depends on what was found; which kinds there are does not.
        let known: BTreeSet<&String> = good.iter().flat_map(BTreeMap::keys).collect();
        for page in &bad {
            let new: Vec<&String> = page.keys().filter(|kind| !known.contains(kind)).collect();
            assert!(new.is_empty(), "{new:?}");
            assert_eq!((page["script "], page["style "], page["meta content http-equiv"]), (1, 1, 1));
        }
        tables_are_safe(&hostile.join(lang).join(RUN), &roster);
        office_files_are_safe(&hostile.join(lang).join(RUN));
    }
    json_is_safe(&hostile, texts.len());
    println!("n = {} payloads in HTML, CSV, XLSX, DOCX, JSON, evidence and the terminal's text", texts.len());
    a_scan_says_nothing_hidden(&hostile);
    for path in files(&hostile.join("zh")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{name}");
        assert!(path.starts_with(hostile.join("zh")));
    }
}
