//! Records, line numbers, separators; the `csv` crate as a second opinion.

use proptest::prelude::*;

use super::*;

fn read(text: &str, separator: char) -> Vec<(u64, Result<Vec<String>, RecordFault>)> {
    Reader::new(text, Some(separator))
        .map(|record| (record.line, record.fields.map(|fields| fields.into_iter().map(Cow::into_owned).collect())))
        .collect()
}

fn good(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, RecordFault>) {
    (line, Ok(fields.iter().map(|field| (*field).to_owned()).collect()))
}

#[test]
fn line_ends_comments_and_blank_lines() {
    let expected = [good(1, &["a", "b"]), good(4, &["c", "d"]), good(5, &["e", "f"])];
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "", "# note, with comma", "c,d", "e,f"].join(end);
        assert_eq!(read(&text, ','), expected, "{end:?}");
        assert_eq!(read(&format!("{text}{end}"), ','), expected, "{end:?} at the end");
    }
    assert_eq!(
        read("a,b\r\rc,d\n , \ne,f\r\n", ','),
        [good(1, &["a", "b"]), good(3, &["c", "d"]), good(5, &["e", "f"])]
    );
    assert_eq!(read("", ','), []);
    assert_eq!(read("\n\n", ','), []);
    assert_eq!(read("#N/A,x", ','), [good(1, &["#N/A", "x"])]);
}

#[test]
fn quotation_marks() {
    assert_eq!(read("\"a,1\",\"b\n2\"\nc,d", ','), [good(1, &["a,1", "b\n2"]), good(3, &["c", "d"])]);
    assert_eq!(read("\"say \"\"hi\"\"\" ,b", ','), [good(1, &["say \"hi\"", "b"])]);
    assert_eq!(read("a\"b,c", ','), [good(1, &["a\"b", "c"])]);
    assert_eq!(read("\"a\"b,c\nd,e", ','), [(1, Err(RecordFault::AfterQuote)), good(2, &["d", "e"])]);
    assert_eq!(
        read("\"open,b\nc,d\ne,f", ','),
        [(1, Err(RecordFault::Unclosed)), good(2, &["c", "d"]), good(3, &["e", "f"])]
    );
}

#[test]
fn long_lines_are_refused_and_reading_goes_on() {
    let text = format!("a,b\n{},x\nc,d", "y".repeat(RECORD_LIMIT));
    assert_eq!(read(&text, ','), [good(1, &["a", "b"]), (2, Err(RecordFault::TooLong)), good(3, &["c", "d"])]);
    let text = format!("\"{}\nz\",b\nc,d", "y\n".repeat(2000));
    let records = read(&text, ',');
    assert_eq!(records[0], (1, Err(RecordFault::Unclosed)));
    assert_eq!(records.last(), Some(&good(2003, &["c", "d"])));
}

#[test]
fn hostile_quotation_marks_take_linear_time() {
    // Every line opens a mark that the next one closes and opens again.
    let text = "a\",\"\n".repeat(200_000);
    let started = std::time::Instant::now();
    assert!(Reader::new(&text, Some(',')).count() > 100_000);
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn separators() {
    for (text, expected) in [
        ("学校名称,域名\n甲,a.cn", Some(',')),
        ("学校名称;域名\n甲,乙;a.cn", Some(';')),
        ("学校名称\t域名\n甲\ta.cn", Some('\t')),
        ("学校名称，域名\n甲，a.cn", Some('，')),
        ("a.cn\nb.cn\nc.cn", None),
        ("a.cn\nb.cn,c.cn\nd.cn", None),
        ("甲,a.cn\n乙,b.cn", Some(',')),
        ("\"甲,乙\"\n\"丙,丁\"", None),
        ("", None),
    ] {
        assert_eq!(find_separator(text), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn agrees_with_the_csv_crate(rows in prop::collection::vec(prop::collection::vec("[a-c\",\n甲]{0,5}", 2..4), 0..8)) {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let kept: Vec<_> = rows.into_iter().filter(|row| row.iter().any(|field| !field.trim().is_empty())).collect();
        let found: Vec<_> = read(&text, ',').into_iter().map(|(_, fields)| fields.unwrap()).collect();
        prop_assert_eq!(found, kept);
    }

    #[test]
    fn lines_rise_and_text_is_covered(text in "[a\",\n\r# ，]{0,80}") {
        let records: Vec<_> = Reader::new(&text, Some(',')).collect();
        for pair in records.windows(2) {
            prop_assert!(pair[0].last_line < pair[1].line);
        }
    }
}
