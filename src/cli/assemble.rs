//! Putting the parts together: the configuration becomes a prober, a gate and scan rules.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::CliError;
use crate::calendar::Freeze;
use crate::clock::{Clock, SteadyClock, SystemClock};
use crate::config::{self, Config, Roots};
use crate::engine::breaker::BreakerRules;
use crate::engine::gate::{Anchor, GateRules};
use crate::engine::pace::{Pacer, Rules};
use crate::engine::scan::ScanRules;
use crate::judge::Criteria;
use crate::model::address::Family;
use crate::model::optout::OptOuts;
use crate::model::owner::Aliases;
use crate::model::site::Site;
use crate::net::connect::Connector;
use crate::net::dns::authority::{Authorities, system_resolvers};
use crate::net::dns::exchange::{DnsLimits, Exchanges};
use crate::net::dns::nat64;
use crate::net::http::HttpLimits;
use crate::net::local;
use crate::net::pages::Pages;
use crate::net::route::{Direct, Route, WithoutIpv6};
use crate::net::scope::AddressPolicy;
use crate::net::tls::TlsClient;
use crate::net::turn::Turns;
use crate::probe::deep::{Deep, DeepRules};
use crate::probe::delegation::{DelegationRules, Delegations};
use crate::probe::mail::{MailRules, Mails};
use crate::probe::{Attempts, Bounds, Deadlines, Net, Prober, Profile, Transports};

/// Descriptors kept free for files, the store and the terminal.
const SPARE_DESCRIPTORS: usize = 64;
/// With fewer descriptors nothing is measured: the gate looks at all anchors at once.
pub(super) const LEAST_DESCRIPTORS: usize = 128;
/// Descriptors a site in flight may use: connections, and a socket for each question, some fifteen to resolvers and name servers of which
/// each is listened to for a second answer until the site is done. With room for sixteen and 256 in all, some questions found no socket
/// on every attempt.
const DESCRIPTORS_PER_SITE: usize = 32;

/// The way out and what belongs to it.
pub(super) struct Surroundings {
    pub(super) route: Arc<dyn Route>,
    pub(super) policy: AddressPolicy,
    pub(super) resolvers: Vec<SocketAddr>,
    /// Where walks over IPv6 begin.
    pub(super) roots: Vec<Ipv6Addr>,
    /// Mozilla's trust anchors are trusted.
    pub(super) bundled_roots: bool,
    /// Further ones.
    pub(super) anchors_pem: Vec<Vec<u8>>,
    /// Prefixes are treated as public that are not.
    pub(super) lab: bool,
    /// The one pacer of everything that is sent.
    pub(super) turns: Arc<dyn Turns>,
}

impl Surroundings {
    /// The real Internet, or a laboratory's network, as the configuration says.
    pub(super) fn real(config: &Config) -> Result<Self, CliError> {
        let lab = !config.lab.public_prefixes.is_empty();
        if lab && local::has_default_route() != Some(false) {
            return Err(CliError::NotALab);
        }
        let resolvers = if config.dns.resolvers.is_empty() {
            system_resolvers().map_err(|error| CliError::Setup { what: "resolvers", why: error.to_string() })?
        } else {
            config.dns.resolvers.clone()
        };
        let mut anchors_pem = Vec::new();
        if let Some(path) = &config.tls.ca_file {
            anchors_pem.push(read(path)?);
        }
        let policy =
            AddressPolicy { public_prefixes: config.lab.public_prefixes.clone(), local_deny: local::own_networks() };
        let bundled_roots = config.tls.roots == Roots::Bundled;
        let roots = config.dns.roots.clone();
        let (route, turns) = (Arc::new(Direct), turns(config));
        Ok(Self { route, policy, resolvers, roots, bundled_roots, anchors_pem, lab, turns })
    }

    /// The same for a run that may leave IPv6 alone: then resolvers that are reached over it are not asked either, and the way
    /// out has none.
    pub(super) fn over(self, transports: Transports) -> Self {
        if transports == Transports::Both {
            return self;
        }
        let resolvers = self.resolvers.into_iter().filter(SocketAddr::is_ipv4).collect();
        Self { route: Arc::new(WithoutIpv6(self.route)), resolvers, ..self }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// Lets no address in a NAT64 prefix be dialled that this network has, as far as its resolvers say (RFC 7050). The
/// system's resolvers are asked as well: the configured ones may be somebody else's. A laboratory's network is not theirs.
pub(super) async fn deny_nat64(config: &Config, surroundings: &mut Surroundings) {
    let mut resolvers = surroundings.resolvers.clone();
    if !surroundings.lab {
        resolvers.extend(system_resolvers().unwrap_or_default());
    }
    resolvers.sort_unstable();
    resolvers.dedup();
    let connector = Connector::new(Arc::clone(&surroundings.route), surroundings.policy.clone());
    let turns = Arc::clone(&surroundings.turns);
    let exchanges = Exchanges::new(connector, turns, Arc::new(SystemClock), dns(config));
    surroundings.policy.local_deny.extend(nat64::prefixes(&exchanges, &resolvers).await);
}

/// The pacer of a run.
pub(super) fn turns(config: &Config) -> Arc<dyn Turns> {
    Arc::new(Pacer::new(pace(config)))
}

fn dns(config: &Config) -> DnsLimits {
    DnsLimits { timeout: config.dns.timeout, cname: config.limits.cname, second_reply: config.dns.second_reply }
}

/// The prober for a configuration and its surroundings.
pub(super) fn prober(config: &Config, surroundings: &Surroundings) -> Result<Prober, CliError> {
    let connector = Connector::new(Arc::clone(&surroundings.route), surroundings.policy.clone());
    let turns = Arc::clone(&surroundings.turns);
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_at(&SystemClock));
    let tls = TlsClient::new(surroundings.bundled_roots, &surroundings.anchors_pem)?;
    let http = http(config);
    let user_agent = config.project.user_agent();
    let setup = |what: &'static str| move |why: String| CliError::Setup { what, why };
    let authorities =
        Authorities::new(&surroundings.resolvers, config.dns.timeout, connector.clone(), Arc::clone(&turns))
            .map_err(|error| setup("the resolver")(error.to_string()))?;
    let pages_v4 = Pages::new(Family::V4, connector.clone(), &tls, &user_agent, http)
        .map_err(|error| setup("the page client")(error.to_string()))?;
    let pages_v6 = Pages::new(Family::V6, connector.clone(), &tls, &user_agent, http)
        .map_err(|error| setup("the page client")(error.to_string()))?;
    let net = Net {
        exchanges: Exchanges::new(connector.clone(), Arc::clone(&turns), Arc::clone(&clock), dns(config)),
        authorities,
        connector,
        tls,
        pages_v4,
        pages_v6,
        turns,
        clock,
        resolvers: surroundings.resolvers.clone(),
        http,
        user_agent,
    };
    let roots = surroundings.roots.iter().map(|root| SocketAddr::new((*root).into(), 53)).collect();
    let delegations = Arc::new(Delegations::new(DelegationRules { roots, ..DelegationRules::default() }));
    Ok(Prober {
        net: Arc::new(net),
        deadlines: deadlines(config),
        attempts: attempts(config),
        bounds: bounds(config),
        opt_outs: OptOuts::default(),
        delegations,
        profile: profile(config),
        deep: Arc::new(Deep::new(deep(config))),
        mail: config.measure.mail.then(|| Arc::new(Mails::new(mail(config)))),
    })
}

fn pace(config: &Config) -> Rules {
    let pace = &config.pace;
    Rules {
        per_host_interval: pace.per_host_interval,
        per_address: pace.per_address,
        per_prefix: pace.per_prefix,
        resolver_qps: pace.resolver_qps,
        authority_qps: pace.authority_qps,
        reset_pause: pace.reset_pause,
    }
}

fn http(config: &Config) -> HttpLimits {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let limits = &config.limits;
    HttpLimits {
        first_byte: config.deadlines.first_byte,
        total: config.deadlines.fetch,
        head_bytes: limits.header_bytes,
        head_lines: limits.header_lines,
        informational: limits.informational,
        body_wire: size(limits.body_wire),
        body_decoded: size(limits.body_decoded),
        ratio: size(limits.ratio),
        slow_window: limits.slow_window,
        slow_bytes: size(limits.slow_bytes),
    }
}

fn deadlines(config: &Config) -> Deadlines {
    let deadlines = &config.deadlines;
    Deadlines {
        connect: deadlines.connect,
        connect_retry: deadlines.connect_retry,
        tls: deadlines.tls,
        site: deadlines.site,
    }
}

fn attempts(config: &Config) -> Attempts {
    Attempts { per_address: config.attempts.per_address, dns: config.dns.attempts, spacing: config.attempts.spacing }
}

fn bounds(config: &Config) -> Bounds {
    let limits = &config.limits;
    Bounds {
        addresses: limits.addresses_tried,
        redirects: limits.redirects,
        url_bytes: limits.url_bytes,
        retry_after: limits.retry_after,
        queries: limits.queries,
        ..Bounds::default()
    }
}

fn profile(config: &Config) -> Profile {
    match config.measure.profile {
        config::Profile::Quick => Profile::Quick,
        config::Profile::Standard => Profile::Standard,
        config::Profile::Deep => Profile::Deep,
    }
}

fn mail(config: &Config) -> MailRules {
    MailRules { canaries: config.measure.mail_canaries.clone(), ..MailRules::default() }
}

fn deep(config: &Config) -> DeepRules {
    let deep = &config.deep;
    DeepRules {
        level2: deep.level2,
        level3: deep.level3,
        external: deep.external,
        requests: deep.requests,
        time: deep.time,
        hosts: deep.hosts,
        styles: deep.styles,
        samples: deep.samples,
        aliases: Aliases::read(&deep.aliases),
    }
}

/// The gate's rules. An anchor that asked to be left alone is none.
pub(super) fn gate(config: &Config, opt_outs: &OptOuts) -> GateRules {
    let gate = &config.gate;
    let willing = gate.anchors.iter().filter(|anchor| opt_outs.of(&anchor.host.to_ascii_lowercase()).is_none());
    let anchors = willing
        .map(|anchor| Anchor { site: Site::new(&anchor.host, None, None, None), network: anchor.network.clone() });
    GateRules {
        anchors: anchors.collect(),
        minimum_pass: gate.minimum_pass,
        minimum_networks: gate.minimum_networks,
        large_body: gate.large_body,
        v4only_names: gate.dns64_names.clone(),
        nxdomain_suffixes: gate.nxdomain_suffixes.clone(),
        controls: gate.controls.clone(),
    }
}

/// How many sites at once there are descriptors for. None: not known on this system.
pub(super) fn room() -> Option<usize> {
    descriptor_limit().map(|limit| limit.saturating_sub(SPARE_DESCRIPTORS) / DESCRIPTORS_PER_SITE)
}

/// How the scan is run.
pub(super) fn scan_rules(config: &Config, transports: Transports) -> ScanRules {
    ScanRules {
        jobs: config.pace.jobs,
        slow_jobs: config.pace.slow_jobs,
        slow_after: config.pace.slow_after,
        second_round_after: config.attempts.second_round_after,
        canary_interval: config.gate.canary_interval,
        dns_interval: config.gate.dns_interval,
        recovery_interval: config.gate.recovery_interval,
        outage_patience: config.gate.outage_patience,
        breaker: BreakerRules {
            opens_after: config.gate.breaker_opens_after,
            closes_after: config.gate.breaker_closes_after,
            burst: config.gate.failure_burst,
            ..BreakerRules::default()
        },
        // With the last proofs and the reports of what is finished within ten seconds.
        grace: Duration::from_secs(6),
        transports,
        criteria: Criteria::default(),
        freeze: freeze(config),
        retry_after: config.limits.retry_after_longest,
    }
}

/// Raises the soft limit of open descriptors to the hard one, which is there for the taking. Where that fails, fewer sites are
/// probed at once.
pub(super) fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// Refuses to begin where descriptors would run out at once.
pub(super) fn enough_descriptors() -> Result<(), CliError> {
    match descriptor_limit() {
        Some(limit) if limit < LEAST_DESCRIPTORS => Err(CliError::FewDescriptors { limit }),
        _ => Ok(()),
    }
}

/// When nothing may be measured. That the windows can be read was asked when the configuration was.
pub(super) fn freeze(config: &Config) -> Freeze {
    Freeze::read(&config.pace.freeze, super::settings::zone(config)).unwrap_or_default()
}

/// The soft limit of open descriptors. None: not known on this system, or there is none.
pub(super) fn descriptor_limit() -> Option<usize> {
    // Asked of the system itself: a file could not be opened when it matters.
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .and_then(|limit| limit.try_into().ok());
    #[cfg(not(unix))]
    None
}

/// Transports by the flag.
pub(super) fn transports(without_ipv6: bool) -> Transports {
    if without_ipv6 { Transports::WithoutIpv6 } else { Transports::Both }
}
