//! One entry seen from both families: whether IPv6 gives the service that IPv4 gives there.
//!
//! Leaves to others: what follows for the verdict.

use super::landing;
use super::parity::{Sameness, compare};
use super::service::{self, Landing, Outcome};
use crate::model::address::Family;
use crate::model::evidence::{CertificateFault, Observation};
use crate::model::failure::{Failure, Limit};

/// IPv6 gives the same service.
pub(super) fn serves(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    v6.landing.serves()
        && !asks_for_a_password(v4, v6)
        && !is_undelivered(observation, v4, v6)
        && !is_wrong_vhost(observation, v4, v6)
}

/// IPv6 asks for a password where IPv4 shows the page.
fn asks_for_a_password(v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    matches!((v4.landing, v6.landing), (Landing::Page(_), Landing::Auth(_)))
}

/// IPv4 brings the whole page, and IPv6 nothing of it after the response head; or IPv6 stalls within it, and brings it as
/// soon as the server may send small segments only: the path loses the large ones.
fn is_undelivered(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    comes_empty(v4, v6).is_some()
        || (is_cut_over_v6(v4, v6).is_some()
            && service::mss_proof(observation, v6).is_some_and(|(_, _, helped)| helped))
}

/// Why nothing of the page came over IPv6 that came over IPv4. None: something did.
pub(super) fn comes_empty<'a>(v4: &Outcome<'_>, v6: &Outcome<'a>) -> Option<&'a Failure> {
    let Landing::Page(page6) = v6.landing else { return None };
    is_cut_over_v6(v4, v6).filter(|_| page6.decoded_bytes == 0)
}

/// Why the page is cut short over IPv6 that is whole over IPv4. None: it is not, or we stopped reading it.
fn is_cut_over_v6<'a>(v4: &Outcome<'_>, v6: &Outcome<'a>) -> Option<&'a Failure> {
    let (Landing::Page(page4), Landing::Page(page6)) = (v4.landing, v6.landing) else { return None };
    let whole = page4.body_failure.is_none() && page4.decoded_bytes > 0;
    let ours = |failure: &&Failure| matches!(failure, Failure::Limit(Limit::Body | Limit::Ratio));
    page6.body_failure.as_ref().filter(|failure| whole && !ours(failure))
}

/// Another virtual host answers over IPv6: a page that is no site's own where IPv4 has one, or another page under a
/// certificate for another name or in the hands of somebody else.
fn is_wrong_vhost(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    let Landing::Page(page6) = v6.landing else { return false };
    if service::is_not_a_site(page6) && v4.landing.serves_a_site() {
        return true;
    }
    sameness(observation, v4, v6) == Some(Sameness::Different)
        && (has_foreign_certificate(observation) || landing::is_led_away(&observation.site, v4, v6))
}

/// For some name, IPv6 shows a certificate for other names while IPv4 shows a fitting one. This says whose server answers
/// over IPv6 on its plain http port as well, where no certificate is shown.
fn has_foreign_certificate(observation: &Observation) -> bool {
    let handshakes = || observation.rounds.iter().flat_map(|round| &round.handshakes);
    let shown = |family: Family, name: &str, fits: bool| {
        handshakes().any(|handshake| {
            let certificate = handshake.certificate.as_ref();
            Family::of(handshake.address) == family
                && handshake.server_name == name
                && certificate.is_some_and(|c| fits != c.faults.contains(&CertificateFault::Name))
        })
    };
    handshakes().any(|handshake| {
        let name = &handshake.server_name;
        shown(Family::V6, name, false) && !shown(Family::V4, name, false) && shown(Family::V4, name, true)
    })
}

/// How alike the landing pages are. None: not both landed on one.
pub(super) fn sameness(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> Option<Sameness> {
    let (Landing::Page(page4), Landing::Page(page6)) = (v4.landing, v6.landing) else { return None };
    Some(compare(page4, page6, service::noise(observation, v4)))
}
