//! What the deep profile gives, in every file.

use super::*;

#[test]
fn every_number_of_the_deep_profile_is_in_a_file_and_on_the_page() {
    let files = files(&deep(), Lang::Zh);
    let line = csv(&files, "links.csv").remove(0);
    for (column, value) in [
        ("level2_supported", "3"),
        ("level3_judged", "0"),
        ("resources_weighted_pct", "40.00"),
        ("scripts", "2"),
        ("success_v6", "9"),
        ("dns_v6_median_ms", ""),
        ("dns_degradation_pct", ""),
        ("tcp_v6_median_ms", "30.0"),
        ("tcp_v4_q1_ms", "19.5"),
        ("tcp_degradation_pct", "0.0"),
        ("first_byte_v6_q3_ms", "1000.5"),
        ("first_byte_degradation_pct", ""),
        ("page_v6_median_ms", "3000"),
        ("page_v4_q3_ms", "2000.5"),
        ("page_degradation_pct", "50.0"),
    ] {
        assert_eq!(line[column], value, "{column}");
    }
    let page = std::str::from_utf8(bytes(&files, "regions/990100.html")).unwrap();
    for shown in [
        "3 / 4 (75.00%)",
        "未判定（找到 0 个）",
        "1 / 2 (50.00%) · 资源 3 / 10 (30.00%) · 按类型加权 40.00% · cdn.example · 页面含脚本，脚本运行后才生成或加载的内容不在检查范围内",
        "IPv6 9 / 10 · IPv4 10 / 10",
        "IPv6 30 ms (30 ms–31 ms, n=10) · IPv4 20 ms (20 ms–21 ms, n=10) · 两种协议视为相同",
        "IPv6 3.0 s (2.9 s–3.0 s, n=10) · IPv4 2.0 s (1.9 s–2.0 s, n=10) · IPv6 较 IPv4 +50.0%",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("样本不足，不比较") && !page.contains("DNS 解析耗时"));
}

#[test]
fn the_deep_profile_fills_its_sheets_and_nothing_judged_is_no_zero() {
    let files = files(&deep(), Lang::Zh);
    let book = bytes(&files, "workbook.xlsx");
    let rows = table(book, "链路明细", "二级内链支持率");
    let row = rows.iter().find(|row| row["二级内链支持数"] != Data::Empty).unwrap();
    assert_eq!((count(&row["二级内链支持数"]), share(&row["二级内链支持率"])), (3, "75.00".into()));
    assert_eq!((count(&row["三级内链可判定数"]), share(&row["三级内链支持率"])), (0, String::new()));
    let links = table(book, "问题链接", "问题与整改");
    assert_eq!(links.len(), 2, "two schools share the site");
    assert_eq!((text(&links[0]["级别"]), text(&links[0]["IPv6 结果"])), ("第 2 级".into(), "没有地址".into()));
    assert!(text(&links[0]["问题与整改"]).starts_with("old.example 没有 IPv6 地址"));
    let line = csv(&files, "faulty_links.csv").remove(0);
    assert_eq!([&line["url"], &line["owner"], &line["v6"]], ["http://old.example/=cmd", "external", "no_address"]);
    let of_region = bytes(&files, "regions/990100.xlsx");
    assert_eq!(table(of_region, "问题链接", "链接").len(), 2);
    assert_eq!(text(&row["检查范围"]), "");
    let hosts = table(book, "外链情况", "归属");
    assert_eq!((text(&hosts[0]["主机"]), text(&hosts[0]["归属"])), ("cdn.example".into(), "公共分发网络".into()));
    let in_the_way = csv(&files, "blocking.csv");
    assert_eq!(in_the_way[0]["resources"], count(&hosts[0]["页面资源"]).to_string());
    // Every region that a school is in, at each level.
    let of: Vec<[&str; 3]> =
        in_the_way.iter().map(|line| ["region_code", "region", "schools"].map(|name| &*line[name])).collect();
    assert_eq!(of, [["990000", "示例省", "2"], ["990100", "甲州市", "2"]]);
    assert_eq!(count(&hosts[0]["影响学校数"]), 2, "two schools share the site");
    // Without it, the sheet says so.
    let plain = self::files(&fixture(), Lang::Zh);
    let mut reader: Xlsx<_> = Xlsx::new(Cursor::new(bytes(&plain, "workbook.xlsx").to_vec())).unwrap();
    let said = reader.worksheet_range("外链情况").unwrap();
    assert!(said.rows().any(|row| row[0].to_string().contains("本次未做深度监测")));
    let said = reader.worksheet_range("问题链接").unwrap();
    assert!(said.rows().any(|row| row[0].to_string().contains("本次未做深度监测")));
}

#[test]
fn hosts_of_listed_schools_are_known_and_a_part_is_called_a_part() {
    let mut fixture = deep();
    let listed: Vec<SiteKey> = fixture.roster.sites.keys().cloned().collect();
    let key = SiteKey("www.yz1.school.example".into());
    let other = listed.iter().find(|site| **site != key && site.host().starts_with("www.")).unwrap();
    let below = other.host().replacen("www.", "img.", 1);
    let facts = &mut fixture.assessments.get_mut(&key).unwrap().facts;
    facts.links.as_mut().unwrap().level3.capped = true;
    let blocking = &mut facts.skylight.as_mut().unwrap().blocking;
    let of = |host: &str, class| BlockingHost { host: host.into(), class, dead: false, resources: 1 };
    blocking.push(of(&below, HostClass::Other));
    blocking.push(of("elsewhere.example", HostClass::Other));
    blocking.push(of(other.host(), HostClass::Government));
    let files = files(&fixture, Lang::Zh);
    let classes: BTreeMap<String, String> =
        csv(&files, "blocking.csv").into_iter().map(|line| (line["host"].clone(), line["class"].clone())).collect();
    assert_eq!(classes[&below], "school");
    assert_eq!((&*classes["elsewhere.example"], &*classes[other.host()]), ("other", "government"));
    let rows = table(bytes(&files, "workbook.xlsx"), "链路明细", "检查范围");
    assert!(rows.iter().any(|row| text(&row["检查范围"]) == "仅检查一部分"));
}
