//! The tables are complete, agree with each other, and are filled without being fooled.

use std::collections::BTreeSet;

use super::*;
use crate::model::finding::Code;
use crate::model::school::RosterState;
use crate::report::model::ROSTER_STATES;

fn placeholders(text: &str) -> BTreeSet<String> {
    let found = std::cell::RefCell::new(BTreeSet::new());
    substitute(text, |name| {
        found.borrow_mut().insert(name.to_owned());
        None
    });
    found.into_inner()
}

fn whole(wording: &Wording) -> BTreeSet<String> {
    placeholders(&format!("{}{}{}", wording.title, wording.explanation, wording.remedy.concat()))
}

#[test]
fn every_code_is_worded_in_both_languages() {
    let known: BTreeSet<String> = Code::ALL.iter().map(|code| code.name()).collect();
    for lang in [Lang::Zh, Lang::En] {
        let text = Text::of(lang);
        let worded: BTreeSet<String> = text.findings.keys().cloned().collect();
        assert_eq!(worded, known, "{lang:?}");
        for (code, wording) in &text.findings {
            assert!(!wording.title.is_empty() && !wording.explanation.is_empty(), "{code}");
            assert!(!wording.remedy.is_empty() && wording.remedy.iter().all(|step| !step.is_empty()), "{code}");
            for name in whole(wording) {
                assert!(text.missing.contains_key(&name), "{code}: nothing to say when {name} is missing");
            }
            for name in placeholders(&wording.example) {
                // A brace of curl's own.
                let foreign = wording.example.contains(&format!("%{{{name}}}"));
                assert!(foreign || text.sample.contains_key(&name), "{code}: no sample for {name}");
            }
        }
    }
}

#[test]
fn the_languages_agree() {
    let (zh, en) = (Text::of(Lang::Zh), Text::of(Lang::En));
    for (code, wording) in &zh.findings {
        let other = &en.findings[code];
        assert_eq!(whole(wording), whole(other), "{code}");
        assert_eq!(placeholders(&wording.example), placeholders(&other.example), "{code}");
        assert_eq!(wording.remedy.len(), other.remedy.len(), "{code}");
        assert_eq!(wording.example.is_empty(), other.example.is_empty(), "{code}");
    }
    for (left, right) in [
        (&zh.words, &en.words),
        (&zh.reasons, &en.reasons),
        (&zh.missing, &en.missing),
        (&zh.sample, &en.sample),
        (&zh.marks, &en.marks),
        (&zh.ends, &en.ends),
        (&zh.changes, &en.changes),
    ] {
        for key in left.keys().chain(right.keys()) {
            let same = left.get(key).map(|text| placeholders(text)) == right.get(key).map(|text| placeholders(text));
            assert!(same, "{key}");
        }
    }
}

#[test]
fn every_closed_vocabulary_is_worded() {
    for lang in [Lang::Zh, Lang::En] {
        let text = Text::of(lang);
        let standings = Readiness::ALL.iter().map(|verdict| Standing::Verdict(*verdict));
        for standing in standings.chain(ROSTER_STATES.iter().map(|state| Standing::Roster(*state))) {
            assert_ne!(text.standing(standing), standing.name());
            assert!(!text.standing_sentence(standing).is_empty());
        }
        for category in Category::ALL {
            assert_ne!(text.category(category), category.name());
        }
        for operator in Operator::ALL {
            assert!(text.operators.contains_key(operator.word()));
        }
        for word in ["native", "six_to_four", "teredo", "nat64", "isatap", "ivi", "embeds_v4", "spells_v4"] {
            assert!(text.origins.contains_key(word));
        }
        for word in ["refused", "limit_body", "tls_alert(40)", "unreachable(host)"] {
            assert_ne!(text.reason(word), word);
        }
        for (_, word) in crate::judge::DEFECTS {
            assert_ne!(text.reason(word), word);
        }
    }
    let zh = Text::of(Lang::Zh);
    let names: Vec<&str> = Readiness::ALL.iter().map(|verdict| zh.verdict(*verdict)).collect();
    assert_eq!(names, ["双栈就绪", "就绪（有缺陷）", "IPv6 故障", "未启用 IPv6", "网站不可用", "域名不存在", "未判定"]);
    assert_eq!(zh.standing(Standing::Roster(RosterState::NoSite)), "无网站");
}

/// A site that is down because its DNS fails is no open question.
#[test]
fn a_certain_verdict_has_no_uncertain_reason() {
    for (lang, down, open) in [(Lang::Zh, "DNS 解析失败", "DNS 无定论"), (Lang::En, "DNS fails", "DNS not conclusive")]
    {
        let text = Text::of(lang);
        assert_eq!(text.why(Standing::Verdict(Readiness::Down), "dns"), down);
        assert_eq!(text.why(Standing::Verdict(Readiness::Broken), "dns"), down);
        assert_eq!(text.why(Standing::Verdict(Readiness::Inconclusive), "dns"), open);
        assert_eq!(text.why(Standing::Verdict(Readiness::Down), "refused"), text.reason("refused"));
    }
}

/// Every key that a template or a view asks for is in the table.
#[test]
fn pages_ask_for_known_words_only() {
    let sources = [
        include_str!("../../../templates/base.html"),
        include_str!("../../../templates/index.html"),
        include_str!("../../../templates/region.html"),
        include_str!("../../../templates/school.html"),
        include_str!("../../../templates/counts.html"),
        include_str!("../../../templates/causes.html"),
        include_str!("../html/causes.rs"),
        include_str!("../html/scores.rs"),
        include_str!("../html/mod.rs"),
        include_str!("../html/head.rs"),
        include_str!("../html/index.rs"),
        include_str!("../html/region.rs"),
        include_str!("../html/tables.rs"),
    ];
    for source in sources {
        for call in [".w(\"", ".fill(\""] {
            for rest in source.split(call).skip(1) {
                let key = rest.split('"').next().unwrap();
                for lang in [Lang::Zh, Lang::En] {
                    assert!(Text::of(lang).words.contains_key(key), "{key}");
                }
            }
        }
    }
}

#[test]
fn arguments_cannot_fool_the_reader_or_the_shell() {
    let text = Text::of(Lang::Zh);
    let args = [("address", "$(reboot)"), ("port", "443;id"), ("failure", "a\u{1b}[2J\u{202e}{host}")];
    let finding = Finding { code: Code::V6Http, args: args.into_iter().collect(), evidence: Vec::new() };
    let context = BTreeMap::from([("host", "www.school.example".to_owned())]);
    let advice = text.advise(&finding, &context);
    assert!(advice.explanation.contains("a\\u{1b}[2J\\u{202e}{host}"), "{}", advice.explanation);
    assert_eq!(
        advice.example,
        "curl -6 -v --resolve 'www.school.example:443:[2001:db8::10]' http://www.school.example:443/"
    );
}

#[test]
fn braces_of_others_stay() {
    let value = |name: &str| (name == "host").then(|| "h".to_owned());
    assert_eq!(substitute("server { a {host} } {other} %{x} {host", value), "server { a h } {other} %{x} {host");
}
