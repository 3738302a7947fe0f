//! `doctor`: can this machine measure? The gate's checks and this machine's own, each with advice.

use super::args::{Common, DoctorArgs};
use super::assemble::{self, Surroundings};
use super::error::CliError;
use super::output::{json, line, say};
use super::proving;
use super::scan::gate_line;
use super::settings;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::exit::Exit;
use crate::model::optout::OptOuts;
use crate::model::run::{CheckOutcome, GateCheck};
use crate::net::local;

pub(super) async fn run(common: &Common, args: &DoctorArgs) -> Result<Exit, CliError> {
    let resolved = settings::resolve(common, &settings::flags(common, Some(&args.measure), None))?;
    let config = &resolved.config;
    let lang = settings::lang(config);
    let transports = assemble::transports(args.measure.without_ipv6);
    let mut surroundings = Surroundings::real(config)?.over(transports);
    let told = (!args.json).then_some(lang);
    if told.is_some() {
        proving::announce(&surroundings.resolvers, config.gate.anchors.len(), lang);
    }
    assemble::deny_nat64(config, &mut surroundings).await;
    let prober = assemble::prober(config, &surroundings)?;
    let mut checks = own_checks(config);
    for unknown in &resolved.unknown_environment {
        checks.push(own(
            "environment",
            CheckOutcome::Warn,
            format!("{unknown} is no key of the configuration"),
            "check its spelling with `v6ready config show`",
        ));
    }
    let rules = assemble::gate(config, &OptOuts::default());
    let opening = proving::open(&prober, &rules, transports, told).await;
    let own_fault = checks.iter().any(|check| check.outcome == CheckOutcome::Fail);
    let open = opening.gate.is_open() && !own_fault;
    checks.extend(opening.gate.checks);
    // Where no name was resolved, no server is known whom to ask.
    if !opening.canaries.is_empty() {
        checks.push(proving::second_source(&prober, &rules).await);
    }
    if args.json {
        json(&serde_json::json!({"open": open, "checks": checks}));
    } else {
        for check in &checks {
            line(gate_line(check, lang));
        }
        line(if open {
            say(lang, "本机可以测量。", "This machine can measure.")
        } else {
            say(
                lang,
                "本机目前不能测量：见上面标为“未通过”的各项。",
                "This machine cannot measure now: see what FAILED above.",
            )
        });
    }
    // What no scan would begin with is no matter of the gate.
    assemble::enough_descriptors()?;
    if open { Ok(Exit::Done) } else { Err(CliError::GateShut) }
}

fn own(name: &str, outcome: CheckOutcome, detail: String, advice: &str) -> GateCheck {
    GateCheck { name: name.to_owned(), outcome, detail, advice: advice.to_owned() }
}

fn own_checks(config: &Config) -> Vec<GateCheck> {
    let mut checks = Vec::new();
    // Slow ones take what is left: with fewer places for them a scan is slower at worst.
    let wanted = config.pace.jobs;
    checks.push(match assemble::descriptor_limit() {
        None => own("descriptors", CheckOutcome::Skipped, "limit not known on this system".to_owned(), ""),
        Some(limit) if limit < assemble::LEAST_DESCRIPTORS => own(
            "descriptors",
            CheckOutcome::Fail,
            format!("limit {limit}"),
            "raise it: ulimit -n 4096, or LimitNOFILE= in the service",
        ),
        Some(limit) if assemble::room().is_some_and(|room| room < wanted) => own(
            "descriptors",
            CheckOutcome::Warn,
            format!("limit {limit}: fewer than {wanted} sites at once"),
            "raise it for full speed: ulimit -n 4096, or LimitNOFILE= in the service",
        ),
        Some(limit) => own("descriptors", CheckOutcome::Pass, format!("limit {limit}"), ""),
    });
    checks.push(if config.project.contact.is_empty() {
        own(
            "contact",
            CheckOutcome::Warn,
            format!("User-Agent: {}", config.project.user_agent()),
            "name a mailbox or telephone in project.contact, so that site owners can reach you",
        )
    } else {
        own("contact", CheckOutcome::Pass, format!("User-Agent: {}", config.project.user_agent()), "")
    });
    checks.push(if config.project.has_default_page() {
        own(
            "project-page",
            CheckOutcome::Warn,
            format!("project.url is still {}", config.project.url),
            "publish a page about the scan (docs/scanner-page.md) and give its address as project.url: site owners look there",
        )
    } else {
        own("project-page", CheckOutcome::Pass, config.project.url.clone(), "")
    });
    checks.push(match local::has_default_route() {
        Some(false) => own(
            "route",
            CheckOutcome::Warn,
            "no default route".to_owned(),
            "this machine is not connected to the Internet, or is a laboratory",
        ),
        Some(true) => own("route", CheckOutcome::Pass, "there is a default route".to_owned(), ""),
        None => own("route", CheckOutcome::Skipped, "not known on this system".to_owned(), ""),
    });
    checks.push(freeze(config));
    checks
}

fn freeze(config: &Config) -> GateCheck {
    let freeze = assemble::freeze(config);
    let now = SystemClock.now();
    let Some(next) = freeze.next(now) else {
        return own("freeze", CheckOutcome::Pass, "no window within a year (pace.freeze)".to_owned(), "");
    };
    let detail = format!("{} to {}", freeze.say(next.from), freeze.say(next.until));
    if next.from > now {
        own("freeze", CheckOutcome::Pass, format!("next window: {detail}"), "")
    } else {
        own(
            "freeze",
            CheckOutcome::Warn,
            format!("window now: {detail}"),
            "a scan waits until it is over (pace.freeze)",
        )
    }
}
