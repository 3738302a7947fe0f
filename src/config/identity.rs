//! Who measures, and from where.

use serde::{Deserialize, Serialize};

use super::text::maybe;

/// `[vantage]`: where is measured from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vantage {
    /// A name of the operator's own. Runs are compared with earlier runs of the same name.
    pub name: String,
    /// ISP label. None: not given.
    #[serde(with = "maybe")]
    pub isp: Option<String>,
}

impl Default for Vantage {
    fn default() -> Self {
        Self { name: "local".to_owned(), isp: None }
    }
}

/// `[project]`: who is asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// A page that explains the scan.
    pub url: String,
    /// A mail address or telephone number. Empty: not given, which `doctor` warns about.
    pub contact: String,
}

impl Default for Project {
    fn default() -> Self {
        Self { url: env!("CARGO_PKG_REPOSITORY").to_owned(), contact: String::new() }
    }
}

impl Project {
    /// Whether the page is still the program's own, which says nothing about who scans.
    pub fn has_default_page(&self) -> bool {
        self.url == Self::default().url
    }

    /// The User-Agent of every request (RFC 9110 §10.1.5), attributable as RFC 9511 asks of probes.
    pub fn user_agent(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        if self.contact.is_empty() {
            format!("v6ready/{version} (+{})", self.url)
        } else {
            format!("v6ready/{version} (+{}; {})", self.url, self.contact)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_ones_own_is_told_from_the_programs() {
        assert!(Project::default().has_default_page());
        assert!(!Project { url: "https://scan.example/".into(), contact: String::new() }.has_default_page());
    }

    #[test]
    fn the_user_agent_names_page_and_contact() {
        let version = env!("CARGO_PKG_VERSION");
        let mut project = Project { url: "https://scan.example/".into(), contact: String::new() };
        assert_eq!(project.user_agent(), format!("v6ready/{version} (+https://scan.example/)"));
        project.contact = "noc@scan.example".into();
        assert_eq!(project.user_agent(), format!("v6ready/{version} (+https://scan.example/; noc@scan.example)"));
    }
}
