//! Mail, where it is asked for: the MX records of the site's name, the addresses of the hosts that they name, and whether these
//! greet on port 25 over each family.
//!
//! Most access networks block port 25. So hosts that are known to greet (canaries) are visited before and after; without
//! one that greets, no mail server is gone to, and nothing is said of any. Leaves to others: the visit itself
//! ([`crate::net::smtp`]), and what it means.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Prober;
use super::record::Recorder;
use super::shared::{Lasting, Shared};
use crate::model::address::Family;
use crate::model::evidence::{
    HOST_TRIES, HostCheck, LookupOutcome, Mail, MailHost, MailTry, RecordType, Round, is_unqualified,
};
use crate::model::site::Site;
use crate::model::time::Timestamp;
use crate::net::smtp;
use crate::net::turn::Subject;
use crate::net::work;

/// The port of mail servers (RFC 5321 §4.5.4.2).
const SMTP: u16 = 25;

/// Addresses of one host and family that are tried.
const TRIED_PER_HOST: usize = 3;

/// How old a canary may be that stands before a visit: no older than the alibi of a site's failure.
const CANARY_LASTS_MS: u64 = 30_000;

/// Bounds of the mail step.
#[derive(Clone, Debug, PartialEq)]
pub struct MailRules {
    /// Hosts of others that are known to greet on port 25, over both families. Empty: no mail server is gone to.
    pub canaries: Vec<String>,
    /// Hosts of one name that are looked at, the most preferred first.
    pub hosts: usize,
    /// How long a greeting is waited for. Some servers keep strangers waiting for half a minute.
    pub greeting: Duration,
    /// How long the hosts of one name may take, waiting included.
    pub time: Duration,
}

impl Default for MailRules {
    fn default() -> Self {
        Self { canaries: Vec::new(), hosts: 8, greeting: Duration::from_secs(40), time: Duration::from_mins(10) }
    }
}

/// The rules, and what all sites of a run share.
#[derive(Debug, Default)]
pub struct Mails {
    rules: MailRules,
    hosts: Shared<MailHost>,
    /// The last canary. One at a time, so that those who want one at the same time share it.
    canary: Mutex<Vec<MailTry>>,
}

impl Mails {
    /// Nothing is known yet.
    pub fn new(rules: MailRules) -> Self {
        Self { rules, ..Self::default() }
    }
}

impl Lasting for MailHost {
    fn lasts(&self) -> bool {
        self.check.lasts() && (self.check.v6.public().is_none() || self.greets_over(Family::V6))
    }
}

impl Prober {
    /// Looks at the mail of a site's name. None: its owner asked to be left alone.
    pub(super) async fn look_at_mail(&self, mails: &Mails, site: &Site, number: u8) -> Option<Mail> {
        let domain = site.host.strip_prefix("www.").unwrap_or(&site.host).to_owned();
        if self.opt_outs.of(&domain).is_some() {
            return None;
        }
        // The questions are for another type than the round's, and are kept with what they are about.
        let record = Recorder::new(Round::new(number, self.net.clock.now()), false);
        let known = self.resolve_other(&record, &domain, RecordType::Mx).await;
        if known.outcome != LookupOutcome::Answer {
            self.ask_another(&record, &domain, RecordType::Mx).await;
        }
        work::waiting(record.contradicted()).await;
        let lookups = record.finish().lookups;
        let mut mail = Mail { domain, lookups, hosts: Vec::new(), left_out: 0, out_of_time: false };
        let names: Vec<String> = mail.named().unwrap_or_default().to_vec();
        // An empty name is no host (RFC 7505), and DNS is not asked about names without dots.
        let hosts: Vec<&String> = names.iter().filter(|name| *name != "." && !is_unqualified(name)).collect();
        mail.left_out = u32::try_from(names.iter().filter(|name| *name != ".").count()).unwrap_or(u32::MAX);
        let looking = async {
            for host in hosts.into_iter().take(mails.rules.hosts) {
                let Some(check) = self.host(host, number).await else { continue };
                let looked = mails.hosts.get(host, number, Box::pin(self.visit_host(mails, &check))).await;
                mail.left_out = mail.left_out.saturating_sub(1);
                mail.hosts.push((*looked).clone());
            }
        };
        mail.out_of_time = timeout(mails.rules.time, looking).await.is_err();
        Some(mail)
    }

    async fn visit_host(&self, mails: &Mails, check: &HostCheck) -> MailHost {
        let mut host = MailHost { check: check.clone(), tries: Vec::new(), canaries: Vec::new() };
        let dialable = Family::BOTH.iter().any(|family| check.over(*family).public().is_some());
        if !dialable || check.contradicted {
            return host;
        }
        host.canaries = self.mail_canary(mails, None).await;
        for family in [Family::V6, Family::V4] {
            if is_open(&host.canaries, family) {
                let tries = self.try_mail(mails, check, family).await;
                host.tries.extend(tries);
            }
        }
        if host.check.v6.public().is_some()
            && !host.greets_over(Family::V6)
            && let Some(last) = host.over(Family::V6).map(MailTry::ended).max()
        {
            host.canaries.extend(self.mail_canary(mails, Some(last)).await);
        }
        host
    }

    /// One public address after the other, until one greets; each host at least twice.
    async fn try_mail(&self, mails: &Mails, check: &HostCheck, family: Family) -> Vec<MailTry> {
        let addresses: Vec<IpAddr> = check.over(family).all_public().take(TRIED_PER_HOST).collect();
        let mut made: Vec<MailTry> = Vec::new();
        if addresses.is_empty() {
            return made;
        }
        for number in 0..usize::from(HOST_TRIES).max(addresses.len()) {
            if number > 0 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
            let tried = self.try_address(mails, &check.host, addresses[number % addresses.len()]).await;
            let greeted = tried.is_greeted();
            made.push(tried);
            if greeted {
                break;
            }
        }
        made
    }

    async fn try_address(&self, mails: &Mails, host: &str, address: IpAddr) -> MailTry {
        let pass = self.net.turns.take(Subject::Request(host.to_owned(), address)).await;
        let (started, begun) = (self.net.clock.now(), Instant::now());
        let target = SocketAddr::new(address, SMTP);
        let end = smtp::visit(&self.net.connector, target, self.deadlines.connect, mails.rules.greeting).await;
        drop(pass);
        MailTry { address, started, duration_us: super::micros(begun.elapsed()), end }
    }

    /// A canary that began after this moment, or else one of the last half minute: over each family, one host that greets, or
    /// every one that did not.
    async fn mail_canary(&self, mails: &Mails, after: Option<Timestamp>) -> Vec<MailTry> {
        let mut last = work::waiting(mails.canary.lock()).await;
        let now = self.net.clock.now();
        let serves = |attempt: &MailTry| match after {
            Some(after) => attempt.started >= after,
            None => attempt.started.distance_ms(now) <= CANARY_LASTS_MS,
        };
        if !last.is_empty() && last.iter().all(serves) {
            return last.clone();
        }
        last.clear();
        for family in [Family::V6, Family::V4] {
            for name in &mails.rules.canaries {
                // The second round asks anew only what failed, as for every host.
                let Some(check) = self.host(name, 1).await else { continue };
                let Some(address) = check.over(family).public() else { continue };
                let tried = self.try_address(mails, name, address).await;
                last.push(tried);
                if is_open(&last, family) {
                    break;
                }
            }
        }
        last.clone()
    }
}

/// A canary greeted over the family.
fn is_open(canaries: &[MailTry], family: Family) -> bool {
    canaries.iter().any(|canary| Family::of(canary.address) == family && canary.is_greeted())
}
