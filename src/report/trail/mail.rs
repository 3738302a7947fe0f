//! Lines on mail: what was said of MX, the hosts, and what came of each visit.

use std::fmt::Write;

use super::{Writer, server};
use crate::model::evidence::{Mail, MailTry};
use crate::report::clean::clean;
use crate::report::format::duration;

impl Writer {
    pub(super) fn mail(&mut self, mail: &Mail) {
        let line = format!("{} {}", self.pick("邮件", "Mail"), clean(&mail.domain));
        self.step(&line);
        for lookup in &mail.lookups {
            let mut line = format!("MX @{} → {}", server(lookup.server), lookup.outcome.word());
            for name in &lookup.names {
                let _ = write!(line, " {}", clean(name));
            }
            line.push_str(&self.aside(&duration(lookup.duration_us)));
            self.detail(&line);
        }
        for host in &mail.hosts {
            let mut line = clean(&host.check.host).into_owned();
            for (label, side) in [("AAAA", &host.check.v6), ("A", &host.check.v4)] {
                let word = side.lookup.map_or("–", |outcome| outcome.word());
                let _ = write!(line, " {label} {word}");
            }
            self.detail(&line);
            for attempt in &host.tries {
                self.visit(attempt, "");
            }
            for canary in &host.canaries {
                let label = self.pick("对照", "canary ");
                self.visit(canary, label);
            }
        }
        if mail.left_out > 0 {
            let line = format!("{} {}", self.pick("未测主机", "hosts not looked at:"), mail.left_out);
            self.detail(&line);
        }
    }

    fn visit(&mut self, attempt: &MailTry, label: &str) {
        let mut line = format!("{label}[{}]:25 → {}", attempt.address, attempt.end.word());
        line.push_str(&self.aside(&duration(attempt.duration_us)));
        self.detail(&line);
    }
}
