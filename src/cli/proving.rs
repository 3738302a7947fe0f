//! Proving that this machine can measure, before a scan and for `doctor`: says at once what is asked and that it goes on, and
//! does not wait minutes for anchors whose names nobody can look up.
//!
//! Leaves to others: the checks themselves and what they mean ([`crate::engine::gate`]), and printing them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};

use super::output::note;
use crate::engine::gate::{self, GateRules, Opening};
use crate::model::evidence::{DnsTransport, RecordType, ServerRole};
use crate::model::run::{CheckOutcome, Gate, GateCheck};
use crate::net::dns::exchange::Ask;
use crate::probe::{Prober, Transports};
use crate::report::Lang;

/// Between two words that it goes on.
const WORD_EVERY: Duration = Duration::from_secs(15);
/// How often a resolver that says nothing is asked before it is called silent, as in the gate's own self-test.
const TRIES: u8 = 3;

/// Says what is about to be asked.
pub(super) fn announce(resolvers: &[SocketAddr], anchors: usize, lang: Lang) {
    let listed = resolvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    note(match lang {
        Lang::Zh => format!(
            "检查本机测量条件：查询解析器 {listed}，访问 {anchors} 个锚点；网络正常时约需十几秒，有一方不应答时可能需要几分钟"
        ),
        Lang::En => format!(
            "can this machine measure? Asking the resolvers {listed} and visiting {anchors} anchors: some seconds where all is well, \
             minutes where somebody does not answer"
        ),
    });
}

/// The gate's checks. Where no resolver says anything at all, that alone shuts the gate: all else rests on names. `told`: who
/// waits, and wants to know that it goes on.
pub(super) async fn open(prober: &Prober, rules: &GateRules, transports: Transports, told: Option<Lang>) -> Opening {
    let opening = async {
        match all_silent(prober, rules).await {
            Some(silent) => Opening { gate: Gate { checks: vec![silent] }, ..Opening::default() },
            None => gate::check(prober, rules, transports).await,
        }
    };
    tokio::pin!(opening);
    let began = Instant::now();
    loop {
        tokio::select! {
            opening = &mut opening => return opening,
            () = tokio::time::sleep(WORD_EVERY) => {
                let seconds = began.elapsed().as_secs();
                match told {
                    Some(Lang::Zh) => note(format!("仍在检查，已用 {seconds} 秒")),
                    Some(Lang::En) => note(format!("still checking, {seconds} s so far")),
                    None => {}
                }
            }
        }
    }
}

/// All resolvers at the same time, each about the first two anchors. None: one of them replies, whatever it says, or none could be
/// asked, which says nothing about them.
async fn all_silent(prober: &Prober, rules: &GateRules) -> Option<GateCheck> {
    let names: Vec<&str> = rules.anchors.iter().take(2).map(|anchor| &*anchor.site.host).collect();
    let &[one, ref others @ ..] = names.as_slice() else { return None };
    let other = others.first().copied().unwrap_or(one);
    let heard = prober.net.resolvers.iter().map(|server| async move {
        let mut asked = false;
        for attempt in 1..=TRIES {
            let ask = || Ask { server: *server, role: ServerRole::Resolver, checking_disabled: false, attempt };
            let consult = |name, ask| prober.net.exchanges.consult(name, RecordType::A, ask, DnsTransport::Udp);
            let (left, right) = join(consult(one, ask()), consult(other, ask())).await;
            asked |= left.was_asked() && right.was_asked();
            if left.lookup.replied() || right.lookup.replied() {
                return (true, asked);
            }
        }
        (false, asked)
    });
    let heard = join_all(heard).await;
    let silent = !heard.is_empty() && heard.iter().all(|(replied, asked)| !replied && *asked);
    silent.then(|| {
        let listed: Vec<String> = prober.net.resolvers.iter().map(ToString::to_string).collect();
        GateCheck {
            name: "resolvers".to_owned(),
            outcome: CheckOutcome::Fail,
            detail: format!("no answer: {}", listed.join(", ")),
            advice: "check the resolvers (dns.resolvers): none of them says anything, so nothing else was looked at"
                .to_owned(),
        }
    })
}

/// Name servers that are asked, until one answers.
const AUTHORITIES: usize = 4;

/// Can name servers be asked directly, and not through resolvers alone? With a single resolver they are the second source without
/// which no failure of a site counts (docs/method/lookup.md).
pub(super) async fn second_source(prober: &Prober, rules: &GateRules) -> GateCheck {
    let check = |outcome, detail: String, advice: &str| GateCheck {
        name: "second-source".to_owned(),
        outcome,
        detail,
        advice: advice.to_owned(),
    };
    let mut asked = 0;
    for anchor in &rules.anchors {
        let servers = prober.net.authorities.of(&anchor.site.host).await;
        let each =
            servers.iter().filter(|server| server.is_ipv4()).take(AUTHORITIES - asked).map(|server| async move {
                let ask = Ask { server: *server, role: ServerRole::Authority, checking_disabled: false, attempt: 1 };
                (*server, prober.net.exchanges.ask(&anchor.site.host, RecordType::Aaaa, ask).await.replied())
            });
        let heard = join_all(each).await;
        asked += heard.len();
        if let Some((server, _)) = heard.iter().find(|(_, replied)| *replied) {
            return check(CheckOutcome::Pass, format!("name server {server} answers directly"), "");
        }
        if asked == AUTHORITIES {
            break;
        }
    }
    match (asked, prober.net.resolvers.len()) {
        (0, _) => check(CheckOutcome::Skipped, "no name server of an anchor is known".to_owned(), ""),
        (_, 0 | 1) => check(
            CheckOutcome::Warn,
            format!("none of {asked} name servers answers directly, and there is one resolver only"),
            "by one source alone no site can be called BROKEN or DOWN (DNS_SINGLE_SOURCE): name a second resolver of another \
             operator (dns.resolvers), or let port 53 through to all servers",
        ),
        (_, resolvers) => check(
            CheckOutcome::Pass,
            format!("none of {asked} name servers answers directly; {resolvers} resolvers stand in for each other"),
            "",
        ),
    }
}

#[cfg(all(test, feature = "lab"))]
#[path = "proving_tests.rs"]
mod tests;
