//! A small province, asked for in every way.

use super::*;

const TABLE: &str = "\
code,name_zh,name_en,level,parent_code,report_parent_code,aliases
990000,示例省,Sample,province,,,
990100,岚溪市,Lanxi,prefecture-level city,990000,990000,岚溪示范区|岚湾
990102,松台区,,county-level,990100,990100,
990181,白浦市,,省直管县(市),990100,990000,
990200,青岑市,,prefecture-level city,990000,990000,
990202,松台区,,county-level,990200,990200,
990203,北渡县,,county-level,990200,990200,
";

fn regions(direct: bool) -> Regions {
    let mut regions = Regions::default();
    regions.read("regions.csv", TABLE.as_bytes(), direct).unwrap();
    regions
}

fn ask(direct: bool, region_code: &str, region: &str, county_code: &str, county: &str) -> (String, String, usize) {
    let found = regions(direct).resolve(Wanted { region_code, region, county_code, county });
    (
        String::from(&found.region.0),
        found.county.map(|code| String::from(&code.0)).unwrap_or_default(),
        found.notes.len(),
    )
}

#[test]
fn every_way_to_name_a_region() {
    for (wanted, region, county, notes) in [
        (["990100", "", "", ""], "990100", "", 0),
        (["", "岚溪市", "", ""], "990100", "", 0),
        (["", "岚溪", "", ""], "990100", "", 0),
        (["", "岚湾", "", ""], "990100", "", 0),
        (["", "990100", "", ""], "990100", "", 0),
        (["", "示例省岚溪市", "", ""], "990100", "", 0),
        (["", "岚溪市松台区", "", ""], "990100", "990102", 0),
        (["", "北渡县", "", ""], "990200", "990203", 0),
        (["990000", "", "", ""], "990000", "", 0),
        (["990102", "", "", ""], "990100", "990102", 0),
        (["", "", "990203", ""], "990200", "990203", 1),
        (["990100", "", "990102", ""], "990100", "990102", 0),
        (["990000", "", "990102", ""], "990100", "990102", 0),
        (["990100", "", "990203", ""], "990100", "", 1),
        (["990200", "", "", "松台区"], "990200", "990202", 0),
        (["", "", "", "松台区"], "", "", 1),
        (["990102000000", "", "", ""], "990100", "990102", 1),
        (["9901", "", "", ""], "990100", "", 1),
        (["999999", "", "", ""], "999999", "", 1),
        (["../../etc", "", "", ""], "", "", 1),
        (["", "何处", "", ""], "", "", 1),
        (["", "", "", ""], "", "", 0),
        (["990100", "", "", "何处"], "990100", "", 1),
    ] {
        let [region_code, name, county_code, county_name] = wanted;
        let found = ask(false, region_code, name, county_code, county_name);
        assert_eq!(found, (region.to_owned(), county.to_owned(), notes), "{wanted:?}");
    }
}

#[test]
fn direct_counties_are_an_option() {
    assert_eq!(ask(false, "990100", "", "990181", ""), ("990100".to_owned(), "990181".to_owned(), 0));
    assert_eq!(ask(true, "990100", "", "990181", ""), ("990181".to_owned(), String::new(), 0));
    assert_eq!(ask(true, "990181", "", "", ""), ("990181".to_owned(), String::new(), 0));
    let tiles = "code,row,col\n990100,1,1\n990181,2,1\n990173,3,1\n";
    let count = |direct| regions(direct).tiles("tiles.csv", tiles.as_bytes()).unwrap().len();
    assert_eq!((count(false), count(true)), (1, 2));
}

#[test]
fn tables_that_cannot_be_used() {
    for (table, message) in [
        ("", "regions.csv:1: no header"),
        ("name\n甲", "regions.csv:1: no column code"),
        ("code,name_zh\n../x,甲", "regions.csv:2: a region needs a code of letters and digits, and a name"),
        ("code,name_zh\n1,甲\n1,乙", "regions.csv:3: region 1 is listed twice"),
        ("code,name_zh,parent_code,level\n1,甲,2,city", "regions.csv:1: region 1 has the unknown parent 2"),
        (
            "code,name_zh,parent_code,level\n1,甲,2,city\n2,乙,1,city",
            "regions.csv:1: region 1 and its parent 2 are of the same level",
        ),
    ] {
        let error = Regions::default().read("regions.csv", table.as_bytes(), false).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
