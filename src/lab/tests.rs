//! Proofs of the lab's behaviours with plain sockets: what a scanner would meet.

#![allow(clippy::disallowed_methods, reason = "these tests are the client")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::log::Event;
use super::scenario::Scenario;
use super::*;
use crate::net::route::Dial;

const SILENCE: Duration = Duration::from_millis(250);

async fn lab(world: &str) -> Lab {
    let text = format!("id = \"T\"\nname = \"test\"\nlist = [\"x.example\"]\n{world}\n[expect]\nreadiness = \"READY\"");
    let scenario = Scenario::parse(&text, std::path::Path::new("test.toml")).expect("a scenario");
    Lab::start(scenario.world().with_anchors()).await.expect("a lab")
}

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("a socket address")
}

async fn connect(lab: &Lab, target: &str) -> io::Result<TcpStream> {
    let route = lab.route();
    let target = socket(target);
    match route.dial(Transport::Tcp, target) {
        Dial::Mapped(port) => {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            route.announce(Transport::Tcp, socket.local_addr()?, target);
            tokio::time::timeout(SILENCE, socket.connect(port)).await?
        }
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// Status line, head and body as text.
async fn talk(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, host: &str, path: &str, more: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request is sent");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    let mut text = String::from_utf8_lossy(&answer).into_owned();
    if let Err(error) = ended {
        let _ = write!(text, "\n[{:?}]", error.kind());
    }
    text
}

async fn get(lab: &Lab, target: &str, host: &str, path: &str) -> String {
    talk(connect(lab, target).await.expect("open"), host, path, "").await
}

fn question(name: &str, rtype: RecordType) -> Message {
    let mut query = Message::query();
    let mut name = Name::from_ascii(name).expect("a name");
    name.set_fqdn(true);
    query.add_query(Query::query(name, rtype));
    query.metadata.recursion_desired = true;
    query.set_edns(Edns::new());
    query
}

/// At most so many replies, or what comes before silence.
async fn ask_udp(lab: &Lab, server: &str, query: &Message, most: usize) -> Vec<Vec<u8>> {
    let route = lab.route();
    let target = socket(&format!("{server}:53"));
    let Dial::Mapped(port) = route.dial(Transport::Udp, target) else { return Vec::new() };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
    route.announce(Transport::Udp, socket.local_addr().expect("bound"), target);
    socket.send_to(&query.to_vec().expect("a message"), port).await.expect("sent");
    let mut replies = Vec::new();
    let mut buffer = [0; 4096];
    while replies.len() < most
        && let Ok(received) = tokio::time::timeout(SILENCE, socket.recv(&mut buffer)).await
    {
        replies.push(buffer[..received.expect("received")].to_vec());
    }
    replies
}

async fn ask(lab: &Lab, server: &str, name: &str, rtype: RecordType) -> Message {
    let replies = ask_udp(lab, server, &question(name, rtype), 1).await;
    Message::from_vec(replies.first().expect("a reply")).expect("a message")
}

fn addresses(message: &Message) -> Vec<String> {
    let text = |data: &RData| match data {
        RData::A(a) => Some(a.0.to_string()),
        RData::AAAA(aaaa) => Some(aaaa.0.to_string()),
        _ => None,
    };
    message.answers.iter().filter_map(|record| text(&record.data)).collect()
}

#[tokio::test]
async fn doors_refuse_drop_reset_and_say_icmp() {
    let lab = lab(r#"
        [host."192.0.2.1"]
        http = { connect = "refused" }
        https = { connect = "timeout" }
        ports = { 81 = { connect = "reset" }, 82 = { connect = "prohibited" }, 83 = { connect = "no_route" }, 84 = {} }
        [host."2001:db8::1"]
        http = { connect = { 1 = "timeout", "2+" = "open" } }
    "#)
    .await;
    let kind = |result: io::Result<TcpStream>| result.expect_err("no connection").kind();
    assert_eq!(kind(connect(&lab, "192.0.2.1:80").await), io::ErrorKind::ConnectionRefused);
    assert_eq!(kind(connect(&lab, "192.0.2.1:85").await), io::ErrorKind::ConnectionRefused);
    assert_eq!(kind(connect(&lab, "192.0.2.1:443").await), io::ErrorKind::TimedOut);
    assert_eq!(kind(connect(&lab, "192.0.2.2:80").await), io::ErrorKind::TimedOut, "nobody's address is silent");
    assert!(connect(&lab, "192.0.2.1:82").await.expect_err("icmp").to_string().contains("Prohibited"));
    assert!(connect(&lab, "192.0.2.1:83").await.expect_err("no route").to_string().contains("NoRoute"));
    let mut opened = connect(&lab, "192.0.2.1:81").await.expect("open");
    assert_eq!(opened.read(&mut [0; 9]).await.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(kind(connect(&lab, "[2001:db8::1]:80").await), io::ErrorKind::TimedOut);
    assert!(get(&lab, "[2001:db8::1]:80", "x.example", "/").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let dials = lab.log().count(|event| matches!(event, Event::Dial { target, .. } if target.ip().is_ipv6()));
    assert_eq!(dials, 2);
}

#[tokio::test]
async fn many_clients_are_dropped_at_once() {
    let lab = Arc::new(lab("").await);
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let lab = Arc::clone(&lab);
        attempts.spawn(async move { connect(&lab, "203.0.113.9:443").await.map(drop) });
    }
    let outcomes = attempts.join_all().await;
    assert!(outcomes.iter().all(|each| each.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)));
}

#[tokio::test]
async fn requests_meet_virtual_hosts_paths_and_turns() {
    let lab = lab(r#"
        [host."192.0.2.1".http]
        page = "nginx_default"
        vhost."x.example" = { page = "school", path."/old" = { redirect = "https://{host}/new" } }
        vhost."busy.example" = { nth = { 1 = { retry_after = 5 }, "2+" = { body = "served" } } }
        vhost."wait.example" = { retry_after = 1, body = "after" }
        vhost."cookie.example" = { cookie_bounce = true, body = "seen" }
        vhost."chain.example" = { chain = 2, body = "end" }
        vhost."cut.example" = { body = "0123456789", cut_body_at = 0.5 }
        vhost."gbk.example" = { page = "school", charset = "gbk" }
        vhost."raw.example" = { raw = "NOT HTTP\n" }
        vhost."wall.example" = { page = "challenge_412" }
    "#)
    .await;
    let get = |host: &'static str, path: &'static str| get(&lab, "192.0.2.1:80", host, path);
    assert!(get("other.example", "/").await.contains("Welcome to nginx!"));
    assert!(get("x.example", "/").await.contains("学校新闻"));
    assert!(get("x.example:80", "/old?a=1").await.contains("\r\nLocation: https://x.example/new\r\n"));
    assert!(get("busy.example", "/").await.contains("Retry-After: 5\r\n"));
    assert!(get("busy.example", "/").await.ends_with("served"));
    assert!(get("wait.example", "/").await.starts_with("HTTP/1.1 429 "));
    assert!(get("wait.example", "/").await.ends_with("after"));
    assert!(get("cookie.example", "/a").await.contains("Location: /a\r\nSet-Cookie: lab_seen=1"));
    let again = connect(&lab, "192.0.2.1:80").await.expect("open");
    assert!(talk(again, "cookie.example", "/a", "Cookie: lab_seen=1\r\n").await.ends_with("seen"));
    assert!(get("chain.example", "/").await.contains("Location: /?hop=1\r\n"));
    assert!(get("chain.example", "/?hop=1").await.contains("Location: /?hop=2\r\n"));
    assert!(get("chain.example", "/?hop=2").await.ends_with("end"));
    let cut = get("cut.example", "/").await;
    assert!(cut.contains("Content-Length: 10\r\n") && cut.ends_with("01234\n[ConnectionReset]"), "{cut}");
    assert!(get("gbk.example", "/").await.contains("Content-Type: text/html; charset=gbk\r\n"));
    assert_eq!(get("raw.example", "/").await, "NOT HTTP\n");
    assert!(get("wall.example", "/").await.starts_with("HTTP/1.1 412 "));
    let seen = lab.log().count(|event| matches!(event, Event::Request { host, .. } if host == "busy.example"));
    assert_eq!(seen, 2);
}

fn connector(lab: &Lab) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(lab.ca_der())).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn handshake(lab: &Lab, target: &str, name: &str) -> Result<String, String> {
    let stream = connect(lab, target).await.map_err(|error| error.to_string())?;
    let server_name = ServerName::try_from(name.to_owned()).expect("a name");
    let opening = tokio::time::timeout(SILENCE * 4, connector(lab).connect(server_name, stream));
    match opening.await {
        Err(_) => Err("stall".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(stream)) => Ok(talk(stream, name, "/", "").await),
    }
}

#[tokio::test]
async fn greetings_are_good_bad_and_odd() {
    let facts = [
        ("ok", r#"{ cert = "ok" }"#, ""),
        ("ok12", r#"{ version = "1.2" }"#, ""),
        ("wrong", r#"{ cert = "wrong_name" }"#, "not valid for name"),
        ("expired", r#"{ cert = "expired" }"#, "xpired"),
        ("self", r#"{ cert = "self_signed" }"#, "invalid peer certificate"),
        ("unknown", r#"{ cert = "unknown_ca" }"#, "UnknownIssuer"),
        ("short", r#"{ cert = "missing_intermediate" }"#, "UnknownIssuer"),
        ("client", r#"{ require_client_cert = true, version = "1.2" }"#, "CertificateRequired"),
        ("legacy", "{ legacy = true }", "ProtocolVersion"),
        ("tlcp", "{ tlcp = true }", "HandshakeFailure"),
        ("alert", "{ alert = 112 }", "UnrecognisedName"),
        ("stall", "{ stall = true }", "stall"),
        ("clear", "{ plain_http = true }", "corrupt message"),
        ("garbage", "{ garbage = true }", "corrupt message"),
        ("eof", "{ eof = true }", "eof"),
    ];
    let world: String = facts
        .iter()
        .enumerate()
        .map(|(number, (_, tls, _))| format!("[host.\"192.0.2.{}\"]\nhttps = {{ tls = {tls} }}\n", number + 1))
        .collect::<Vec<_>>()
        .concat();
    let lab = lab(&world).await;
    for (number, (what, _, expected)) in facts.iter().enumerate() {
        let outcome = handshake(&lab, &format!("192.0.2.{}:443", number + 1), "x.example").await;
        match outcome {
            Ok(text) => assert!(expected.is_empty() && text.starts_with("HTTP/1.1 200 "), "{what}: {text}"),
            Err(error) => {
                assert!(
                    !expected.is_empty() && error.to_lowercase().contains(&expected.to_lowercase()),
                    "{what}: {error}"
                );
            }
        }
    }
    let named =
        lab.log().count(|event| matches!(event, Event::Hello { server_name: Some(name), .. } if name == "x.example"));
    assert_eq!(named, 8);
}

#[tokio::test]
async fn resolvers_follow_and_authorities_speak_for_their_zones() {
    let lab = lab(r#"
        [dns."www.x.example"]
        cname = "edge.cdn.example"
        [dns."edge.cdn.example"]
        a = ["192.0.2.1"]
        aaaa = ["2001:db8::1"]
        [dns."v4.x.example"]
        a = ["192.0.2.2"]
        [dns."a.loop.example"]
        cname = "b.loop.example"
        [dns."b.loop.example"]
        cname = "a.loop.example"
        [dns."d1.loop.example"]
        dname = "d2.loop.example"
        [dns."d2.loop.example"]
        dname = "d1.loop.example"
        [zone."x.example"]
        ns = { "ns1.ours.example" = ["198.51.100.1", "2001:db8:53::9"] }
    "#)
    .await;
    let answer = ask(&lab, "192.0.2.53", "WWW.x.example", RecordType::AAAA).await;
    assert!(answer.metadata.recursion_available && !answer.metadata.authoritative && answer.edns.is_some());
    assert_eq!((answer.answers.len(), addresses(&answer)), (2, vec!["2001:db8::1".to_owned()]));
    let answer = ask(&lab, "198.51.100.53", "v4.x.example", RecordType::AAAA).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert_eq!(answer.authorities[0].name.to_ascii(), "x.example.");
    let answer = ask(&lab, "192.0.2.53", "nobody.x.example", RecordType::A).await;
    assert_eq!((answer.metadata.response_code, answer.authorities.len()), (ResponseCode::NXDomain, 1));
    // The zone's own server: authoritative for its names, an alias without its outside target, refused elsewhere.
    let answer = ask(&lab, "[2001:db8:53::9]", "v4.x.example", RecordType::A).await;
    assert!(answer.metadata.authoritative && !answer.metadata.recursion_available);
    assert_eq!(addresses(&answer), ["192.0.2.2"]);
    assert_eq!(ask(&lab, "198.51.100.1", "www.x.example", RecordType::A).await.answers.len(), 1);
    let refused = ask(&lab, "198.51.100.1", "edge.cdn.example", RecordType::A).await;
    assert_eq!((refused.metadata.response_code, refused.metadata.authoritative), (ResponseCode::Refused, false));
    let servers = ask(&lab, "192.0.2.53", "x.example", RecordType::NS).await;
    assert_eq!((servers.answers.len(), servers.additionals.len()), (1, 2));
    assert_eq!(addresses(&ask(&lab, "192.0.2.53", "ns1.ours.example", RecordType::AAAA).await), ["2001:db8:53::9"]);
    let soa = ask(&lab, "192.0.2.53", "www.x.example", RecordType::SOA).await;
    assert_eq!(soa.authorities.last().map(|record| record.name.to_ascii()), Some("cdn.example.".to_owned()));
    assert_eq!(ask(&lab, "192.0.2.53", "a.loop.example", RecordType::A).await.answers.len(), 2);
    let turning = ask(&lab, "192.0.2.53", "www.d1.loop.example", RecordType::A).await;
    assert_eq!(turning.answers.len(), 4, "two DNAME, two CNAME");
    let anchor = ask(&lab, "192.0.2.53", "ipv4only.arpa", RecordType::AAAA).await;
    assert_eq!((anchor.metadata.response_code, anchor.answers.len()), (ResponseCode::NoError, 0));
}

#[tokio::test]
async fn odd_answers_are_odd() {
    let odd = |what: &str| format!("a = [\"192.0.2.1\"]\nodd = [{{ type = \"AAAA\", {what} }}]\n");
    let world: String = [
        ("fail", r#"do = "servfail""#),
        ("drop", r#"do = "drop", nth = 1"#),
        ("nosoa", r#"do = "nodata_nosoa""#),
        ("foreign", r#"do = "foreign_soa", owner = "else.example""#),
        ("bad", r#"do = "bad_rdata""#),
        ("tc", r#"do = "truncated", transport = "udp""#),
        ("id", r#"do = "wrong_id""#),
        ("wrong", r#"do = "wrong_question""#),
        ("garbage", r#"do = "garbage""#),
        ("twice", r#"do = "twice", answers = ["2001::1"]"#),
        ("auth", r#"do = "refused", server = "authority""#),
    ]
    .iter()
    .map(|(name, what)| format!("[dns.\"{name}.o.example\"]\n{}", odd(what)))
    .collect::<Vec<_>>()
    .concat();
    let lab = lab(&world).await;
    let aaaa = |name: &str| question(&format!("{name}.o.example"), RecordType::AAAA);
    let first = async |name: &str| ask(&lab, "192.0.2.53", &format!("{name}.o.example"), RecordType::AAAA).await;
    assert_eq!(first("fail").await.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(addresses(&ask(&lab, "192.0.2.53", "fail.o.example", RecordType::A).await), ["192.0.2.1"]);
    assert!(ask_udp(&lab, "192.0.2.53", &aaaa("drop"), 1).await.is_empty());
    assert_eq!(ask_udp(&lab, "192.0.2.53", &aaaa("drop"), 1).await.len(), 1, "only the first is dropped");
    assert!(first("nosoa").await.authorities.is_empty());
    assert_eq!(first("foreign").await.authorities[0].name.to_ascii(), "else.example.");
    assert!(first("tc").await.metadata.truncation);
    assert_eq!(first("wrong").await.queries[0].name().to_ascii(), "other.example.");
    assert_eq!(first("auth").await.metadata.response_code, ResponseCode::NoError);
    let query = aaaa("id");
    let reply = ask_udp(&lab, "192.0.2.53", &query, 1).await.remove(0);
    assert_ne!(reply[..2], query.metadata.id.to_be_bytes());
    let reply = ask_udp(&lab, "192.0.2.53", &aaaa("bad"), 1).await.remove(0);
    assert!(reply.windows(6).any(|bytes| bytes == [0, 4, 192, 0, 2, 1]), "an AAAA record of four bytes");
    assert!(Message::from_vec(&ask_udp(&lab, "192.0.2.53", &aaaa("garbage"), 1).await[0]).is_err());
    let replies = ask_udp(&lab, "192.0.2.53", &aaaa("twice"), 2).await;
    let replies: Vec<_> = replies.iter().map(|bytes| Message::from_vec(bytes).expect("a message")).collect();
    assert_eq!((addresses(&replies[0]), addresses(&replies[1])), (vec!["2001::1".to_owned()], vec![]));
}

#[tokio::test]
async fn large_answers_need_tcp() {
    let many: Vec<String> = (1..=60).map(|number| format!("\"2001:db8:77::{number:x}\"")).collect();
    let lab = lab(&format!("[dns.\"many.x.example\"]\naaaa = [{}]", many.join(","))).await;
    assert!(ask(&lab, "192.0.2.53", "many.x.example", RecordType::AAAA).await.metadata.truncation);
    let query = question("many.x.example", RecordType::AAAA).to_vec().expect("a message");
    let mut stream = connect(&lab, "192.0.2.53:53").await.expect("open");
    stream.write_u16(query.len() as u16).await.expect("sent");
    stream.write_all(&query).await.expect("sent");
    let length = stream.read_u16().await.expect("a length");
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await.expect("a reply");
    assert_eq!(addresses(&Message::from_vec(&reply).expect("a message")).len(), 60);
}

#[tokio::test]
async fn an_address_can_have_a_listener_of_its_own() {
    let lab = lab("[host.\"192.0.2.1\"]\nhttp = { body = \"own\" }").await;
    let route = lab.route();
    let local = route.standing_in_for(socket("192.0.2.1:80")).expect("a listener");
    assert_eq!(route.standing_in_for(socket("192.0.2.1:80")), Some(local));
    let stream = TcpStream::connect(local).await.expect("open");
    assert!(talk(stream, "x.example", "/", "").await.ends_with("own"));
    let closed = route.standing_in_for(socket("192.0.2.1:81")).expect("a port");
    assert!(TcpStream::connect(closed).await.is_err());
    drop(lab);
}

#[tokio::test]
async fn hostile_bodies_do_not_end() {
    let lab = lab(r#"
        [host."192.0.2.1".http]
        vhost."bomb.example" = { bomb = "gzip" }
        vhost."body.example" = { infinite_body = true }
        vhost."head.example" = { endless_headers = true }
    "#)
    .await;
    for host in ["body.example", "head.example"] {
        let mut stream = connect(&lab, "192.0.2.1:80").await.expect("open");
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.expect("sent");
        let mut some = vec![0; 100_000];
        stream.read_exact(&mut some).await.expect("more and more");
    }
    let mut stream = connect(&lab, "192.0.2.1:80").await.expect("open");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: bomb.example\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let start = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut decoder = flate2::read::GzDecoder::new(&answer[start..]);
    let mut unpacked = vec![1; 4 * 1024 * 1024];
    io::Read::read_exact(&mut decoder, &mut unpacked).expect("zeros");
    assert!(unpacked.iter().all(|byte| *byte == 0) && answer.len() < 2 * 1024 * 1024);
}

#[tokio::test]
async fn a_scenario_tells_what_must_be_seen() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/H20.toml");
    let scenario = Scenario::load(&path).expect("a scenario");
    let lab = Lab::start(scenario.world()).await.expect("a lab");
    assert!(!scenario.expect.check_saw(&lab.log()).is_empty(), "nothing was seen yet");
    for address in scenario.host.keys() {
        let target = SocketAddr::new(*address, 80).to_string();
        assert!(get(&lab, &target, "www.h20.example", "/").await.contains("学校新闻"));
    }
    assert_eq!(scenario.expect.check_saw(&lab.log()), Vec::<String>::new());
    let names = ["www.h20.example"];
    let addresses: Vec<IpAddr> = scenario.host.keys().copied().collect();
    assert_eq!(lab.log().of_site(&names, &addresses).len(), 6, "a dial, an accept and a request each");
    assert!(lab.log().of_site(&["other.example"], &[]).is_empty());
}
