//! Lines on links, resources and samples. Links that answered alike over both families are counted, and the others named.

use super::Writer;
use crate::model::evidence::{
    Fetch, FetchEnd, HostCheck, HostSide, Link, Links, LookupOutcome, ResourceHost, Resources, Sample,
};
use crate::report::clean::clean;
use crate::report::format::duration;

impl Writer {
    pub(super) fn links(&mut self, links: &Links) {
        let found: u32 = links.found.iter().map(|found| found.links).sum();
        let alike = |link: &&Link| {
            let class = |fetch: &Fetch| match fetch.end {
                FetchEnd::Status(status) => Some(status / 100),
                _ => None,
            };
            class(&link.v6).is_some() && class(&link.v6) == class(&link.v4)
        };
        let same = links.links.iter().filter(alike).count();
        let late = if links.out_of_time { self.pick("，时间用完", ", out of time") } else { "" };
        let line = format!(
            "{} {found}{}{} {}{}{} {same}{late}",
            self.pick("链接", "Links found"),
            self.pick("，", ", "),
            self.pick("已请求", "requested"),
            links.links.len(),
            self.pick("，", ", "),
            self.pick("两种协议结果相同", "alike over both families")
        );
        self.step(&line);
        if links.cut {
            self.more();
        }
        for link in links.links.iter().filter(|link| !alike(link) || link.leads_to.is_some()) {
            let line = format!("{} IPv6 {} · IPv4 {}", clean(&link.url), end(&link.v6), end(&link.v4));
            self.detail(&line);
            if let Some(host) = &link.leads_to {
                let line = format!("→ {}", host_line(host));
                self.detail(&line);
            }
        }
    }

    pub(super) fn resources(&mut self, resources: &Resources) {
        let line = format!("{} {}", self.pick("资源主机", "Hosts of resources"), clean(&resources.page));
        self.step(&line);
        for host in &resources.hosts {
            let line = resource_host(host);
            self.detail(&line);
        }
        if resources.cut {
            self.more();
        }
        if resources.unread_styles > 0 {
            let line = format!("{} {}", self.pick("未读取的样式表", "style sheets not read:"), resources.unread_styles);
            self.detail(&line);
        }
        if resources.left_out > 0 {
            let line = format!("{} {}", self.pick("超过上限未测", "more than are looked at:"), resources.left_out);
            self.detail(&line);
        }
    }

    /// A page or style sheet is longer than is read of one.
    fn more(&mut self) {
        let line = self.pick("页面内容超过读取上限，其余未计", "more stands there than is read").to_owned();
        self.detail(&line);
    }

    pub(super) fn samples(&mut self, samples: &[Sample]) {
        let line = format!("{} {}", self.pick("采样", "Samples"), samples.len());
        self.step(&line);
        for sample in samples {
            let time = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), duration);
            let end = match (&sample.failure, sample.status) {
                (None, Some(status)) if sample.challenge => format!("{status} challenge"),
                (Some(failure), _) => failure.to_string(),
                (None, status) => status.map(|status| status.to_string()).unwrap_or_default(),
            };
            let line = format!(
                "{} dns {} tcp {} ttfb {} page {} → {end}",
                sample.family,
                time(sample.dns_us),
                time(sample.tcp_us),
                time(sample.first_byte_us),
                time(sample.page_us)
            );
            self.detail(&line);
        }
    }
}

fn end(fetch: &Fetch) -> String {
    let dead: Vec<String> = fetch.dead.iter().map(|address| format!(" (✗ {address})")).collect();
    let challenge = if fetch.challenge { " challenge" } else { "" };
    format!("{}{challenge}{}", link_end(&fetch.end), dead.concat())
}

/// How a request for a link ended, in one stable word.
pub(in crate::report) fn link_end(end: &FetchEnd) -> String {
    match end {
        FetchEnd::Status(status) => status.to_string(),
        FetchEnd::Failed(failure) => failure.to_string(),
        FetchEnd::NoAddress => "no_address".to_owned(),
        FetchEnd::NotPublic(scope) => format!("address_not_public({scope})"),
        FetchEnd::Unqualified => "unqualified_name".to_owned(),
        FetchEnd::Unresolved(outcome) => format!("unresolved({})", outcome.word()),
        FetchEnd::NotMade => "–".to_owned(),
        FetchEnd::Port(port) => format!("port_not_asked({port})"),
        FetchEnd::LeftAlone => "left_alone".to_owned(),
    }
}

fn resource_host(host: &ResourceHost) -> String {
    let kinds: Vec<String> = host.kinds.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
    format!("{} ({})", host_line(&host.check), kinds.join(", "))
}

fn host_line(host: &HostCheck) -> String {
    let side = |side: &HostSide| {
        let lookup = side.lookup.map(LookupOutcome::word).unwrap_or_default();
        let address = side.public().map(|address| address.to_string()).unwrap_or_default();
        let opens = match (side.opens(), side.connects.last().and_then(|connect| connect.failure.as_ref())) {
            (Some(true), _) => "open".to_owned(),
            (_, Some(failure)) => failure.to_string(),
            _ => String::new(),
        };
        let parts: Vec<String> =
            [lookup.to_owned(), address, opens].into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    let unasked = host.unasked.map(|why| format!(" · {}", why.word())).unwrap_or_default();
    format!("{}:{} IPv6 {} · IPv4 {}{unasked}", clean(&host.host), host.port, side(&host.v6), side(&host.v4))
}
