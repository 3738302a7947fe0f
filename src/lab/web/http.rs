//! One HTTP/1.1 exchange, well-behaved or not (RFC 9112): reads a request head, writes the answer its table describes.
//!
//! Leaves to others: which table that is ([`super::facts`]), pages ([`super::pages`]), TLS and closing ([`super`]).

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress, write::GzEncoder};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::facts::{Bomb, CharsetIn, Cut, Drip, Spot};
use super::pages::{self, Page};
use super::{Peer, Shared, host_name, part};
use crate::clock::{Clock, SystemClock};
use crate::lab::log::Event;
use crate::model::time::Timestamp;

/// Longest request head that is read.
const HEAD: usize = 16 * 1024;
/// The cookie of [`Spot::cookie_bounce`].
const COOKIE: &str = "lab_seen=1";

/// A request head.
#[derive(Debug)]
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value)
    }

    /// Path and query.
    fn path(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

/// An answer before it is written.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Reads one request and answers it. `reset` makes the coming close a reset.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reset: impl Fn(&S),
    peer: &Peer,
    port: &Spot,
    shared: &Shared,
) -> io::Result<()> {
    let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
    let (path, _) = request.path();
    let host = host_name(request.header("host")).to_ascii_lowercase();
    shared.log.push(Event::Request {
        address: peer.address,
        tls: peer.tls,
        server_name: peer.server_name.clone(),
        method: request.method.clone(),
        host: request.header("host").to_ascii_lowercase(),
        path: request.target.clone(),
        headers: request.headers.clone(),
    });
    let (spot, number) = port.innermost(&shared.counters, peer.address, &host, path);
    tokio::time::sleep(Duration::from_millis(spot.delay_ms)).await;
    if spot.hang {
        return super::drain(&mut stream).await;
    }
    if spot.hang_up {
        return part(&mut stream).await;
    }
    for _ in 0..spot.informational {
        send(&mut stream, b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", None).await?;
    }
    if spot.endless_headers || spot.infinite_body {
        return endless(&mut stream, spot).await;
    }
    if let Some(raw) = &spot.raw {
        send(&mut stream, raw.as_bytes(), spot.drip).await?;
        return part(&mut stream).await;
    }
    let mut answer = compose(spot, number, &request, &host, peer.address, shared);
    if let Some(coding) = &spot.coding {
        answer.headers.push(("Content-Encoding".to_owned(), coding.clone()));
    }
    if let Some(filler) = spot.filler {
        let value = "a".repeat(filler.bytes);
        answer.headers.extend((0..filler.lines).map(|line| (format!("X-Filler-{line}"), value.clone())));
    }
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        answer.headers.push(("Date".to_owned(), date(SystemClock.now())));
    }
    let (mut bytes, body) = (head(&answer), answer.body);
    if spot.drip.is_some_and(|drip| drip.body_only) {
        send(&mut stream, &std::mem::take(&mut bytes), None).await?;
    }
    let cut = spot.cut_body_at.map(|share| (body.len() as f64 * share.clamp(0.0, 1.0)).round());
    if request.method != "HEAD" {
        // The share is of the body's own length, so the product is within it.
        #[expect(clippy::cast_sign_loss, reason = "both factors are not negative")]
        bytes.extend_from_slice(cut.map_or(&body[..], |length| &body[..length as usize]));
    }
    if spot.head_first {
        let body = bytes.split_off(bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4));
        send(&mut stream, &bytes, None).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        bytes = body;
    }
    send(&mut stream, &bytes, spot.drip).await?;
    if cut.is_some() && spot.cut == Cut::Rst {
        // A reset overtakes what the peer has not read yet: give it the time to.
        tokio::time::sleep(Duration::from_millis(100)).await;
        reset(&stream);
        return Ok(());
    }
    part(&mut stream).await
}

/// Reads a request head. None: the peer left, or what it sent is no request.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 2048];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let read = stream.read(&mut buffer).await?;
        if read == 0 || bytes.len() > HEAD {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let field =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok(Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: lines.filter_map(field).collect(),
    }))
}

/// The answer a table describes.
fn compose(spot: &Spot, number: u64, request: &Request, host: &str, address: SocketAddr, shared: &Shared) -> Answer {
    if let Some(seconds) = spot.retry_after.filter(|_| number <= spot.retry_after_times.unwrap_or(1)) {
        return short(spot.status.unwrap_or(429), &[("Retry-After", &seconds.to_string())]);
    }
    let (path, query) = request.path();
    if spot.cookie_bounce && !request.header("cookie").contains(COOKIE) {
        let cookie = format!("{COOKIE}; Path=/");
        return short(302, &[("Location", &request.target), ("Set-Cookie", &cookie)]);
    }
    let hop = query.strip_prefix("hop=").and_then(|text| text.parse().ok()).unwrap_or(0);
    if spot.chain.is_some_and(|length| hop < length) {
        return short(302, &[("Location", &format!("{path}?hop={}", hop + 1))]);
    }
    if let Some(target) = &spot.redirect {
        let target = target.replace("{host}", host).replace("{path}", path).replace("{query}", query);
        let mut answer = short(spot.status.unwrap_or(302), &[("Location", &target)]);
        answer.headers.extend(spot.headers.clone());
        return answer;
    }
    if let Some(bomb) = spot.bomb {
        let (coding, body) = explosive(bomb);
        let headers = [("Content-Type", "text/html"), ("Content-Encoding", &*coding)];
        return Answer { status: 200, headers: owned(&headers), body };
    }
    if let Some(kind) = asset_type(path).filter(|_| !spot.path.contains_key(path) && spot.body.is_none()) {
        return Answer { status: 200, headers: owned(&[("Content-Type", kind)]), body: b"/* lab */".to_vec() };
    }
    document(spot, page(spot, host, address, shared))
}

/// The page a table stands for.
fn page(spot: &Spot, host: &str, address: SocketAddr, shared: &Shared) -> Page {
    let host = spot.as_host.as_deref().unwrap_or(host);
    let whose = if host.is_empty() || super::is_literal(host) { address.ip().to_string() } else { host.to_owned() };
    let mut page = match (&spot.body, &spot.page, spot.status) {
        (Some(body), _, _) => Page { text: body.clone(), ..Page::default() },
        (None, Some(name), _) => pages::render(name, &whose, spot.title.as_deref(), shared.counters.visitor()),
        (None, None, Some(status)) if !(200..300).contains(&status) => pages::error(status),
        (None, None, _) => pages::render(&pages::PageName::School, &whose, spot.title.as_deref(), 0),
    };
    if let Some(size) = spot.size {
        pages::pad(&mut page.text, size);
    }
    page.status = spot.status.unwrap_or(page.status);
    page
}

fn document(spot: &Spot, page: Page) -> Answer {
    let label = spot.charset.clone().unwrap_or_else(|| "utf-8".to_owned());
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap_or(encoding_rs::UTF_8);
    let in_header = matches!(spot.charset_in, CharsetIn::Both | CharsetIn::Header);
    let in_meta = matches!(spot.charset_in, CharsetIn::Both | CharsetIn::Meta);
    let text = page
        .text
        .replace(pages::META_CHARSET, &if in_meta { format!("<meta charset=\"{label}\">") } else { String::new() });
    let (body, _, _) = encoding.encode(&text);
    let kind = if in_header { format!("text/html; charset={label}") } else { "text/html".to_owned() };
    let mut headers = owned(&[("Server", "nginx"), ("Content-Type", &kind)]);
    headers.extend(page.headers);
    headers.extend(spot.headers.clone());
    let mut body = body.into_owned();
    if spot.gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into memory cannot fail.
        let _ = encoder.write_all(&body);
        body = encoder.finish().unwrap_or_default();
        headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
    }
    Answer { status: page.status, headers, body }
}

/// A moment as a header says it (RFC 9110 §5.6.7).
fn date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn short(status: u16, headers: &[(&str, &str)]) -> Answer {
    let mut headers = owned(headers);
    headers.push(("Content-Type".to_owned(), "text/html".to_owned()));
    Answer { status, headers, body: pages::error(status).text.into_bytes() }
}

fn asset_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "css" => Some("text/css"),
        "js" => Some("text/javascript"),
        "png" => Some("image/png"),
        "jpg" => Some("image/jpeg"),
        "ico" => Some("image/x-icon"),
        _ => None,
    }
}

fn head(answer: &Answer) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} {}\r\n", answer.status, pages::reason(answer.status));
    for (name, value) in &answer.headers {
        // Writing to a string cannot fail.
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\nConnection: close\r\n\r\n", answer.body.len());
    text.into_bytes()
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], drip: Option<Drip>) -> io::Result<()> {
    let Some(drip) = drip else {
        stream.write_all(bytes).await?;
        return stream.flush().await;
    };
    for part in bytes.chunks(drip.bytes.max(1)) {
        stream.write_all(part).await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_millis(drip.every_ms)).await;
    }
    Ok(())
}

/// Sends headers, or chunks of a body, until the peer has enough.
async fn endless<S: AsyncWrite + Unpin>(stream: &mut S, spot: &Spot) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n").await?;
    let pause = Duration::from_millis(spot.drip.map_or(1, |drip| drip.every_ms));
    let part = if spot.endless_headers {
        // Many at a time, unless it is to be slow.
        let lines = if spot.drip.is_some() { 1 } else { 20 };
        format!("X-Filler: {}\r\n", "a".repeat(200)).repeat(lines).into_bytes()
    } else {
        stream.write_all(b"\r\n").await?;
        format!("{:x}\r\n{}\r\n", 16 * 1024, "<p>endless</p>\n\n".repeat(1024)).into_bytes()
    };
    loop {
        stream.write_all(&part).await?;
        stream.flush().await?;
        tokio::time::sleep(pause).await;
    }
}

/// A bomb and its Content-Encoding.
fn explosive(bomb: Bomb) -> (String, Vec<u8>) {
    const GZIP_HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    const ZLIB_HEAD: &[u8] = &[0x78, 0x01];
    match bomb {
        Bomb::Gzip => ("gzip".to_owned(), zeros(GZIP_HEAD)),
        Bomb::Deflate => ("deflate".to_owned(), zeros(ZLIB_HEAD)),
        Bomb::BareDeflate => ("deflate".to_owned(), zeros(&[])),
        Bomb::Nested => {
            let mut body = vec![0; 16 * 1024 * 1024];
            for _ in 0..10 {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                // Writing into memory cannot fail.
                let _ = encoder.write_all(&body);
                body = encoder.finish().unwrap_or_default();
            }
            (["gzip"; 10].join(", "), body)
        }
    }
}

/// 256 MiB of zeros, compressed. One block is packed once and repeated: each is valid behind the one before. The stream
/// has no trailer, since nobody may read that far.
fn zeros(head: &[u8]) -> Vec<u8> {
    let mut packer = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(64 * 1024);
    // Packing into memory cannot fail; what is written is complete because of the flush.
    let _ = packer.compress_vec(&vec![0; 1024 * 1024], &mut block, FlushCompress::Sync);
    let mut body = head.to_vec();
    for _ in 0..256 {
        body.extend_from_slice(&block);
    }
    body
}
