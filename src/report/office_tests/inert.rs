//! Nothing that came from outside acts in an office file.

use super::*;

/// Every text that a list or a server can bring in, at once.
fn hostile(payload: &str) -> Fixture {
    let mut hostile = deep();
    for school in &mut hostile.roster.schools {
        school.name = payload.into();
        school.responsible_unit = Some(payload.into());
        school.code = Some(payload.into());
        school.category = Category::K12;
    }
    for region in &mut hostile.roster.regions {
        region.name = payload.into();
    }
    hostile.policy.area = payload.into();
    hostile.policy.number = payload.into();
    hostile.policy.title = payload.into();
    for task in &mut hostile.policy.tasks {
        task.title = payload.into();
    }
    hostile.run.vantage.name = payload.into();
    for assessment in hostile.assessments.values_mut() {
        assessment.facts.title = Some(payload.into());
        assessment.facts.v6_status = payload.into();
        if let Some(skylight) = &mut assessment.facts.skylight {
            skylight.blocking[0].host = payload.into();
        }
        for finding in &mut assessment.findings {
            finding.args = finding.args.iter().map(|(name, _)| (name, payload)).collect();
        }
    }
    hostile.recount();
    hostile
}

#[test]
fn nothing_in_an_office_file_acts() {
    let long = format!("={}", "汉".repeat(40_000));
    let payloads = [
        "=cmd|'/c calc'!A1",
        "+1+1",
        "-2+3",
        "@SUM(1)",
        "\t=1+1",
        "＝1+1",
        "]]></w:t></w:r><w:r><w:instrText>DDEAUTO</w:instrText></w:r><w:t>",
        "&LX&\"<f>1</f>\u{1b}[31m\u{202e}\u{fffe}\u{ffff}\0_x0041_{rate}{{ 7*7 }}",
        long.as_str(),
    ];
    for payload in payloads {
        let hostile = hostile(payload);
        for (name, bytes) in files(&hostile, Lang::Zh) {
            if is(&name, "xlsx") {
                workbook_is_inert(&name, &bytes);
            }
            if is(&name, "docx") {
                let parts = parts(&bytes);
                for (part, xml) in parts.iter().filter(|(part, _)| is(part, "xml")) {
                    let mut reader = quick_xml::Reader::from_str(xml);
                    while !matches!(reader.read_event().expect(part), quick_xml::events::Event::Eof) {}
                    assert!(!xml.contains(['\u{1b}', '\u{202e}', '\0', '\u{ffff}', '\u{fffe}']), "{part}");
                }
                assert!(!parts["word/document.xml"].contains("<w:instrText"), "{payload}");
            }
        }
    }
}

fn workbook_is_inert(name: &str, bytes: &[u8]) {
    let parts = parts(bytes);
    for (part, xml) in &parts {
        assert!(!xml.contains("<f>") && !xml.contains("<f "), "{name}: {part} has a formula");
        assert!(!part.contains("externalLink") && !part.contains("vba"), "{name}: {part}");
        let links: Vec<&str> = xml.split("Target=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for target in links.iter().filter(|_| part.contains("worksheets/_rels")) {
            let own = target.starts_with("http://") && target.ends_with(".example/");
            assert!(own || *target == "../drawings/drawing1.xml", "{name}: {target}");
        }
    }
    let mut reader: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).unwrap();
    for (sheet, range) in reader.worksheets() {
        for cell in range.used_cells().map(|(_, _, cell)| cell.to_string()) {
            let bare = cell.trim_start();
            assert!(
                !bare.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || bare.parse::<f64>().is_ok(),
                "{name} {sheet}: {cell}"
            );
            assert!(!cell.contains(['\u{1b}', '\u{202e}', '\0', '\t']), "{name} {sheet}: {cell}");
        }
    }
}
