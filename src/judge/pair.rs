//! One entry seen from both families: whether IPv6 gives the service that IPv4 gives there.
//!
//! Leaves to others: what follows for the verdict.

use super::parity::{Sameness, compare};
use super::service::{self, Landing, Outcome};
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
    let named = |outcome| {
        let faults = service::certificate_faults(observation, outcome);
        faults.is_some_and(|(faults, _)| faults.contains(&CertificateFault::Name))
    };
    named(v6) && !named(v4) && sameness(observation, v4, v6) == Some(Sameness::Different)
}

/// How alike the landing pages are. None: not both landed on one.
pub(super) fn sameness(observation: &Observation, v4: &Outcome<'_>, v6: &Outcome<'_>) -> Option<Sameness> {
    let (Landing::Page(page4), Landing::Page(page6)) = (v4.landing, v6.landing) else { return None };
    Some(compare(page4, page6, service::noise(observation, v4)))
}
