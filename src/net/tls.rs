//! TLS handshakes that never let a certificate decide whether a service is reached, and verify it all the same.
//!
//! One client configuration serves the whole run. The handshake accepts any certificate whose key signs the handshake;
//! the chain is verified afterwards against the trust anchors and the result is a fact of the evidence. Sessions are not
//! resumed, so that each family shows its certificate. Leaves to others: what a fault means for a verdict.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, InvalidMessage, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connect::Stream;
use super::errors::{When, failure_of};
use super::hex;
use crate::model::evidence::{Certificate, CertificateFault};
use crate::model::failure::{Failure, Limit};
use crate::model::time::Timestamp;

/// Certificates remembered within a run: one provider's certificate is verified once, not once per school.
const REMEMBERED: usize = 4096;

/// Why the TLS client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// A trust anchor that does not parse.
    #[error("trust anchors: {0}")]
    Anchor(String),
    /// The library refused the configuration.
    #[error("tls configuration: {0}")]
    Config(#[from] rustls::Error),
}

/// Makes TLS handshakes.
pub struct TlsClient {
    connector: TlsConnector,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Mutex<HashMap<[u8; 32], Seen>>,
}

/// What was found out about a chain, and as of when.
struct Seen {
    facts: Arc<Certificate>,
    /// What was found holds from the one moment until before the other: in between, no certificate of the chain begins or
    /// ceases to be valid. None: without end.
    holds: (Option<Timestamp>, Option<Timestamp>),
}

impl Seen {
    fn holds_at(&self, now: Timestamp) -> bool {
        self.holds.0.is_none_or(|from| from <= now) && self.holds.1.is_none_or(|until| now < until)
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsClient").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

/// A completed handshake.
#[derive(Debug)]
pub struct Secured {
    /// The stream.
    pub stream: TlsStream<Tee>,
    /// `TLS1.2` or `TLS1.3`.
    pub protocol: &'static str,
    /// The presented chain. None: the peer presented none.
    pub certificate: Option<Arc<Certificate>>,
}

impl TlsClient {
    /// A client that trusts these anchors in PEM and, where `bundled_roots` is set, the Mozilla roots shipped with the
    /// program (the same verdict on every machine).
    pub fn new(bundled_roots: bool, extra: &[Vec<u8>]) -> Result<Self, TlsSetupError> {
        let mut roots = RootCertStore::empty();
        if bundled_roots {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for pem in extra {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| TlsSetupError::Anchor(error.to_string()))?;
                roots.add(certificate).map_err(|error| TlsSetupError::Anchor(error.to_string()))?;
            }
        }
        let mut provider = rustls::crypto::ring::default_provider();
        // AES-128 first, as browsers offer it; servers that follow the client then spare both sides SHA-384.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);
        let algorithms = provider.signature_verification_algorithms;
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            roots: Arc::new(roots),
            algorithms,
            seen: Mutex::new(HashMap::new()),
        })
    }

    /// The shared configuration, for a client library that makes its own handshakes.
    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::clone(self.connector.config())
    }

    /// Makes one handshake on an open stream, sending `host` as server name.
    pub async fn handshake(
        &self,
        stream: Stream,
        host: &str,
        now: Timestamp,
        deadline: Duration,
    ) -> Result<Secured, Failure> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Failure::TlsMalformed)?;
        let connecting = self.connector.connect(name.clone(), Tee::new(stream)).into_fallible();
        let stream = match tokio::time::timeout(deadline, connecting).await {
            Err(_) => return Err(Failure::TlsStall),
            Ok(Err((error, tee))) => return Err(handshake_failure(&error, tee.first())),
            Ok(Ok(stream)) => stream,
        };
        let connection = stream.get_ref().1;
        let protocol = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS1.3",
            _ => "TLS1.2",
        };
        let certificate = connection.peer_certificates().and_then(|chain| self.facts(chain, &name, now));
        Ok(Secured { stream, protocol, certificate })
    }

    fn facts(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: Timestamp) -> Option<Arc<Certificate>> {
        let facts = self.chain_facts(chain, now)?;
        let parsed = ParsedCertificate::try_from(chain.first()?).ok();
        if parsed.is_none_or(|parsed| verify_server_name(&parsed, name).is_ok()) {
            return Some(facts);
        }
        let mut named = Certificate::clone(&facts);
        named.faults.push(CertificateFault::Name);
        named.faults.sort_unstable();
        Some(Arc::new(named))
    }

    /// What can be said of a chain whatever name it is shown for.
    fn chain_facts(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Option<Arc<Certificate>> {
        let mut key = Sha256::new();
        for certificate in chain {
            key.update((certificate.len() as u64).to_be_bytes());
            key.update(certificate);
        }
        let key: [u8; 32] = key.finalize().into();
        let known = |seen: &HashMap<_, Seen>| {
            let known = seen.get(&key).filter(|known| known.holds_at(now));
            known.map(|known| Arc::clone(&known.facts))
        };
        if let Some(known) = known(&self.seen.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Some(known);
        }
        let facts = Arc::new(self.examine(chain, now)?);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(key, Seen { facts: Arc::clone(&facts), holds: unchanged_around(chain, now) });
        Some(facts)
    }

    fn examine(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Option<Certificate> {
        let (leaf, intermediates) = chain.split_first()?;
        let mut facts = read_leaf(leaf);
        facts.chain_length = chain.len();
        let time = UnixTime::since_unix_epoch(Duration::from_millis(now.0.max(0).unsigned_abs()));
        match ParsedCertificate::try_from(leaf) {
            Err(_) => facts.faults.push(CertificateFault::Other),
            Ok(parsed) => {
                let verified = verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    &self.roots,
                    intermediates,
                    time,
                    self.algorithms.all,
                );
                if let Err(error) = verified {
                    facts.faults.push(fault_of(&error, &facts));
                }
            }
        }
        // Time is looked at on its own: a path that does not verify for another reason may be out of date as well.
        if now > facts.not_after && !facts.faults.contains(&CertificateFault::Expired) {
            facts.faults.push(CertificateFault::Expired);
        }
        facts.faults.sort_unstable();
        facts.faults.dedup();
        Some(facts)
    }
}

/// The nearest moments, up to now and after it, at which a certificate of the chain begins or ceases to be valid. None: there
/// is none.
fn unchanged_around(chain: &[CertificateDer<'_>], now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let read = chain.iter().filter_map(|certificate| X509Certificate::from_der(certificate).ok());
    let changes = read.flat_map(|(_, certificate)| {
        let ms = |seconds: i64| Timestamp(seconds.saturating_mul(1000));
        let validity = certificate.validity();
        let last = ms(validity.not_after.timestamp());
        // The last second belongs to it as a whole where seconds are counted, and its first millisecond where those are.
        [ms(validity.not_before.timestamp()), last.plus_ms(1), last.plus_ms(1000)]
    });
    let changes: Vec<Timestamp> = changes.collect();
    let before = changes.iter().copied().filter(|at| *at <= now).max();
    (before, changes.into_iter().filter(|at| *at > now).min())
}

fn fault_of(error: &rustls::Error, facts: &Certificate) -> CertificateFault {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                CertificateFault::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateFault::Name
            }
            CertificateError::UnknownIssuer if facts.issuer == facts.subject && facts.chain_length == 1 => {
                CertificateFault::SelfSigned
            }
            CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
            // webpki calls a self-signed certificate with the CA bit "a CA used as end entity".
            CertificateError::Other(_) if facts.issuer == facts.subject => CertificateFault::SelfSigned,
            _ => CertificateFault::Other,
        },
        _ => CertificateFault::Other,
    }
}

fn read_leaf(leaf: &CertificateDer<'_>) -> Certificate {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
    let common_name = |name: &X509Name<'_>| {
        let first = name.iter_common_name().next().and_then(|cn| cn.as_str().ok());
        first.map(|text| text.chars().take(200).collect())
    };
    let mut facts = Certificate {
        sha256: hex(&Sha256::digest(leaf)),
        subject: None,
        issuer: None,
        names: Vec::new(),
        not_before: Timestamp(0),
        not_after: Timestamp(i64::MAX),
        chain_length: 0,
        faults: Vec::new(),
    };
    if let Ok((_, certificate)) = X509Certificate::from_der(leaf) {
        facts.subject = common_name(certificate.subject());
        facts.issuer = common_name(certificate.issuer());
        facts.not_before = Timestamp(certificate.validity().not_before.timestamp().saturating_mul(1000));
        facts.not_after = Timestamp(certificate.validity().not_after.timestamp().saturating_mul(1000));
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            let dns = names.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.chars().take(253).collect()),
                _ => None,
            });
            facts.names = dns.take(20).collect();
        }
    }
    facts
}

/// Names a failed handshake; `first` are the first bytes the peer sent.
fn handshake_failure(error: &io::Error, first: &[u8]) -> Failure {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Failure::TlsEof,
            _ => failure_of(error, When::Open),
        };
    };
    match tls {
        rustls::Error::AlertReceived(alert) => Failure::TlsAlert(u8::from(*alert)),
        rustls::Error::PeerIncompatible(_) => Failure::TlsUnsupported,
        // rustls reads messages of up to 64 KiB.
        rustls::Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        ) => Failure::Limit(Limit::Handshake),
        _ if first.starts_with(b"HTTP/") || first.starts_with(b"<") => Failure::HttpOnTlsPort,
        // A TLS or TLCP record of a version the library does not read: content types 20 to 23, major version 1 or 3.
        rustls::Error::InvalidMessage(_) if matches!(first, [20..=23, 1 | 3, ..]) => Failure::TlsUnsupported,
        _ => Failure::TlsMalformed,
    }
}

/// A stream that remembers the first bytes it received, since rustls keeps what it could not read to itself.
#[derive(Debug)]
pub struct Tee {
    stream: Stream,
    first: [u8; 8],
    seen: usize,
}

impl Tee {
    fn new(stream: Stream) -> Self {
        Self { stream, first: [0; 8], seen: 0 }
    }

    fn first(&self) -> &[u8] {
        &self.first[..self.seen]
    }
}

impl AsyncRead for Tee {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let this = &mut *self;
        if this.seen < this.first.len() {
            let new = &buf.filled()[before..];
            let taken = new.len().min(this.first.len() - this.seen);
            this.first[this.seen..this.seen + taken].copy_from_slice(&new[..taken]);
            this.seen += taken;
        }
        polled
    }
}

impl AsyncWrite for Tee {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts every certificate; the handshake's own signature is still checked, so that the peer holds the key.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(all(test, feature = "lab"))]
mod tests {
    use super::*;

    /// A chain of two, the leaf valid within so many seconds since 1970, the intermediate within others; and its anchor.
    fn chain(leaf: (i64, i64), between: (i64, i64)) -> (Vec<CertificateDer<'static>>, Vec<u8>) {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let at = |second: i64| std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(second).expect("after 1970"));
        let params = |name: &str, ca: bool, (from, to): (i64, i64)| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a certificate");
            (params.not_before, params.not_after) = (at(from).into(), at(to).into());
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            if ca {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            params
        };
        let keys: Vec<KeyPair> = (0..3).map(|_| KeyPair::generate().expect("a certificate")).collect();
        let root = params("root.example", true, (0, 4_000_000_000));
        let pem = root.self_signed(&keys[0]).expect("a certificate").pem().into_bytes();
        let root = Issuer::from_params(&root, &keys[0]);
        let middle = params("between.example", true, between);
        let signed = middle.signed_by(&keys[1], &root).expect("a certificate");
        let middle = Issuer::from_params(&middle, &keys[1]);
        let leaf = params("www.a.example", false, leaf).signed_by(&keys[2], &middle).expect("a certificate");
        (vec![leaf.der().clone(), signed.der().clone()], pem)
    }

    /// The chain is shown to one client again and again, as a run goes on, or its clock is set back.
    #[test]
    fn what_is_remembered_of_a_chain_does_not_outlive_its_certificates() {
        use CertificateFault::{Expired, NotYetValid};
        const NOW: i64 = 1_700_000_000;
        let times: [(i64, Option<CertificateFault>); 6] = [
            (NOW, None),
            (NOW + 60, None),
            (NOW + 101, Some(Expired)),
            (NOW + 50, None),
            (NOW - 101, Some(NotYetValid)),
            (NOW, None),
        ];
        let within = (NOW - 100, NOW + 100);
        let longer = (NOW - 1000, NOW + 1000);
        for (leaf, between) in [(within, longer), (longer, within)] {
            let (chain, anchor) = chain(leaf, between);
            let client = TlsClient::new(false, &[anchor]).unwrap();
            for (second, fault) in times {
                let facts = client.chain_facts(&chain, Timestamp(second * 1000)).unwrap();
                assert_eq!(
                    facts.faults,
                    fault.into_iter().collect::<Vec<_>>(),
                    "{leaf:?} {between:?} {}",
                    second - NOW
                );
            }
            let again = |at: i64| client.chain_facts(&chain, Timestamp(at)).unwrap();
            assert!(Arc::ptr_eq(&again(NOW * 1000), &again(NOW * 1000 + 99_999)), "verified once in between");
        }
    }

    #[test]
    fn only_those_anchors_are_trusted_that_are_asked_for() {
        let roots = |bundled, extra: &[Vec<u8>]| TlsClient::new(bundled, extra).unwrap().roots.len();
        let own = rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap().cert.pem().into_bytes();
        assert_eq!(roots(false, &[]), 0);
        assert_eq!(roots(false, std::slice::from_ref(&own)), 1);
        assert_eq!(roots(true, &[own]), webpki_roots::TLS_SERVER_ROOTS.len() + 1);
    }
}
