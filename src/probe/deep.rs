//! The deep profile: once a site's own pages are measured, its links, what its landing page is put together from, and samples of
//! it. Within bounds of their own, so that one large site cannot hold up a run.
//!
//! Leaves to others: reading pages (`harvest`), other hosts (`hosts`), requests for links (`links`), resources (`skylight`), and
//! samples (`samples`).

use std::time::Duration;

use tokio::time::timeout;

use super::Prober;
use super::hosts::Hosts;
use super::left_alone::LeftAlone;
use super::record::Recorder;
use crate::model::owner::Aliases;
use crate::model::site::Site;

/// Bounds of the deep profile.
#[derive(Clone, Debug, PartialEq)]
pub struct DeepRules {
    /// Internal links of level 2 that are requested.
    pub level2: usize,
    /// Internal links of level 3 that are requested.
    pub level3: usize,
    /// External links that are requested, of each level.
    pub external: usize,
    /// Requests for the links of one site, over both families.
    pub requests: usize,
    /// How long the links of one site may take, waiting included; the same for what comes before them.
    pub time: Duration,
    /// Hosts of embedded resources that are looked at, of one page.
    pub hosts: usize,
    /// Style sheets that are read, of one page: those that it names, and those that these import.
    pub styles: usize,
    /// Looks at the landing page over each family. 0: none.
    pub samples: u32,
    /// Who owns several registrable domains.
    pub aliases: Aliases,
}

impl Default for DeepRules {
    fn default() -> Self {
        Self {
            level2: 50,
            level3: 50,
            external: 20,
            requests: 300,
            time: Duration::from_mins(10),
            hosts: 64,
            styles: 8,
            samples: 10,
            aliases: Aliases::default(),
        }
    }
}

/// The rules, and what all sites of a run share.
#[derive(Debug, Default)]
pub struct Deep {
    /// The bounds.
    pub rules: DeepRules,
    pub(super) hosts: Hosts,
    pub(super) left_alone: LeftAlone,
}

impl Deep {
    /// Nothing is known yet.
    pub fn new(rules: DeepRules) -> Self {
        Self { rules, ..Self::default() }
    }
}

impl Prober {
    /// Looks deeper into a site that has a page.
    pub(super) async fn look_deeper(&self, record: &Recorder, site: &Site) {
        let Some(page) = record.take_landing() else { return };
        // What the samples or the page's hosts have not told by then is not known.
        let time = self.deep.rules.time;
        let _ = timeout(time, Box::pin(self.samples(record, &page))).await;
        let Ok(Some(links)) = timeout(time, Box::pin(self.look_at_page(record, site, page))).await else { return };
        if timeout(time, Box::pin(self.follow(record, site, links))).await.is_err() {
            record.write(|round| {
                if let Some(links) = &mut round.links {
                    links.out_of_time = true;
                }
            });
        }
    }
}
