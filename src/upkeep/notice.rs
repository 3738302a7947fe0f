//! What a bot is told at the end of a scan: the request's body, and its signature. Pure.
//!
//! Numbers and a link leave the machine, never the name of a school: who may see names is a matter of the report, not of a
//! chat. Leaves to others: sending (`net::webhook`), when and in which words (`cli`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::model::time::Timestamp;

/// Whose shape the message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bot {
    /// `{"title", "text", "link", "figures"}`, for a program of one's own.
    Generic,
    /// 企业微信 group bot.
    Wecom,
    /// 钉钉 group bot; with a key, signed (加签).
    Dingtalk,
    /// 飞书 group bot; with a key, signed (签名校验).
    Feishu,
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What it is about.
    pub title: String,
    /// One sentence.
    pub text: String,
    /// Where the report is. None: that is not known.
    pub link: Option<String>,
    /// The same in figures, for programs.
    pub figures: Value,
}

/// Where the message goes, and its body. `key`: signs it, where the bot's service knows signatures.
pub fn request(bot: Bot, notice: &Notice, url: &Url, key: Option<&str>, now: Timestamp) -> (Url, Value) {
    let mut url = url.clone();
    let link = notice.link.as_deref().unwrap_or_default();
    let (title, text) = (inert(&notice.title), inert(&notice.text));
    let markdown = || {
        let link = if link.is_empty() { String::new() } else { format!("\n\n[{link}]({link})") };
        format!("**{title}**\n\n{text}{link}")
    };
    let body = match bot {
        Bot::Generic => {
            json!({"title": notice.title, "text": notice.text, "link": notice.link, "figures": notice.figures})
        }
        Bot::Wecom => json!({"msgtype": "markdown", "markdown": {"content": markdown()}}),
        Bot::Dingtalk => {
            if let Some(key) = key {
                let stamp = now.0.to_string();
                let sign = signature(key.as_bytes(), format!("{stamp}\n{key}").as_bytes());
                url.query_pairs_mut().append_pair("timestamp", &stamp).append_pair("sign", &sign);
            }
            json!({"msgtype": "markdown", "markdown": {"title": title, "text": markdown()}})
        }
        Bot::Feishu => {
            let text = [&title, &text, link].into_iter().filter(|part| !part.is_empty());
            let text = text.collect::<Vec<_>>().join("\n");
            let mut body = json!({"msg_type": "text", "content": {"text": text}});
            if let Some(key) = key {
                let stamp = (now.0 / 1000).to_string();
                // The text that others sign is the key here, and nothing is signed.
                body["sign"] = signature(format!("{stamp}\n{key}").as_bytes(), b"").into();
                body["timestamp"] = stamp.into();
            }
            body
        }
    };
    (url, body)
}

/// Text in which no chat finds a link, a picture, a mention or code: the signs that these begin with stand in their full
/// width, since the services' Markdown has no escapes that all of them know. Feishu finds mentions in plain text as well.
fn inert(text: &str) -> String {
    let wide = |sign: char| match sign {
        '[' => '［',
        ']' => '］',
        '<' => '＜',
        '>' => '＞',
        '`' => '｀',
        '*' => '＊',
        other => other,
    };
    text.chars().map(wide).collect()
}

/// Whether the service took it: bots answer 200 also when they refuse. The error says what the service said.
pub fn accepted(bot: Bot, answer: &[u8]) -> Result<(), String> {
    let field = match bot {
        Bot::Generic => return Ok(()),
        Bot::Wecom | Bot::Dingtalk => "errcode",
        Bot::Feishu => "code",
    };
    let answer: Value = serde_json::from_slice(answer).map_err(|_| "the answer is no JSON".to_owned())?;
    match answer.get(field).and_then(Value::as_i64) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("{field} {code}")),
        None => Err(format!("the answer has no {field}")),
    }
}

fn signature(key: &[u8], text: &[u8]) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            title: "IPv6".to_owned(),
            text: "3/4".to_owned(),
            link: Some("https://reports.example/".to_owned()),
            figures: json!({"ready": 3}),
        }
    }

    fn ask(bot: Bot, key: Option<&str>) -> (Url, Value) {
        let url = Url::parse("https://bot.example/send?access_token=t").unwrap();
        request(bot, &notice(), &url, key, Timestamp(1_700_000_000_123))
    }

    #[test]
    fn each_bot_gets_its_shape() {
        assert_eq!(ask(Bot::Generic, None).1["figures"]["ready"], 3);
        assert_eq!(ask(Bot::Wecom, None).1["markdown"]["content"].as_str().unwrap().matches("3/4").count(), 1);
        assert_eq!(ask(Bot::Dingtalk, None).1["markdown"]["title"], "IPv6");
        assert_eq!(ask(Bot::Feishu, None).1["content"]["text"], "IPv6\n3/4\nhttps://reports.example/");
        for bot in [Bot::Generic, Bot::Wecom, Bot::Dingtalk, Bot::Feishu] {
            let (url, body) = ask(bot, None);
            assert_eq!(url.query(), Some("access_token=t"));
            assert!(body.get("sign").is_none());
        }
    }

    #[test]
    fn what_others_wrote_is_no_link_and_no_mention_in_a_chat() {
        let hostile = "![x](http://attacker.example/i) <at user_id=\"all\"></at> <@all> **x** `x`";
        let notice = Notice { title: hostile.to_owned(), text: hostile.to_owned(), ..notice() };
        let url = Url::parse("https://bot.example/send").unwrap();
        for bot in [Bot::Wecom, Bot::Dingtalk, Bot::Feishu] {
            let body = request(bot, &notice, &url, None, Timestamp(0)).1.to_string();
            // What is left of them is the program's own: the link to the report and the bold title.
            let own = usize::from(bot != Bot::Feishu);
            assert_eq!((body.matches("](").count(), body.matches("**").count()), (own, 2 * own), "{body}");
            assert!(!body.contains(['<', '`']), "{body}");
        }
        let generic = request(Bot::Generic, &notice, &url, None, Timestamp(0)).1;
        assert_eq!(generic["text"], hostile, "for a program the text is what it is");
    }

    /// The expected values were made with openssl and with Python's hmac.
    #[test]
    fn signatures_are_those_of_the_services() {
        let (url, _) = ask(Bot::Dingtalk, Some("SECabc"));
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs[1], ("timestamp".to_owned(), "1700000000123".to_owned()));
        assert_eq!(pairs[2], ("sign".to_owned(), DINGTALK.to_owned()));
        let (url, body) = ask(Bot::Feishu, Some("abc"));
        assert_eq!((url.query(), &body["timestamp"]), (Some("access_token=t"), &json!("1700000000")));
        assert_eq!(body["sign"], FEISHU);
    }

    const DINGTALK: &str = "IqXBU/aLfwMA3S/tDcfRmHx5vWHw9Y1aOgFLBr1Ti9w=";
    const FEISHU: &str = "VIS10b0EBvzzSdFnuk4tznEmK5wHaruvf/WnViv2yR4=";

    #[test]
    fn a_refusal_is_no_success() {
        assert_eq!(accepted(Bot::Generic, b"anything"), Ok(()));
        assert_eq!(accepted(Bot::Wecom, br#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
        assert_eq!(accepted(Bot::Dingtalk, br#"{"errcode":310000,"errmsg":"sign"}"#), Err("errcode 310000".to_owned()));
        assert_eq!(accepted(Bot::Feishu, br#"{"code":0}"#), Ok(()));
        assert!(accepted(Bot::Feishu, b"{}").is_err() && accepted(Bot::Feishu, b"<html>").is_err());
    }
}
