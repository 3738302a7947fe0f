//! Reading Rust sources as far as the architecture needs it: which paths a file names, leaving out comments, strings and
//! everything that exists for tests only.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One source file.
#[derive(Debug)]
pub(super) struct Source {
    /// Its path below the repository, such as `src/judge/rollup.rs`.
    pub(super) file: String,
    /// Its module path, such as `["judge", "rollup"]`. Empty: the root of the library or the binary.
    pub(super) module: Vec<String>,
    /// Every path it names, groups spelled out: `use a::{b, c}` is `a::b` and `a::c`.
    pub(super) paths: Vec<Vec<String>>,
    /// Macros it calls.
    pub(super) macros: BTreeSet<String>,
}

impl Source {
    /// The folder or file directly below `src` that it belongs to. Empty: none.
    pub(super) fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// A path as seen from the root of the crate, if it leads there: `crate::model::x` and `super::super::model::x` are
    /// both `model::x`.
    pub(super) fn seen_from_root<'a>(&self, path: &'a [String]) -> Option<&'a [String]> {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        match path.first().map(String::as_str) {
            Some("crate" | "v6ready") => Some(&path[1..]),
            Some("super") if supers == self.module.len() => Some(&path[supers..]),
            _ => None,
        }
    }
}

/// Every source file of the program, without those that exist for tests only.
pub(super) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    let mut sources = Vec::new();
    let mut for_tests: Vec<Vec<String>> = Vec::new();
    for path in files {
        let file = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let module = module_of(&file);
        let (tokens, test_modules) = without_tests(&lex(&fs::read_to_string(&path).unwrap()));
        for name in test_modules {
            for_tests.push(module.iter().cloned().chain([name]).collect());
        }
        sources.push(Source { file, module, paths: paths(&tokens), macros: macros(&tokens) });
    }
    sources.retain(|source| !for_tests.iter().any(|test| source.module.starts_with(test)));
    sources
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `src/judge/mod.rs` is `judge`, `src/judge/rollup.rs` is `judge::rollup`, `src/lib.rs` and `src/main.rs` are the root.
fn module_of(file: &str) -> Vec<String> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    inner.split('/').filter(|part| !["lib", "main"].contains(part)).map(str::to_owned).collect()
}

/// A piece of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// A string literal's content.
    Text(String),
    /// `::`
    Sep,
    Mark(char),
}

fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            while i < chars.len() && !(chars[i] == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if let Some(hashes) = raw_string(&chars[i..]) {
            let end: String = std::iter::once('"').chain("#".repeat(hashes).chars()).collect();
            let begin = i + chars[i..].iter().position(|c| *c == '"').unwrap() + 1;
            let rest: String = chars[begin..].iter().collect();
            let inner = rest.split(&end).next().unwrap().to_owned();
            i = begin + inner.chars().count() + end.len();
            tokens.push(Token::Text(inner));
        } else if c.is_alphanumeric() || c == '_' {
            let begin = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            tokens.push(Token::Name(chars[begin..i].iter().collect()));
        } else if c == '"' {
            let begin = i + 1;
            i = begin;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            tokens.push(Token::Text(chars[begin..i.min(chars.len())].iter().collect()));
            i += 1;
        } else if c == '\'' {
            // A lifetime has no closing quote.
            let literal = at(i + 1) == '\\' || at(i + 2) == '\'';
            i += if at(i + 1) == '\\' { 3 } else { 1 };
            while literal && i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i += usize::from(literal);
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push(Token::Sep);
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Mark(c));
            }
            i += 1;
        }
    }
    tokens
}

/// The number of `#` of a raw string that begins here.
fn raw_string(chars: &[char]) -> Option<usize> {
    let skip = usize::from(chars.first() == Some(&'b'));
    if chars.get(skip) != Some(&'r') {
        return None;
    }
    let hashes = chars[skip + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(skip + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// The tokens without items under `#[cfg(test)]`, and the names of the files such items declare.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let attribute = lex("#[cfg(test)]");
    let mut kept = Vec::new();
    let mut files = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if !tokens[i..].starts_with(&attribute) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        i += attribute.len();
        let end = i + item(&tokens[i..]);
        files.extend(declared_file(&tokens[i..end]));
        i = end;
    }
    (kept, files)
}

/// How many tokens the item at the beginning has: up to its `;`, or to the end of its braces.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']') => depth -= 1,
            Token::Mark('}') => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            Token::Mark(';') if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The file that `mod name;` is in: `name`, or what `#[path = "name.rs"]` says.
fn declared_file(item: &[Token]) -> Option<String> {
    let is = |token: &Token, name: &str| *token == Token::Name(name.to_owned());
    let [.., declares, Token::Name(name), Token::Mark(';')] = item else { return None };
    if !is(declares, "mod") {
        return None;
    }
    let path = item.windows(3).find_map(|tokens| match tokens {
        [key, Token::Mark('='), Token::Text(path)] if is(key, "path") => Some(path.trim_end_matches(".rs").to_owned()),
        _ => None,
    });
    Some(path.unwrap_or_else(|| name.clone()))
}

fn paths(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        i = match &tokens[i] {
            // `use ::name` begins with a separator, which would be taken for one after the keyword.
            Token::Name(name) if name != "use" => path(tokens, i, &[], &mut found),
            _ => i + 1,
        };
    }
    found
}

/// Reads the path at `i`, which follows `prefix`, and returns where it ends.
fn path(tokens: &[Token], mut i: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut segments = prefix.to_vec();
    loop {
        match tokens.get(i) {
            Some(Token::Name(name)) => segments.push(name.clone()),
            Some(Token::Mark('*')) => segments.push("*".to_owned()),
            Some(Token::Mark('{')) => return group(tokens, i + 1, &segments, found),
            _ => break,
        }
        i += 1;
        if tokens.get(i) != Some(&Token::Sep) {
            break;
        }
        i += 1;
    }
    found.push(segments);
    i
}

fn group(tokens: &[Token], mut i: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(i) {
            None => return i,
            Some(Token::Mark('}')) => return i + 1,
            // `as name`
            Some(Token::Name(name)) if name == "as" => i += 2,
            Some(Token::Name(_) | Token::Mark('*' | '{')) => i = path(tokens, i, prefix, found),
            Some(_) => i += 1,
        }
    }
}

fn macros(tokens: &[Token]) -> BTreeSet<String> {
    let calls = tokens.windows(3).filter_map(|tokens| match tokens {
        [Token::Name(name), Token::Mark('!'), Token::Mark('(' | '[' | '{')] => Some(name.clone()),
        _ => None,
    });
    calls.collect()
}

#[test]
fn sources_are_read_as_the_compiler_reads_them() {
    let text = r##"
        //! use crate::comment;
        use crate::model::{self, site::{Site, Scheme as S}, *};
        use super::super::net::{body, hex};
        const A: &str = "crate::text \" // no"; /* crate::block */ const B: char = '"'; const C: &'static str = r#"crate::raw "x" "#;
        fn f<'a>(x: &'a [u8; 2]) -> crate::model::run::Run { println!("{}", std::process::id()) }
        #[cfg(test)]
        #[path = "f_tests.rs"]
        mod tests;
        #[cfg(test)]
        mod more { use crate::probe::page; fn g() { let _ = [1; 2]; } }
        use ::sqlx::query;
    "##;
    let (tokens, files) = without_tests(&lex(text));
    assert_eq!(files, ["f_tests"]);
    let found: Vec<String> = paths(&tokens).iter().map(|path| path.join("::")).filter(|p| p.contains("::")).collect();
    let expected = [
        "crate::model::self",
        "crate::model::site::Site",
        "crate::model::site::Scheme",
        "crate::model::*",
        "super::super::net::body",
        "super::super::net::hex",
        "crate::model::run::Run",
        "std::process::id",
        "sqlx::query",
    ];
    assert_eq!(found, expected);
    assert_eq!(macros(&tokens), BTreeSet::from(["println".to_owned()]));
    let here = Source {
        file: String::new(),
        module: module_of("src/judge/rollup.rs"),
        paths: Vec::new(),
        macros: BTreeSet::new(),
    };
    let path: Vec<String> = ["super", "super", "net", "hex"].map(str::to_owned).to_vec();
    assert_eq!(here.seen_from_root(&path), Some(&path[2..]));
    assert_eq!(here.seen_from_root(&path[1..]), None);
}
