//! Runs on a machine whose clock is wrong: nothing is called out of date by it, whatever else is found.
//!
//! Leaves to others: clocks that jump in mid-run, which are outages (`outage`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use v6ready::clock::{Clock, SystemClock};
use v6ready::engine::gate;
use v6ready::judge::{Criteria, assess};
use v6ready::lab::Lab;
use v6ready::lab::web::facts::{HostFacts, Spot};
use v6ready::lab::world::World;
use v6ready::model::finding::Code;
use v6ready::model::run::CheckOutcome;
use v6ready::model::time::Timestamp;
use v6ready::model::verdict::Readiness;
use v6ready::probe::Transports;

use crate::bench_net::{Patience, gate_rules, prober, scan, site};

/// The system's clock, so many milliseconds ahead.
#[derive(Debug, Default)]
pub(crate) struct Shifted(AtomicI64);

impl Shifted {
    pub(crate) fn by(ms: i64) -> Self {
        Self(AtomicI64::new(ms))
    }

    /// Sets it again.
    pub(crate) fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.0.load(Ordering::SeqCst))
    }
}

const HOUR: i64 = 3_600_000;
const NAME: &str = "www.clock.example";

/// A site whose certificate is out of date over IPv6 alone.
fn world() -> World {
    let mut world = World::new().with_anchors();
    let (v4, v6) = (Ipv4Addr::new(198, 51, 100, 211), Ipv6Addr::new(0x2001, 0xdb8, 0xc10c, 0, 0, 0, 0, 1));
    let healthy = HostFacts { web: Some(Spot::default()), ..HostFacts::default() };
    world.add_site(NAME, Some(v4), Some(v6), &healthy);
    let expired: Spot = toml::from_str("tls = { cert = \"expired\" }").expect("a spot");
    world
        .hosts
        .insert(v6.into(), HostFacts { http: Some(Spot::default()), https: Some(expired), ..HostFacts::default() });
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_called_out_of_date_by_a_clock_that_is_off() {
    use CheckOutcome::{Fail, Pass, Warn};
    // How far ahead our clock is; what the gate says; and whether the certificate is called expired.
    for (ahead, outcome, claimed) in [
        (0, Pass, true),
        (-60_000, Pass, true),
        (2 * HOUR, Warn, false),
        (-2 * HOUR, Warn, false),
        // The anchors' certificates are out of date by these, or not yet valid.
        (40 * 365 * 24 * HOUR, Fail, false),
        (-50 * 365 * 24 * HOUR, Fail, false),
    ] {
        let lab = Lab::start(world()).await.expect("a lab");
        let off = || {
            let mut prober = prober(&lab, Patience::USUAL);
            Arc::get_mut(&mut prober.net).expect("nobody else has it").clock = Arc::new(Shifted::by(ahead));
            prober
        };
        let opening = gate::check(&off(), &gate_rules(), Transports::Both).await;
        let check = opening.gate.checks.iter().find(|check| check.name == "clock").expect("a check");
        assert_eq!(check.outcome, outcome, "{ahead}: {}", check.detail);
        assert_eq!(check.advice.is_empty(), outcome == Pass);
        if outcome == Fail {
            assert!(!opening.gate.is_open());
            continue;
        }
        let evidence = scan(off(), vec![site(NAME)], 1, Transports::Both).await;
        let [observation] = evidence.observations.values().collect::<Vec<_>>().try_into().expect("one site");
        let assessment = assess(observation, &evidence.vantage, &Criteria::default());
        let codes: Vec<Code> = assessment.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [if claimed { Code::CertV6 } else { Code::ClockUnproven }], "{ahead}");
        assert_eq!(assessment.readiness, if claimed { Readiness::ReadyDefect } else { Readiness::Ready }, "{ahead}");
    }
}
