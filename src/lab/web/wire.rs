//! The way back to the client: whole, or with a path MTU black hole in it.
//!
//! On loopback every packet arrives, so the black hole is acted: what is written between two flushes is taken as one
//! flight; if a flight needs a packet larger than the path carries, nothing of it arrives, nor of anything after it. How
//! large packets are is real: the client's kernel announced its segment size, and the server's kernel is asked for it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Headers of IPv6 and TCP, in bytes.
const HEADERS_V6: usize = 60;
/// Headers of IPv4 and TCP, in bytes.
const HEADERS_V4: usize = 40;

/// A connection as the server sees it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// Bytes of one flight that arrive. None: all.
    room: Option<usize>,
    flight: usize,
    lost: bool,
}

impl Wire {
    /// The way back to the client of `address`, where packets beyond `pmtu` are lost.
    pub(super) fn new(stream: TcpStream, address: SocketAddr, pmtu: Option<usize>) -> Self {
        let headers = if address.is_ipv6() { HEADERS_V6 } else { HEADERS_V4 };
        // A segment that was agreed to be small enough always arrives.
        let segment = || SockRef::from(&stream).tcp_mss().map_or(usize::MAX, |mss| mss as usize);
        let room = pmtu.map(|pmtu| pmtu.saturating_sub(headers)).filter(|room| segment() > *room);
        Self { stream, room, flight: 0, lost: false }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lost |= self.room.is_some_and(|room| self.flight + bytes.len() > room);
        if self.lost {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = written {
            self.flight += written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flight = 0;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lost {
            // The end stands behind what was lost.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
