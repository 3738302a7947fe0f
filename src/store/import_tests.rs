//! Runs come back as they were written, and nothing else comes in.

use super::super::fixture::{self, Home, RUN};
use super::super::{Exported, Scope};
use super::*;
use crate::model::optout::{OptOut, OptOuts};
use crate::model::school::{Category, RegionCode, RejectedRow, Role, Row, RowProblem, School, SourceFile, SourceLine};

fn id() -> RunId {
    RunId(RUN.into())
}

/// A run over lists in a folder of somebody's, with three sites, one of them looked at twice.
async fn history() -> Home {
    let home = fixture::empty().await;
    let mut roster = fixture::roster(3);
    roster.sources.push(SourceFile {
        path: "/data/anna/lists/k12.csv".into(),
        sha256: "00".into(),
        encoding: "UTF-8".into(),
        rows: 4,
    });
    roster.rejected.push(RejectedRow {
        source: SourceLine { file: "/data/anna/lists/k12.csv".into(), line: 4 },
        problem: RowProblem { column: None, reason: "?".into(), remedy: String::new(), text: "学校".into() },
    });
    // Named, and not among the sites: nobody may probe it.
    roster.schools.push(School {
        name: "学校".into(),
        code: None,
        region: RegionCode::default(),
        county: None,
        category: Category::K12,
        subtype: None,
        responsible_unit: None,
    });
    roster.rows.push(Row {
        school: 0,
        source: SourceLine { file: "/data/anna/lists/k12.csv".into(), line: 5 },
        state: RosterState::OptedOut,
        role: Role::Portal,
        site: Some(SiteKey("out.example".into())),
        changes: Vec::new(),
        problem: None,
    });
    let asked =
        OptOut { date: "2026-03-02".into(), requester: "Anna".into(), reason: "privacy".into(), source: "o:1".into() };
    let mut requests = OptOuts::default();
    requests.add("out.example".into(), false, asked);
    roster.opt_outs = requests;
    let run = Run { end: crate::model::run::RunEnd::Complete, ..fixture::run(RUN, 1000) };
    home.store.begin_run(&run, &roster, &fixture::policy(), "[vantage]\nname = \"a\"\n").await.unwrap();
    let rounds = ["s0.example", "s1.example", "s2.example"].map(|host| fixture::round(host, 1));
    home.store.put_rounds(&id(), &rounds).await.unwrap();
    home.store.put_rounds(&id(), &[fixture::round("s1.example", 2)]).await.unwrap();
    home
}

async fn export(home: &Home, scope: Scope) -> (Vec<u8>, Exported) {
    let mut bytes = Vec::new();
    let exported = home.store.export_run(&id(), scope, &mut bytes).await.unwrap();
    (bytes, exported)
}

async fn import(home: &Home, bytes: &[u8]) -> Result<Vec<Imported>, StoreError> {
    home.store.import(bytes, Path::new("file.jsonl.zst")).await
}

fn packed(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap()
}

#[tokio::test]
async fn a_run_comes_back_whole() {
    let home = history().await;
    let (bytes, exported) = export(&home, Scope::Whole).await;
    assert_eq!((exported.rounds, exported.bytes), (4, text(&bytes).len() as u64));
    let copy = fixture::empty().await;
    let imported = Imported { id: id(), rounds: 4, known: false };
    assert_eq!(import(&copy, &bytes).await.unwrap(), std::slice::from_ref(&imported));
    assert_eq!(copy.store.load_run(&id()).await.unwrap(), home.store.load_run(&id()).await.unwrap());
    assert_eq!(export(&copy, Scope::Whole).await.0, bytes, "and goes out again byte for byte");
    // Again: nothing new. In other words: refused, and what is there stays.
    assert_eq!(import(&copy, &bytes).await.unwrap(), [Imported { known: true, ..imported }]);
    let other = text(&bytes).replace("[vantage]", "[elsewhere]");
    let error = import(&copy, &rehashed(&other)).await.unwrap_err();
    assert!(matches!(error, StoreError::RunExists { .. }), "{error}");
    assert_eq!(export(&copy, Scope::Whole).await.0, bytes);
}

#[tokio::test]
async fn what_is_published_names_nobody() {
    let home = history().await;
    let (bytes, _) = export(&home, Scope::Public).await;
    let all = text(&bytes);
    for private in ["anna", "Anna", "privacy"] {
        assert!(!all.contains(private), "{private}");
    }
    assert!(all.contains("\"k12.csv\"") && all.contains("2026-03-02"));
    let copy = fixture::empty().await;
    import(&copy, &bytes).await.unwrap();
    assert_eq!(export(&copy, Scope::Public).await.0, bytes);
}

/// The last line made right for the lines above, as whoever forges a file would.
fn rehashed(text: &str) -> Vec<u8> {
    let body = &text[..text.rfind("{\"end\":").unwrap()];
    let rounds = body.lines().count() - 2;
    let sha256 = hex(&Sha256::digest(body));
    packed(&format!("{body}{{\"end\":{{\"rounds\":{rounds},\"sha256\":\"{sha256}\"}}}}\n"))
}

/// A history that must stay empty.
async fn refused(bytes: &[u8]) -> String {
    let copy = fixture::empty().await;
    let error = import(&copy, bytes).await.expect_err("it was taken");
    assert!(copy.store.runs().await.unwrap().is_empty(), "half a run was stored: {error}");
    error.to_string()
}

#[tokio::test]
async fn a_changed_file_is_refused_with_the_line() {
    let (bytes, _) = export(&history().await, Scope::Whole).await;
    let all = text(&bytes);
    let lines: Vec<&str> = all.lines().collect();
    let joined = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    let without = |index: usize| joined(&[&lines[..index], &lines[index + 1..]].concat());
    for (changed, expected) in [
        (packed(""), "the file is empty"),
        (packed("\n"), "line 1: no exported run"),
        (packed(&without(0)), "line 1: no exported run"),
        (packed(&without(1)), "line 2: no lists"),
        (packed(&without(3)), "line 6: 4 rounds should stand above, there are 3"),
        (packed(&without(6)), "line 7: the file ends where the end of the run should stand"),
        (packed(all.trim_end()), "the file ends in the middle of a line"),
        (packed(&all.replacen("1234", "1235", 1)), "line 7: the hash of the lines above does not match"),
        (rehashed(&joined(&[lines[0], lines[1], lines[3], lines[2], lines[6]])), "out of order"),
        (
            rehashed(&joined(&[lines[0], lines[1], lines[2], lines[2], lines[6]])),
            "line 4: s0.example round 1 is out of order",
        ),
        (rehashed(&all.replace("\"v6ready_evidence\":1", "\"v6ready_evidence\":2")), "line 1: format 2"),
        (rehashed(&all.replace("\"version\":1,\"site\"", "\"version\":9,\"site\"")), "line 3: evidence of version 9"),
        (rehashed(&all.replace("\"id\":\"2026", "\"id\":\"../2026")), "cannot name a run"),
        (rehashed(&all.replacen("s2.example", "s3.example", 1)), "stands under another's name"),
        (
            rehashed(&all.replacen(
                "{\"version\":1,\"site\":{\"key\":\"s0.example\"",
                "{\"version\":1,\"site\":{\"key\":\"s00.example\"",
                1,
            )),
            "is not how its site is spelt",
        ),
        (
            rehashed(&all.replace(
                "\"site\":{\"key\":\"s2.example\",\"host\":\"s2.example\"",
                "\"site\":{\"key\":\"s9.example\",\"host\":\"s9.example\"",
            )),
            "s9.example, which is not on the lists",
        ),
    ] {
        let error = refused(&changed).await;
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[tokio::test]
async fn no_damage_comes_in() {
    let (bytes, _) = export(&history().await, Scope::Whole).await;
    let home = fixture::empty().await;
    let (mut flips, mut cuts) = (0, 0);
    for at in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        flips += usize::from(import(&home, &damaged).await.is_err());
        cuts += usize::from(import(&home, &bytes[..at]).await.is_err());
    }
    let tried = bytes.len().div_ceil(3);
    assert!(tried > 200, "n={tried}");
    // A frame's header has bits that mean nothing; whatever is taken nevertheless is what was written.
    assert!(flips + 3 >= tried && cuts == tried, "{flips} and {cuts} of {tried}");
    if let Ok(run) = home.store.load_run(&id()).await {
        assert_eq!(run, history().await.store.load_run(&id()).await.unwrap());
    }
}

/// A few kilobytes that would unpack to more than a line may have.
#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit() {
    let bomb = zstd::encode_all(std::io::repeat(b' ').take(HEADER_BYTES + 2), 1).unwrap();
    assert!(bomb.len() < 20_000);
    let error = refused(&bomb).await;
    assert!(error.contains("line 1: longer than"), "{error}");
    // A window of 128 MiB is asked for.
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packer.window_log(27).unwrap();
    std::io::copy(&mut std::io::repeat(b' ').take(1 << 20), &mut packer).unwrap();
    let error = refused(&packer.finish().unwrap()).await;
    assert!(error.contains("cannot read"), "{error}");
}
