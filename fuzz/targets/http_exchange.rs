//! What a server sends is read within every limit, the same in whatever pieces it comes, and a body is what was framed.
//!
//! Input: a byte that says how the rest is used, a byte for the sizes of the pieces, a byte for the limits. Then, by the
//! first byte: the server's bytes as they are, or a body that is framed properly (by length, in chunks, by the connection's
//! end).

#![no_main]

use libfuzzer_sys::fuzz_target;
use v6ready::model::failure::{Failure, Limit};
use v6ready::net::http::{Fetched, Get, HttpLimits};
use v6ready_fuzz::ask;

fn limits(how: u8) -> HttpLimits {
    HttpLimits {
        head_lines: if how & 1 == 1 { 4 } else { 100 },
        informational: if how & 2 == 2 { 1 } else { 10 },
        body_wire: if how & 4 == 4 { 100 } else { 2 * 1024 * 1024 },
        ..HttpLimits::default()
    }
}

fuzz_target!(|data: &[u8]| {
    let [how, pieces, bounds, rest @ ..] = data else { return };
    let limits = limits(*bounds);
    let pieces: Vec<usize> = [pieces & 7, pieces >> 3 & 7, pieces >> 6].map(|size| usize::from(size) + 1).to_vec();
    match how % 4 {
        1 => framed(&length(rest), rest, &pieces, &limits),
        2 => framed(&chunks(rest, &pieces), rest, &pieces, &limits),
        3 => framed(&until_the_end(rest), rest, &pieces, &limits),
        _ => {
            let whole = exchange(rest, &[], &limits);
            let in_pieces = exchange(rest, &pieces, &limits);
            // hyper looks into a head that comes in pieces only once it is complete: what is wrong with one that never is
            // may be seen in one case only.
            if whole.is_ok() || in_pieces != Err(Failure::HttpEof) {
                assert_eq!(whole, in_pieces, "pieces of {pieces:?}");
            }
        }
    }
});

fn length(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn chunks(body: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let (mut rest, mut sizes) = (body, sizes.iter().cycle());
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().expect("it never ends")));
        wire.extend(format!("{:x}\r\n", chunk.len()).bytes());
        wire.extend(chunk);
        wire.extend(b"\r\n");
        rest = after;
    }
    wire.extend(b"0\r\n\r\n");
    wire
}

fn until_the_end(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", body].concat()
}

/// A response without its times, or how it failed.
type Outcome = Result<(u16, Vec<(String, Vec<u8>)>, Vec<u8>, Option<Failure>), Failure>;

fn exchange(answer: &[u8], pieces: &[usize], limits: &HttpLimits) -> Outcome {
    let request = Get { authority: "www.a.example", target: "/", user_agent: "fuzz", cookie: None };
    let (outcome, heard) = ask(&request, answer, pieces, limits);
    assert!(heard.starts_with(b"GET / HTTP/1.1\r\nhost: www.a.example\r\n"), "nothing was asked");
    let Fetched { status, headers, body, body_failure, ttfb, total } = match outcome {
        Ok(fetched) => fetched,
        Err(failure) => {
            // Everything came at once and nothing is left open: what went wrong is the server's doing, and no matter of time.
            let known = [Failure::HttpEof, Failure::HttpMalformed]
                .into_iter()
                .chain([Limit::Headers, Limit::Informational].map(Failure::Limit));
            assert!(known.into_iter().any(|known| known == failure), "{failure:?}");
            return Err(failure);
        }
    };
    assert!((200..=999).contains(&status) || status == 101, "{status}");
    assert!(headers.len() <= limits.head_lines, "{} lines", headers.len());
    assert!(body.len() <= limits.body_wire && body.len() <= answer.len(), "{} bytes", body.len());
    assert!(ttfb <= total);
    match &body_failure {
        None | Some(Failure::EarlyEof | Failure::HttpMalformed) => {}
        Some(Failure::Limit(Limit::Body)) => assert_eq!(body.len(), limits.body_wire),
        // Trailers behind the last chunk.
        Some(Failure::Limit(Limit::Headers)) => {}
        Some(other) => panic!("{other:?}"),
    }
    for value in headers.values() {
        assert!(!value.as_bytes().iter().any(|b| matches!(b, b'\r' | b'\n' | 0)), "{value:?}");
    }
    let fields = headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    Ok((status, fields, body, body_failure))
}

/// A well-framed body arrives as it was sent, up to its limit.
fn framed(answer: &[u8], body: &[u8], pieces: &[usize], limits: &HttpLimits) {
    let (status, _, read, failure) = exchange(answer, pieces, limits).expect("a response");
    let most = body.len().min(limits.body_wire);
    assert_eq!((status, read.as_slice()), (200, &body[..most]));
    assert_eq!(failure, (body.len() > most).then_some(Failure::Limit(Limit::Body)));
    if body.is_empty() {
        return;
    }
    // Cut off before its end, it is a beginning; and known to be one, where the end was announced.
    let missing = 1 + body.len() % 3;
    let cut = &answer[..answer.len() - missing];
    let announced = answer.starts_with(b"HTTP/1.1");
    if let Ok((_, _, read, failure)) = exchange(cut, pieces, limits) {
        assert!(body.starts_with(&read));
        let too_large = body.len().saturating_sub(missing) > limits.body_wire;
        assert_eq!(failure.is_some(), announced || too_large, "{failure:?}");
    }
}
