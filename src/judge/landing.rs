//! On whose host a walk landed: names under one registrable domain have one owner (public suffix list).
//!
//! Leaves to others: what follows where the families land with different owners.

use url::Url;

use super::service::Outcome;
use crate::model::owner::owner;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        assert_eq!(host_of("http://[2001:db8::1]:8080/x").as_deref(), Some("2001:db8::1"));
    }
}
