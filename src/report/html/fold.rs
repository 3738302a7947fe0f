//! Long tables of counts: the rows in most need stand above the fold, all of them below it.
//!
//! Leaves to others: the look of the fold (`counts.html`), and what paper leaves out (`style.css`, `script.js`).

use super::super::text::Text;
use super::tables::{Line, Table};

/// The rows in most need, shown above the fold of a long table.
pub(super) struct First {
    /// Identifier in the page.
    pub(super) id: String,
    pub(super) lines: Vec<Line>,
    /// What these rows are.
    pub(super) note: String,
    /// What to click for all rows.
    pub(super) all: String,
    /// Where all rows are, for who holds the page on paper.
    pub(super) paper: String,
}

/// Rows above the fold.
pub(super) const FIRST: usize = 10;
/// Rows of a table that is shown whole.
pub(super) const WHOLE: usize = 30;

impl Table {
    /// Folds the table if it has more than `most` rows. Above the fold stand those with most schools that are judged and
    /// not ready, of equal ones those with most that could not be judged, then the order of the table. `named` tells
    /// whether a row is of anybody who can be asked to act. `book` says where else all rows are.
    pub(super) fn folded(self, text: &Text, most: usize, named: impl Fn(&Line) -> bool, book: &str) -> Self {
        if self.rows.len() <= most {
            return self;
        }
        let mut need: Vec<&Line> = self.rows.iter().filter(|line| named(line)).collect();
        need.sort_by_key(|line| std::cmp::Reverse((line.judged - line.ready, line.inconclusive)));
        let lines: Vec<Line> = need.into_iter().take(FIRST).cloned().collect();
        let (shown, all) = (lines.len().to_string(), self.rows.len().to_string());
        let values = [("first", &*shown), ("all", &*all), ("book", book)];
        let first = First {
            id: format!("{}-first", self.id),
            lines,
            note: text.fill("fold.first", &values),
            all: text.fill("fold.all", &values),
            paper: text.fill("fold.paper", &values),
        };
        Self { first: Some(first), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::fixture;
    use crate::report::{Lang, render_all};

    /// Rows of tables in a piece of a page, outside of and within folds.
    fn rows(html: &str) -> (usize, usize) {
        let (mut depth, mut outside, mut within) = (0_usize, 0, 0);
        for tag in html.split('<') {
            if tag.starts_with("details") {
                depth += 1;
            } else if tag.starts_with("/details") {
                depth -= 1;
            } else if tag.starts_with("th scope=\"row\"") {
                *(if depth == 0 { &mut outside } else { &mut within }) += 1;
            }
        }
        (outside, within)
    }

    #[test]
    fn the_summary_page_folds_what_is_long() {
        let mut fixture = fixture();
        let schools = fixture.roster.schools.len();
        assert!(schools > FIRST, "{schools}");
        for (index, school) in fixture.roster.schools.iter_mut().enumerate() {
            school.responsible_unit = Some(format!("unit-{index:02}").into());
        }
        fixture.recount();
        let files = render_all(&fixture.input(Lang::Zh)).unwrap();
        let page = String::from_utf8(files.into_iter().find(|(name, _)| name == "index.html").unwrap().1).unwrap();
        let from = page.find("<table id=\"units-first\"").expect("a table above the fold");
        let units = &page[from..from + page[from..].find("</section>").unwrap()];
        let units = &units[..units.find("<h3>").unwrap_or(units.len())];
        let named = |html: &str| html.matches("unit-").count();
        let fold = units.find("<details class=\"group long fold\">").expect("a fold");
        assert_eq!(named(&units[..fold]), FIRST);
        assert_eq!(rows(&units[..fold]), (FIRST, 0));
        assert!(units.contains("class=\"small paper\""), "paper says where all of them are");
        let lists = &page[page.find("<section id=\"named\"").unwrap()..page.find("<section id=\"method\"").unwrap()];
        let (outside, within) = rows(lists);
        assert!(outside == 0 && within > 0, "lists by name are folded: {outside} {within}");
    }
}
