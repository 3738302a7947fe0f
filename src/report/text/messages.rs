//! Sentences that other parts say in English, in the reader's language: the gate's checks, which are stored in English with a
//! run, and errors.
//!
//! The Chinese of a sentence is found by the English one (`zh.messages.toml`), so that what is stored needs no second field and
//! old runs are worded as well. What no table knows, such as what a library or the system says, stays as it is. Arguments
//! are put in as they are: making them visible is left to whoever prints.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Lang, Text, substitute};

/// Sentences within sentences: `cannot read FILE` within `LINE: REASON`, and so on.
const DEPTH: usize = 4;
/// What joins sentences, and what does so in Chinese.
const JOINTS: [(&str, &str); 2] = [("; ", "；"), (": ", "：")];

static ZH: LazyLock<Sentences> = LazyLock::new(|| Sentences::read(include_str!("zh.messages.toml")));

impl Text {
    /// A sentence that was made in English, in this language.
    pub fn message(&self, english: &str) -> String {
        match self.lang() {
            Lang::En => english.to_owned(),
            Lang::Zh => ZH.lines(english, DEPTH).unwrap_or_else(|| english.to_owned()),
        }
    }
}

/// Sentences by their English.
struct Sentences {
    /// Those without arguments.
    whole: BTreeMap<String, String>,
    /// Those with arguments, those that say most first.
    patterns: Vec<Pattern>,
}

/// A sentence with arguments.
struct Pattern {
    /// What stands before, between and behind the arguments; one more than there are of these.
    fixed: Vec<String>,
    /// The sentence in the other language.
    other: String,
}

impl Sentences {
    fn read(table: &str) -> Self {
        // The table is part of the program; a test parses it.
        let table: BTreeMap<String, String> = toml::from_str(table).expect("the table of messages is well-formed");
        let (with, whole): (Vec<_>, Vec<_>) = table.into_iter().partition(|(english, _)| english.contains("{1}"));
        let mut patterns: Vec<Pattern> =
            with.into_iter().map(|(english, other)| Pattern { fixed: fixed_parts(&english), other }).collect();
        // One that begins with an argument could take the beginning of a sentence around it for that.
        let says = |pattern: &Pattern| pattern.fixed.iter().map(String::len).sum::<usize>();
        patterns.sort_by_key(|pattern| (pattern.fixed[0].is_empty(), std::cmp::Reverse(says(pattern))));
        Self { whole: whole.into_iter().collect(), patterns }
    }

    /// None: nothing of it is known.
    fn lines(&self, english: &str, depth: usize) -> Option<String> {
        if !english.contains('\n') {
            return self.sentence(english, depth);
        }
        if let Some(known) = self.known(english, depth) {
            return Some(known);
        }
        self.parts(english, ("\n", "\n"), depth)
    }

    fn sentence(&self, english: &str, depth: usize) -> Option<String> {
        let joined = |joints| self.parts(english, joints, depth);
        self.known(english, depth).or_else(|| JOINTS.into_iter().find_map(joined))
    }

    fn known(&self, english: &str, depth: usize) -> Option<String> {
        if let Some(other) = self.whole.get(english) {
            return Some(other.clone());
        }
        let depth = depth.checked_sub(1)?;
        self.patterns.iter().find_map(|pattern| {
            let arguments = pattern.arguments(english)?;
            Some(substitute(&pattern.other, |place| {
                let argument = *arguments.get(place.parse::<usize>().ok()?.checked_sub(1)?)?;
                Some(self.lines(argument, depth).unwrap_or_else(|| argument.to_owned()))
            }))
        })
    }

    /// Part by part, if one of them at least is known.
    fn parts(&self, english: &str, (joint, other): (&str, &str), depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        if !english.contains(joint) {
            return None;
        }
        let parts: Vec<(&str, Option<String>)> =
            english.split(joint).map(|part| (part, self.lines(part, depth))).collect();
        parts.iter().any(|(_, known)| known.is_some()).then(|| {
            let worded: Vec<String> =
                parts.into_iter().map(|(part, known)| known.unwrap_or_else(|| part.to_owned())).collect();
            worded.join(other)
        })
    }
}

impl Pattern {
    /// What stands where the pattern has arguments. None: this is another sentence.
    fn arguments<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, others) = self.fixed.split_first()?;
        let (last, between) = others.split_last()?;
        let mut rest = text.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut arguments = Vec::new();
        for fixed in between {
            let (argument, behind) = rest.split_once(fixed.as_str())?;
            arguments.push(argument);
            rest = behind;
        }
        arguments.push(rest);
        Some(arguments)
    }
}

/// `{1} of {2}` has ``, ` of `, ``.
fn fixed_parts(english: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = english;
    for place in 1.. {
        let Some((before, behind)) = rest.split_once(&format!("{{{place}}}")) else { break };
        parts.push(before.to_owned());
        rest = behind;
    }
    parts.push(rest.to_owned());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the sentences are made.
    const SOURCES: [&str; 16] = [
        include_str!("../../engine/gate.rs"),
        include_str!("../../engine/resolvers.rs"),
        include_str!("../../engine/wall.rs"),
        include_str!("../../cli/doctor.rs"),
        include_str!("../../cli/error.rs"),
        include_str!("../../cli/proving.rs"),
        include_str!("../../cli/vantages.rs"),
        include_str!("../../config/error.rs"),
        include_str!("../../config/validate.rs"),
        include_str!("../../config/unattended.rs"),
        include_str!("../../targets/mod.rs"),
        include_str!("../../targets/policy.rs"),
        include_str!("../../store/error.rs"),
        include_str!("../../net/mailer.rs"),
        include_str!("../../report/publish.rs"),
        include_str!("../../upkeep/timetable.rs"),
    ];

    /// Every literal of a source, tests and comments left out.
    fn literals(source: &str) -> Vec<String> {
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        let mut found = Vec::new();
        for line in source.replace("\\\n", "\u{0}").lines().filter(|line| !line.trim_start().starts_with("//")) {
            let (mut rest, mut open) = (line.replace("\\\"", "\u{1}"), false);
            while let Some((before, behind)) = rest.split_once('"') {
                if open {
                    let mut words = before.split('\u{0}').map(str::trim_start);
                    let first = words.next().unwrap_or_default().to_owned();
                    let whole = words.fold(first, |text, more| text + more);
                    found.push(whole.replace('\u{1}', "\""));
                }
                open = !open;
                rest = behind.to_owned();
            }
        }
        found
    }

    /// `{count} of {}` as the table has it: `{1} of {2}`.
    fn numbered(literal: &str) -> (String, String) {
        let (mut key, mut bare, mut place) = (String::new(), String::new(), 0);
        let mut rest = literal;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((_, behind)) = behind.split_once('}') else { break };
            place += 1;
            key.extend([before, "{", &place.to_string(), "}"]);
            bare += before;
            rest = behind;
        }
        (key + rest, bare + rest)
    }

    #[test]
    fn every_sentence_has_a_chinese_one() {
        let table: BTreeMap<String, String> = toml::from_str(include_str!("zh.messages.toml")).unwrap();
        let mut sentences = 0;
        for source in SOURCES {
            let mut before = String::new();
            for literal in literals(source) {
                let (key, bare) = numbered(&literal);
                let words = bare.trim().contains(' ')
                    && !bare.starts_with('%')
                    && bare.contains(|c: char| c.is_ascii_lowercase());
                // Behind a Chinese sentence stands its English.
                if words && literal.is_ascii() && before.is_ascii() {
                    sentences += 1;
                    assert!(table.contains_key(&key), "no Chinese for {key:?}");
                }
                before = literal;
            }
        }
        assert!(sentences > 150, "{sentences}");
    }

    #[test]
    fn the_chinese_has_the_same_arguments() {
        let table: BTreeMap<String, String> = toml::from_str(include_str!("zh.messages.toml")).unwrap();
        for (english, chinese) in table {
            assert!(!chinese.is_ascii(), "{chinese:?}");
            for place in 1..9 {
                let name = format!("{{{place}}}");
                // "the {1} Internet: give it a global {2} address" names one thing twice.
                assert_eq!(english.contains(&name), chinese.contains(&name), "{english:?}");
            }
        }
    }

    #[test]
    fn arguments_find_their_places() {
        let zh = Text::of(Lang::Zh);
        for (english, chinese) in [
            (
                "3 of 10 anchors reached in 2 networks, largest page 120 bytes",
                "10 个锚点中有 3 个可达，分布在 2 个网络，最大页面 120 字节",
            ),
            ("400 s behind 5 anchors", "与 5 个锚点相比，本机时钟慢 400 秒"),
            ("cannot set up the resolver: no answer: 192.0.2.1", "无法初始化解析器：无应答：192.0.2.1"),
            ("the history h.db is in use by process 7", "历史库 h.db 正在使用中：进程 7"),
            (
                "these runs cannot be taken together: 2 runs were given, and 3 vantages at least are needed",
                "这些批次不能合并判定：只给出 2 个批次，至少需要 3 个测量点",
            ),
            ("the history h.db has no run `x`: there is a, b", "历史库 h.db 中没有批次 `x`；现有 a, b"),
            ("192.0.2.1:53: ipv4only.arpa timeout", "192.0.2.1:53: ipv4only.arpa timeout"),
            ("lists.csv:3: who asked is missing", "lists.csv:3：缺少申请人"),
        ] {
            assert_eq!(zh.message(english), chinese);
            assert_eq!(Text::of(Lang::En).message(english), english);
        }
    }

    #[test]
    fn strange_sentences_end() {
        let zh = Text::of(Lang::Zh);
        for text in ["", ": ", "; : ", "{1}", "cannot read cannot read cannot read cannot read cannot read x", "\n\n"] {
            assert!(zh.message(text).len() < 200, "{text}");
        }
    }
}
