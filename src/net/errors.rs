//! The one place where the operating system's errors become words of [`Failure`]. A shortage of this machine is also told to the
//! site's work, since whatever its look then misses is missed through no doing of the site's ([`super::work::ran_short`]).

use std::io;

use super::work;
use crate::model::failure::{Failure, Icmp};

/// When the error came, which decides whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// From the system call itself, before any packet left.
    Before,
    /// While connecting: from the peer or a router.
    Connecting,
    /// On the open connection.
    Open,
}

// Numbers from Linux and the BSDs, where the standard library has no kind of its own.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
const EACCES: i32 = 13;
const EPERM: i32 = 1;
const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
const EPROTO: i32 = if cfg!(target_os = "linux") { 71 } else { 100 };
const ENOMEM: i32 = 12;
const EAGAIN: i32 = if cfg!(target_os = "linux") { 11 } else { 35 };
const EADDRNOTAVAIL: i32 = if cfg!(target_os = "linux") { 99 } else { 49 };
const EAFNOSUPPORT: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

/// Names an error of a socket operation.
///
/// Network or host unreachable *before* any packet left is our own missing route; the same error while connecting is an
/// ICMP message from a router, and evidence (docs/method/connect.md).
pub(crate) fn failure_of(error: &io::Error, when: When) -> Failure {
    if is_shortage(error, when) {
        work::ran_short();
    }
    named(error, when)
}

/// This machine had no descriptor, buffer, memory or port to give; it may have one soon.
fn is_shortage(error: &io::Error, when: When) -> bool {
    match error.raw_os_error() {
        Some(EMFILE | ENFILE | ENOBUFS | ENOMEM) => true,
        Some(EAGAIN) => when == When::Before,
        // Before, it means that there is no source address of the family.
        Some(EADDRNOTAVAIL) => when != When::Before,
        _ => false,
    }
}

fn named(error: &io::Error, when: When) -> Failure {
    use io::ErrorKind;
    match error.raw_os_error() {
        Some(EMFILE | ENFILE | ENOBUFS) => return Failure::LocalResource,
        Some(EAFNOSUPPORT) => return Failure::NoRoute,
        // Linux maps ICMPv6 "administratively prohibited" and "policy fail" to EACCES; a local firewall refuses the call itself.
        Some(EACCES | EPERM) if when == When::Before => return Failure::LocalResource,
        Some(EACCES | EPERM | EPROTO) => return Failure::Unreachable(Icmp::Prohibited),
        _ => {}
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Failure::Reset,
        ErrorKind::TimedOut => Failure::Timeout,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable if when == When::Before => Failure::NoRoute,
        ErrorKind::NetworkUnreachable => Failure::Unreachable(Icmp::Network),
        ErrorKind::HostUnreachable => Failure::Unreachable(Icmp::Host),
        ErrorKind::AddrNotAvailable => {
            // No free port, or no source address of the family: ours either way.
            if when == When::Before { Failure::NoRoute } else { Failure::LocalResource }
        }
        ErrorKind::OutOfMemory => Failure::LocalResource,
        _ if when == When::Open => Failure::Reset,
        _ => Failure::LocalResource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_ours_is_never_evidence() {
        const ENETUNREACH: i32 = 101;
        const ECONNREFUSED: i32 = 111;
        const EHOSTUNREACH: i32 = 113;
        for when in [When::Before, When::Connecting, When::Open] {
            for number in [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAFNOSUPPORT] {
                let failure = failure_of(&io::Error::from_raw_os_error(number), when);
                assert!(failure.is_local(), "{number} {when:?}: {failure}");
            }
        }
        let cases = [
            (EAGAIN, When::Before, Failure::LocalResource),
            (ENETUNREACH, When::Before, Failure::NoRoute),
            (EHOSTUNREACH, When::Before, Failure::NoRoute),
            (EPERM, When::Before, Failure::LocalResource),
            (ENETUNREACH, When::Connecting, Failure::Unreachable(Icmp::Network)),
            (EHOSTUNREACH, When::Connecting, Failure::Unreachable(Icmp::Host)),
            (EACCES, When::Connecting, Failure::Unreachable(Icmp::Prohibited)),
            (ECONNREFUSED, When::Connecting, Failure::Refused),
        ];
        for (number, when, failure) in cases {
            assert_eq!(failure_of(&io::Error::from_raw_os_error(number), when), failure, "{number} {when:?}");
        }
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_shortage_is_told_to_the_site_s_work_and_a_way_that_is_missing_or_shut_is_none() {
        const ENETUNREACH: i32 = 101;
        for (number, when, short) in [
            (EMFILE, When::Before, 1),
            (ENOMEM, When::Open, 1),
            (EAGAIN, When::Before, 1),
            (EADDRNOTAVAIL, When::Connecting, 1),
            (EADDRNOTAVAIL, When::Before, 0),
            (ENETUNREACH, When::Before, 0),
            (EPERM, When::Before, 0),
        ] {
            let step = async {
                failure_of(&io::Error::from_raw_os_error(number), when);
                work::shortages()
            };
            assert_eq!(work::Work::default().run(step).await, short, "{number} {when:?}");
        }
    }
}
