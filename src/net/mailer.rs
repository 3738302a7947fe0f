//! One letter through a mail server of the user's own (RFC 5321, submission by RFC 6409). Not a measurement; what measures
//! the mail servers of schools is `smtp`.
//!
//! The password is a secret, and a server may repeat what it was sent: no error holds a server's words. Certificates are
//! verified. Leaves to others: what is said, and to whom.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, MIME_VERSION_1_0};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

/// For one step of the conversation.
const STEP: Duration = Duration::from_secs(15);
/// For all of it, from the lookup to the last word.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the conversation is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// From STARTTLS on (RFC 3207). A server that does not offer it gets nothing.
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

/// A mail server, and who speaks to it.
pub struct Account {
    /// Name or address of the server.
    pub server: String,
    /// TCP port.
    pub port: u16,
    /// TLS.
    pub security: Security,
    /// User and password. None: the server asks for none.
    pub credentials: Option<(String, String)>,
    /// Trust anchors beside the bundled ones, PEM. Empty: none.
    pub anchors: Vec<u8>,
}

/// A letter of plain text.
pub struct Letter {
    /// Whom it is from, such as `v6ready <v6ready@example.edu.cn>`.
    pub from: String,
    /// Whom it is for.
    pub to: Vec<String>,
    /// Subject, one line.
    pub subject: String,
    /// Text.
    pub text: String,
}

/// Why the letter was not sent. Never holds the server's words.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// An address that is none.
    #[error("not a mail address: {0}")]
    Address(String),
    /// The letter cannot be put together.
    #[error("the letter: {0}")]
    Letter(#[from] lettre::error::Error),
    /// Trust anchors that cannot be used.
    #[error("the trust anchors for the mail server cannot be used: write certificates in PEM")]
    Anchors,
    /// The server refused.
    #[error("the mail server answered with code {0}")]
    Refused(String),
    /// TLS could not be agreed upon.
    #[error("no TLS with the mail server: {0}")]
    Tls(String),
    /// The server was not reached, or broke off.
    #[error("the mail server cannot be reached, or broke off")]
    Unreached,
    /// The server took too long.
    #[error("the mail server took too long")]
    Late,
}

impl From<lettre::transport::smtp::Error> for MailerError {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        if let Some(code) = error.status() {
            return Self::Refused(code.to_string());
        }
        if error.is_timeout() {
            return Self::Late;
        }
        match tls_fault(&error) {
            Some(fault) => Self::Tls(fault),
            // Among them a server that does not offer STARTTLS, or no way to say the password: the library's own words.
            None if error.is_client() || error.is_tls() => Self::Tls(cause(&error)),
            None => Self::Unreached,
        }
    }
}

/// The first of all causes.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

/// What was wrong with TLS: a failed handshake comes as an input error. None: it was something else.
fn tls_fault(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let fault = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let fault = fault.or_else(|| error.downcast_ref::<rustls::Error>());
    fault.map(ToString::to_string).or_else(|| tls_fault(error.source()?))
}

/// Sends a letter.
pub async fn send(account: Account, letter: Letter) -> Result<(), MailerError> {
    let message = message(letter)?;
    let tls = |account: &Account| -> Result<TlsParameters, MailerError> {
        let mut parameters =
            TlsParameters::builder(account.server.clone()).certificate_store(CertificateStore::WebpkiRoots);
        if !account.anchors.is_empty() {
            let anchor = Certificate::from_pem(&account.anchors).map_err(|_| MailerError::Anchors)?;
            parameters = parameters.add_root_certificate(anchor);
        }
        parameters.build_rustls().map_err(|_| MailerError::Anchors)
    };
    let tls = match account.security {
        Security::StartTls => Tls::Required(tls(&account)?),
        Security::Tls => Tls::Wrapper(tls(&account)?),
        Security::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(account.server)
        .port(account.port)
        .timeout(Some(STEP))
        .tls(tls);
    if let Some((user, password)) = account.credentials {
        transport = transport.credentials(Credentials::new(user, password));
    }
    let transport = transport.build();
    match tokio::time::timeout(PATIENCE, transport.send(message)).await {
        Ok(sent) => sent.map(drop).map_err(MailerError::from),
        Err(_) => Err(MailerError::Late),
    }
}

/// Whether a text can stand behind `From` or `To`.
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

fn message(letter: Letter) -> Result<Message, MailerError> {
    let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|_| MailerError::Address(text.clone()));
    let mut message = Message::builder().from(mailbox(&letter.from)?);
    for to in &letter.to {
        message = message.to(mailbox(to)?);
    }
    // A subject is one line whatever is in it.
    let subject: String = letter.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Without a version the other headers of a body mean nothing (RFC 2045, section 4). The server gives the letter its name
    // (RFC 6409, section 8.3).
    let message = message.subject(subject).header(MIME_VERSION_1_0).header(ContentType::TEXT_PLAIN);
    Ok(message.body(letter.text)?)
}

#[cfg(test)]
mod tests {
    use super::{Letter, MailerError, is_address, message};

    fn letter(to: &[&str], subject: &str) -> Letter {
        Letter {
            from: "v6ready <v6ready@province.example>".to_owned(),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            subject: subject.to_owned(),
            text: "示例省\r\n.\r\nRCPT TO:<x@victim.example>\r\n".to_owned(),
        }
    }

    #[test]
    fn no_header_can_be_smuggled_in() {
        let bytes = message(letter(&["a@bureau.example"], "示例\r\nBcc: b@victim.example")).unwrap().formatted();
        let text = String::from_utf8(bytes).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("To: a@bureau.example") && head.is_ascii(), "{head}");
    }

    #[test]
    fn an_address_is_one() {
        assert!(is_address("a@bureau.example") && is_address("办公室 <a@bureau.example>"));
        for wrong in ["", "bureau", "a@bureau.example\r\nBcc: b@victim.example", "a@b.example, c@d.example"] {
            assert!(!is_address(wrong), "{wrong:?}");
            let refused = message(letter(&[wrong], "x"));
            assert!(matches!(refused, Err(MailerError::Address(_))), "{wrong:?}");
        }
    }
}
