//! A text of which there are many copies: regions, units, files, names of arguments. Copies share their bytes.
//!
//! A province's lists name the same hundred regions a hundred thousand times. Words that were met lately are found again and
//! shared, which needs no table that lives as long as the program and no look at what the word means.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// Words that are remembered, by their hashes; of two with one hash the later one is. A power of two.
const REMEMBERED: usize = 512;

thread_local! {
    static LATELY: RefCell<Vec<Option<Arc<str>>>> = const { RefCell::new(Vec::new()) };
}

/// The text. Its order, hash and JSON are those of a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Word(Arc<str>);

impl Word {
    /// The word, shared with a copy that was made lately.
    pub fn new(text: &str) -> Self {
        LATELY.with_borrow_mut(|lately| {
            if lately.is_empty() {
                lately.resize(REMEMBERED, None);
            }
            let slot = &mut lately[slot(text)];
            match slot {
                Some(known) if **known == *text => Self(Arc::clone(known)),
                _ => Self(Arc::clone(slot.insert(text.into()))),
            }
        })
    }

    /// As a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// FNV-1a: short texts, and nothing is lost where somebody makes them collide.
fn slot(text: &str) -> usize {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) as usize % REMEMBERED
}

impl Default for Word {
    fn default() -> Self {
        Self::new("")
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Word {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Word {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&Word> for String {
    fn from(word: &Word) -> Self {
        word.as_str().to_owned()
    }
}

impl PartialEq<String> for Word {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word::new(text))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_their_bytes_and_are_equal_where_they_do_not() {
        let (a, b) = (Word::new("410100"), Word::new("410100"));
        assert!(Arc::ptr_eq(&a.0, &b.0));
        // More words than are remembered.
        for number in 0..10_000 {
            assert_eq!(Word::from(number.to_string()), number.to_string().as_str());
        }
        let c = Word::new("410100");
        assert!(!Arc::ptr_eq(&a.0, &c.0) && a == c);
    }

    #[test]
    fn json_is_that_of_a_string() {
        let words: Vec<Word> = serde_json::from_str(r#"["郑州市","a\nb","郑州市"]"#).unwrap();
        assert!(Arc::ptr_eq(&words[0].0, &words[2].0));
        assert_eq!(serde_json::to_string(&words).unwrap(), r#"["郑州市","a\nb","郑州市"]"#);
        assert_eq!(serde_json::from_reader::<_, Word>(&br#""x""#[..]).unwrap(), "x");
    }
}
