//! A span of counts, as scenario files write it: the n-th time something happens, or how often it may happen.
//!
//! Leaves to others: what is counted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

/// From so many to so many, both ends included. Written `3` (exactly), `"2-5"`, `"3+"` (at least).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The least number that is in it.
    pub from: u64,
    /// The greatest number that is in it. None: no upper end.
    pub to: Option<u64>,
}

impl Span {
    /// Whether a number lies in the span.
    pub fn holds(self, number: u64) -> bool {
        number >= self.from && self.to.is_none_or(|to| number <= to)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a count: write 3, \"2-5\" or \"3+\"");
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| wrong());
        let span = if let Some(least) = text.strip_suffix('+') {
            Self { from: number(least)?, to: None }
        } else if let Some((from, to)) = text.split_once('-') {
            Self { from: number(from)?, to: Some(number(to)?) }
        } else {
            let exactly = number(text)?;
            Self { from: exactly, to: Some(exactly) }
        };
        if span.to.is_some_and(|to| to < span.from) { Err(wrong()) } else { Ok(span) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            None => write!(f, "{}+", self.from),
            Some(to) if to == self.from => write!(f, "{to}"),
            Some(to) => write!(f, "{}-{to}", self.from),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count such as 3, \"2-5\" or \"3+\"")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Span, E> {
                let exactly = u64::try_from(number).map_err(E::custom)?;
                Ok(Span { from: exactly, to: Some(exactly) })
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Span, E> {
                Ok(Span { from: number, to: Some(number) })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_hold_their_ends() {
        for (text, inside, outside) in
            [("3", vec![3], vec![2, 4]), ("2-5", vec![2, 5], vec![1, 6]), ("3+", vec![3, 99], vec![2])]
        {
            let span: Span = text.parse().expect("a span");
            assert!(inside.iter().all(|number| span.holds(*number)), "{text}");
            assert!(!outside.iter().any(|number| span.holds(*number)), "{text}");
            assert_eq!(span.to_string(), text);
        }
        for text in ["", "x", "5-2", "-1", "1-"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
