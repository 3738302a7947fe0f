//! Samples: the landing page again and again, the families in turns, one connection each.
//!
//! Who goes first changes with every pair, so that neither family always meets the server that the other has just woken.
//! Leaves to others: what the times mean.

use std::net::SocketAddr;
use std::time::Instant;

use url::Url;

use super::Prober;
use super::left_alone;
use super::links::is_challenge;
use super::record::{LandingPage, Recorder};
use super::target::authority;
use crate::model::address::Family;
use crate::model::evidence::{LookupOutcome, Purpose, RecordType, Sample, ServerRole};
use crate::model::failure::Failure;
use crate::net::dns::exchange::Ask;
use crate::net::http::{self, Fetched, Get};
use crate::net::turn::Subject;

impl Prober {
    /// Takes the samples, if both families landed on the page's host.
    pub(super) async fn samples(&self, record: &Recorder, page: &LandingPage) {
        let Ok(url) = Url::parse(&page.url) else { return };
        let target = |family: Family| {
            record.read(|round| {
                let entries = round.walks.iter().filter(|walk| walk.family == family && walk.purpose == Purpose::Entry);
                let mut landed =
                    entries.filter(|walk| walk.landing().is_some() && walk.landing_url() == Some(&page.url));
                let address = landed.find_map(|walk| walk.hops.last()?.address)?;
                Some(SocketAddr::new(address, url.port_or_known_default()?))
            })
        };
        let (Some(v4), Some(v6)) = (target(Family::V4), target(Family::V6)) else { return };
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        for number in 0..self.deep.rules.samples {
            let pair = if number % 2 == 0 { [v4, v6] } else { [v6, v4] };
            for target in pair {
                if self.deep.left_alone.holds(&host) {
                    return;
                }
                let sample = Box::pin(self.sample(&url, target)).await;
                record.write(|round| round.samples.push(sample));
            }
        }
    }

    async fn sample(&self, url: &Url, target: SocketAddr) -> Sample {
        let host = url.host_str().unwrap_or_default().to_owned();
        let family = Family::of(target.ip());
        let mut sample = Sample {
            family,
            started: self.net.clock.now(),
            dns_us: None,
            tcp_us: None,
            first_byte_us: None,
            page_us: None,
            status: None,
            failure: None,
            challenge: false,
        };
        if let (Some(url::Host::Domain(name)), Some(server)) = (url.host(), self.resolver_order(&host, 0).first()) {
            let ask = Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt: 1 };
            let lookup = self.net.exchanges.ask(name, RecordType::of(family), ask).await;
            sample.dns_us = (lookup.outcome == LookupOutcome::Answer).then_some(lookup.duration_us);
        }
        let pass = self.net.turns.take(Subject::Request(host.clone(), target.ip())).await;
        sample.started = self.net.clock.now();
        let fetched = self.fetch_sample(url, target, &mut sample).await;
        drop(pass);
        self.net.turns.heard(&host, target.ip(), fetched.as_ref().is_err_and(|failure| *failure == Failure::Reset));
        match fetched {
            Ok(fetched) => {
                if left_alone::asks(fetched.status, &fetched.headers) {
                    self.deep.left_alone.add(&host.to_ascii_lowercase());
                }
                sample.status = Some(fetched.status);
                sample.challenge = is_challenge(&fetched, self.net.http).await;
                sample.failure = fetched.body_failure;
            }
            Err(failure) => sample.failure = Some(failure),
        }
        sample
    }

    async fn fetch_sample(&self, url: &Url, target: SocketAddr, sample: &mut Sample) -> Result<Fetched, Failure> {
        let net = &self.net;
        let (server_name, authority) = authority(url)?;
        let begun = Instant::now();
        let stream = net.connector.connect(target, self.deadlines.connect).await?;
        sample.tcp_us = Some(super::micros(begun.elapsed()));
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let get = Get { authority: &authority, target: path, user_agent: &net.user_agent, cookie: None };
        let (asked, fetched) = if url.scheme() == "https" {
            let secured = net.tls.handshake(stream, &server_name, sample.started, self.deadlines.tls).await?;
            (begun.elapsed(), http::get(secured.stream, &get, &net.http).await?)
        } else {
            (begun.elapsed(), http::get(stream, &get, &net.http).await?)
        };
        sample.first_byte_us = Some(super::micros(asked + fetched.ttfb));
        sample.page_us = fetched.body_failure.is_none().then(|| super::micros(asked + fetched.total));
        Ok(fetched)
    }
}
