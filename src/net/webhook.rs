//! Telling one address of the user's own, by HTTPS or HTTP. The only requests of this program that do not measure.
//!
//! The URL of a bot is a secret, since whoever has it may speak: no error names it. Certificates are verified, redirects are
//! not followed, no proxy of the environment is used. Leaves to others: what is said, and what the answer means.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::tls::TlsSetupError;

/// For all of it, from the lookup to the last byte.
const PATIENCE: Duration = Duration::from_secs(15);
/// An answer is a line of JSON.
const MOST_BYTES: usize = 64 * 1024;

/// Why nobody was told. Never holds the URL.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The request failed.
    #[error("{0}")]
    Request(#[source] reqwest::Error),
    /// The server refused.
    #[error("status {0}")]
    Status(u16),
    /// The server said more than an answer.
    #[error("the answer is longer than {MOST_BYTES} bytes")]
    TooLong,
}

impl From<reqwest::Error> for WebhookError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

/// Posts JSON, and gives the body of the answer. `anchors` are trusted beside the bundled ones: PEM, empty for none.
pub async fn post(url: &Url, json: &serde_json::Value, anchors: &[u8]) -> Result<Vec<u8>, WebhookError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for anchor in CertificateDer::pem_slice_iter(anchors) {
        let anchor = anchor.map_err(|error| TlsSetupError::Anchor(error.to_string()))?;
        roots.add(anchor).map_err(|error| TlsSetupError::Anchor(error.to_string()))?;
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Config)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    #[expect(
        clippy::disallowed_methods,
        reason = "not a measurement: an address of the user's own, resolved by the system"
    )]
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("v6ready/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .build()?;
    let request = client.post(url.clone()).header("content-type", "application/json").body(json.to_string());
    let mut answer = request.send().await?;
    if !answer.status().is_success() {
        return Err(WebhookError::Status(answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            return Err(WebhookError::TooLong);
        }
    }
    Ok(body)
}
