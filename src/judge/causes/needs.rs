//! What one site needs in order to pass, or to be without defects: its findings, each with the thing it is about.
//!
//! Findings that one and the same change mends have one key: a name without AAAA is one cause, be it listed, an alias's
//! end or the target of a redirect.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::judge::landing;
use crate::model::args::Args;
use crate::model::cause::CauseKey;
use crate::model::finding::{Code, Finding, Severity};
use crate::model::verdict::{Assessment, CountsAs, Readiness};

/// One thing that a site needs to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What.
    pub key: CauseKey,
    /// Arguments for the wording.
    pub args: Args,
}

/// Findings about ourselves: nobody has to mend anything for them.
const OURS: [Code; 4] = [Code::InternalError, Code::LocalFault, Code::VantageUnproven, Code::ResolverUnproven];

/// All that a site needs. Empty only if it neither fails nor has a defect.
pub fn needs(assessment: &Assessment) -> Vec<Need> {
    let found = |wanted: &dyn Fn(Code) -> bool| -> Vec<Need> {
        let findings = assessment.findings.iter().filter(|finding| wanted(finding.code));
        findings.flat_map(|finding| of_finding(assessment, finding)).collect()
    };
    let mut needs = match (assessment.readiness, assessment.readiness.counts_as()) {
        (_, CountsAs::Fail) => {
            let mut needs = found(&|code| code.severity() == Severity::Fault && !OURS.contains(&code));
            if assessment.readiness == Readiness::Absent {
                // A record is of no use as long as the servers do not give it.
                needs.extend(found(&|code| code == Code::DnsAaaaMishandled));
            }
            needs
        }
        (Readiness::ReadyDefect, _) => found(&|code| code.severity() == Severity::Defect),
        _ => return Vec::new(),
    };
    if needs.is_empty() && assessment.readiness.counts_as() == CountsAs::Fail {
        // Whatever the rules will say one day: every failing row is in a cause.
        let code = if assessment.readiness == Readiness::Absent { Code::AaaaAbsent } else { Code::V6Http };
        needs.push(of_host(code, assessment.site.host()));
    }
    needs.sort_by(|left, right| left.key.cmp(&right.key));
    needs.dedup_by(|left, right| left.key == right.key);
    needs
}

fn of_finding(assessment: &Assessment, finding: &Finding) -> Vec<Need> {
    let host = assessment.site.host();
    let arg = |name: &str| finding.args.get(name).filter(|value| !value.is_empty());
    match finding.code {
        // One name without AAAA.
        Code::AaaaAbsent => vec![of_host(Code::AaaaAbsent, host)],
        Code::CnameTargetV4only => vec![of_host(Code::AaaaAbsent, arg("target").unwrap_or(host))],
        Code::RedirectV4only => {
            // A URL, or a host as it is.
            let target = arg("target").map(|url| landing::host_of(url).unwrap_or_else(|| url.to_owned()));
            vec![of_host(Code::AaaaAbsent, target.as_deref().unwrap_or(host))]
        }
        // One server, whatever the number of names on it.
        Code::V6Timeout | Code::V6Refused | Code::V6Reset | Code::V6Unreachable | Code::V6Tls | Code::V6Http => {
            vec![of_place(assessment, finding)]
        }
        Code::WrongVhost | Code::SomeAddressesDead | Code::PortDiff => vec![of_place(assessment, finding)],
        Code::PmtuBlackhole => vec![of_prefix(assessment, finding)],
        // One zone, or one name server of it.
        Code::NsV4only | Code::Ns6Single | Code::V6ChainBroken | Code::DelegationDiff => {
            each(arg("zone")).map(|zone| of(finding.code, zone, finding, &[("zone", zone)])).collect()
        }
        Code::Ns6Unreachable | Code::Ns6TcpFail | Code::Ns6Lame | Code::NsIsCname | Code::GlueMissingV6 => {
            let servers: Vec<&str> = each(arg("server")).collect();
            let single = if servers.len() == 1 { Some(finding) } else { None };
            let need = |server: &&str| match single {
                Some(finding) => of(finding.code, server, finding, &[("server", server)]),
                // Addresses of several servers cannot be told apart.
                None => of_args(finding.code, server, &[("server", server)]),
            };
            servers.iter().map(need).collect()
        }
        // One host that the pages of many sites are put together from.
        Code::SkylightHost | Code::SkylightV6Dead => {
            let dead = finding.code == Code::SkylightV6Dead;
            let blocking = assessment.facts.skylight.iter().flat_map(|skylight| &skylight.blocking);
            let hosts = blocking.filter(|of| of.dead == dead).map(|of| of.host.as_str());
            let code = if dead { finding.code } else { Code::AaaaAbsent };
            let named: Vec<Need> = hosts.map(|host| of_args(code, host, &[("host", host), ("hosts", host)])).collect();
            if named.is_empty() { vec![of(finding.code, host, finding, &[("host", host)])] } else { named }
        }
        Code::CertV6 => {
            let subject = arg("certificate").map_or_else(|| host.to_owned(), str::to_owned);
            vec![of(finding.code, &subject, finding, &[("host", host)])]
        }
        code => vec![of(code, host, finding, &[("host", host)])],
    }
}

/// The values of an argument that may have several.
fn each(values: Option<&str>) -> impl Iterator<Item = &str> {
    values.into_iter().flat_map(|values| values.split(", ")).filter(|value| !value.is_empty())
}

fn of_args(code: Code, subject: &str, args: &[(&str, &str)]) -> Need {
    Need { key: CauseKey { code, subject: subject.to_owned() }, args: args.iter().copied().collect() }
}

fn of(code: Code, subject: &str, finding: &Finding, more: &[(&str, &str)]) -> Need {
    let need = of_args(code, subject, more);
    Need { args: need.args.or(&finding.args), ..need }
}

fn of_host(code: Code, host: &str) -> Need {
    of_args(code, host, &[("host", host)])
}

/// The server at the other end. Where a name has several public addresses they are one place, since resolvers rotate them.
fn of_place(assessment: &Assessment, finding: &Finding) -> Need {
    let named = finding.args.get("address").filter(|address| !address.is_empty());
    let own = public(assessment);
    // A redirect's target has addresses of its own.
    let elsewhere = named.filter(|address| address.parse().is_ok_and(|address| !own.contains(&address)));
    let addresses = match (finding.code, named, elsewhere) {
        (Code::SomeAddressesDead, Some(dead), _) => dead.to_owned(),
        (_, _, Some(address)) => address.to_owned(),
        _ if own.is_empty() => named.unwrap_or_else(|| assessment.site.host()).to_owned(),
        _ => own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let port = finding.args.get("port").filter(|port| !port.is_empty());
    let subject = match port {
        Some(port) => format!("[{addresses}]:{port}"),
        None => format!("[{addresses}]"),
    };
    let need = of(finding.code, &subject, finding, &[]);
    match addresses.split(", ").next() {
        Some(first) => Need { args: need.args.with("address", first), ..need },
        None => need,
    }
}

/// The network behind the narrow stretch: a /48, which is what a site of the Internet gets (RFC 6177 §2).
fn of_prefix(assessment: &Assessment, finding: &Finding) -> Need {
    let first = finding.args.get("address").and_then(|addresses| addresses.split(", ").next()?.parse().ok());
    let address = first.or_else(|| public(assessment).first().copied());
    let subject = match address {
        Some(IpAddr::V6(address)) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> 48));
            format!("{network}/48")
        }
        _ => assessment.site.host().to_owned(),
    };
    of(finding.code, &subject, finding, &[])
}

/// The site's IPv6 addresses without those that were not dialled because of what they are.
fn public(assessment: &Assessment) -> Vec<IpAddr> {
    let special = [Code::AddrMapped, Code::AddrTranslated, Code::AddrSpecial, Code::AddrLocal];
    let findings = assessment.findings.iter().filter(|finding| special.contains(&finding.code));
    let refused: BTreeSet<IpAddr> = findings
        .flat_map(|finding| each(finding.args.get("address")))
        .filter_map(|address| address.parse().ok())
        .collect();
    assessment.facts.aaaa.iter().copied().filter(|address| !refused.contains(address)).collect()
}
