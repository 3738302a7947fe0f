//! One entry seen from both families: whether IPv6 gives the service that IPv4 gives there.
//!
//! Leaves to others: what follows for the verdict.

use super::parity::{Sameness, compare};
use super::service::{self, Landing, Outcome};
use crate::model::address::Family;
use crate::model::evidence::{CertificateFault, Observation};

/// IPv6 gives the same service.
pub(super) fn serves(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    v6.landing.serves() && !is_wrong_vhost(observation, v4, v6)
}

/// Another virtual host answers over IPv6: a page that is no site's own where IPv4 has one, or another page under a
/// certificate for another name.
fn is_wrong_vhost(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> bool {
    let (Landing::Page(page4), Landing::Page(page6)) = (v4.landing, v6.landing) else { return false };
    if service::is_not_a_site(page6) && !service::is_not_a_site(page4) {
        return true;
    }
    sameness(observation, v4, v6) == Some(Sameness::Different) && has_foreign_certificate(observation)
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
