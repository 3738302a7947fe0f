//! Putting the layers on top of each other, remembering where each value comes from. Leaves to others: whether the values
//! can be used (`validate`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::{Config, ConfigError, Problem};

/// What the names of environment variables begin with.
const PREFIX: &str = "V6READY_";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program itself.
    Default,
    /// The file.
    File {
        /// Its path as given.
        path: PathBuf,
        /// Line of the key, from 1.
        line: usize,
    },
    /// An environment variable of this name.
    Environment(String),
    /// A flag of the command line, as it is written: `--jobs`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Values from the command line, by the key they set. A flag that was not given is not in here.
#[derive(Clone, Debug, Default)]
pub struct FlagValues(Vec<(&'static str, &'static str, Text)>);

/// A value as it was typed.
#[derive(Clone, Debug)]
enum Text {
    One(String),
    List(Vec<String>),
}

impl FlagValues {
    /// The flag (`--jobs`) sets this key (`pace.jobs`) to this value, written as on the command line.
    pub fn set(&mut self, key: &'static str, flag: &'static str, value: impl Into<String>) {
        self.0.push((key, flag, Text::One(value.into())));
    }

    /// The flag sets this key, a list, to these items.
    pub fn set_list(&mut self, key: &'static str, flag: &'static str, items: Vec<String>) {
        self.0.push((key, flag, Text::List(items)));
    }
}

/// A configuration that can be used, with the origin of each value.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The values.
    pub config: Config,
    /// Variables that begin with `V6READY_` but belong to no key: of the command line's own flags, or misspelt.
    pub unknown_environment: Vec<String>,
    origins: BTreeMap<String, Origin>,
}

impl Config {
    /// Takes each value from the first of flags, environment, file and default that has it, and checks them all.
    pub fn resolve(
        file: Option<&Path>,
        environment: &BTreeMap<String, String>,
        flags: &FlagValues,
    ) -> Result<Resolved, ConfigError> {
        let mut layers = Layers::new()?;
        if let Some(path) = file {
            layers.read_file(path)?;
        }
        let unknown_environment = layers.read_environment(environment)?;
        for (key, flag, text) in &flags.0 {
            layers.set(key, text, Origin::Flag(flag))?;
        }
        // Every layer was read into a Config on its own before, so this cannot fail on a value.
        let config = parse(layers.values).map_err(|error| ConfigError::Override {
            origin: "configuration".to_owned(),
            key: "all keys".to_owned(),
            message: error.message().to_owned(),
        })?;
        let resolved = Resolved { config, unknown_environment, origins: layers.origins };
        resolved.check()?;
        Ok(resolved)
    }
}

impl Resolved {
    /// Where the value of a key (`pace.jobs`) comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Every key with value and origin, a line each, secrets as `***`.
    pub fn show(&self) -> Result<String, ConfigError> {
        let table = self.redacted()?;
        let lines: Vec<(String, &Origin)> =
            leaves(&table).map(|(key, value)| (format!("{key} = {value}"), self.origin(&key))).collect();
        let narrow = lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width <= 60).max();
        let width = narrow.unwrap_or_default();
        Ok(lines.iter().map(|(text, origin)| format!("{text:width$}  # {origin}\n")).collect::<Vec<_>>().concat())
    }

    /// Every key as TOML, sorted, secrets as `***`: what is stored with a run.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        Ok(toml::to_string(&self.redacted()?)?)
    }

    /// SHA-256 of [`Resolved::to_toml`], in hexadecimal.
    pub fn sha256(&self) -> Result<String, ConfigError> {
        Ok(format!("{:x}", Sha256::digest(self.to_toml()?)))
    }

    fn redacted(&self) -> Result<Table, ConfigError> {
        let mut table = Table::try_from(&self.config)?;
        for (_, group) in &mut table {
            for (key, value) in group.as_table_mut().into_iter().flatten() {
                redact(key, value);
            }
        }
        Ok(table)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let problems: Vec<Problem> = super::validate::violations(&self.config)
            .into_iter()
            .map(|violation| Problem {
                origin: self.origin(violation.key).to_string(),
                key: violation.key.to_owned(),
                problem: violation.problem,
                remedy: violation.remedy.to_owned(),
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid { problems }) }
    }
}

/// The layers that were read so far.
struct Layers {
    /// The defaults: they say which keys there are, and of which kind.
    defaults: Table,
    values: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn new() -> Result<Self, ConfigError> {
        let defaults = Table::try_from(Config::default())?;
        Ok(Self { values: defaults.clone(), defaults, origins: BTreeMap::new() })
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        // A mark that Windows editors put first, which TOML knows nothing of.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let fault = |error: &toml::de::Error| {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            ConfigError::Parse { path: path.to_owned(), line, column, message: error.message().replace('\n', ", ") }
        };
        // As a whole first: this finds unknown keys and wrong kinds and knows where they stand.
        toml::from_str::<Config>(text).map_err(|error| fault(&error))?;
        let spans = DeTable::parse(text).map_err(|error| fault(&error))?;
        let values: Table = toml::from_str(text).map_err(|error| fault(&error))?;
        for (group, keys) in spans.get_ref() {
            let DeValue::Table(keys) = keys.get_ref() else { continue };
            for key in keys.keys() {
                let (line, _) = position(text, key.span().start);
                let name = format!("{}.{}", group.get_ref(), key.get_ref());
                if let Some(value) = lookup(&values, &name) {
                    self.put(&name, value.clone(), Origin::File { path: path.to_owned(), line });
                }
            }
        }
        Ok(())
    }

    /// Gives back the variables of ours that no key belongs to. A variable that is empty counts as not set.
    fn read_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<Vec<String>, ConfigError> {
        let keys: Vec<String> = leaves(&self.defaults).map(|(key, _)| key).collect();
        let mut unknown = Vec::new();
        for (variable, text) in environment.iter().filter(|(variable, _)| variable.starts_with(PREFIX)) {
            match keys.iter().find(|key| *variable == variable_of(key)) {
                Some(key) if !text.is_empty() => {
                    self.set(key, &Text::One(text.clone()), Origin::Environment(variable.clone()))?;
                }
                Some(_) => {}
                None => unknown.push(variable.clone()),
            }
        }
        Ok(unknown)
    }

    /// Sets one key from a text, read by the kind of its default.
    fn set(&mut self, key: &str, text: &Text, origin: Origin) -> Result<(), ConfigError> {
        let wrong = |message: String| ConfigError::Override {
            origin: match &origin {
                Origin::Flag(flag) => (*flag).to_owned(),
                Origin::Environment(variable) => variable.clone(),
                other => other.to_string(),
            },
            key: key.to_owned(),
            message,
        };
        let default = lookup(&self.defaults, key).ok_or_else(|| wrong("there is no such key".to_owned()))?;
        let value = read_as(default, text).map_err(wrong)?;
        // Alone, so that the error is about this value and nothing else.
        let mut alone = Table::new();
        insert(&mut alone, key, value.clone());
        parse(alone).map_err(|error| wrong(error.message().replace('\n', ", ")))?;
        self.put(key, value, origin);
        Ok(())
    }

    fn put(&mut self, key: &str, value: Value, origin: Origin) {
        insert(&mut self.values, key, value);
        self.origins.insert(key.to_owned(), origin);
    }
}

fn parse(table: Table) -> Result<Config, toml::de::Error> {
    table.try_into()
}

/// The environment variable of a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "_"))
}

fn read_as(kind: &Value, text: &Text) -> Result<Value, String> {
    let list = |items: &mut dyn Iterator<Item = &str>| Value::Array(items.map(Value::from).collect());
    let text = match text {
        Text::List(items) => return Ok(list(&mut items.iter().map(String::as_str))),
        Text::One(text) => text.trim(),
    };
    match kind {
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| format!("`{text}` is not a whole number")),
        Value::Float(_) => text.parse().map(Value::Float).map_err(|_| format!("`{text}` is not a number")),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| format!("`{text}` is not true or false")),
        Value::Array(_) if text.starts_with('[') && text.ends_with(']') && !text.contains("]:") => {
            // As in the file, which lists of more than texts need.
            let document: Table = toml::from_str(&format!("list = {text}")).map_err(|e| e.message().to_owned())?;
            document.get("list").cloned().ok_or_else(|| format!("`{text}` is not a list"))
        }
        Value::Array(_) => Ok(list(&mut text.split(',').map(str::trim).filter(|item| !item.is_empty()))),
        _ => Ok(Value::from(text)),
    }
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (group, key) = key.split_once('.')?;
    table.get(group)?.as_table()?.get(key)
}

fn insert(table: &mut Table, key: &str, value: Value) {
    let Some((group, key)) = key.split_once('.') else { return };
    let group = table.entry(group).or_insert_with(|| Value::Table(Table::new()));
    if let Some(group) = group.as_table_mut() {
        group.insert(key.to_owned(), value);
    }
}

fn leaves(table: &Table) -> impl Iterator<Item = (String, &Value)> {
    table.iter().flat_map(|(group, keys)| {
        keys.as_table().into_iter().flatten().map(move |(key, value)| (format!("{group}.{key}"), value))
    })
}

/// Line and column, both from 1, of a byte.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Hides secrets: values of keys that sound like one, and user information inside URLs.
fn redact(key: &str, value: &mut Value) {
    const SOUNDS: [&str; 4] = ["password", "secret", "token", "webhook"];
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) if SOUNDS.iter().any(|sound| key.contains(sound)) => "***".clone_into(text),
        Value::String(text) => {
            if let Some((start, end)) = user_information(text) {
                text.replace_range(start..end, "***");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(key, item)),
        Value::Table(table) => table.into_iter().for_each(|(key, value)| redact(key, value)),
        _ => {}
    }
}

/// Where `user:password` stands in `scheme://user:password@host`. None: nowhere.
fn user_information(text: &str) -> Option<(usize, usize)> {
    let start = text.find("://")? + 3;
    let authority = text[start..].split(['/', '?', '#']).next()?;
    Some((start, start + authority.rfind('@')?))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
