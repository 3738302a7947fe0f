//! How cells look: calm, readable in print, and never by colour alone.

use rust_xlsxwriter::{Color, ConditionalFormatCell, ConditionalFormatCellRule, Format, FormatAlign, FormatBorder};

use super::super::html::class;
use super::super::model::ROSTER_STATES;
use super::super::text::{Lang, Text};
use crate::judge::summarise::Standing;
use crate::model::verdict::Readiness;

/// The look of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Text on one line.
    Text,
    /// Text over several lines.
    Wrapped,
    /// Text without a frame, which runs on over the cells beside it.
    Free,
    /// Text in the middle: words of a short list.
    Word,
    /// A whole number.
    Count,
    /// A share of one, as a percentage with two decimals.
    Share,
    /// Milliseconds.
    Ms,
    /// A day.
    Day,
    /// Commands and addresses.
    Code,
    /// Code of several lines, of which as many are seen as the row is high.
    Lines,
    /// For staff to fill in.
    Blank,
    /// The same, holding a day.
    BlankDay,
}

/// The formats of a workbook.
pub(super) struct Styles {
    pub(super) title: Format,
    pub(super) mark: Format,
    pub(super) plain: Format,
    pub(super) wrapped: Format,
    pub(super) heading: Format,
    pub(super) head: Format,
    pub(super) link: Format,
    looks: Vec<(Look, Format)>,
    /// Words of verdicts and roster states, and how cells that hold them are filled.
    standings: Vec<(String, Format)>,
}

const INK: u32 = 0x1F_29_37;
const LINE: u32 = 0xC9_D1_DB;

impl Styles {
    pub(super) fn new(text: &Text) -> Self {
        // Named only: a machine without it takes its own, and nothing has to be shipped.
        let font = if text.lang() == Lang::Zh { "微软雅黑" } else { "Calibri" };
        let base = Format::new().set_font_name(font).set_font_size(10).set_font_color(Color::RGB(INK));
        let base = base.set_align(FormatAlign::VerticalCenter);
        let cell = base.clone().set_border(FormatBorder::Thin).set_border_color(Color::RGB(LINE));
        let right = cell.clone().set_align(FormatAlign::Right).set_indent(1);
        let code = cell.clone().set_font_name("Consolas").set_font_size(9);
        let blank = cell.clone().set_background_color(Color::RGB(0xFF_FB_E6)).set_align(FormatAlign::Center);
        let looks = vec![
            (Look::Text, cell.clone().set_indent(1)),
            (Look::Wrapped, cell.clone().set_text_wrap().set_indent(1)),
            (Look::Free, base.clone().set_indent(1)),
            (Look::Word, cell.clone().set_align(FormatAlign::Center)),
            (Look::Count, right.clone().set_num_format("#,##0")),
            (Look::Share, right.clone().set_num_format("0.00%")),
            (Look::Ms, right.set_num_format("#,##0.0")),
            (Look::Day, cell.clone().set_align(FormatAlign::Center).set_num_format("yyyy-mm-dd")),
            (Look::Lines, code.clone().set_text_wrap().set_align(FormatAlign::Top)),
            (Look::Code, code),
            (Look::Blank, blank.clone().set_text_wrap()),
            (Look::BlankDay, blank.set_num_format("yyyy-mm-dd")),
        ];
        let verdicts = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict));
        let standings = verdicts.chain(ROSTER_STATES.iter().map(|state| Standing::Roster(*state)));
        Self {
            title: base.clone().set_font_size(16).set_bold(),
            mark: base
                .clone()
                .set_bold()
                .set_font_color(Color::RGB(0x8A_1C_1C))
                .set_background_color(Color::RGB(0xFD_EC_EA)),
            plain: base.clone(),
            wrapped: base.clone().set_text_wrap(),
            heading: base.clone().set_font_size(12).set_bold().set_border_bottom(FormatBorder::Medium),
            head: cell
                .clone()
                .set_bold()
                .set_text_wrap()
                .set_align(FormatAlign::Center)
                .set_background_color(Color::RGB(0x1F_3A_5F))
                .set_font_color(Color::White),
            link: cell
                .set_indent(1)
                .set_font_color(Color::RGB(0x1A_4F_8B))
                .set_underline(rust_xlsxwriter::FormatUnderline::Single),
            looks,
            standings: standings.map(|of| (text.standing(of).to_owned(), fill(of))).collect(),
        }
    }

    /// The format of a look.
    pub(super) fn of(&self, look: Look) -> &Format {
        let found = self.looks.iter().find(|(of, _)| *of == look);
        found.map_or(&self.plain, |(_, format)| format)
    }

    /// Rules that fill a cell by the verdict's word in it, so that they still hold after sorting and editing.
    pub(super) fn standing_rules(&self) -> impl Iterator<Item = ConditionalFormatCell> + '_ {
        self.standings.iter().map(|(word, format)| {
            ConditionalFormatCell::new()
                .set_rule(ConditionalFormatCellRule::EqualTo(word.as_str()))
                .set_format(format)
                .set_stop_if_true(true)
        })
    }
}

/// Colours that are told apart without red and green, too.
fn fill(standing: Standing) -> Format {
    let (paper, ink) = match class(standing) {
        "ready" => (0xDD_F0_E6, 0x0B_5D_3B),
        "defect" => (0xE3_EE_FA, 0x1A_4F_8B),
        "broken" => (0xF9_DE_DC, 0x8A_1C_1C),
        "absent" => (0xFD_EA_D0, 0x7A_41_00),
        "unknown" => (0xEE_E8_F8, 0x4B_2E_83),
        _ => (0xEC_EE_F1, 0x48_52_5F),
    };
    Format::new().set_background_color(Color::RGB(paper)).set_font_color(Color::RGB(ink)).set_bold()
}
