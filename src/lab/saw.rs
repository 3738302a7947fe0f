//! What a scenario demands the servers to have seen, and not to have seen.
//!
//! | table | key | counts |
//! |---|---|---|
//! | `connects` | `"[2001:db8::10]:443"`, an address, or a prefix (`"127.0.0.0/8"`) | attempts to open TCP connections, except to DNS |
//! | `requests` | a URL, optionally ` @ address`: `"https://www.school.example/ @ 2001:db8::10"`; a final `*` stands for any rest | HTTP requests |
//! | `commands` | a line, ` @ `, and an address or prefix: `"QUIT @ 2001:db8::25"`; `*` stands for any line | lines sent to mail servers |
//! | `queries` | `"AAAA www.school.example @ authority"`; after `@` a role, an address or `any`, and optionally `/udp`, `/tcp` | DNS queries |
//!
//! A value is a [`Span`]: `3`, `"2-5"`, `"1+"`, `0`. Leaves to others: the log itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::Deserialize;

use super::log::{Event, Log};
use super::span::Span;
use crate::model::evidence::{DnsTransport, ServerRole};
use crate::net::route::Transport;

/// The demands of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Saw {
    /// TCP connection attempts by address.
    pub connects: BTreeMap<String, Span>,
    /// Requests by URL.
    pub requests: BTreeMap<String, Span>,
    /// Lines sent to mail servers.
    pub commands: BTreeMap<String, Span>,
    /// DNS queries by type, name and server.
    pub queries: BTreeMap<String, Span>,
}

impl Saw {
    /// Only what must never be seen: all else depends on how often something had to be tried.
    #[must_use]
    pub fn forbidden(&self) -> Self {
        let never = |demands: &BTreeMap<String, Span>| {
            demands.iter().filter(|(_, span)| span.to == Some(0)).map(|(key, span)| (key.clone(), *span)).collect()
        };
        Self {
            connects: never(&self.connects),
            requests: never(&self.requests),
            commands: never(&self.commands),
            queries: never(&self.queries),
        }
    }

    /// Demands that the log does not meet, or that cannot be read, each as a line.
    pub fn check(&self, log: &Log) -> Vec<String> {
        let mut found = Vec::new();
        let mut demand = |what: &str, key: &str, span: Span, matcher: Option<Matcher>| match matcher {
            None => found.push(format!("{what} `{key}`: cannot be read")),
            Some(fits) => {
                let count = log.count(fits);
                if !span.holds(count) {
                    found.push(format!("{what} `{key}`: {count} seen, {span} expected"));
                }
            }
        };
        for (key, span) in &self.connects {
            demand("connects", key, *span, connects(key));
        }
        for (key, span) in &self.requests {
            demand("requests", key, *span, requests(key));
        }
        for (key, span) in &self.commands {
            demand("commands", key, *span, commands(key));
        }
        for (key, span) in &self.queries {
            demand("queries", key, *span, queries(key));
        }
        found
    }
}

type Matcher = Box<dyn Fn(&Event) -> bool>;

fn connects(key: &str) -> Option<Matcher> {
    let place = Place::read(key)?;
    Some(Box::new(move |event| match event {
        Event::Dial { transport: Transport::Tcp, target, .. } => target.port() != 53 && place.holds(*target),
        _ => false,
    }))
}

fn requests(key: &str) -> Option<Matcher> {
    let (url, place) = match key.split_once(" @ ") {
        Some((url, place)) => (url, Some(Place::read(place)?)),
        None => (key, None),
    };
    let (url, prefix) = url.strip_suffix('*').map_or((url, false), |front| (front, true));
    let url = url.to_owned();
    Some(Box::new(move |event| match event {
        Event::Request { address, tls, host, path, .. } => {
            let seen = format!("{}://{host}{path}", if *tls { "https" } else { "http" });
            (if prefix { seen.starts_with(&url) } else { seen == url })
                && place.as_ref().is_none_or(|p| p.holds(*address))
        }
        _ => false,
    }))
}

fn commands(key: &str) -> Option<Matcher> {
    let (wanted, place) = key.split_once(" @ ")?;
    let (wanted, place) = (wanted.to_owned(), Place::read(place)?);
    Some(Box::new(move |event| match event {
        Event::Command { address, line } => (wanted == "*" || *line == wanted) && place.holds(*address),
        _ => false,
    }))
}

fn queries(key: &str) -> Option<Matcher> {
    let (question, asked) = key.split_once(" @ ").unwrap_or((key, "any"));
    let (wanted_type, wanted_name) = question.split_once(' ')?;
    let (who, over) = asked.split_once('/').map_or((asked, None), |(who, over)| (who, Some(over)));
    let over = match over {
        None => None,
        Some("udp") => Some(DnsTransport::Udp),
        Some("tcp") => Some(DnsTransport::Tcp),
        Some(_) => return None,
    };
    let (only_role, only_server) = match who {
        "any" => (None, None),
        "resolver" => (Some(ServerRole::Resolver), None),
        "authority" => (Some(ServerRole::Authority), None),
        address => (None, Some(address.parse::<IpAddr>().ok()?)),
    };
    let (wanted_type, wanted_name) = (wanted_type.to_owned(), wanted_name.to_owned());
    Some(Box::new(move |event| match event {
        Event::Query { server, role, name, rtype, transport, .. } => {
            *rtype == wanted_type
                && *name == wanted_name
                && only_role.is_none_or(|only| only == *role)
                && only_server.is_none_or(|only| only == server.ip())
                && over.is_none_or(|only| only == *transport)
        }
        _ => false,
    }))
}

/// One address and port, one address, or a prefix.
enum Place {
    Socket(SocketAddr),
    Net(IpNet),
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        if let Ok(socket) = text.parse() {
            return Some(Self::Socket(socket));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Net(address.into()));
        }
        text.parse().ok().map(Self::Net)
    }

    fn holds(&self, address: SocketAddr) -> bool {
        match self {
            Self::Socket(socket) => *socket == address,
            Self::Net(net) => net.contains(&address.ip()),
        }
    }
}
