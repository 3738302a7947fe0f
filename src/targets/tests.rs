//! Whole lists: shapes, encodings, duplicates, states, the two folders, and that no row is ever lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::model::school::{Category, RegionCode, Role, RosterState, SourceLine};
use crate::model::site::SiteKey;

const REGIONS: &str = "code,name_zh,level,parent_code\n990000,示例省,province,\n990100,岚溪市,city,990000\n\
    990102,松台区,county,990100\n990200,青岑市,city,990000\n";

fn load_list(text: &str) -> Loaded {
    load_bytes(&[("regions.csv", REGIONS), ("list.csv", text)], &LoadOptions::default()).unwrap()
}

/// School, site, state and role of every row.
fn rows(loaded: &Loaded) -> Vec<(&str, &str, RosterState, Role)> {
    let roster = &loaded.roster;
    let site = |row: &crate::model::school::Row| row.site.as_ref().and_then(|key| roster.sites.get_key_value(key));
    let row = |row| {
        let row: &crate::model::school::Row = row;
        (roster.schools[row.school].name.as_str(), site(row).map_or("", |(key, _)| key.as_str()), row.state, row.role)
    };
    roster.rows.iter().map(row).collect()
}

#[test]
fn shapes_of_lists() {
    use Role::Portal;
    use RosterState::{Listed, NoSite};
    for text in [
        "学校名称,域名\n甲校,a.cn\n乙校,无\n",
        "name;url\n甲校;a.cn\n乙校;-\n",
        "单位\t网址\n甲校\ta.cn\n乙校\t暂无\n",
        "名称，网站地址\n甲校，a.cn\n乙校，\n",
        "网址,学校名称\r\na.cn,甲校\r\n,乙校\r\n",
        "\u{feff}学校名称,域名\r甲校,a.cn\r乙校,空",
        "甲校,a.cn\n乙校,无\n",
        "# remark\n\n学校名称,域名\n,\n甲校,a.cn\n学校名称,域名\n乙校,N/A",
        "\"学校\n名称\",域名,校名\nx,a.cn,甲校\nx,无,乙校",
    ] {
        let loaded = load_list(text);
        assert_eq!(rows(&loaded), [("甲校", "a.cn", Listed, Portal), ("乙校", "", NoSite, Portal)], "{text:?}");
        assert_eq!(loaded.roster.rows_in(), 2, "{text:?}");
    }
    let loaded = load_list("www.a.cn\nhttp://www.b.cn/\n学校.中国\n");
    let names: Vec<_> = loaded.roster.schools.iter().map(|school| school.name.as_str()).collect();
    assert_eq!(names, ["www.a.cn", "www.b.cn", "学校.中国"]);
    assert_eq!(loaded.roster.regions.last().unwrap().name, "未注明地区");
}

#[test]
fn name_and_site_on_one_line() {
    let loaded = load_list("甲校 www.a.cn\nwww.b.cn　乙校\nwww.c.cn\n");
    let names: Vec<_> = loaded.roster.schools.iter().map(|school| school.name.as_str()).collect();
    assert_eq!((names.as_slice(), loaded.roster.sites.len()), (["甲校", "乙校", "www.c.cn"].as_slice(), 3));
    // Many cells without a site do not hide which column has them.
    let loaded = load_list("甲校,无\n乙校,暂无\n丙校,\n丁校,www.d.cn\n");
    assert_eq!((loaded.roster.schools.len(), loaded.roster.sites.len()), (4, 1));
}

#[test]
fn unusual_titles_and_hopeless_columns() {
    use Role::Portal;
    use RosterState::{Invalid, Listed};
    let loaded = load_list("学校全名,官方站点,旧站点,地市\n甲校,a.cn,old.cn,岚溪\n乙校,b.cn,,青岑\n");
    assert_eq!(rows(&loaded), [("甲校", "a.cn", Listed, Portal), ("乙校", "b.cn", Listed, Portal)]);
    let loaded = load_list("甲校,a_b.cn\n乙校,c_d.cn\n");
    assert_eq!(rows(&loaded), [("甲校", "", Invalid, Portal), ("乙校", "", Invalid, Portal)]);
    let loaded = load_list("甲校,某处\n乙校,某处\n");
    assert!(rows(&loaded).iter().all(|row| row.2 == Invalid));
}

#[test]
fn all_columns() {
    let loaded = load_list(
        "学校标识码,学校名称,域名,地市,县区代码,学校类别,school_type,主管部门,状态,角色\n\
         4190000001,甲大学,a.cn,岚溪市,990102,高校,普通本科,某省,正常,门户\n\
         4190000001,甲大学,jw.a.cn,岚溪市,,高校,普通本科,某省,,业务系统\n",
    );
    let school = &loaded.roster.schools[0];
    assert_eq!(loaded.roster.schools.len(), 1);
    assert_eq!(school.code.as_deref(), Some("4190000001"));
    assert_eq!((school.region.0.as_str(), school.county.clone().unwrap().0.as_str()), ("990100", "990102"));
    assert_eq!((school.category, school.subtype.as_deref()), (Category::HigherEducation, Some("普通本科")));
    assert_eq!(school.responsible_unit.as_deref(), Some("某省"));
    assert_eq!(loaded.roster.rows[1].role, Role::Service);
    assert!(loaded.roster.rows.iter().all(|row| row.changes.is_empty()));
}

#[test]
fn duplicates_and_several_sites() {
    let loaded = load_list(
        "name,domain,region\n甲校,a.cn、b.cn,岚溪\n乙校,WWW.S.CN,岚溪\n丙校,www.s.cn.,岚溪\n甲校,c.cn,岚溪\n甲校,x.cn,青岑\n甲 校,a.cn,岚溪\n",
    );
    let roster = &loaded.roster;
    assert_eq!(roster.schools.len(), 4);
    assert_eq!(
        roster.sites.keys().map(SiteKey::as_str).collect::<Vec<_>>(),
        ["a.cn", "b.cn", "c.cn", "www.s.cn", "x.cn"]
    );
    let roles: Vec<_> = roster.rows.iter().map(|row| (row.source.line, row.role)).collect();
    let (portal, service) = (Role::Portal, Role::Service);
    assert_eq!(roles, [(2, portal), (2, service), (3, portal), (4, portal), (5, service), (6, portal), (7, portal)]);
    assert_eq!(roster.rows_out(), 6);
}

#[test]
fn without_a_table_the_regions_of_the_list_are_groups() {
    let load = |text: &str| load_bytes(&[("list.csv", text)], &LoadOptions::default()).unwrap().roster;
    let roster = load("名称,地市,域名\n甲校,岚溪市,a.cn\n乙校,../青岑,b.cn\n丙校,岚溪市,c.cn\n丁校,,d.cn\n");
    let names: Vec<_> = roster.regions.iter().map(|region| region.name.as_str()).collect();
    assert_eq!(names, ["岚溪市", "../青岑", "未注明地区"]);
    assert!(roster.regions.iter().all(|region| region.code.0.bytes().all(|b| b.is_ascii_alphanumeric())));
    assert_eq!(roster.schools[0].region, roster.schools[2].region);
    let roster = load("名称,地市,region_code,域名\n甲校,岚溪市,990100,a.cn\n");
    assert_eq!((roster.regions[0].code.0.as_str(), roster.regions[0].name.as_str()), ("990100", "岚溪市"));
    assert!(roster.rows[0].changes.is_empty());
}

#[test]
fn same_name_in_two_counties_is_two_schools() {
    let loaded =
        load_list("name,domain,county_code\n实验小学,a.cn,990102\n实验小学,b.cn,990103\n实验小学,c.cn,990102\n");
    assert_eq!(loaded.roster.schools.len(), 2);
    let spoilt = load_list("name,domain,moe_code\n甲校,a.cn,4.14101E+09\n乙校,b.cn,4.14101E+09\n");
    assert_eq!(spoilt.roster.schools.len(), 2);
    let recoded = load_list("name,domain,moe_code\n甲校,a.cn,4190000001\n甲校,b.cn,4190000002\n");
    assert_eq!(recoded.roster.schools.len(), 2);
}

#[test]
fn states() {
    use RosterState::{Closed, Listed, OptedOut};
    let files = [
        (
            "x/list.csv",
            "name,domain,status\n甲校,a.cn,已撤并\n乙校,b.cn,不参与\n丙校,c.cn,\n丁校,d.cn,legacy\n戊校,*.e.cn,closed\n",
        ),
        ("x/optout.txt", "c.cn # 2026-03-01 C: letter\n"),
    ];
    let loaded = load_bytes(&files, &LoadOptions::default()).unwrap();
    let states: Vec<_> = loaded.roster.rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [Closed, OptedOut, OptedOut, Listed, Closed]);
    // What must not be probed is not among the sites, and still says its name.
    assert_eq!(loaded.roster.sites.len(), 1);
    assert_eq!(loaded.roster.rows[2].site.as_ref().unwrap().as_str(), "c.cn");
    assert_eq!(loaded.roster.rows[2].changes, ["opted out: x/optout.txt:1 2026-03-01 C: letter"]);
    assert_eq!(loaded.roster.rows[3].changes, ["unknown status, read as listed: legacy"]);
    assert_eq!(loaded.roster.rows[4].changes, ["site not used: a wildcard, not one host name"]);
}

#[test]
fn rejected_and_invalid_rows() {
    let long = format!("丙校,{}", "x".repeat(9000));
    let text = format!(
        "name,domain\n甲校\n乙校,a.cn,b.cn\n{long}\n\"丁校,d.cn\n,bad\n戊\0校,e.cn\n己校,a b_c.cn\n庚校,g.cn,,\n"
    );
    let loaded = load_list(&text);
    let rejected: Vec<_> =
        loaded.roster.rejected.iter().map(|row| (row.source.line, row.problem.reason.as_str())).collect();
    assert_eq!(
        rejected,
        [
            (2, "the row ends before the site's column"),
            (3, "more columns than the header"),
            (4, "the row is longer than 8 KiB"),
            (5, "a quotation mark is not closed"),
            (6, "names neither a school nor a usable site"),
            (7, "the row contains NUL"),
        ]
    );
    let problems: Vec<_> = loaded.roster.rows.iter().filter_map(|row| row.problem.clone()).collect();
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[1].reason, "underscores are not allowed in host names");
    assert_eq!(problems[1].text, "a b_c.cn");
    assert_eq!(loaded.roster.rows_in(), loaded.roster.rows_out());
}

#[test]
fn every_fixed_sentence_is_known_in_chinese() {
    let text = "name,domain,region,status,role,category\n甲\u{200b}校,a.cn\n乙校,b.cn,何处,怪,怪,怪\n,c.cn,岚溪,,,\n某小学,e.cn,,,,\n";
    for row in load_list(text).roster.rows {
        for change in row.changes {
            assert_ne!(wording::in_chinese(&change), change);
        }
    }
}

#[test]
fn encodings_end_to_end() {
    let text = "学校名称,域名\n郑州某中学,a.cn\n洛阳某中学,无\n";
    let gbk = encoding_rs::GBK.encode(text).0.into_owned();
    let loaded = load_bytes(&[("list.csv", &gbk)], &LoadOptions::default()).unwrap();
    assert_eq!(loaded.roster.schools[0].name, "郑州某中学");
    assert_eq!(loaded.roster.sources[0].encoding, "gb18030");
    let asked = LoadOptions { encoding: Some("utf-8".to_owned()), ..LoadOptions::default() };
    let loaded = load_bytes(&[("list.csv", &gbk)], &asked).unwrap();
    assert_eq!(loaded.roster.rejected.len() as u64, loaded.roster.rows_in());
    let unknown = LoadOptions { encoding: Some("klingon".to_owned()), ..LoadOptions::default() };
    assert!(matches!(load_bytes(&[("list.csv", &gbk)], &unknown), Err(TargetsError::Encoding { .. })));
}

#[test]
fn files_that_cannot_be_used() {
    let load = |files: &[(&str, &str)]| load_bytes(files, &LoadOptions::default()).unwrap_err().to_string();
    assert_eq!(load(&[("policy.toml", "title = ''")]), "no target lists were given");
    assert!(load(&[("a.csv", "PK\u{3}\u{4}...")]).contains("a.csv is a spreadsheet"));
    assert!(load(&[("a/policy.toml", "title=''"), ("b/policy.toml", "title=''")]).contains("are both policies"));
    assert!(load(&[("targets.toml", "simulate = true"), ("a.csv", "")]).starts_with("targets.toml: "));
    assert!(load(&[("targets.toml", "opt_out = 'no.txt'"), ("a.csv", "")]).contains("no.txt is not there"));
    let twice = load_bytes(&[("a.csv", "甲,a.cn"), ("a.csv", "乙,b.cn")], &LoadOptions::default()).unwrap();
    assert_eq!((twice.roster.rows_in(), twice.roster.rows_out()), (2, 2));
    assert_eq!(load_bytes(&[("a.csv", "")], &LoadOptions::default()).unwrap().roster.rows_in(), 0);
}

fn folder(name: &str, options: &LoadOptions) -> Loaded {
    load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("targets").join(name)], options).unwrap()
}

fn count(loaded: &Loaded, file: &str) -> (usize, usize) {
    let rows: Vec<_> = loaded.roster.rows.iter().filter(|row| row.source.file.ends_with(file)).collect();
    (rows.len(), rows.iter().filter(|row| row.state == RosterState::Listed).count())
}

#[test]
fn henan() {
    let loaded = folder("henan", &LoadOptions::default());
    let roster = &loaded.roster;
    assert_eq!(count(&loaded, "universities.csv"), (182, 178));
    assert_eq!(count(&loaded, "k12.csv"), (483, 9));
    assert_eq!(count(&loaded, "vocational.csv"), (1, 0));
    assert_eq!(count(&loaded, "other-units.csv"), (32, 6));
    assert_eq!((roster.rows_in(), roster.rows_out(), roster.rejected.len()), (698, 698, 0));
    assert_eq!((roster.regions.len(), roster.tiles.len(), roster.sites.len()), (175, 18, 193));
    assert!(!roster.simulated);
    assert!(roster.rows.iter().all(|row| row.problem.is_none()));
    assert!(roster.sites.values().all(|site| !site.host.ends_with(".example") && site.scheme.is_none()));
    assert!(
        roster.rows.iter().all(|row| row.changes.is_empty()),
        "{:?}",
        roster.rows.iter().find(|row| !row.changes.is_empty())
    );
    let tasks: Vec<_> = loaded.policy.tasks.iter().map(|task| (task.id.as_str(), task.target_official)).collect();
    assert_eq!(tasks, [("2", false), ("8", true)]);
    let direct = folder("henan", &LoadOptions { direct_counties: true, ..LoadOptions::default() });
    assert_eq!(direct.roster.tiles.len(), 28);
    assert!(direct.roster.schools.iter().any(|school| school.region == RegionCode::from("411481")));
}

#[test]
fn sample() {
    let loaded = folder("sample", &LoadOptions::lab());
    let roster = &loaded.roster;
    assert!(roster.simulated);
    assert_eq!(roster.schools.len(), 400);
    assert_eq!(roster.rows_in(), roster.rows_out());
    assert!(roster.sites.values().all(|site| site.host.ends_with(".example")));
    for state in [RosterState::NoSite, RosterState::Invalid, RosterState::Closed, RosterState::OptedOut] {
        assert!(roster.rows.iter().any(|row| row.state == state), "{state:?}");
    }
    for category in Category::ALL {
        assert!(roster.schools.iter().any(|school| school.category == category), "{category:?}");
    }
    assert!(roster.sites.values().any(|site| site.unicode.is_some()));
    assert_eq!(roster.tiles.len(), 12);
    // Without the options of a lab nothing of it would be probed.
    assert!(folder("sample", &LoadOptions::default()).roster.sites.is_empty());
    let embedded = load_bytes(embedded::SAMPLE, &LoadOptions::lab()).unwrap();
    assert!(embedded.roster.schools == roster.schools && embedded.roster.sites == roster.sites);
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("targets/sample")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).filter(|name| name != "README.md").collect();
    assert_eq!(names.len(), embedded::SAMPLE.len());
}

/// `cargo test --release -- --ignored million`: 20 seconds are allowed.
#[test]
#[ignore = "takes seconds in release and minutes in debug"]
fn a_million_rows() {
    let mut text = "name,domain,region_code\n".to_owned();
    for n in 0..1_000_000 {
        writeln!(text, "示例学校{n},www.s{n}.edu.cn,990100").unwrap();
    }
    let started = std::time::Instant::now();
    let loaded = load_list(&text);
    assert_eq!(loaded.roster.rows_out(), 1_000_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

/// Holds a check to the roster of the same lists.
fn tells_of(report: &check::CheckReport, roster: &Roster) -> Result<(), TestCaseError> {
    prop_assert_eq!((report.schools, report.sites), (roster.schools.len() as u64, roster.sites.len() as u64));
    let mut states = BTreeMap::new();
    let (mut sites, mut schools) = (BTreeMap::<&str, Vec<_>>::new(), BTreeMap::<usize, Vec<_>>::new());
    for row in &roster.rows {
        *states.entry(row.state).or_insert(0) += 1;
        if let Some(site) = &row.site {
            sites.entry(site.as_str()).or_default().push(&row.source);
        }
        let lines = schools.entry(row.school).or_default();
        // Several sites in one cell are not several rows.
        if lines.last() != Some(&&row.source) {
            lines.push(&row.source);
        }
    }
    prop_assert_eq!(&report.states, &states);
    let told = |entries: &check::Entries<check::Duplicate>| {
        entries.first.iter().map(|of| format!("{} {} {:?}", of.what, of.rows, of.lines)).collect::<Vec<_>>()
    };
    let line = |what: &str, rows: &[&SourceLine]| format!("{what} {} {:?}", rows.len(), &rows[..rows.len().min(5)]);
    let sites = sites.iter().filter(|(_, rows)| rows.len() > 1).map(|(site, rows)| line(site, rows));
    prop_assert_eq!(told(&report.duplicate_sites), sites.collect::<Vec<_>>());
    let schools = schools.iter().filter(|(_, rows)| rows.len() > 1);
    let schools = schools.map(|(at, rows)| line(&roster.schools[*at].name, rows));
    prop_assert_eq!(told(&report.duplicate_schools), schools.collect::<Vec<_>>());
    let changed = roster.rows.iter().filter(|row| !row.changes.is_empty());
    let changed = changed.map(|row| (&row.source, &roster.schools[row.school].name, &row.site, &row.changes));
    let told = report.changed.first.iter().map(|row| (&row.source, &row.school, &row.site, &row.changes));
    prop_assert_eq!(told.collect::<Vec<_>>(), changed.collect::<Vec<_>>());
    let invalid = roster.rows.iter().filter_map(|row| Some((&row.source, row.problem.as_deref()?)));
    let told = report.invalid.first.iter().map(|row| (&row.source, &row.problem));
    prop_assert_eq!(told.collect::<Vec<_>>(), invalid.collect::<Vec<_>>());
    let rejected = roster.rejected.iter().map(|row| (&row.source, &row.problem));
    let told = report.rejected.first.iter().map(|row| (&row.source, &row.problem));
    prop_assert_eq!(told.collect::<Vec<_>>(), rejected.collect::<Vec<_>>());
    prop_assert_eq!(report.files.iter().map(|file| file.rejected).sum::<u64>(), roster.rejected.len() as u64);
    Ok(())
}

proptest! {
    #[test]
    fn no_row_is_lost(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "([a-c学校无#\",;\t\r\n、.@:/*_ ]|\u{feff}|www\\.|\\.cn|域名|name){0,80}".prop_map(String::into_bytes),
        ],
        second in "(name,domain\n)?([甲乙,\"]{0,4},[a-z.、]{0,8}\n){0,9}",
    ) {
        let files = [("a.csv", bytes), ("regions.csv", REGIONS.into()), ("b.txt", second.into_bytes())];
        match load_bytes(&files, &LoadOptions::default()) {
            Ok(loaded) => {
                let roster = &loaded.roster;
                prop_assert_eq!(roster.rows_in(), roster.rows_out());
                for row in &roster.rows {
                    let listed = row.state == RosterState::Listed;
                    prop_assert_eq!(row.site.as_ref().is_some_and(|key| roster.sites.contains_key(key)) || !listed, true);
                    prop_assert_eq!(row.problem.is_some(), row.state == RosterState::Invalid);
                }
                let report = check::check_bytes(&files, &LoadOptions::default(), usize::MAX).unwrap();
                tells_of(&report, roster)?;
                let text = report.text(check::Language::Zh);
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            }
            Err(TargetsError::Binary { .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
