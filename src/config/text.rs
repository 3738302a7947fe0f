//! How values are written in the file: durations with a unit, resolvers with or without a port, texts that may be empty.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Port of DNS (RFC 1035).
const DNS_PORT: u16 = 53;

/// Units, largest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `10s`, `500ms`, `10m`, `1h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a duration: write a whole number and a unit, such as \"500ms\", \"10s\", \"10m\" or \"1h\""
        )
    };
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    number.checked_mul(*ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// Writes a duration in the largest unit that leaves a whole number.
pub(super) fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| ms > 0 && ms.is_multiple_of(*unit);
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&("s", 1000));
    format!("{}{name}", ms / unit)
}

/// Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`.
pub(super) fn parse_resolver(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    address.or_else(|_| text.parse()).map_err(|_| {
        format!("`{text}` is not an address: write ADDRESS or ADDRESS:PORT, with brackets around IPv6 before a port")
    })
}

/// Writes a resolver, without the usual port.
pub(super) fn format_resolver(resolver: SocketAddr) -> String {
    if resolver.port() == DNS_PORT { resolver.ip().to_string() } else { resolver.to_string() }
}

/// For `#[serde(with)]`: durations.
pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_duration(*value))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// For `#[serde(with)]`: lists of resolvers.
pub(super) mod resolvers {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(value: &[SocketAddr], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value.iter().map(|resolver| super::format_resolver(*resolver)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SocketAddr>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| super::parse_resolver(text)).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// For `#[serde(with)]`: a text or path that is empty when it is not given.
pub(super) mod maybe {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the shape that serde(with) calls")]
    pub(in super::super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }

    pub(in super::super) fn deserialize<'de, T: From<String>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok((!text.is_empty()).then(|| T::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, ms) in [("500ms", 500), ("10s", 10_000), ("10m", 600_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)));
            assert_eq!(format_duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(format_duration(Duration::from_mins(3)), "3m");
        assert_eq!(format_duration(Duration::from_millis(1500)), "1500ms");
        for text in ["", "10", "s", "10 s", "-1s", "1.5s", "10S", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse_duration(text).unwrap_err().contains("500ms"), "{text}");
        }
    }

    #[test]
    fn resolvers_may_have_a_port() {
        for text in ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"] {
            assert_eq!(format_resolver(parse_resolver(text).unwrap()), text);
        }
        assert_eq!(parse_resolver("192.0.2.1:53"), parse_resolver("192.0.2.1"));
        for text in ["", "dns.example", "192.0.2.1:", "192.0.2.1:99999", "https://192.0.2.1/"] {
            assert!(parse_resolver(text).is_err(), "{text}");
        }
    }
}
