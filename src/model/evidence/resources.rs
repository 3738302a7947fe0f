//! What a landing page is put together from: embedded resources by kind and host, from its markup, its style sheets and
//! nothing that a script would make.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::host::HostCheck;
use crate::model::address::Family;

/// Kinds of embedded resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A script.
    Script,
    /// A style sheet.
    Style,
    /// A frame with a page in it.
    Frame,
    /// Where a form is sent.
    Form,
    /// A font.
    Font,
    /// An image, also one that a style sheet names, sound or video.
    Image,
}

impl ResourceKind {
    /// Every kind, the weightiest first.
    pub const ALL: [Self; 6] = [Self::Script, Self::Style, Self::Frame, Self::Form, Self::Font, Self::Image];

    /// The stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Style => "style",
            Self::Frame => "frame",
            Self::Form => "form",
            Self::Font => "font",
            Self::Image => "image",
        }
    }
}

/// The resources of a landing page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// The page.
    pub page: String,
    /// The family over which it was read.
    pub family: Family,
    /// Hosts, in the order in which the page names them.
    pub hosts: Vec<ResourceHost>,
    /// Hosts that the page names beyond those that are looked at.
    #[serde(default)]
    pub left_out: u32,
    /// More stood on the page, or in a style sheet, than is read of one: what else it names is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Style sheets that were not read, for whatever reason: what they name is not known.
    #[serde(default)]
    pub unread_styles: u32,
    /// Scripts on the page, which may build more than is seen here.
    #[serde(default)]
    pub scripts: u32,
}

/// One host and what the page wants of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceHost {
    /// It belongs to the site's owner.
    #[serde(default)]
    pub own: bool,
    /// What is known of the host. The port is that of the first resource.
    pub check: HostCheck,
    /// Different URLs by kind.
    pub kinds: BTreeMap<ResourceKind, u32>,
}

impl ResourceHost {
    /// Different URLs.
    pub fn resources(&self) -> u32 {
        self.kinds.values().sum()
    }
}
