//! The arguments of a finding: what its wording names, such as addresses and hosts.

use std::fmt;
use std::ops::Index;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::word::Word;

/// Texts by name, each name once. A run has a million of them, and a map would take half a kilobyte for two.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Args(Box<[(Word, Box<str>)]>);

impl Args {
    /// The argument of a name. None: there is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == *name).map(|(_, value)| &**value)
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// These, and those of the others that have another name.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        let new: Vec<_> = others.0.iter().filter(|(name, _)| self.get(name).is_none()).cloned().collect();
        if new.is_empty() { self } else { self.0.into_iter().chain(new).collect() }
    }

    /// These, and one more in the place of one of its name.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.0.into_iter().chain([(name.into(), value.into())]).collect()
    }
}

impl<N: Into<Word>, V: Into<Box<str>>> FromIterator<(N, V)> for Args {
    /// Of several with one name the last one counts.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(args: I) -> Self {
        let mut args: Vec<(Word, Box<str>)> =
            args.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        args.reverse();
        args.sort_by(|a, b| a.0.cmp(&b.0));
        args.dedup_by(|later, first| later.0 == first.0);
        Self(args.into())
    }
}

impl Index<&str> for Args {
    type Output = str;

    /// # Panics
    ///
    /// If there is none of that name.
    fn index(&self, name: &str) -> &str {
        self.get(name).expect("an argument of that name")
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Args;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts by name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Args, A::Error> {
                let mut args = Vec::new();
                while let Some(arg) = map.next_entry::<Word, Box<str>>()? {
                    args.push(arg);
                }
                Ok(args.into_iter().collect())
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_a_map() {
        let args: Args = [("port", "443"), ("address", "2001:db8::1"), ("port", "80")].into_iter().collect();
        assert_eq!((args.get("port"), args.get("host"), &args["address"]), (Some("80"), None, "2001:db8::1"));
        let json = serde_json::to_string(&args).unwrap();
        assert_eq!(json, r#"{"address":"2001:db8::1","port":"80"}"#);
        assert_eq!(serde_json::from_str::<Args>(&json).unwrap(), args);
        assert_eq!(serde_json::from_str::<Args>(r#"{"b":"1","a":"2"}"#).unwrap().iter().next(), Some(("a", "2")));
    }

    #[test]
    fn others_fill_gaps_and_one_replaces() {
        let of = |args: &[(&str, &str)]| args.iter().copied().collect::<Args>();
        let args = of(&[("host", "a")]);
        assert_eq!(args.clone().or(&of(&[("host", "b"), ("port", "1")])), of(&[("host", "a"), ("port", "1")]));
        assert_eq!(args.with("host", "c"), of(&[("host", "c")]));
    }
}
