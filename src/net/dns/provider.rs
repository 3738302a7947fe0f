//! hickory-resolver on our own sockets: everything it sends goes through the one connector. A query over UDP has had its
//! turn before ([`super::authority`]); one that is sent again over TCP waits for it here.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{DnsUdpSocket, RuntimeProvider, TokioHandle, TokioTime};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use crate::model::evidence::ServerRole;
use crate::model::failure::Failure;
use crate::net::connect::{Connector, Stream};
use crate::net::traffic::Traffic;
use crate::net::turn::{Subject, Turns};

/// Sockets for hickory-resolver.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) connector: Connector,
    pub(crate) turns: Arc<dyn Turns>,
    pub(crate) handle: TokioHandle,
}

/// hickory hands the target to each datagram; ours are connected already.
pub(crate) struct ConnectedUdp {
    socket: UdpSocket,
    server: SocketAddr,
    traffic: Arc<Traffic>,
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
        Poll::Ready(Ok(sent))
    }
}

impl RuntimeProvider for Provider {
    type Handle = TokioHandle;
    type Timer = TokioTime;
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
            drop(this.turns.take(Subject::Query(server_addr, ServerRole::Resolver)).await);
            let deadline = timeout.unwrap_or(Duration::from_secs(5));
            this.connector.connect_any(server_addr, deadline).await.map(AsyncIoTokioAsStd).map_err(|f| as_io(&f))
        })
    }

    fn bind_udp(
        &self,
        _local_addr: SocketAddr,
        server_addr: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = Result<Self::Udp, io::Error>>>> {
        let this = self.clone();
        Box::pin(async move {
            let socket = this.connector.udp(server_addr).map_err(|failure| as_io(&failure))?;
            Ok(ConnectedUdp { socket, server: server_addr, traffic: Arc::clone(this.connector.traffic()) })
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
