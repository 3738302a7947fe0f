//! A pretended mail server: it greets, writes down every line that it is sent, and takes its leave at `QUIT`.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::wire::Wire;
use crate::lab::Shared;
use crate::lab::log::Event;

/// Bytes of one conversation that are read.
const HEARD: u64 = 4096;

pub(super) async fn attend(stream: Wire, address: SocketAddr, greeting: &str, shared: &Shared) -> std::io::Result<()> {
    let (read, mut write) = tokio::io::split(stream);
    if !greeting.is_empty() {
        write.write_all(format!("{greeting}\r\n").as_bytes()).await?;
    }
    let mut lines = BufReader::new(read.take(HEARD)).lines();
    while let Some(line) = lines.next_line().await? {
        let leaves = line.eq_ignore_ascii_case("QUIT");
        shared.log.push(Event::Command { address, line });
        if leaves {
            write.write_all(b"221 goodbye\r\n").await?;
            break;
        }
        write.write_all(b"502 not here\r\n").await?;
    }
    write.shutdown().await
}
