//! Findings: stable codes with arguments and a pointer into the evidence. Severity is a table here; wording is a table in
//! [`crate::report`].

use serde::{Deserialize, Serialize};

use super::args::Args;
use super::evidence::Pointer;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Why IPv6 does not give the service, or why nothing can be said.
    Fault,
    /// The service is reached, with this to be mended.
    Defect,
    /// Worth knowing; nothing to be mended for IPv6.
    Note,
}

/// A finding about one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub code: Code,
    /// Named details for the wording, such as `address` or `status`. Untrusted text is escaped where it is shown.
    #[serde(default, skip_serializing_if = "Args::is_empty")]
    pub args: Args,
    /// Where the evidence is.
    pub evidence: Vec<Pointer>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident $severity:ident;)+) => {
        /// The stable finding codes, written in `UPPER_SNAKE_CASE`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in table order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }
        }
    };
}

codes! {
    // DNS
    /// Authoritative: the name has no AAAA record.
    AaaaAbsent Fault;
    /// There are AAAA records, but none that can be reached from the public Internet.
    AaaaUnusable Fault;
    /// AAAA queries are dropped, refused or answered wrongly by the name servers, while A works (RFC 4074).
    DnsAaaaMishandled Defect;
    /// NODATA without the SOA record that RFC 2308 asks for.
    AaaaNodataNosoa Note;
    /// The name does not exist.
    NameNxdomain Fault;
    /// The name cannot be resolved at all.
    DnsUnresolvable Fault;
    /// Sources contradict each other about the name, or fewer were heard than a negative answer needs.
    DnsDisagree Fault;
    /// Only one source could be asked; its word stood in both rounds.
    DnsSingleSource Note;
    /// Two different answers came to one query, or an address that forgers use: somebody on the path answers in the name
    /// servers' place. The answer over TCP counts.
    DnsForged Note;
    /// The answer exists only when DNSSEC validation is switched off.
    DnssecBogus Defect;
    /// The alias chain returns to itself.
    CnameLoop Fault;
    /// The alias chain is longer than is followed.
    LimitCname Fault;
    /// The name is an alias, and the last name of its chain, inside the zone or outside, has no AAAA; `target` says which.
    CnameTargetV4only Fault;
    /// The answer was truncated and TCP to the server does not work.
    TcNoTcp Fault;
    /// The name has no address that was found; its sibling (`www.` added or removed) has one. Judged instead only if
    /// the listed name exists without any address.
    SiblingHasSite Note;
    /// The listed name has no AAAA, its `www.` sibling has.
    WwwHasV6 Note;
    /// There is no AAAA record, but an HTTPS record hints at an IPv6 address (RFC 9460), which does not replace it.
    HintOnly Note;
    /// The site has IPv6 only.
    V6Only Note;
    // Addresses
    /// An IPv4-mapped IPv6 address in AAAA.
    AddrMapped Defect;
    /// A NAT64 address in AAAA.
    AddrTranslated Defect;
    /// Another special-purpose address in AAAA; `scope` says which.
    AddrSpecial Defect;
    /// The address lies in the scanner's own network and was not dialled.
    AddrLocal Note;
    /// An address of the A record is not public.
    AddrV4Special Note;
    /// More addresses than are tried.
    LimitAddr Note;
    /// Some addresses answer, others do not.
    SomeAddressesDead Defect;
    // Transport
    /// No answer over IPv6.
    V6Timeout Fault;
    /// Connection refused over IPv6.
    V6Refused Fault;
    /// Connection reset over IPv6.
    V6Reset Fault;
    /// An ICMPv6 error came back.
    V6Unreachable Fault;
    /// Large packets are lost on the way over IPv6: what stalls comes as soon as the server may send small segments only;
    /// `mss` says how small.
    PmtuBlackhole Fault;
    /// A port that answers over IPv4 does not over IPv6.
    PortDiff Defect;
    /// IPv4 does not give the service, IPv6 does.
    V4Broken Note;
    /// Neither family gives the service.
    BothFail Fault;
    /// Responses begin much later over IPv6 than over IPv4, in every round; `v4_ms` and `v6_ms` say when.
    SlowV6 Note;
    // TLS
    /// The certificate has a fault over IPv6 that it has not over IPv4, or that cannot be compared since IPv4 does not
    /// give the service; `fault` says which.
    CertV6 Defect;
    /// The certificate has the same fault over both families.
    CertBoth Note;
    /// The certificate is at fault over IPv4 only.
    CertV4 Note;
    /// TLS the client library cannot speak, on both families.
    TlsUnsupported Defect;
    /// The TLS handshake fails over IPv6 only.
    V6Tls Fault;
    // HTTP
    /// The IPv6 response is not usable HTTP, or none came.
    V6Http Fault;
    /// The status over IPv6 is an error, over IPv4 it is not.
    V6Status Fault;
    /// The body ends early over IPv6 only, and not at a limit of ours.
    V6Truncated Defect;
    /// An error status on every family that was tried, not necessarily the same; `status` says which.
    SiteError Fault;
    /// Authentication is asked for (401), on one family or both.
    AuthRequired Note;
    /// Over IPv6 the site redirects to a host without IPv6.
    RedirectV4only Fault;
    /// Over IPv6 the site redirects to an address that is not public.
    RedirectInternal Fault;
    /// Over IPv6 the redirects do not end.
    RedirectEndless Fault;
    /// Over IPv6 the redirect target is unusable or cannot be resolved.
    RedirectBad Fault;
    /// The site redirects to a host whose owner asked not to be measured.
    RedirectOptedOut Fault;
    /// Redirects do not end on either family.
    RedirectParity Fault;
    /// The families land on hosts of different owners (registrable domains); `v4_host` and `v6_host` say which.
    LandingDiff Note;
    /// One entry (http or https) fails over IPv6, another serves.
    SchemeDiff Defect;
    /// The server asked to be left alone.
    RateLimited Fault;
    // Content
    /// A challenge page of a web application firewall: IPv6 reaches the service, the content was not seen.
    Challenge Note;
    /// A challenge page over IPv6 where IPv4 shows none: visitors over IPv6 are treated worse.
    ChallengeV6Only Defect;
    /// An error status over IPv6 where IPv4 shows a challenge page: what is behind that is not known.
    ChallengeV4Only Fault;
    /// The content could not be compared.
    ContentUnverified Note;
    /// The page leads on by script only.
    JsRedirectUnresolved Note;
    /// Over IPv6 another page is served.
    ContentDiff Defect;
    /// Over IPv6 another virtual host, a default page or a filing-block page answers.
    WrongVhost Fault;
    // Delegation
    /// No name server of the zone has a public IPv6 address.
    NsV4only Defect;
    /// Exactly one name server of the zone has one.
    Ns6Single Defect;
    /// A name server does not answer over IPv6 (UDP); `server` and `address` say which.
    Ns6Unreachable Defect;
    /// A name server answers over IPv6 for UDP and not for TCP.
    Ns6TcpFail Defect;
    /// A name server answers over IPv6, but not with authority for the zone; `answer` says how.
    Ns6Lame Defect;
    /// The parent does not give the IPv6 address of a name server within the zone.
    GlueMissingV6 Defect;
    /// A resolver that has IPv6 only does not get to the site's zones; `zone` says where it ends, `why` why.
    V6ChainBroken Defect;
    /// A name server's name is an alias (RFC 2181 §10.3).
    NsIsCname Defect;
    /// Parent and zone name different name servers.
    DelegationDiff Defect;
    /// Fewer than two name servers work over IPv6 in a zone of the alias chain, which is for somebody else to mend.
    AliasZoneNs6 Note;
    /// A name server failed over IPv6, which was not confirmed, or nobody could be heard.
    Ns6Unconfirmed Note;
    // Links, resources and samples
    /// Hosts that the landing page is put together from have no IPv6; `hosts` says which, `count` how many of `total`.
    SkylightHost Defect;
    /// Such hosts have an IPv6 address at which nobody answers.
    SkylightV6Dead Defect;
    /// Links or resources that can be reached inside some network only; `hosts` says where.
    LinkIntranet Defect;
    /// Internal links do not answer over IPv6 as they do over IPv4; `level2` and `level3` say how many do.
    LinkV6Unsupported Note;
    /// There are more internal links than are requested.
    LinkCapped Note;
    /// The landing page names more hosts than are looked at.
    SkylightPartial Note;
    /// The landing page comes later over IPv6 than over IPv4 beyond doubt; `v4_ms` and `v6_ms` are medians.
    LatencyDegraded Note;
    // Mail
    /// Hosts that take mail for the name have no IPv6 address; `hosts` says which, `count` how many of `total`.
    MailV4only Note;
    /// Such hosts have an IPv6 address at which no mail server greets, though one does over IPv4.
    MailV6Dead Note;
    /// This network does not let port 25 through, or nothing shows that it does: mail servers were not judged.
    MailPort25 Note;
    /// Whether mail can be delivered over IPv6 could not be known for another reason.
    MailUnknown Note;
    // The measurement itself
    /// This vantage could not prove that its IPv6 worked at the time.
    VantageUnproven Fault;
    /// The resolvers were not proven to tell the truth at the time.
    ResolverUnproven Fault;
    /// The scanner's clock was not proven to be right, so a certificate that seems out of date is not called so.
    ClockUnproven Note;
    /// IPv6 was not measured in this run.
    V6NotMeasured Fault;
    /// A limit of ours, or a fault of ours, ended the measurement of IPv6 before it began or before the page was read.
    LimitHit Note;
    /// A fault of our own machine got in the way.
    LocalFault Fault;
    /// The program failed while it measured the site.
    InternalError Fault;
    /// Failed at first, served later in the same run: weather, or trouble that comes and goes.
    Intermittent Note;
}

impl Code {
    /// The code as written everywhere, such as `V6_REFUSED`.
    pub fn name(self) -> String {
        // A unit variant always serialises to a string.
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the tables of codes in the manual: code and severity.
    fn documented() -> Vec<(String, String)> {
        let rows = include_str!("../../docs/method/findings.md").lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let code = cells.next()?.strip_suffix('`')?.to_owned();
            let severity = cells.next()?.to_owned();
            assert!(
                cells.next().is_some_and(|meaning| meaning.trim_end_matches(" |").len() > 3),
                "{code} has no meaning"
            );
            Some((code, severity))
        });
        rows.collect()
    }

    #[test]
    fn the_manual_has_every_code_in_table_order_with_its_severity() {
        let word = |severity| match severity {
            Severity::Fault => "fault",
            Severity::Defect => "defect",
            Severity::Note => "note",
        };
        let codes: Vec<_> = Code::ALL.iter().map(|code| (code.name(), word(code.severity()).to_owned())).collect();
        assert_eq!(documented(), codes);
    }
}
