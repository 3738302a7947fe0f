//! The pretended DNS servers' sockets: one over UDP and one over TCP, for all of them.
//!
//! Which server is meant is told by the client's source port. Leaves what is answered to `answer`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use self::answer::{Asking, Reply};
use self::facts::Reach;
use super::Shared;
use super::log::Event;
use crate::model::evidence::DnsTransport;
use crate::net::route::Transport;

pub(in crate::lab) mod answer;
pub mod facts;
mod habits;
mod zones;

/// How long an idle TCP connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(100);

/// Answers over UDP until aborted.
pub(super) async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = vec![0; 4096];
    let mut late = JoinSet::new();
    loop {
        // An error here is an ICMP message about an earlier reply that nobody waited for.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        while late.try_join_next().is_some() {}
        let Some(server) = shared.announced(Transport::Udp, client.port()) else { continue };
        let Some(reply) = reply(&shared, &buffer[..length], server, DnsTransport::Udp) else { continue };
        let socket = Arc::clone(&socket);
        let at_once = reply.delay.is_zero() && reply.gap.is_zero();
        let send = async move {
            for (number, message) in reply.messages.into_iter().enumerate() {
                // Even a sleep of nothing lasts until the timer's next tick, and all servers share this task.
                if !at_once {
                    tokio::time::sleep(if number == 0 { reply.delay } else { reply.gap }).await;
                }
                // The client may be gone; nobody is to be told.
                let _ = socket.send_to(&message, client).await;
            }
        };
        if at_once {
            send.await;
        } else {
            late.spawn(send);
        }
    }
}

/// Answers over TCP until aborted.
pub(super) async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, client)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let Some(server) = shared.take_announced(Transport::Tcp, client.port()) else { continue };
        shared.log.push(Event::Accept { address: server });
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A connection that breaks off ends, like any server's.
            let _ = converse(stream, server, &shared).await;
        });
    }
}

async fn converse(mut stream: TcpStream, server: SocketAddr, shared: &Shared) -> io::Result<()> {
    loop {
        let length = tokio::time::timeout(IDLE, stream.read_u16()).await??;
        let mut query = vec![0; usize::from(length)];
        tokio::time::timeout(IDLE, stream.read_exact(&mut query)).await??;
        let Some(reply) = reply(shared, &query, server, DnsTransport::Tcp) else { return Ok(()) };
        if shared.directory.reach(server.ip()).tcp == Reach::Drip {
            stream.write_all(&[0]).await?;
            continue;
        }
        tokio::time::sleep(reply.delay).await;
        if reply.messages.is_empty() {
            return stream.shutdown().await;
        }
        for message in reply.messages {
            let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
            let framed = [&length.to_be_bytes()[..], &message].concat();
            for piece in framed.chunks(if reply.drip { 1 } else { framed.len() }) {
                stream.write_all(piece).await?;
                if reply.drip {
                    tokio::time::sleep(DRIP).await;
                }
            }
        }
    }
}

/// Logs a query and works out the reply. None: not a query.
fn reply(shared: &Shared, bytes: &[u8], server: SocketAddr, transport: DnsTransport) -> Option<Reply> {
    let query = Message::from_vec(bytes).ok()?;
    let question = query.queries.first()?;
    let role = shared.directory.role(server.ip())?;
    let name = facts::canonical(&question.name().to_ascii());
    let asking = Asking {
        server,
        role,
        transport,
        name: name.clone(),
        rtype: question.query_type(),
        cd: query.metadata.checking_disabled,
    };
    shared.log.push(Event::Query {
        server,
        role,
        name,
        rtype: question.query_type().to_string(),
        transport,
        recursion_desired: query.metadata.recursion_desired,
        checking_disabled: query.metadata.checking_disabled,
    });
    Some(shared.directory.reply(&query, &asking))
}
