//! Every payload as the name of a vantage and of a list, told by the real program: by mail, and to a program of one's own. And
//! in the messages of all bots.
#![expect(clippy::print_stdout, reason = "numbers to be read by people")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;
use v6ready::model::time::Timestamp;
use v6ready::upkeep::notice::{Bot, Notice, request};

use super::{hides, payloads, v6ready};

/// What a letter of the program has above its text, and nothing else.
const HEADERS: [&str; 7] =
    ["content-transfer-encoding", "content-type", "date", "from", "mime-version", "subject", "to"];

/// The next who calls. None: nobody does within some seconds.
fn next(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).expect("a listener");
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).expect("a stream");
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a stream");
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Takes one letter and gives its lines.
fn letter(stream: TcpStream) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let answer = |stream: &mut BufReader<TcpStream>, text: &str| {
        stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).expect("an answer");
    };
    answer(&mut stream, "220 mail.example ESMTP");
    let (mut lines, mut inside) = (Vec::new(), false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).expect("a line of text") == 0 {
            return lines;
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        match line.as_str() {
            "." if inside => inside = false,
            _ if inside => {
                lines.push(line);
                continue;
            }
            "DATA" => {
                inside = true;
                answer(&mut stream, "354 go on");
                continue;
            }
            "QUIT" => {
                answer(&mut stream, "221 bye");
                return lines;
            }
            _ => {}
        }
        answer(&mut stream, "250 good");
    }
}

/// Takes one message and gives its JSON.
fn message(stream: TcpStream) -> Value {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line of the head");
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    stream
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("an answer");
    serde_json::from_slice(&body).expect("JSON")
}

/// Every text in a value, and how deep the value goes.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|of| of.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// A scan that fails for want of its list, and the letter and the message about it.
fn told(folder: &Path, text: &str, ports: (u16, u16)) -> std::process::Output {
    // What a vantage may be called; the list's name holds all of the text.
    let vantage: String = format!("v{text}").chars().filter(|c| !c.is_control()).take(100).collect();
    let argument: String = text.chars().filter(|c| *c != '\0').take(2_000).collect();
    let config = format!(
        "[vantage]\nname = {}\n[notify]\nbot = \"generic\"\nurl_file = \"url\"\n[smtp]\nserver = \"127.0.0.1:{}\"\nsecurity = \"none\"\n\
         from = \"v6ready@province.example\"\nto = [\"office@province.example\"]\n",
        toml::Value::String(vantage),
        ports.0
    );
    fs::write(folder.join("v6ready.toml"), config).expect("written");
    fs::write(folder.join("url"), format!("http://127.0.0.1:{}/told", ports.1)).expect("written");
    // A failure like the last one is not told again.
    let _ = fs::remove_file(folder.join("reports/history.db.ledger"));
    v6ready(folder, &["scan", "--", &format!("missing/{argument}")])
}

#[test]
fn nothing_comes_alive_in_a_letter_or_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("reports")).expect("a folder");
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (mail, bot) = (listen(), listen());
    let ports = (mail.local_addr().expect("bound").port(), bot.local_addr().expect("bound").port());
    let all = payloads::all();
    for text in &all {
        let (said, letter, message) = std::thread::scope(|scope| {
            let letter = scope.spawn(|| next(&mail).map(letter));
            let message = scope.spawn(|| next(&bot).map(message));
            let said = told(folder.path(), text, ports);
            (said, letter.join().expect("a letter"), message.join().expect("a message"))
        });
        let output = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(3), "{text:?}: {output}");
        let (Some(letter), Some(message)) = (letter, message) else {
            panic!("nobody was told of {text:?}: {output}");
        };
        let head = letter.iter().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with([' ', '\t']));
        let mut head: Vec<String> =
            head.map(|line| line.split(':').next().expect("a name").to_ascii_lowercase()).collect();
        head.sort();
        assert_eq!(head, HEADERS, "{text:?}");
        assert!(letter.contains(&"Content-Type: text/plain; charset=utf-8".to_owned()), "{letter:?}");
        assert_eq!(keys(&message), ["figures", "link", "text", "title"], "{text:?}");
        for part in texts(&message) {
            assert_eq!(hides(part), None, "{text:?}: {part:?}");
        }
    }
    println!("n = {} payloads in letters and in messages to a program", all.len());
}

#[test]
fn nothing_comes_alive_in_a_chat() {
    let all = payloads::all();
    let url = Url::parse("https://bot.example/send").expect("a URL");
    for text in &all {
        let notice = Notice { title: text.clone(), text: text.clone(), link: None, figures: Value::Null };
        let plain = Notice { title: "示例".into(), text: "示例".into(), ..notice.clone() };
        for bot in [Bot::Wecom, Bot::Dingtalk, Bot::Feishu] {
            let [body, expected] = [&notice, &plain].map(|of| request(bot, of, &url, None, Timestamp(0)).1);
            assert_eq!(keys(&body), keys(&expected), "{text:?}");
            for part in texts(&body) {
                assert!(!part.contains(['<', '>', '[', ']', '`']), "{bot:?}: {part:?}");
            }
        }
    }
    println!("n = {} payloads in messages of 3 bots", all.len());
}
