//! The evidence of one site as short lines, step by step, in the order in which it was measured.
//!
//! Outcome words are the stable ones, as in `schools.csv`, whatever the language. Whatever a peer sent is made visible
//! ([`super::clean`]). Nothing is judged here, and nothing is left out but repetitions, which are counted, and links that answer alike over both families.

mod deep;
mod mail;
mod zones;

pub(super) use deep::link_end;

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::model::evidence::{
    Certificate, Connect, Exchange, Handshake, Hop, Lookup, MssProof, Observation, Purpose, Round, ServerRole, Sibling,
    Via, Walk, WalkEnd,
};
use crate::model::time::Timestamp;

use super::clean::clean;
use super::format::{bytes, duration, utc};
use super::text::Lang;

/// The evidence as lines. A line that begins a round is not indented; the steps below it are, by two spaces, and what
/// belongs to a step by four.
pub fn trail(observation: &Observation, lang: Lang) -> Vec<String> {
    let mut writer = Writer { lang, lines: Vec::new() };
    for round in &observation.rounds {
        writer.round(round);
    }
    writer.lines
}

struct Writer {
    lang: Lang,
    lines: Vec<String>,
}

impl Writer {
    fn pick<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// Text in brackets, as the language writes them.
    fn aside(&self, text: &str) -> String {
        match self.lang {
            Lang::Zh => format!("（{text}）"),
            Lang::En => format!(" ({text})"),
        }
    }

    fn step(&mut self, text: &str) {
        self.lines.push(format!("  {text}"));
    }

    fn detail(&mut self, text: &str) {
        self.lines.push(format!("    {text}"));
    }

    fn round(&mut self, round: &Round) {
        let began = utc(round.started);
        let without = if round.without_ipv6 { self.pick("，未测 IPv6", ", IPv6 not measured") } else { "" };
        self.lines.push(match self.lang {
            Lang::Zh => format!("第{}轮 {began} UTC{without}", round.number),
            Lang::En => format!("Round {} {began} UTC{without}", round.number),
        });
        for lookup in &round.lookups {
            self.lookup(lookup);
        }
        for zone in &round.delegations {
            self.zone(zone);
        }
        for fact in round.addresses.iter().filter(|fact| !fact.dialled) {
            let why = if fact.scope.is_public() {
                self.pick("超过拨测上限", "more than are tried")
            } else {
                fact.scope.tag()
            };
            let line = format!("{} {}{}", self.pick("未拨测", "Not dialled"), fact.address, self.aside(why));
            self.step(&line);
        }
        self.connects(&round.connects);
        for handshake in &round.handshakes {
            self.handshake(handshake);
        }
        for walk in &round.walks {
            self.walk(walk);
        }
        for proof in &round.mss_proofs {
            self.mss_proof(proof);
        }
        if let Some(sibling) = &round.sibling {
            self.sibling(sibling);
        }
        if !round.samples.is_empty() {
            self.samples(&round.samples);
        }
        if let Some(mail) = &round.mail {
            self.mail(mail);
        }
        if let Some(resources) = &round.resources {
            self.resources(resources);
        }
        if let Some(links) = &round.links {
            self.links(links);
        }
        if round.internal_error {
            let line = self
                .pick("监测程序内部错误，本轮结果已丢失", "The scanner failed: what this round saw is lost")
                .to_owned();
            self.step(&line);
        }
        if !round.limits.is_empty() {
            let words: Vec<&str> = round.limits.iter().map(|limit| limit.word()).collect();
            let line = format!("{} {}", self.pick("达到上限", "Bounds hit"), words.join(" "));
            self.step(&line);
        }
    }

    fn lookup(&mut self, lookup: &Lookup) {
        let mut line = format!("DNS {} {} @{}", lookup.rtype.name(), clean(&lookup.name), server(lookup.server));
        if lookup.role == ServerRole::Authority {
            line.push_str(self.pick(" 权威", " authoritative"));
        }
        let _ = write!(line, " → {}", lookup.outcome.word());
        if let Some(broken) = lookup.broken {
            let _ = write!(line, "({})", broken.word());
        }
        for alias in &lookup.chain {
            let _ = write!(line, " CNAME {}", clean(&alias.to));
        }
        for record in &lookup.addresses {
            let _ = write!(line, " {}", record.address);
        }
        for name in &lookup.names {
            let _ = write!(line, " {}", clean(name));
        }
        let mut notes = vec![duration(lookup.duration_us)];
        if lookup.retried_over_tcp {
            notes.push(self.pick("截断后改用 TCP", "truncated, repeated over TCP").to_owned());
        }
        if lookup.checking_disabled {
            notes.push(self.pick("关闭 DNSSEC 校验", "DNSSEC validation off").to_owned());
        }
        if lookup.attempt > 1 {
            notes.push(self.attempt(lookup.attempt));
        }
        line.push_str(&self.aside(&notes.join(self.pick("，", ", "))));
        self.step(&line);
    }

    fn attempt(&self, number: u8) -> String {
        match self.lang {
            Lang::Zh => format!("第 {number} 次"),
            Lang::En => format!("try {number}"),
        }
    }

    /// Attempts at the same address and port with the same outcome are one line with a count and the longest time.
    fn connects(&mut self, connects: &[Connect]) {
        let mut groups: Vec<(&Connect, usize, u64)> = Vec::new();
        for connect in connects {
            let same = |known: &Connect| {
                known.address == connect.address && known.port == connect.port && known.failure == connect.failure
            };
            if let Some(group) = groups.iter_mut().find(|group| same(group.0)) {
                group.1 += 1;
                group.2 = group.2.max(connect.duration_us);
            } else {
                groups.push((connect, 1, connect.duration_us));
            }
        }
        for (connect, count, longest) in groups {
            let times = if count > 1 { format!(" ×{count}") } else { String::new() };
            let outcome = connect.failure.as_ref().map_or_else(|| "open".to_owned(), ToString::to_string);
            let line = format!(
                "{} {}{times} → {outcome}{}",
                self.pick("连接", "Connect"),
                peer(connect.address, connect.port),
                self.aside(&duration(longest))
            );
            self.step(&line);
        }
    }

    fn handshake(&mut self, handshake: &Handshake) {
        let outcome = match (&handshake.failure, &handshake.protocol) {
            (Some(failure), _) => failure.to_string(),
            (None, protocol) => protocol.as_deref().map_or("done".into(), |text| clean(text).into_owned()),
        };
        let line = format!(
            "TLS {} SNI {} → {outcome}{}",
            peer(handshake.address, handshake.port),
            clean(&handshake.server_name),
            self.aside(&duration(handshake.duration_us))
        );
        self.step(&line);
        if let Some(certificate) = &handshake.certificate {
            self.certificate(certificate);
        }
    }

    fn certificate(&mut self, certificate: &Certificate) {
        let names: Vec<_> = certificate.names.iter().take(4).map(|name| clean(name)).collect();
        let more = if certificate.names.len() > 4 { " …" } else { "" };
        let faults: Vec<&str> = certificate.faults.iter().map(|fault| fault.word()).collect();
        let verdict =
            if faults.is_empty() { self.pick("验证通过", "verified").to_owned() } else { faults.join(" ") };
        let day = |at: Timestamp| utc(at).chars().take(10).collect::<String>();
        let line = format!(
            "{} {}{more} · {} · {} → {} · {verdict}",
            self.pick("证书", "Certificate"),
            if names.is_empty() { quoted(certificate.subject.as_deref()) } else { names.join(" ") },
            quoted(certificate.issuer.as_deref()),
            day(certificate.not_before),
            day(certificate.not_after),
        );
        self.detail(&line);
    }

    fn walk(&mut self, walk: &Walk) {
        let purpose = match walk.purpose {
            Purpose::Entry => "",
            Purpose::NoiseFloor => self.pick("（对照：同一页再取一次）", " (control: the same page again)"),
        };
        let line = format!("{} {}{purpose}", walk.family, walk.scheme);
        self.step(&line);
        for hop in &walk.hops {
            self.hop(hop);
        }
        let end = match &walk.end {
            WalkEnd::Landed => return,
            WalkEnd::Failed(failure) => failure.to_string(),
            WalkEnd::TooManyRedirects => "too_many_redirects".into(),
            WalkEnd::RedirectLoop => "redirect_loop".into(),
            WalkEnd::RedirectOptedOut => "redirect_opted_out".to_owned(),
            WalkEnd::RedirectInternal(scope) => format!("redirect_internal({scope})"),
            WalkEnd::RedirectNoAddress => format!("redirect_no_address({})", walk.family.name()),
            WalkEnd::RedirectUnresolved(outcome) => format!("redirect_unresolved({})", outcome.word()),
            WalkEnd::RedirectBadTarget => "redirect_bad_target".into(),
            WalkEnd::RedirectPort(port) => format!("redirect_port({port})"),
        };
        self.detail(&format!("→ {end}"));
    }

    fn hop(&mut self, hop: &Hop) {
        let via = match hop.via {
            Via::Start | Via::Redirect(_) => "",
            Via::MetaRefresh => " meta refresh",
            Via::Script => " script",
            Via::RetryAfter => " Retry-After",
        };
        let at = hop.address.map(|address| format!(" @{}", peer(address, hop.port))).unwrap_or_default();
        let mut line = format!("GET {}{at}{via} → ", clean(&hop.url));
        match &hop.exchange {
            Some(exchange) => line.push_str(&self.exchange(exchange)),
            None => line.push_str(self.pick("无响应", "no response")),
        }
        self.detail(&line);
    }

    fn exchange(&self, exchange: &Exchange) -> String {
        let mut parts = vec![exchange.status.to_string()];
        if let Some(location) = &exchange.location {
            parts.push(format!("Location {}", clean(location)));
        }
        parts.push(bytes(exchange.decoded_bytes));
        if let Some(title) = exchange.page.as_ref().and_then(|page| page.title.as_deref()) {
            parts.push(quoted(Some(title)));
        }
        if let Some(page) = &exchange.page {
            parts.extend(page.marks.iter().map(|mark| clean(mark).into_owned()));
        }
        if let Some(server) = &exchange.server {
            parts.push(format!("Server {}", clean(server)));
        }
        if let Some(failure) = &exchange.body_failure {
            parts.push(failure.to_string());
        }
        let times = format!(
            "{} {}{}{} {}",
            self.pick("首包", "first byte"),
            duration(exchange.ttfb_us),
            self.pick("，", ", "),
            self.pick("全部", "all"),
            duration(exchange.total_us)
        );
        format!("{}{}", parts.join(self.pick("，", ", ")), self.aside(&times))
    }

    fn mss_proof(&mut self, proof: &MssProof) {
        let outcome = proof.failure.as_ref().map_or_else(|| self.pick("完整", "whole").to_owned(), ToString::to_string);
        let line = format!(
            "{} {} MSS {}: GET {} → {}, {outcome}{}",
            self.pick("小报文复测", "Again in small segments"),
            peer(proof.address, proof.port),
            proof.mss,
            clean(&proof.url),
            bytes(proof.wire_bytes),
            self.aside(&duration(proof.duration_us))
        );
        self.step(&line);
    }

    fn sibling(&mut self, sibling: &Sibling) {
        let word = |known: Option<bool>| match known {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        let judged = if sibling.judged { self.pick(" · 按此名判定", " · judged by this name") } else { "" };
        let line = format!(
            "{} {} · A {} · AAAA {}{judged}",
            self.pick("同名主机", "Sibling"),
            clean(&sibling.host),
            word(sibling.has_a),
            word(sibling.has_aaaa)
        );
        self.step(&line);
    }
}

/// `192.0.2.53`, with the port where it is not 53.
fn server(address: SocketAddr) -> String {
    if address.port() == 53 { address.ip().to_string() } else { address.to_string() }
}

/// `192.0.2.10:443` or `[2001:db8::10]:443`.
fn peer(address: IpAddr, port: u16) -> String {
    SocketAddr::new(address, port).to_string()
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "–".to_owned(), |text| format!("“{}”", clean(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_site_that_times_out_over_ipv6() {
        let lines = trail(&fixture::timeout_observation("“天窗”\u{202e}\u{1b}[2J<b>"), Lang::Zh);
        assert_eq!(
            lines,
            [
                "第1轮 2026-11-23 19:10:00 UTC",
                "  DNS AAAA www.broken.school.example @192.0.2.53 → answer 2001:db8::10（12 ms）",
                "  未拨测 fd00::1（addr-ula）",
                "  连接 [2001:db8::10]:443 ×3 → timeout（5.0 s）",
                "  连接 192.0.2.10:443 → open（31 ms）",
                "  TLS 192.0.2.10:443 SNI www.broken.school.example → TLS1.3（40 ms）",
                "    证书 www.broken.school.example · “Example CA” · 2026-01-01 → 2027-01-01 · 验证通过",
                "  IPv6 https",
                "    GET https://www.broken.school.example/ @[2001:db8::10]:443 → 无响应",
                "    → timeout",
                "  IPv4 https",
                "    GET https://www.broken.school.example/ @192.0.2.10:443 → 200，31 kB，““天窗”\\u{202e}\\u{1b}[2J<b>”，\
                 Server nginx（首包 48 ms，全部 120 ms）",
            ]
        );
        let english = trail(&fixture::timeout_observation("x"), Lang::En);
        assert_eq!(english[3], "  Connect [2001:db8::10]:443 ×3 → timeout (5.0 s)");
    }
}
