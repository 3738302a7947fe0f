//! Being told by mail and by a webhook of one's own, through real servers with a private authority: what they are sent, and
//! what no secret and no letter is ever sent over.
#![expect(clippy::unwrap_used, reason = "in tests, a failed unwrap is a failed test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::upkeep::{leaks, v6ready};

const USER: &str = "told@province.example";
const PASSWORD: &str = "planted-5d21c0";
/// `\0user\0password` in base64, as AUTH PLAIN sends it (RFC 4616).
const PLAIN: &str = "AHRvbGRAcHJvdmluY2UuZXhhbXBsZQBwbGFudGVkLTVkMjFjMA==";

/// An authority of one's own, as PEM, and a server for `localhost` that it vouches for.
fn authority() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (root.pem(), Arc::new(server))
}

/// What a mail server offers, and how it takes a password.
#[derive(Clone)]
struct Server {
    tls: Arc<ServerConfig>,
    wrapped: bool,
    starttls: bool,
    answer: &'static str,
}

/// Serves one conversation. Gives its port, and later every line that it was sent, behind `tls ` where TLS was there.
fn mail_server(server: Server) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let conversation = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut said = Vec::new();
        if server.wrapped {
            let connection = ServerConnection::new(Arc::clone(&server.tls)).unwrap();
            converse(&server, StreamOwned::new(connection, stream), true, true, &mut said);
        } else if converse(&server, stream.try_clone().unwrap(), false, true, &mut said) {
            let connection = ServerConnection::new(Arc::clone(&server.tls)).unwrap();
            converse(&server, StreamOwned::new(connection, stream), true, false, &mut said);
        }
        said
    });
    (port, conversation)
}

/// One conversation, until STARTTLS (true) or its end.
fn converse(server: &Server, stream: impl Read + Write, tls: bool, greet: bool, said: &mut Vec<String>) -> bool {
    let mut stream = BufReader::new(stream);
    let answer = |stream: &mut BufReader<_>, text: &str| -> bool {
        let stream: &mut dyn Write = BufReader::get_mut(stream);
        stream.write_all(format!("{text}\r\n").as_bytes()).and_then(|()| stream.flush()).is_ok()
    };
    if greet && !answer(&mut stream, "220 mail.example ESMTP") {
        return false;
    }
    let mut letter = false;
    loop {
        let mut line = String::new();
        // A client that breaks off is one of the things that are looked at.
        if !stream.read_line(&mut line).is_ok_and(|read| read > 0) {
            return false;
        }
        let line = line.trim_end().to_owned();
        said.push(format!("{}{line}", if tls { "tls " } else { "" }));
        let reply = match line.split(' ').next().unwrap_or_default() {
            "." => {
                letter = false;
                "250 taken"
            }
            _ if letter => continue,
            "EHLO" if !tls && server.starttls => "250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN",
            "EHLO" => "250-mail.example\r\n250 AUTH PLAIN",
            "STARTTLS" => return answer(&mut stream, "220 go ahead"),
            "AUTH" => server.answer,
            "DATA" => {
                letter = true;
                "354 go on"
            }
            "QUIT" => {
                answer(&mut stream, "221 bye");
                return false;
            }
            _ => "250 good",
        };
        if !answer(&mut stream, reply) {
            return false;
        }
    }
}

/// A folder in which a scan fails for want of sites, and tells so.
fn prepare(folder: &Path, ca: &str, config: &str) {
    fs::create_dir(folder.join("reports")).unwrap();
    fs::write(folder.join("list.csv"), "domain,name\n").unwrap();
    fs::write(folder.join("ca.pem"), ca).unwrap();
    fs::write(folder.join("password.secret"), format!("{PASSWORD}\n")).unwrap();
    fs::write(folder.join("v6ready.toml"), config).unwrap();
}

fn account(port: u16, security: &str, user: &str) -> String {
    format!(
        "[notify]\nca_file = \"ca.pem\"\n[smtp]\nserver = \"localhost:{port}\"\nsecurity = \"{security}\"\nuser = \"{user}\"\n\
         password_file = \"password.secret\"\nfrom = \"示例省 <told@province.example>\"\n\
         to = [\"a@bureau.example\", \"办公室 <b@bureau.example>\"]\n"
    )
}

#[test]
fn a_letter_goes_through_tls_and_the_password_stays_in_its_file() {
    let (ca, tls) = authority();
    for (security, user, auth) in [("starttls", USER, true), ("tls", USER, true), ("none", "", false)] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server {
            tls: Arc::clone(&tls),
            wrapped: security == "tls",
            starttls: security == "starttls",
            answer: "235 welcome",
        };
        let (port, conversation) = mail_server(server);
        prepare(folder.path(), &ca, &account(port, security, user));
        let scan = v6ready(folder.path(), &["--lang", "en", "scan", "list.csv"]);
        let said = conversation.join().unwrap();
        let heard = String::from_utf8_lossy(&scan.stderr).into_owned();
        assert_eq!(scan.status.code(), Some(3), "{heard}");
        assert!(!heard.contains("could not be sent"), "{security}: {heard}");
        let before = if security == "none" { "" } else { "tls " };
        let line = |text: &str| said.iter().any(|line| line.starts_with(&format!("{before}{text}")));
        assert_eq!(line(&format!("AUTH PLAIN {PLAIN}")), auth, "{security}: {said:?}");
        for wanted in [
            "MAIL FROM:<told@province.example>",
            "RCPT TO:<a@bureau.example>",
            "RCPT TO:<b@bureau.example>",
            "Subject: IPv6 upgrade readiness: the scan failed",
            "the scan at vantage ",
        ] {
            assert!(line(wanted), "{security}: {wanted} is not in {said:?}");
        }
        let outputs = [scan, v6ready(folder.path(), &["config", "show"]), v6ready(folder.path(), &["status"])];
        assert_eq!(leaks(folder.path(), &outputs, &[PASSWORD, PLAIN]), [""; 0], "{security}");
    }
}

#[test]
fn no_password_and_no_letter_without_tls_that_can_be_trusted() {
    let (ca, tls) = authority();
    let (strange, _) = authority();
    let server = |starttls, answer| Server { tls: Arc::clone(&tls), wrapped: false, starttls, answer };
    // What the server is like, whom the client trusts, what is said, whether the password was asked for.
    for (server, ca, told, asked) in [
        (server(false, "235 welcome"), &ca, "no TLS with the mail server", false),
        (server(true, "235 welcome"), &strange, "no TLS with the mail server", false),
        // A server that repeats what it was sent.
        (server(true, "535 not planted-5d21c0, please"), &ca, "answered with code 535", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (port, conversation) = mail_server(server);
        prepare(folder.path(), ca, &account(port, "starttls", USER));
        let scan = v6ready(folder.path(), &["--lang", "en", "scan", "list.csv"]);
        let said = conversation.join().unwrap();
        let heard = String::from_utf8_lossy(&scan.stderr).into_owned();
        assert!(heard.contains("the mail could not be sent") && heard.contains(told), "{heard}");
        assert_eq!(scan.status.code(), Some(3));
        assert_eq!(said.iter().any(|line| line.contains("AUTH")), asked, "{said:?}");
        assert!(!said.iter().any(|line| line.contains("MAIL FROM")), "{said:?}");
        assert_eq!(leaks(folder.path(), &[scan], &[PASSWORD, PLAIN]), [""; 0]);
    }
}

#[test]
fn a_mail_that_cannot_be_sent_is_told_before_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), "", "[smtp]\nserver = \"mail\"\nsecurity = \"none\"\nuser = \"u\"\n");
    let scan = v6ready(folder.path(), &["--lang", "en", "scan", "list.csv"]);
    let heard = String::from_utf8_lossy(&scan.stderr).into_owned();
    assert_eq!(scan.status.code(), Some(3), "{heard}");
    for key in ["smtp.server", "smtp.from", "smtp.to", "smtp.user"] {
        assert!(heard.contains(key), "{key}: {heard}");
    }
}

#[test]
fn a_webhook_of_ones_own_may_have_an_authority_of_ones_own() {
    let (ca, tls) = authority();
    let (strange, _) = authority();
    for (ca, trusted) in [(&ca, true), (&strange, false)] {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = Arc::clone(&tls);
        let conversation = std::thread::spawn(move || hear_one(listener.accept().unwrap().0, tls));
        let config = "[notify]\nbot = \"generic\"\nurl_file = \"url.secret\"\nca_file = \"ca.pem\"\n";
        prepare(folder.path(), ca, config);
        fs::write(folder.path().join("url.secret"), format!("https://localhost:{port}/told")).unwrap();
        let scan = v6ready(folder.path(), &["--lang", "en", "scan", "list.csv"]);
        let asked = conversation.join().unwrap();
        let heard = String::from_utf8_lossy(&scan.stderr).into_owned();
        assert_eq!(asked.starts_with("POST /told HTTP/1.1"), trusted, "{asked}");
        assert_eq!(heard.contains("nobody could be told"), !trusted, "{heard}");
    }
}

/// The first request over TLS. Empty: there was none.
fn hear_one(stream: TcpStream, tls: Arc<ServerConfig>) -> String {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    // A client that breaks off is one of the things that are looked at.
    while let Ok(read) = stream.read(&mut buffer) {
        text.extend_from_slice(&buffer[..read]);
        if read == 0 || text.ends_with(b"}") {
            break;
        }
    }
    if !text.is_empty() {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    }
    String::from_utf8_lossy(&text).into_owned()
}
