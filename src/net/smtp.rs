//! Is there a mail server? One connection to port 25: the greeting is read, `QUIT` is sent, the connection is closed. No `EHLO`,
//! no address, no message: nothing is asked of a mail server but whether it is one (RFC 5321 §3.1, §4.1.1.10).
//!
//! Leaves to others: whom to visit, how often, and what it means.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::connect::Connector;
use super::errors::{When, failure_of};
use crate::model::evidence::MailEnd;

/// Bytes of a greeting that are read: several lines of the 512 that RFC 5321 §4.5.3.1.5 allows each.
const GREETING_BYTES: usize = 4096;

/// How long the answer to `QUIT` is waited for. A server that is left without it would log a lost connection.
const FAREWELL: Duration = Duration::from_secs(2);

/// Opens a connection within `connect`, and reads the greeting within `greeting`.
pub async fn visit(connector: &Connector, target: SocketAddr, connect: Duration, greeting: Duration) -> MailEnd {
    let mut stream = match connector.connect(target, connect).await {
        Ok(stream) => stream,
        Err(failure) => return MailEnd::Failed(failure),
    };
    let end = timeout(greeting, greet(&mut stream)).await.unwrap_or(MailEnd::Silent);
    if matches!(end, MailEnd::Greeted(_)) {
        // However the server takes its leave, it has greeted.
        let _ = timeout(FAREWELL, leave(&mut stream)).await;
    }
    end
}

/// Reads a greeting of one line or several to its end, since nothing may be sent before that (RFC 5321 §4.3.1).
async fn greet(stream: &mut (impl AsyncRead + Unpin)) -> MailEnd {
    let mut read = Vec::new();
    let mut buffer = [0; 512];
    loop {
        match code_of(&read) {
            Greeting::Whole(code) => return MailEnd::Greeted(code),
            Greeting::None => return MailEnd::NotSmtp,
            Greeting::More if read.len() >= GREETING_BYTES => return MailEnd::NotSmtp,
            Greeting::More => {}
        }
        match stream.read(&mut buffer).await {
            Ok(0) => return MailEnd::Closed,
            Ok(length) => read.extend_from_slice(&buffer[..length]),
            Err(error) => return MailEnd::Failed(failure_of(&error, When::Open)),
        }
    }
}

/// What has come of a greeting so far.
#[derive(Debug, PartialEq, Eq)]
enum Greeting {
    /// All of it, with its reply code.
    Whole(u16),
    /// It goes on.
    More,
    /// It is none.
    None,
}

/// Reply lines are three digits and a hyphen, the last one three digits and a space or the line's end (RFC 5321 §4.2).
fn code_of(read: &[u8]) -> Greeting {
    let mut first = None;
    for line in read.split_inclusive(|byte| *byte == b'\n') {
        let whole = line.ends_with(b"\n");
        let digits = line.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        if digits < line.len().min(3) {
            return Greeting::None;
        }
        if !whole {
            return Greeting::More;
        }
        let Some([hundreds @ b'2'..=b'5', tens, ones]) = line.get(..3) else { return Greeting::None };
        let code = [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
        if *first.get_or_insert(code) != code {
            return Greeting::None;
        }
        match line.get(3) {
            Some(b'-') => {}
            Some(b' ' | b'\r' | b'\n') => return Greeting::Whole(code),
            _ => return Greeting::None,
        }
    }
    Greeting::More
}

async fn leave(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.write_all(b"QUIT\r\n").await?;
    stream.flush().await?;
    // The server closes the connection (RFC 5321 §4.1.1.10). What it says before that is of no interest, and bounded.
    let mut rest = [0; 512];
    for _ in 0..8 {
        if stream.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_told_from_anything_else() {
        use Greeting::{More, None, Whole};
        let cases: &[(&[u8], Greeting)] = &[
            (b"", More),
            (b"22", More),
            (b"220 mx.school.example ESMTP\r", More),
            (b"220 mx.school.example ESMTP\r\n", Whole(220)),
            (b"220\r\n", Whole(220)),
            (b"220 bare line feed\n", Whole(220)),
            (b"554 no mail from you\r\n", Whole(554)),
            (b"421 busy\r\n", Whole(421)),
            (b"220-mx.school.example\r\n", More),
            (b"220-mx.school.example\r\n220 ready\r\n", Whole(220)),
            (b"220-one\r\n221 another\r\n", None),
            (b"+OK POP3 ready\r\n", None),
            (b"HTTP/1.1 400 Bad Request\r\n", None),
            (b"SSH-2.0-OpenSSH\r\n", None),
            (b"120 no such class\r\n", None),
            (b"999 no such class\r\n", None),
            (b"2200 four digits\r\n", None),
            (b"22\r\n", None),
            (b"\0\0\0", None),
        ];
        for (read, expected) in cases {
            assert_eq!(code_of(read), *expected, "{}", String::from_utf8_lossy(read));
        }
    }

    /// A peer that sends this and then reads until it has seen the end; with what it read.
    async fn meet(says: Vec<u8>, closes: bool) -> (MailEnd, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let server = async move {
            let mut heard = Vec::new();
            let _ = theirs.write_all(&says).await;
            if !closes {
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = theirs.read(&mut buffer).await {
                    heard.extend_from_slice(&buffer[..length]);
                    if heard.ends_with(b"QUIT\r\n") {
                        break;
                    }
                }
            }
            heard
        };
        let client = async move {
            let end = timeout(Duration::from_secs(5), greet(&mut ours)).await.unwrap_or(MailEnd::Silent);
            if matches!(end, MailEnd::Greeted(_)) {
                let _ = leave(&mut ours).await;
            }
            end
        };
        tokio::join!(client, server)
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_but_quit_and_only_after_a_greeting() {
        let quit = b"QUIT\r\n".to_vec();
        let long = [b"220-".as_slice(), &[b'x'; 300], b"\r\n220 ready\r\n"].concat();
        let endless = [b"220-".as_slice(), &[b'x'; 2 * GREETING_BYTES]].concat();
        for (says, end, heard) in [
            (b"220 ready\r\n".to_vec(), MailEnd::Greeted(220), quit.clone()),
            (long, MailEnd::Greeted(220), quit),
            (b"+OK\r\n".to_vec(), MailEnd::NotSmtp, Vec::new()),
            (endless, MailEnd::NotSmtp, Vec::new()),
            (Vec::new(), MailEnd::Silent, Vec::new()),
        ] {
            assert_eq!(meet(says.clone(), false).await, (end, heard), "{}", String::from_utf8_lossy(&says));
        }
        assert_eq!(meet(b"220-one".to_vec(), true).await, (MailEnd::Closed, Vec::new()));
    }
}
