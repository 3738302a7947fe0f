//! A site: a name, or `http(s)://host[:port]/`, that was listed for one or more schools.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// URL scheme of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The port used when a URL names none (RFC 9110).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The canonical spelling of a site, unique within a roster: `www.school.example`, or with a scheme and a port where
/// the list gave them (`http://www.school.example:8080`). Always lower-case ASCII (A-labels).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteKey(pub Arc<str>);

impl SiteKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host name in it.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.as_str(), |(_, rest)| rest);
        rest.split_once(':').map_or(rest, |(host, _)| host)
    }
}

impl From<&str> for SiteKey {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}

impl From<String> for SiteKey {
    fn from(key: String) -> Self {
        Self(key.into())
    }
}

impl fmt::Display for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One site to probe. Probed once per run, however many rows of the lists name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The canonical spelling.
    pub key: SiteKey,
    /// Host name as A-labels, lower case, without a trailing dot.
    pub host: Arc<str>,
    /// The same name as U-labels, where it differs. None: the name is plain ASCII.
    pub unicode: Option<String>,
    /// The scheme the list gave. None: a bare name, so both schemes are tried.
    pub scheme: Option<Scheme>,
    /// The port the list gave, when it is not the scheme's default. None: default ports.
    pub port: Option<u16>,
}

impl Site {
    /// Builds a site and its key from already normalised parts.
    pub fn new(host: impl AsRef<str>, unicode: Option<String>, scheme: Option<Scheme>, port: Option<u16>) -> Self {
        let host = host.as_ref();
        let port = port.filter(|port| scheme.is_none_or(|scheme| scheme.default_port() != *port));
        let mut key = String::new();
        if let Some(scheme) = scheme {
            key.push_str(scheme.name());
            key.push_str("://");
        }
        key.push_str(host);
        if let Some(port) = port {
            key.push(':');
            key.push_str(&port.to_string());
        }
        let key: Arc<str> = key.into();
        // Nearly always they are the same.
        let host = if *key == *host { Arc::clone(&key) } else { host.into() };
        Self { key: SiteKey(key), host, unicode, scheme, port }
    }

    /// The site of a key as [`Site::new`] spells it.
    pub fn of_key(key: &str, unicode: Option<String>) -> Self {
        let (scheme, rest) = match key.split_once("://") {
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some((_, rest)) => (Some(Scheme::Https), rest),
            None => (None, key),
        };
        let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, port.parse().ok()));
        Self::new(host, unicode, scheme, port)
    }

    /// The same, with one text for key and host where they are the same.
    pub(super) fn shared(self) -> Self {
        let host = if *self.key.0 == *self.host { Arc::clone(&self.key.0) } else { self.host };
        Self { host, ..self }
    }

    /// The schemes and ports to enter the site by, in probing order: what the list gave, or both default ports.
    pub fn entries(&self) -> Vec<(Scheme, u16)> {
        match (self.scheme, self.port) {
            (Some(scheme), port) => vec![(scheme, port.unwrap_or(scheme.default_port()))],
            (None, Some(443)) => vec![(Scheme::Https, 443)],
            (None, Some(port)) => vec![(Scheme::Http, port)],
            (None, None) => vec![(Scheme::Http, 80), (Scheme::Https, 443)],
        }
    }

    /// The URL of an entry under a host name (the site's own, or its sibling's), as hops of a walk spell it.
    pub fn entry_url(host: &str, scheme: Scheme, port: u16) -> String {
        if port == scheme.default_port() { format!("{scheme}://{host}/") } else { format!("{scheme}://{host}:{port}/") }
    }
}
