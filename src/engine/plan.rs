//! The order of work: random to the providers, the same for the same seed.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::site::Site;

/// Sites in the order they are probed. Neighbours in a list often share a provider; a hash of the name and the seed
/// spreads them over the run (README.md, "Politeness").
pub fn order(mut sites: Vec<Site>, seed: &str) -> Vec<Site> {
    sites.sort_by_cached_key(|site| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        site.key.hash(&mut hasher);
        (hasher.finish(), site.key.clone())
    });
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_depends_on_the_seed_alone() {
        let sites: Vec<Site> = (0..50).map(|i| Site::new(format!("s{i:02}.example"), None, None, None)).collect();
        let mut backwards = sites.clone();
        backwards.reverse();
        assert_eq!(order(sites.clone(), "a"), order(backwards, "a"));
        assert_ne!(order(sites.clone(), "a"), order(sites.clone(), "b"));
        assert_ne!(order(sites.clone(), "a"), sites);
    }
}
