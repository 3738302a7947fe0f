//! One HTTP/1.1 exchange on a stream of ours: head and body within every limit, timed.
//!
//! hyper speaks the protocol; redirects, cookies and retries are made by the caller, who can see each of them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout_at;

use super::errors::{When, failure_of};
use crate::model::failure::{Failure, Limit};

/// Bounds of one exchange (docs/method/exchange.md).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HttpLimits {
    /// Request to response head.
    pub first_byte: Duration,
    /// Request to end of body.
    pub total: Duration,
    /// Bytes of the response head.
    pub head_bytes: usize,
    /// Lines of the response head.
    pub head_lines: usize,
    /// Informational (1xx) responses before it.
    pub informational: usize,
    /// Body bytes read from the wire.
    pub body_wire: usize,
    /// Body bytes after decoding.
    pub body_decoded: usize,
    /// Decoded bytes per wire byte, once more than 64 KiB are decoded.
    pub ratio: usize,
    /// Within each such window of body time ...
    pub slow_window: Duration,
    /// ... at least so many bytes must come.
    pub slow_bytes: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            total: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            head_lines: 100,
            informational: 10,
            body_wire: 2 * 1024 * 1024,
            body_decoded: 4 * 1024 * 1024,
            ratio: 200,
            slow_window: Duration::from_secs(10),
            slow_bytes: 1024,
        }
    }
}

/// Room made for a body before it comes.
const BODY_AT_ONCE: usize = 128 * 1024;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Get<'a> {
    /// Host header: the name, with the port where it is not the scheme's default.
    pub authority: &'a str,
    /// Path and query, beginning with a slash.
    pub target: &'a str,
    /// User-Agent.
    pub user_agent: &'a str,
    /// Cookie header. None: no cookies.
    pub cookie: Option<&'a [u8]>,
}

/// A response.
#[derive(Debug)]
pub struct Fetched {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body bytes as they came.
    pub body: Vec<u8>,
    /// Why the body's end was not reached. None: it was.
    pub body_failure: Option<Failure>,
    /// Request to response head.
    pub ttfb: Duration,
    /// Request to end of body.
    pub total: Duration,
}

/// Makes one GET.
pub async fn get<S>(stream: S, request: &Get<'_>, limits: &HttpLimits) -> Result<Fetched, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let begun = Instant::now();
    let mut message = build(request)?;
    let too_many = count_informational(&mut message, limits.informational);
    let handshake = http1::Builder::new()
        // Sloppy heads that every browser reads must not make a site broken.
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .max_headers(limits.head_lines)
        .max_buf_size(limits.head_bytes)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await;
    let (mut sender, connection) = handshake.map_err(|error| hyper_failure(&error))?;
    // Both in this one task: whoever is next in line may connect as soon as this returns, since the connection is closed then.
    let mut connection = pin!(connection.fuse());
    let mut exchange = pin!(exchange(&mut sender, message, &too_many, begun, limits));
    poll_fn(|cx| {
        if let Poll::Ready(fetched) = exchange.as_mut().poll(cx) {
            return Poll::Ready(fetched);
        }
        // The exchange itself reports what went wrong on the connection.
        let _ = connection.as_mut().poll(cx);
        exchange.as_mut().poll(cx)
    })
    .await
}

/// The request and its response on a connection that is driven elsewhere.
async fn exchange(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    message: Request<Empty<Bytes>>,
    too_many: &Notify,
    begun: Instant,
    limits: &HttpLimits,
) -> Result<Fetched, Failure> {
    let head_deadline = tokio::time::Instant::from_std(begun + limits.first_byte);
    let answered = async {
        tokio::select! {
            biased;
            () = too_many.notified() => Err(Failure::Limit(Limit::Informational)),
            response = sender.send_request(message) => response.map_err(|error| hyper_failure(&error)),
        }
    };
    let response = timeout_at(head_deadline, answered).await.unwrap_or(Err(Failure::HttpStall))?;
    let ttfb = begun.elapsed();
    let (parts, mut body) = response.into_parts();
    // What the peer announces is believed only as far as it would be read.
    let announced = body.size_hint().exact().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(announced.min(BODY_AT_ONCE));
    let body_failure = read_body(&mut body, &mut bytes, begun, limits).await.err();
    Ok(Fetched {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: bytes,
        body_failure,
        ttfb,
        total: begun.elapsed(),
    })
}

fn build(request: &Get<'_>) -> Result<Request<Empty<Bytes>>, Failure> {
    let mut builder = Request::get(request.target)
        .header("host", request.authority)
        .header("user-agent", request.user_agent)
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .header("accept-language", "zh-CN,zh;q=0.9,en;q=0.5")
        .header("accept-encoding", "gzip, deflate")
        .header("connection", "close");
    // A cookie that no header can hold is not sent back.
    if let Some(cookie) = request.cookie.and_then(|cookie| HeaderValue::from_bytes(cookie).ok()) {
        builder = builder.header("cookie", cookie);
    }
    // Only a target with bytes that no URL may hold can fail here.
    builder.body(Empty::new()).map_err(|_| Failure::HttpMalformed)
}

/// Counts the informational responses to a request. hyper passes over any number of them; more than `most` wake the waiter.
fn count_informational(message: &mut Request<Empty<Bytes>>, most: usize) -> Arc<Notify> {
    let too_many = Arc::new(Notify::new());
    let (seen, wake) = (AtomicUsize::new(0), Arc::clone(&too_many));
    hyper::ext::on_informational(message, move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) >= most {
            wake.notify_one();
        }
    });
    too_many
}

async fn read_body(
    body: &mut hyper::body::Incoming,
    bytes: &mut Vec<u8>,
    begun: Instant,
    limits: &HttpLimits,
) -> Result<(), Failure> {
    let total = tokio::time::Instant::from_std(begun + limits.total);
    let mut window_ends = tokio::time::Instant::now() + limits.slow_window;
    let mut in_window = 0;
    loop {
        let frame = match timeout_at(total.min(window_ends), body.frame()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(body_error(&error)),
            Ok(Some(Ok(frame))) => Some(frame),
            Err(_) => None,
        };
        if let Some(data) = frame.and_then(|frame| frame.into_data().ok()) {
            in_window += data.len();
            let room = limits.body_wire.saturating_sub(bytes.len());
            bytes.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Err(Failure::Limit(Limit::Body));
            }
        }
        let now = tokio::time::Instant::now();
        if now >= total {
            return Err(Failure::Limit(Limit::Total));
        }
        if now >= window_ends {
            if in_window < limits.slow_bytes {
                return Err(Failure::Limit(Limit::Slow));
            }
            window_ends = now + limits.slow_window;
            in_window = 0;
        }
    }
}

fn body_error(error: &hyper::Error) -> Failure {
    match hyper_failure(error) {
        Failure::HttpEof => Failure::EarlyEof,
        other => other,
    }
}

/// The one place where hyper's errors become words of ours: by type, never by text.
fn hyper_failure(error: &hyper::Error) -> Failure {
    use std::error::Error as _;
    if error.is_parse_too_large() {
        return Failure::Limit(Limit::Headers);
    }
    if error.is_parse() {
        return Failure::HttpMalformed;
    }
    if error.is_incomplete_message() {
        return Failure::HttpEof;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            // A TLS close without close_notify, or a body that ends before its announced length.
            if io.kind() == std::io::ErrorKind::UnexpectedEof {
                return Failure::HttpEof;
            }
            // Chunks that are none.
            if matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData)
                && io.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>())
            {
                return Failure::HttpMalformed;
            }
            // With TLS 1.3, a server refuses a client after the client's side of the handshake is done.
            let tls = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(rustls::Error::AlertReceived(alert)) = tls {
                return Failure::TlsAlert(u8::from(*alert));
            }
            // How hyper says that a chunk is none (RFC 9112 §7.1).
            let garbled = matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData);
            if garbled && tls.is_none() {
                return Failure::HttpMalformed;
            }
            return failure_of(io, When::Open);
        }
        source = inner.source();
    }
    if error.is_body_write_aborted() || error.is_closed() || error.is_canceled() {
        return Failure::HttpEof;
    }
    Failure::HttpMalformed
}
