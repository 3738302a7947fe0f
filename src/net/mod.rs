//! The outside world: the only folder that opens sockets, besides the lab's servers. It delivers facts, never opinions.

pub mod body;
pub mod connect;
pub mod dns;
mod errors;
pub mod http;
pub mod local;
pub mod mailer;
pub mod pages;
pub mod route;
pub mod scope;
pub mod smtp;
pub mod tls;
pub mod traffic;
pub mod turn;
pub mod webhook;
pub mod work;

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
