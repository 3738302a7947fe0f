//! Delegation: in which zones a site's names are, who speaks for these, and whether that works over IPv6.
//!
//! A site costs one question for the zone cut of its name, and one for each name of its alias chain. A zone is looked at
//! once per run, or once per round while something fails, however many sites are in it: `survey` asks parent and zone,
//! `checks` the name servers, `walk` goes the way of a resolver without IPv4, `shared` keeps what was learnt. Leaves to
//! others: what it means ([`crate::judge`]).

mod budget;
mod checks;
mod names;
mod survey;
mod walk;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::names::{above, is_in};
use self::survey::{Host, Survey, Surveyor};
use self::walk::Ways;
use super::Prober;
use super::record::Recorder;
use super::shared::Shared;
use crate::model::evidence::{Delegation, Lookup, LookupOutcome, RecordType, ServerCheck, ServerRole, Whose};
use crate::net::dns::exchange::Ask;
use crate::net::work;

/// Labels walked up in search of a zone cut.
const CLIMB: usize = 8;
/// Names of an alias chain whose zones are looked at.
const ALIASES: usize = 4;

/// How delegations are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationRules {
    /// IPv6 addresses of the root's servers, at which walks begin. Empty: no walks are made.
    pub roots: Vec<SocketAddr>,
    /// Queries that one zone may cost in a round, without its walk.
    pub queries: usize,
    /// Time that one zone may take.
    pub deadline: Duration,
}

impl Default for DelegationRules {
    fn default() -> Self {
        Self { roots: Vec::new(), queries: 100, deadline: Duration::from_mins(1) }
    }
}

/// What a run knows about zones and their servers.
#[derive(Debug, Default)]
pub struct Delegations {
    rules: DelegationRules,
    surveys: Shared<Survey>,
    hosts: Shared<Host>,
    /// By name: the zone it is in.
    zones: Shared<Option<String>>,
    /// By address: TCP to it.
    tcp: Shared<ServerCheck>,
    /// Questions to the root over IPv6, which show that this vantage can ask over IPv6 at all.
    controls: Shared<Vec<ServerCheck>>,
    ways: Ways,
}

impl Delegations {
    /// Nothing is known yet.
    pub fn new(rules: DelegationRules) -> Self {
        Self { rules, ..Self::default() }
    }
}

impl Prober {
    /// Looks at the zone of a name that was resolved, and at those of its alias chain.
    pub(super) async fn look_at_zones(&self, record: &Recorder, host: &str, round: u8) {
        if host.parse::<IpAddr>().is_ok() {
            return;
        }
        let (resolved, mut aliases) = record.read(|round| aliases(&round.lookups, host));
        let is_alias = !aliases.is_empty();
        aliases.retain(|alias| self.opt_outs.of(alias).is_none());
        // A name that nobody could resolve has no zone that could be told.
        if !resolved {
            return;
        }
        // An alias is no apex: the zone that it is in is that of the name above it. Asked for its own SOA, a resolver would
        // follow it into another zone.
        let listed = if is_alias { above(host) } else { Some(host) };
        let starts = listed.into_iter().chain(aliases.iter().map(String::as_str));
        let zones = work::all(starts.map(|name| self.zone_cut(record, name)).collect()).await;
        let mut wanted: Vec<(Whose, String)> = Vec::new();
        for (index, zone) in zones.into_iter().enumerate() {
            let whose = if index == 0 { Whose::Listed } else { Whose::Alias };
            if let Some(zone) = zone.filter(|zone| wanted.iter().all(|(_, known)| known != zone)) {
                wanted.push((whose, zone));
            }
        }
        let surveys = wanted.iter().map(|(_, zone)| async move {
            // Boxed where it is made, since all sites wait and one looks.
            let make = async { Box::pin(Surveyor::new(self, round).survey(zone)).await };
            self.delegations.surveys.get(zone, round, make).await
        });
        for ((whose, _), survey) in wanted.iter().zip(work::all(surveys.collect()).await) {
            record.delegation(Delegation { whose: *whose, ..survey.0.clone() });
        }
    }

    /// The zone that a site's name is in. The questions are evidence of the site.
    async fn zone_cut(&self, record: &Recorder, name: &str) -> Option<String> {
        let (zone, lookups) = self.find_zone(name).await;
        for lookup in lookups {
            record.lookup(lookup, None);
        }
        zone
    }

    /// The zone a name is in: the owner of the SOA that comes with the answer, never a matter of counting labels. None:
    /// nobody could say, or it is the root.
    async fn find_zone(&self, name: &str) -> (Option<String>, Vec<Lookup>) {
        use LookupOutcome::{Answer, Nodata, NodataNosoa, Nxdomain};
        let mut asked = Vec::new();
        let mut at = name;
        for _ in 0..CLIMB {
            let lookups = self.ask_plainly(at, RecordType::Soa).await;
            let Some(lookup) = lookups.last().cloned() else { break };
            asked.extend(lookups);
            let owner = lookup.soa_owner.filter(|owner| owner != "." && is_in(at, owner));
            match (lookup.outcome, owner) {
                // An alias, or the answer of a server that leaves the SOA out: no zone begins here.
                (Answer | Nodata, _) if !lookup.chain.is_empty() => {}
                (Answer | Nodata | Nxdomain, Some(owner)) => return (Some(owner), asked),
                (NodataNosoa | Nxdomain, None) => {}
                _ => break,
            }
            match above(at) {
                Some(higher) if !higher.is_empty() => at = higher,
                _ => break,
            }
        }
        (None, asked)
    }

    /// Asks one resolver, and a second one if the first gives no plain answer; both again after a pause if neither does.
    /// The last lookup is the one that counts.
    async fn ask_plainly(&self, name: &str, rtype: RecordType) -> Vec<Lookup> {
        let mut lookups = Vec::new();
        for attempt in 1..=self.attempts.dns {
            if attempt > 1 {
                tokio::time::sleep(self.attempts.spacing).await;
            }
            for server in self.resolver_order(name, 1).into_iter().take(2) {
                let ask = Ask { server, role: ServerRole::Resolver, checking_disabled: false, attempt };
                let lookup = self.net.exchanges.ask(name, rtype, ask).await;
                let plain = matches!(
                    lookup.outcome,
                    LookupOutcome::Answer
                        | LookupOutcome::Nodata
                        | LookupOutcome::NodataNosoa
                        | LookupOutcome::Nxdomain
                );
                lookups.push(lookup);
                if plain {
                    return lookups;
                }
            }
        }
        lookups
    }
}

/// Whether the name has an address by these lookups, and the names of its alias chain.
fn aliases(lookups: &[Lookup], host: &str) -> (bool, Vec<String>) {
    let about = || lookups.iter().filter(|lookup| lookup.name == host && lookup.outcome == LookupOutcome::Answer);
    let chain = about().map(|lookup| &lookup.chain).find(|chain| !chain.is_empty());
    let names = chain.into_iter().flatten().map(|alias| alias.to.clone());
    let mut names: Vec<String> = names.collect();
    // The end of the chain is where the addresses are.
    if names.len() > ALIASES {
        names.drain(ALIASES - 1..names.len() - 1);
    }
    (about().next().is_some(), names)
}
