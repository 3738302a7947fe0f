//! What several targets share: a server in memory, and the runtime to talk to it. The targets are in `targets/`.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use v6ready::model::failure::Failure;
use v6ready::net::http::{Fetched, Get, HttpLimits, get};

/// A server that, once it was asked something, answers the same bytes and hangs up.
#[derive(Debug)]
struct Server {
    answer: Vec<u8>,
    at: usize,
    /// Sizes of the pieces that the answer comes in, in turn. Empty: all at once.
    pieces: Vec<usize>,
    turn: usize,
    heard: Arc<Mutex<Vec<u8>>>,
    waiting: Option<Waker>,
}

impl AsyncRead for Server {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.heard.lock().expect("no panic before").is_empty() {
            self.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        let piece = self.pieces.get(self.turn).copied().unwrap_or(usize::MAX).max(1);
        self.turn = (self.turn + 1) % self.pieces.len().max(1);
        let end = self.at + piece.min(buffer.remaining()).min(self.answer.len() - self.at);
        buffer.put_slice(&self.answer[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.lock().expect("no panic before").extend_from_slice(bytes);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

/// Makes one request of a server that answers these bytes in such pieces. Gives what the client made of it, and what the
/// server heard.
pub fn ask(
    request: &Get<'_>,
    answer: &[u8],
    pieces: &[usize],
    limits: &HttpLimits,
) -> (Result<Fetched, Failure>, Vec<u8>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let server = Server {
        answer: answer.to_vec(),
        at: 0,
        pieces: pieces.to_vec(),
        turn: 0,
        heard: Arc::clone(&heard),
        waiting: None,
    };
    let outcome = RUNTIME.with_borrow_mut(|runtime| runtime.block_on(get(server, request, limits)));
    let heard = heard.lock().expect("no panic before").clone();
    (outcome, heard)
}
