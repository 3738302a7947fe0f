//! On whose host a walk landed: names under one registrable domain have one owner (public suffix list).
//!
//! Leaves to others: what follows where the families land with different owners.

use url::{Host, Url};

use super::service::Outcome;
use crate::model::site::Site;

/// Where the families landed, if it is with different owners: over IPv4, over IPv6.
pub(super) fn apart(v4: &Outcome<'_>, v6: &Outcome<'_>) -> Option<(String, String)> {
    let host = |outcome: &Outcome<'_>| host_of(&outcome.hops.last()?.url);
    let (host4, host6) = (host(v4)?, host(v6)?);
    (owner(&host4) != owner(&host6)).then_some((host4, host6))
}

/// Over IPv6 the visitor is led away, to an owner that is neither the site's nor the one to which IPv4 leads.
pub(super) fn is_led_away(site: &Site, v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    apart(v4, v6).is_some_and(|(_, host6)| owner(&host6) != owner(&site.host))
}

pub(super) fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).trim_end_matches('.').to_owned())
}

/// The registrable domain. A host that has none stands for itself: an address, or a public suffix.
pub(super) fn owner(host: &str) -> &str {
    let is_address = !matches!(Host::parse(host), Ok(Host::Domain(_)));
    if is_address { host } else { psl::domain_str(host).unwrap_or(host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_owner() {
        let cases = [
            ("www.school.edu.cn", "school.edu.cn"),
            ("lib.www.school.edu.cn", "school.edu.cn"),
            ("a.school.ha.cn", "school.ha.cn"),
            ("a.b.school.ha.edu.cn", "ha.edu.cn"),
            ("www.school.com.cn", "school.com.cn"),
            ("school.github.io", "school.github.io"),
            ("edu.cn", "edu.cn"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
        ];
        for (host, expected) in cases {
            assert_eq!(owner(host), expected, "{host}");
        }
        assert_eq!(host_of("http://[2001:db8::1]:8080/x").as_deref(), Some("2001:db8::1"));
    }
}
