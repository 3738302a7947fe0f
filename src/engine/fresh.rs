//! The sites that nobody looked at yet, packed: a province has a hundred thousand. As they are, each is a few small
//! allocations that lie between those of the lists, and keep their room from being used again once the lists are stored.
//!
//! Leaves to others: the order of the sites.

use crate::model::site::Site;

/// The sites by their numbers.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// For each its key, and then its name in Unicode where that is another.
    text: String,
    /// Where the two end.
    ends: Vec<(usize, usize)>,
}

impl Fresh {
    /// Packs sites; they are numbered from 0 in their order.
    pub(super) fn new(sites: Vec<Site>) -> Self {
        let mut fresh = Self { text: String::new(), ends: Vec::with_capacity(sites.len()) };
        for site in sites {
            fresh.text.push_str(site.key.as_str());
            let key = fresh.text.len();
            fresh.text.extend(site.unicode);
            fresh.ends.push((key, fresh.text.len()));
        }
        fresh.text.shrink_to_fit();
        fresh
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The site of a number.
    pub(super) fn site(&self, number: usize) -> Site {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (key, end) = self.ends[number];
        let unicode = (end > key).then(|| self.text[key..end].to_owned());
        Site::of_key(&self.text[start..key], unicode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::site::Scheme;

    #[test]
    fn sites_come_back() {
        let unicode = || Some("示例.example".to_owned());
        let sites = vec![
            Site::new("www.school.example", None, None, None),
            Site::new("xn--fsq.example", unicode(), None, None),
            Site::new("www.school.example", None, Some(Scheme::Http), Some(8080)),
            Site::new("www.school.example", None, Some(Scheme::Https), Some(443)),
            Site::new("xn--fsq.example", unicode(), None, Some(8443)),
            Site::new("192.0.2.1", None, Some(Scheme::Https), None),
        ];
        let fresh = Fresh::new(sites.clone());
        assert_eq!((0..fresh.len()).map(|number| fresh.site(number)).collect::<Vec<_>>(), sites);
    }
}
