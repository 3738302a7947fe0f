//! Passages of a template in square brackets, which are left out where they would say "none": when every figure in them
//! is 0 or empty. Brackets without a placeholder are brackets.

use std::cell::Cell;

use super::super::text::substitute;

/// A text with its placeholders filled in.
pub(super) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inner, after)) = next(rest) {
        out.push_str(&substitute(before, &value));
        let (figures, some) = (Cell::new(0), Cell::new(false));
        let filled = substitute(inner, |name| {
            let value = value(name)?;
            figures.set(figures.get() + 1);
            some.set(some.get() || !matches!(value.as_str(), "" | "0"));
            Some(value)
        });
        match (figures.get(), some.get()) {
            (0, _) => out.extend(["[", &filled, "]"]),
            (_, true) => out.push_str(&filled),
            (_, false) => {}
        }
        rest = after;
    }
    out.push_str(&substitute(rest, value));
    out
}

/// What is wrong with the brackets of a text. None: nothing.
pub(super) fn fault(text: &str) -> Option<&'static str> {
    let mut open = false;
    for character in text.chars() {
        match (character, open) {
            ('[', true) => return Some("a passage in square brackets begins inside another"),
            (']', false) => return Some("a square bracket is closed that was not opened"),
            ('[', false) => open = true,
            (']', true) => open = false,
            _ => {}
        }
    }
    open.then_some("a square bracket is not closed")
}

/// The text before the next passage, the passage, and what is behind it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once('[')?;
    let (inner, after) = from.split_once(']')?;
    Some((before, inner, after))
}

#[cfg(test)]
mod tests {
    use super::{fault, fill};

    fn filled(text: &str) -> String {
        fill(text, |name| match name {
            "none" => Some("0".to_owned()),
            "three" => Some("3".to_owned()),
            "empty" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn a_passage_that_would_say_none_is_left_out() {
        assert_eq!(filled("共 {three} 所[（其中 {none} 所有缺陷）]。"), "共 3 所。");
        assert_eq!(filled("[{three} 所，{none} 所][，范围 {empty}]；{none}"), "3 所，0 所；0");
        assert_eq!(filled("见[1]、[{other}]"), "见[1]、[{other}]");
    }

    #[test]
    fn brackets_come_in_pairs() {
        assert_eq!(fault("[{three}]、[1]"), None);
        for wrong in ["[{three}", "{three}]", "[a[b]c]"] {
            assert!(fault(wrong).is_some(), "{wrong}");
        }
    }
}
