//! Where accepted and rejected rows are written: what [`super::roster`] needs of it, and the book that is a roster.
//!
//! The other book is the [`super::tally`] of `targets check`, which keeps no rows. Leaves to others: what a row means.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::school::{RejectedRow, Roster, Row, School};
use crate::model::site::{Site, SiteKey};

/// Takes down schools, sites and rows. Schools are numbered from 0 in the order in which they come.
pub(super) trait Book {
    /// A school.
    fn school(&self, at: usize) -> Cow<'_, School>;
    /// Takes down a new school. Returns its number.
    fn add_school(&mut self, school: School) -> usize;
    /// Puts a school in the place of what was known of it.
    fn set_school(&mut self, at: usize, school: School);
    /// Whether a site is its school's portal: the one of the row for which this was asked first. Asked while a row is made;
    /// `keeps` says whether the site will stand in it.
    fn is_portal(&mut self, school: usize, site: &SiteKey, keeps: bool) -> bool;
    /// A site that may be probed. It may have been taken down before.
    fn add_site(&mut self, site: Site);
    /// A row that was accepted.
    fn add_row(&mut self, row: Row);
    /// A row that was not.
    fn reject(&mut self, row: RejectedRow);
}

/// The whole of the lists.
#[derive(Default)]
pub(super) struct RosterBook {
    pub(super) roster: Roster,
    /// The row that names a school's portal, by school.
    portals: HashMap<usize, usize>,
}

impl Book for RosterBook {
    fn school(&self, at: usize) -> Cow<'_, School> {
        Cow::Borrowed(&self.roster.schools[at])
    }

    fn add_school(&mut self, school: School) -> usize {
        self.roster.schools.push(school);
        self.roster.schools.len() - 1
    }

    fn set_school(&mut self, at: usize, school: School) {
        self.roster.schools[at] = school;
    }

    fn is_portal(&mut self, school: usize, site: &SiteKey, _keeps: bool) -> bool {
        let portal = *self.portals.entry(school).or_insert(self.roster.rows.len());
        // The row of the portal may be the one that is being made.
        self.roster.rows.get(portal).is_none_or(|row| row.site.as_ref() == Some(site))
    }

    fn add_site(&mut self, site: Site) {
        self.roster.sites.entry(site.key.clone()).or_insert(site);
    }

    fn add_row(&mut self, row: Row) {
        self.roster.rows.push(row);
    }

    fn reject(&mut self, row: RejectedRow) {
        self.roster.rejected.push(row);
    }
}
