//! Telling people how a scan ended.
//!
//! 1. A run whose reports were written is told once, with its numbers as the report has them.
//! 2. A start that failed is told once: not again while the starts after it fail in the same way.
//! 3. That nobody could be told is a warning, and changes nothing about how the scan ends.
//!
//! Secrets come from files or the environment at the last moment and are dropped with the request; no message names them.

use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use super::output::{note, say};
use super::scan::Published;
use super::settings;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, NotifyBot, SmtpSecurity};
use crate::net::mailer::{self, Account, Letter, Security};
use crate::net::webhook;
use crate::report::Lang;
use crate::report::clean::clean;
use crate::report::text::Text;
use crate::upkeep::ledger::Attempt;
use crate::upkeep::notice::{Bot, Notice, accepted, request};

/// A secret is a line.
const MOST_BYTES: u64 = 8 * 1024;

pub(super) async fn tell(config: &Config, before: Option<&Attempt>, now: &Attempt, published: Option<&Published>) {
    let lang = settings::lang(config);
    let bot = match config.notify.bot {
        NotifyBot::None => None,
        NotifyBot::Generic => Some(Bot::Generic),
        NotifyBot::Wecom => Some(Bot::Wecom),
        NotifyBot::Dingtalk => Some(Bot::Dingtalk),
        NotifyBot::Feishu => Some(Bot::Feishu),
    };
    if bot.is_none() && config.smtp.server.is_none() {
        return;
    }
    let told_before = before.is_some_and(|before| !before.complete && before.exit == now.exit);
    if published.is_none() && told_before {
        return;
    }
    let link = config.notify.link.as_deref();
    let notice = match published {
        Some(published) => of_run(published, now, link, lang),
        None => of_failure(now, &config.vantage.name, lang),
    };
    if let Some(bot) = bot
        && let Err(why) = send(config, bot, &notice).await
    {
        let what = say(lang, "通知发送失败（不影响扫描结果）", "nobody could be told (the scan is as it is)");
        note(format!("{what}: {}", Text::of(lang).message(&why)));
    }
    if config.smtp.server.is_some()
        && let Err(why) = post(config, &notice).await
    {
        let what = say(lang, "通知邮件发送失败（不影响扫描结果）", "the mail could not be sent (the scan is as it is)");
        note(format!("{what}: {}", Text::of(lang).message(&why)));
    }
}

/// The same by mail.
async fn post(config: &Config, notice: &Notice) -> Result<(), String> {
    let smtp = &config.smtp;
    let (server, port) = smtp.address().ok_or("smtp.server is not host and port")?;
    let credentials = match &smtp.user {
        None => None,
        Some(user) => {
            let password = secret(smtp.password_file.as_deref(), "V6READY_SMTP_PASSWORD")?
                .ok_or("neither smtp.password_file nor V6READY_SMTP_PASSWORD has the password of smtp.user")?;
            Some((user.clone(), password))
        }
    };
    let security = match smtp.security {
        SmtpSecurity::Starttls => Security::StartTls,
        SmtpSecurity::Tls => Security::Tls,
        SmtpSecurity::None => Security::None,
    };
    let anchors = anchors(config)?;
    let account = Account { server: server.to_owned(), port, security, credentials, anchors };
    let link = notice.link.as_deref().map(|link| format!("\n{link}\n")).unwrap_or_default();
    let letter = Letter {
        from: smtp.from.clone(),
        to: smtp.to.clone(),
        subject: notice.title.clone(),
        text: format!("{}\n{link}", notice.text),
    };
    mailer::send(account, letter).await.map_err(|error| error.to_string())
}

/// Trust anchors of the user's own. Empty: there are none.
fn anchors(config: &Config) -> Result<Vec<u8>, String> {
    let Some(path) = &config.notify.ca_file else { return Ok(Vec::new()) };
    std::fs::read(path).map_err(|error| format!("cannot read notify.ca_file {}: {error}", path.display()))
}

async fn send(config: &Config, bot: Bot, notice: &Notice) -> Result<(), String> {
    let url = secret(config.notify.url_file.as_deref(), "V6READY_WEBHOOK_URL")?
        .ok_or("neither notify.url_file nor V6READY_WEBHOOK_URL says whom to tell")?;
    let key = secret(config.notify.key_file.as_deref(), "V6READY_WEBHOOK_KEY")?;
    // The parser's error would not name the text; nor is it repeated here.
    let url = Url::parse(&url).map_err(|error| format!("the bot's URL: {error}"))?;
    let (url, body) = request(bot, notice, &url, key.as_deref(), SystemClock.now());
    let answer = webhook::post(&url, &body, &anchors(config)?).await.map_err(|error| error.to_string())?;
    accepted(bot, &answer)
}

/// The first line of the file, else the variable. None: neither is there.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<String>, String> {
    let text = match file {
        Some(path) => {
            let fault = |why: String| format!("cannot read {}: {why}", path.display());
            let length = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
            if length > MOST_BYTES {
                return Err(fault("it is too long for a secret".to_owned()));
            }
            Some(std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?)
        }
        None => std::env::var(variable).ok(),
    };
    let line = text.as_deref().and_then(|text| text.lines().next()).map(str::trim).unwrap_or_default();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

fn of_run(published: &Published, now: &Attempt, link: Option<&str>, lang: Lang) -> Notice {
    let run = &published.judged.run;
    let total = &published.judged.summary.total;
    let (ready, judged, open) = (total.ready(), total.judged(), total.inconclusive());
    let percent = total.rate().map_or_else(|| "–".to_owned(), |rate| format!("{:.2} %", rate * 100.0));
    let changes = changes(&published.folder);
    let change = |name: &str| changes.as_ref().and_then(|changes| changes.get(name)?.as_u64());
    let compared = change("gained")
        .zip(change("lost"))
        .filter(|_| changes.as_ref().and_then(|changes| changes.get("first_run")?.as_bool()) == Some(false));
    let mark = match (run.simulated || run.lab, now.complete, lang) {
        (true, _, Lang::Zh) => "【模拟数据】",
        (true, _, Lang::En) => "[simulated] ",
        (false, false, Lang::Zh) => "【未完成】",
        (false, false, Lang::En) => "[incomplete] ",
        (false, true, _) => "",
    };
    // Offices are counted as well where they are listed, and are no schools.
    let schools = published.judged.summary.categories.keys().all(|category| category.is_of_schools());
    let mut text = match lang {
        Lang::Zh if !schools => format!(
            "共监测学校及其他单位 {} 个，已判定 {judged} 个，其中就绪 {ready} 个，完成率 {percent}；未判定 {open} 个",
            total.listed
        ),
        Lang::En if !schools => format!(
            "{} schools and offices listed, {judged} judged, {ready} of them ready: {percent}; {open} not judged",
            total.listed
        ),
        Lang::Zh => format!(
            "共监测学校 {} 所，已判定 {judged} 所，其中就绪 {ready} 所，完成率 {percent}；未判定 {open} 所",
            total.listed
        ),
        Lang::En => format!(
            "{} schools listed, {judged} judged, {ready} of them ready: {percent}; {open} not judged",
            total.listed
        ),
    };
    let unit = if schools { "所" } else { "个" };
    let since = compared.map(|(gained, lost)| match lang {
        Lang::Zh => format!("；较上次新达标 {gained} {unit}，退步 {lost} {unit}"),
        Lang::En => format!("; gained {gained}, lost {lost} since the run before"),
    });
    text.push_str(since.as_deref().unwrap_or_default());
    text.push_str(say(lang, "。", "."));
    Notice {
        title: format!("{mark}{} {}", say(lang, "IPv6 升级改造监测", "IPv6 upgrade readiness"), run.id),
        text,
        link: link.map(|link| format!("{}/{}/index.html", link.trim_end_matches('/'), run.id)),
        figures: json!({
            "event": "run", "run": run.id, "vantage": visible(&run.vantage.name), "exit": now.exit, "complete": now.complete,
            "simulated": run.simulated || run.lab, "listed": total.listed, "judged": judged, "ready": ready,
            "not_judged": open, "gained": compared.map(|(gained, _)| gained), "lost": compared.map(|(_, lost)| lost),
        }),
    }
}

/// What changed, as the published report has it, so that the two never differ. None: there is no JSON among its formats.
fn changes(folder: &Path) -> Option<Value> {
    let summary: Value = serde_json::from_slice(&std::fs::read(folder.join("summary.json")).ok()?).ok()?;
    summary.get("changes").cloned()
}

/// An error names files and quotes lists, and a vantage may be called anything: nothing hidden in them, line by line.
fn visible(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

fn of_failure(now: &Attempt, vantage: &str, lang: Lang) -> Notice {
    let (error, vantage) = (visible(now.error.as_deref().unwrap_or_default()), visible(vantage));
    Notice {
        title: say(lang, "IPv6 升级改造监测：扫描未完成", "IPv6 upgrade readiness: the scan failed").to_owned(),
        text: match lang {
            Lang::Zh => {
                let error = Text::of(lang).message(&error);
                format!("测量点 {vantage} 的扫描以退出码 {} 结束：{error}", now.exit)
            }
            Lang::En => format!("the scan at vantage {vantage} ended with exit code {}: {error}", now.exit),
        },
        link: None,
        figures: json!({"event": "failure", "vantage": vantage, "exit": now.exit, "complete": false, "error": error}),
    }
}
