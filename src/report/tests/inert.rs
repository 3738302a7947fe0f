//! Nothing that came from outside acts in a page or a table.

use super::*;

#[test]
fn nothing_that_came_from_outside_acts() {
    let payload = "=cmd|'/c calc'!A1 \"><script>alert(1)</script><img src=x onerror=alert(2)> \u{1b}]52;c;x\u{7} \u{202e}gpj\u{200b}";
    let mut hostile = fixture();
    for school in &mut hostile.roster.schools {
        school.name = payload.into();
        school.responsible_unit = Some(payload.into());
        school.subtype = Some(payload.into());
        school.code = Some(payload.into());
    }
    for region in &mut hostile.roster.regions {
        region.name = payload.into();
        region.name_en = Some(payload.into());
    }
    hostile.run.vantage.name = payload.into();
    hostile.run.gate.checks[0].detail = payload.into();
    hostile.policy.area = payload.into();
    hostile.policy.tasks[0].title = payload.into();
    hostile.roster.rejected[0].problem.text = payload.into();
    for assessment in hostile.assessments.values_mut() {
        assessment.facts.title = Some(payload.into());
        assessment.reason = payload.into();
        assessment.facts.v6_status = payload.into();
        assessment.findings = Code::ALL
            .iter()
            .map(|code| {
                finding(
                    *code,
                    &["address", "port", "status", "target", "failure", "mark", "names"].map(|name| (name, payload)),
                )
            })
            .collect();
    }
    let keys = hostile.assessments.keys().cloned();
    let told = keys.filter_map(|key| hostile.trails.get(&key).map(|lines| (key, lines)));
    hostile.trails = told
        .map(|(key, mut lines)| {
            lines.push("</pre><script>alert(3)</script>".into());
            (key, lines)
        })
        .collect();
    // A host that nobody validated must not become a link or part of a command.
    let key = SiteKey("www.yz1.school.example".into());
    let site = Site { host: "javascript:alert(1)//\"x".into(), ..hostile.roster.sites[&key].clone() };
    hostile.roster.sites.insert(key, site);
    hostile.recount();
    for lang in [Lang::Zh, Lang::En] {
        // What is no text has tests of its own (office_tests.rs).
        let texts = |(name, bytes): File| String::from_utf8(bytes).ok().map(|text| (name, text));
        for (name, text) in render_all(&hostile.input(lang)).into_iter().filter_map(texts) {
            if is(&name, "html") {
                for forbidden in
                    ["<script>alert", "<img", "href=\"javascript", "\u{1b}", "\u{202e}", "\u{200b}", "</pre><script"]
                {
                    assert!(!text.contains(forbidden), "{name}: {forbidden:?}");
                }
                assert!(text.contains("\\u{202e}gpj\\u{200b}"), "{name}");
                assert_eq!(count(&text, "<script"), 1, "{name}");
            }
            if is(&name, "csv") {
                for forbidden in ["\u{1b}", "\u{202e}", "\u{200b}"] {
                    assert!(!text.contains(forbidden), "{name}: {forbidden:?}");
                }
                let mut reader = ::csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
                for cell in reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
                {
                    assert!(
                        !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']),
                        "{name}: {cell}"
                    );
                }
            }
        }
    }
}

#[test]
fn regions_with_hostile_codes_have_harmless_files() {
    let mut hostile = fixture();
    let evil = RegionCode("../../etc/cron.d/x".into());
    for school in hostile.roster.schools.iter_mut().filter(|school| school.region.0 == "990300") {
        school.region = evil.clone();
    }
    hostile.recount();
    let files = render_all(&hostile.input(Lang::Zh));
    assert!(files.iter().all(|(name, _)| crate::report::names::is_file_name(name)));
    let report = Report::new(&hostile.input(Lang::Zh));
    let page = &report.regions.iter().find(|region| region.code == evil).unwrap().page;
    assert!(file(&files, "index.html").contains(&format!("href=\"{page}\"")));
}
