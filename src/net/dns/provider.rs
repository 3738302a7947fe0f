//! hickory-resolver on our own sockets: everything it sends goes through the one connector.
//!
//! Each datagram waits for a turn of its own, just before it is sent, also one that hickory sends for reasons of its own, such
//! as to follow an alias; it repeats none, since its pauses between repeats never end in time ([`Patience`]). The time in
//! which an answer must come stands still meanwhile, so that the wait is not taken for the server's silence. Leaves to
//! others: turns for queries over TCP ([`super::authority`]).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{DnsUdpSocket, RuntimeProvider, Time, TokioHandle, TokioTime};
use hickory_resolver::proto::op::DEFAULT_RETRY_FLOOR;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::model::evidence::ServerRole;
use crate::model::failure::Failure;
use crate::net::connect::{Connector, Stream};
use crate::net::traffic::Traffic;
use crate::net::turn::{Pass, Subject, Turns};

/// The least pause before hickory repeats a datagram: longer than any answer is waited for, so it never does.
const NO_REPEAT: Duration = Duration::from_hours(1);
/// The least time between two looks at a deadline that stands still.
const GLANCE: Duration = Duration::from_millis(20);

tokio::task_local! {
    static WAIT: Arc<Wait>;
}

/// What a query has waited for its turn.
#[derive(Debug, Default)]
struct Wait(Mutex<(Duration, Option<Instant>)>);

impl Wait {
    fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(Instant::now());
    }

    fn end(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = state.1.take().map_or(Duration::ZERO, |since| since.elapsed());
        state.0 += waited;
    }

    fn so_far(&self) -> Duration {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 + state.1.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// hickory's time: deadlines stand still while a query waits for its turn, and pauses before repeats do not end.
pub(crate) struct Patience;

/// What an asynchronous function of a trait gives back.
type Promise<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Time for Patience {
    fn delay_for<'a>(duration: Duration) -> Promise<'a, ()>
    where
        Self: 'a,
    {
        // Its other pauses, between looks whether a connection has room, are shorter.
        let pause = if duration < DEFAULT_RETRY_FLOOR { duration } else { duration.max(NO_REPEAT) };
        Box::pin(tokio::time::sleep(pause))
    }

    fn timeout<'a, F>(duration: Duration, future: F) -> Promise<'a, Result<F::Output, io::Error>>
    where
        F: 'static + Future + Send + 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let wait = Arc::new(Wait::default());
            let mut future = Box::pin(WAIT.scope(Arc::clone(&wait), future));
            let begun = Instant::now();
            let mut due = begun + duration;
            loop {
                if let Ok(done) = tokio::time::timeout_at(due, future.as_mut()).await {
                    return Ok(done);
                }
                let now = Instant::now();
                due = begun + duration + wait.so_far();
                if due <= now {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                due = due.max(now + GLANCE);
            }
        })
    }
}

/// Sockets for hickory-resolver.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) connector: Connector,
    pub(crate) turns: Arc<dyn Turns>,
    pub(crate) handle: TokioHandle,
    /// Sockets that could not be had, for a reason of this machine's.
    pub(crate) spoilt: Arc<AtomicU64>,
    /// Those of them that were for a shortage.
    pub(crate) short: Arc<AtomicU64>,
}

impl Provider {
    fn failed(&self, failure: &Failure) -> io::Error {
        if failure.is_local() {
            self.spoilt.fetch_add(1, Ordering::Relaxed);
            self.short.fetch_add(u64::from(*failure == Failure::LocalResource), Ordering::Relaxed);
        }
        as_io(failure)
    }

    /// Waits for a turn; deadlines stand still meanwhile.
    async fn turn(&self, server: SocketAddr) -> Pass {
        let taking = self.turns.take(Subject::Query(server, ServerRole::Resolver));
        let Ok(wait) = WAIT.try_with(Arc::clone) else { return taking.await };
        wait.begin();
        let pass = taking.await;
        wait.end();
        pass
    }
}

/// hickory hands the target to each datagram; ours are connected already.
pub(crate) struct ConnectedUdp {
    socket: UdpSocket,
    server: SocketAddr,
    traffic: Arc<Traffic>,
    /// Held until the datagram is sent.
    pass: Mutex<Option<Pass>>,
}

impl DnsUdpSocket for ConnectedUdp {
    type Time = TokioTime;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buf = ReadBuf::new(buf);
        ready!(self.socket.poll_recv(cx, &mut buf))?;
        self.traffic.add_received(buf.filled().len());
        Poll::Ready(Ok((buf.filled().len(), self.server)))
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], _target: SocketAddr) -> Poll<io::Result<usize>> {
        let sent = ready!(self.socket.poll_send(cx, buf))?;
        self.traffic.add_sent(sent);
        drop(self.pass.lock().unwrap_or_else(PoisonError::into_inner).take());
        Poll::Ready(Ok(sent))
    }
}

impl RuntimeProvider for Provider {
    type Handle = TokioHandle;
    type Timer = Patience;
    type Udp = ConnectedUdp;
    type Tcp = AsyncIoTokioAsStd<Stream>;

    fn create_handle(&self) -> Self::Handle {
        self.handle.clone()
    }

    fn connect_tcp(
        &self,
        server_addr: SocketAddr,
        _bind_addr: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = Result<Self::Tcp, io::Error>>>> {
        let this = self.clone();
        Box::pin(async move {
            let deadline = timeout.unwrap_or(Duration::from_secs(5));
            let opened = this.connector.connect_any(server_addr, deadline).await;
            opened.map(AsyncIoTokioAsStd).map_err(|failure| this.failed(&failure))
        })
    }

    fn bind_udp(
        &self,
        _local_addr: SocketAddr,
        server_addr: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = Result<Self::Udp, io::Error>>>> {
        let this = self.clone();
        Box::pin(async move {
            let pass = Mutex::new(Some(this.turn(server_addr).await));
            let socket = this.connector.udp(server_addr).map_err(|failure| this.failed(&failure))?;
            Ok(ConnectedUdp { socket, server: server_addr, traffic: Arc::clone(this.connector.traffic()), pass })
        })
    }
}

fn as_io(failure: &Failure) -> io::Error {
    let kind = match failure {
        Failure::Refused => io::ErrorKind::ConnectionRefused,
        Failure::Reset => io::ErrorKind::ConnectionReset,
        Failure::Timeout => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, failure.to_string())
}
