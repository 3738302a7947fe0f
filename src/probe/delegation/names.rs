//! Names as paths: what lies above a name, and what lies within a zone. The root is the empty name.

/// A name is a zone's apex or lies below it.
pub(super) fn is_in(name: &str, zone: &str) -> bool {
    zone.is_empty() || name == zone || name.strip_suffix(zone).is_some_and(|front| front.ends_with('.'))
}

/// The name above. None: the root has none.
pub(super) fn above(name: &str) -> Option<&str> {
    match name.split_once('.') {
        Some((_, above)) => Some(above),
        None if name.is_empty() => None,
        None => Some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_zones() {
        assert!(is_in("a.b.example", "b.example") && is_in("b.example", "b.example") && is_in("b.example", ""));
        assert!(!is_in("ab.example", "b.example") && !is_in("example", "b.example"));
        assert_eq!(above("a.b.example"), Some("b.example"));
        assert_eq!((above("example"), above("")), (Some(""), None));
    }
}
