//! Certificates of the lab: a root, an intermediate, leafs minted when a name is first asked for, and the wrong ones.
//!
//! One P-256 key serves all leafs, so that minting costs one signature. Leaves to others: which certificate a server
//! presents, and handshakes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::web::facts::{Cert, TlsFacts};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The lab's certification authorities, good and bad.
pub(super) struct Authority {
    provider: Arc<CryptoProvider>,
    root: Issuer,
    intermediate: Issuer,
    stranger: Issuer,
    key: KeyPair,
    configs: Mutex<HashMap<ConfigKey, Arc<ServerConfig>>>,
}

/// Everything a server configuration depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ConfigKey {
    name: String,
    cert: Cert,
    client_cert: bool,
    only: Option<String>,
    chain: Option<usize>,
    names: Option<usize>,
    common_name: Option<String>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes all keys.
    pub(super) fn new() -> Result<Self, rcgen::Error> {
        let root = CertifiedIssuer::self_signed(authority_params("v6ready lab root"), KeyPair::generate()?)?;
        let intermediate =
            CertifiedIssuer::signed_by(authority_params("v6ready lab intermediate"), KeyPair::generate()?, &root)?;
        let stranger = CertifiedIssuer::self_signed(authority_params("unknown authority"), KeyPair::generate()?)?;
        Ok(Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            root,
            intermediate,
            stranger,
            key: KeyPair::generate()?,
            configs: Mutex::default(),
        })
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }

    pub(super) fn root_der(&self) -> Vec<u8> {
        self.root.der().to_vec()
    }

    /// The configuration of a server that is asked for a name. None: no certificate can be made for such a name.
    pub(super) fn config(&self, name: &str, facts: &TlsFacts) -> Option<Arc<ServerConfig>> {
        let key = ConfigKey {
            name: name.to_owned(),
            cert: facts.cert,
            client_cert: facts.require_client_cert,
            only: facts.version.clone(),
            chain: facts.chain,
            names: facts.names,
            common_name: facts.common_name.clone(),
        };
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = configs.get(&key) {
            return Some(Arc::clone(known));
        }
        let made = Arc::new(self.build(&key)?);
        configs.insert(key, Arc::clone(&made));
        Some(made)
    }

    fn build(&self, key: &ConfigKey) -> Option<ServerConfig> {
        let versions: &[&rustls::SupportedProtocolVersion] = match key.only.as_deref() {
            Some("1.2") => &[&rustls::version::TLS12],
            Some("1.3") => &[&rustls::version::TLS13],
            _ => rustls::ALL_VERSIONS,
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_protocol_versions(versions).ok()?;
        let chain = self.chain(key).ok()?;
        let private = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let builder = if key.client_cert {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.der().clone()).ok()?;
            let provider = Arc::clone(&self.provider);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(chain, private).ok()
    }

    /// The chain a server presents.
    fn chain(&self, key: &ConfigKey) -> Result<Vec<CertificateDer<'static>>, rcgen::Error> {
        let cert = key.cert;
        let more = (1..key.names.unwrap_or(1)).map(|number| format!("n{number}.{}", key.name));
        let mut params = CertificateParams::new(std::iter::once(key.name.clone()).chain(more).collect::<Vec<_>>())?;
        params.distinguished_name = common_name(key.common_name.as_deref().unwrap_or(&key.name));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if cert == Cert::Expired { 2021 } else { 2120 }, 1, 1);
        if cert == Cert::NotYetValid {
            params.not_before = date_time_ymd(2119, 1, 1);
        }
        let signed = |issuer: &Issuer| Ok(params.signed_by(&self.key, issuer)?.der().clone());
        let mut chain = match cert {
            Cert::SelfSigned => vec![params.self_signed(&self.key)?.der().clone()],
            Cert::UnknownCa => vec![signed(&self.stranger)?, self.stranger.der().clone()],
            Cert::MissingIntermediate => vec![signed(&self.intermediate)?],
            Cert::Ok | Cert::WrongName | Cert::Expired | Cert::NotYetValid => {
                vec![signed(&self.intermediate)?, self.intermediate.der().clone()]
            }
        };
        if let Some(length) = key.chain {
            let issuers = [self.root.der(), self.intermediate.der(), self.stranger.der()];
            chain.extend(issuers.into_iter().cycle().take(length.saturating_sub(chain.len())).cloned());
        }
        Ok(chain)
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}
