//! The circular: its figures, its ranks, its words.

use super::*;

#[test]
fn the_circular_has_the_figures_of_the_pages() {
    let fixture = fixture();
    let files = files(&fixture, Lang::Zh);
    let said = words(bytes(&files, "bulletin.docx"));
    for wanted in [
        "关于示例省教育系统门户网站",
        "按照示教科〔2026〕1号关于",
        "截至2026年11月24日，列入监测的学校共 21 所，能够作出判定的 13 所，7 所的门户网站已支持 IPv6 访问（其中 1 所有缺陷），完成率 53.85%，可能范围 46.67% 至 60.00%。",
        "尚未启用 IPv6 的学校 3 所。已有 IPv6 地址但不能正常访问的学校 3 所。",
        "另有 2 所未能判定。因无网站、网站不可用等不计入统计的 6 所。",
        "1.域名没有 AAAA 记录，3 所；",
        "附件：1. 各地整改清单",
        "2026年　　月　　日",
    ] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
    // The table: place, region, listed, judged, ready, completion. Nobody has a place, since the run is not complete.
    let table: Vec<&str> = said.lines().skip_while(|line| *line != "名次").skip(7).take(35).collect();
    for line in csv(&files, "regions.csv").iter().filter(|line| line["level"] == "city") {
        let at = table.iter().position(|cell| *cell == line["region"]).unwrap();
        assert_eq!(table[at + 1..=at + 3], [&*line["listed"], &*line["judged"], &*line["ready"]]);
        assert_eq!(table[at + 4], format!("{} %", line["rate_pct"]));
        assert_eq!(table[at - 1], "不排名");
    }
    let total = table.iter().position(|cell| *cell == "合计").unwrap();
    assert_eq!(table[total + 1..=total + 4], ["21", "13", "7", "53.85 %"]);
    let document = &parts(bytes(&files, "bulletin.docx"))["word/document.xml"];
    // The signature never stands alone on a page: what comes before it goes with it.
    let last = document.split("<w:p>").find(|part| part.contains("（三）核对反馈")).unwrap();
    assert!(last.contains("w:val=\"LastText\""), "{last}");
    // 37, 26, 35 and 28 mm in twentieths of a point (GB/T 9704).
    assert!(document.contains("w:top=\"2098\" w:right=\"1474\" w:bottom=\"1984\" w:left=\"1588\""));
    assert!(document.contains("<w:tblHeader/>"));
    for (lang, typefaces) in [(Lang::Zh, 3), (Lang::En, 2)] {
        let made = self::files(&fixture, lang);
        let table = &parts(bytes(&made, "bulletin.docx"))["word/fontTable.xml"];
        assert_eq!((table.matches("<w:font ").count(), table.matches("<w:altName ").count()), (typefaces, typefaces));
    }
}

#[test]
fn only_a_complete_run_ranks_regions_in_the_circular() {
    let ranks = |fixture: &Fixture| -> (String, Vec<(String, String)>) {
        let said = words(bytes(&files(fixture, Lang::Zh), "bulletin.docx"));
        let cells: Vec<String> = said.lines().skip_while(|line| *line != "名次").skip(7).map(str::to_owned).collect();
        let rows = cells.chunks(7).take(3).map(|row| (row[1].clone(), row[0].clone())).collect();
        (said, rows)
    };
    let pairs = |rows: [(&str, &str); 3]| rows.map(|(name, rank)| (name.to_owned(), rank.to_owned())).to_vec();
    let mut run = fixture();
    let (said, rows) = ranks(&run);
    assert!(said.contains("各地均不排名") && !said.contains("的不排名"), "{said}");
    assert_eq!(rows, pairs([("甲州市", "不排名"), ("乙阳市", "不排名"), ("丁川市", "不排名")]));
    // The one who is ahead comes later in the lists: the order of an incomplete run does not say so.
    run.roster.regions.swap(1, 2);
    run.recount();
    assert_eq!(ranks(&run).1[0].0, "乙阳市");
    run.policy.minimum_coverage = 0.5;
    run.roster.rows.retain(|row| row.source.line != 22);
    run.roster.schools.truncate(20);
    run.recount();
    let (said, rows) = ranks(&run);
    assert!(said.contains("低于 50% 的不排名") && !said.contains("均不排名"), "{said}");
    assert_eq!(rows, pairs([("甲州市", "1"), ("乙阳市", "2"), ("丁川市", "3")]));
}

#[test]
fn staff_change_the_words_without_building() {
    let shipped = include_str!("../../../templates/bulletin/bulletin.zh.toml");
    let own = shipped.replace("四、工作要求", "四、下步安排（{rate}）").replace("仿宋_GB2312", "楷体");
    let template = Template::parse("own.toml", &own).unwrap();
    let fixture = fixture();
    let input = crate::report::ReportInput { template: &template, ..fixture.input(Lang::Zh) };
    let files = render_all(&input).unwrap();
    assert!(words(bytes(&files, "bulletin.docx")).contains("四、下步安排（53.85%）"));
    assert!(parts(bytes(&files, "bulletin.docx"))["word/styles.xml"].contains("w:eastAsia=\"楷体\""));
}
