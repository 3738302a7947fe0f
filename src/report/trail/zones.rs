//! The lines about zones: who was asked about them, what their name servers answered, and the way from the root.

use std::fmt::Write;

use super::{Writer, server};
use crate::model::evidence::{
    Delegation, DnsTransport, NameServer, NsAnswer, ServerCheck, WalkStep, Whose, ZoneWalk, ZoneWalkEnd,
};
use crate::report::clean::clean;
use crate::report::format::duration;

impl Writer {
    pub(super) fn zone(&mut self, zone: &Delegation) {
        let mut line = format!("{} {}", self.pick("区域", "Zone"), clean(&zone.zone));
        if let Some(parent) = &zone.parent {
            line.push_str(&self.aside(&format!("{} {}", self.pick("上级", "parent"), clean(parent))));
        }
        if zone.whose == Whose::Alias {
            line.push_str(self.pick(" · 别名所在", " · of the alias"));
        }
        self.step(&line);
        for answer in &zone.referrals {
            self.ns_answer(answer, self.pick("上级", "parent"));
        }
        for answer in &zone.own {
            self.ns_answer(answer, self.pick("本区域", "own"));
        }
        for server in &zone.servers {
            self.name_server(server);
        }
        for check in &zone.checks {
            self.server_check(check);
        }
        if let Some(walk) = &zone.walk {
            self.zone_walk(walk);
        }
        if zone.cut_short {
            self.detail(self.pick("达到上限，未问完", "ended at a bound of ours"));
        }
    }

    fn ns_answer(&mut self, answer: &NsAnswer, side: &str) {
        let mut line = format!("NS @{} {side} → {}", server(answer.server), answer.outcome.word());
        for name in &answer.names {
            let _ = write!(line, " {}", clean(name));
        }
        for glue in &answer.glue {
            let _ = write!(line, " {}={}", clean(&glue.name), glue.address);
        }
        line.push_str(&self.aside(&duration(answer.duration_us)));
        self.detail(&line);
    }

    fn name_server(&mut self, found: &NameServer) {
        let mut line = format!("{} {} AAAA", self.pick("域名服务器", "Name server"), clean(&found.name));
        for word in &found.aaaa {
            let _ = write!(line, " @{} {}", server(word.server), word.outcome.word());
        }
        if let Some(alias) = &found.alias {
            let _ = write!(line, " CNAME {}", clean(alias));
        }
        for fact in &found.addresses {
            let _ = write!(line, " {}", fact.address);
            if !fact.scope.is_public() {
                line.push_str(&self.aside(fact.scope.tag()));
            } else if !fact.dialled {
                line.push_str(&self.aside(self.pick("未问", "not asked")));
            }
        }
        self.detail(&line);
    }

    fn server_check(&mut self, check: &ServerCheck) {
        let transport = match check.transport {
            DnsTransport::Udp => "UDP",
            DnsTransport::Tcp => "TCP",
        };
        let mut line = format!("SOA @{} {transport} → {}", check.address, check.outcome.word());
        if let Some(broken) = check.broken {
            let _ = write!(line, "({})", broken.word());
        }
        if let Some(failure) = &check.failure {
            let _ = write!(line, " {failure}");
        }
        if check.authoritative == Some(true) {
            line.push_str(" AA");
        }
        if let Some(owner) = &check.soa_owner {
            let _ = write!(line, " {}", clean(owner));
        }
        let mut notes = vec![duration(check.duration_us)];
        if check.is_control() {
            notes.push(self.pick("对照：根", "control: the root").to_owned());
        }
        if check.attempt > 1 {
            notes.push(self.attempt(check.attempt));
        }
        line.push_str(&self.aside(&notes.join(self.pick("，", ", "))));
        self.detail(&line);
    }

    fn zone_walk(&mut self, walk: &ZoneWalk) {
        for WalkStep { zone, name, server: asked, outcome, authoritative, cut, duration_us, .. } in &walk.steps {
            let zone = if zone.is_empty() { "." } else { zone.as_str() };
            let mut line = format!(
                "{} {} @{} {} → {}",
                self.pick("仅用 IPv6：", "IPv6 only:"),
                clean(zone),
                server(*asked),
                clean(name),
                outcome.word()
            );
            if *authoritative == Some(true) {
                line.push_str(" AA");
            }
            if let Some(cut) = cut {
                let _ = write!(line, " NS {}", clean(cut));
            }
            line.push_str(&self.aside(&duration(*duration_us)));
            self.detail(&line);
        }
        let end = match &walk.end {
            ZoneWalkEnd::Reached => "reached".to_owned(),
            ZoneWalkEnd::NoAddress(zone) => format!("no_address({})", clean(zone)),
            ZoneWalkEnd::NoAnswer(zone) => format!("no_answer({})", clean(zone)),
            ZoneWalkEnd::NoUse(zone) => format!("no_use({})", clean(zone)),
            ZoneWalkEnd::NoRoot => "no_root".to_owned(),
            ZoneWalkEnd::Limit => "limit".to_owned(),
        };
        let line = format!("{} → {end}", self.pick("仅用 IPv6：", "IPv6 only:"));
        self.detail(&line);
    }
}
