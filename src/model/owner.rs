//! Whose a host is: names under one registrable domain have one owner (Public Suffix List), and the owner of several such
//! domains may be named by hand.

use serde::{Deserialize, Serialize};
use url::Host;

/// The registrable domain. A host that has none stands for itself: an address, or a public suffix.
pub fn owner(host: &str) -> &str {
    let is_address = !matches!(Host::parse(host), Ok(Host::Domain(_)));
    if is_address { host } else { psl::domain_str(host).unwrap_or(host) }
}

/// Groups of registrable domains, each with one owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliases(Vec<Vec<String>>);

impl Aliases {
    /// Reads groups of names, separated by white space within a group. Names below a registrable domain stand for it.
    pub fn read(groups: &[String]) -> Self {
        let group =
            |names: &String| names.split_whitespace().map(|name| owner(&name.to_lowercase()).to_owned()).collect();
        Self(groups.iter().map(group).collect())
    }

    /// Both hosts have the same owner.
    pub fn same_owner(&self, one: &str, other: &str) -> bool {
        let (one, other) = (owner(one), owner(other));
        let holds = |group: &Vec<String>, name: &str| group.iter().any(|known| known == name);
        one == other || self.0.iter().any(|group| holds(group, one) && holds(group, other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_owner() {
        let cases = [
            ("www.school.edu.cn", "school.edu.cn"),
            ("lib.www.school.edu.cn", "school.edu.cn"),
            ("a.school.ha.cn", "school.ha.cn"),
            ("a.b.school.ha.edu.cn", "ha.edu.cn"),
            ("www.school.com.cn", "school.com.cn"),
            ("school.github.io", "school.github.io"),
            ("edu.cn", "edu.cn"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
        ];
        for (host, expected) in cases {
            assert_eq!(owner(host), expected, "{host}");
        }
    }

    #[test]
    fn owners_of_several_domains_are_named() {
        let aliases = Aliases::read(&["school.edu.cn www.school.net school-old.cn".to_owned(), "a.cn b.cn".to_owned()]);
        let cases = [
            ("www.school.edu.cn", "jw.school.net", true),
            ("school-old.cn", "x.school.net", true),
            ("school-old.cn", "a.cn", false),
            ("x.a.cn", "y.b.cn", true),
            ("c.cn", "www.c.cn", true),
            ("c.cn", "d.cn", false),
        ];
        for (one, other, same) in cases {
            assert_eq!(aliases.same_owner(one, other), same, "{one} {other}");
            assert_eq!(aliases.same_owner(other, one), same, "{other} {one}");
        }
    }
}
