//! The hash of what is sent, for visitors who want it: `Repr-Digest` (RFC 9530).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitdeploy_core::hash::Sha256;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it.
pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The header that asks for it.
const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");

/// The value of `Repr-Digest`.
pub(crate) fn header(sha256: &Sha256) -> HeaderValue {
    let text = format!("sha-256=:{}:", STANDARD.encode(sha256.as_bytes()));
    HeaderValue::from_str(&text).expect("base64 is visible ASCII")
}

/// Whether a visitor asks for a hash that we have: a dictionary of algorithms, each with a preference of which 0 is
/// none (RFC 9530 §4). An answer is 70 bytes shorter for everybody else.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(WANT_REPR_DIGEST).iter().filter_map(|value| value.to_str().ok());
    let mut members = lists.flat_map(|list| list.split(',')).map(str::trim);
    members.any(|member| {
        let preference = member.strip_prefix("sha-256=").and_then(|value| value.parse::<u8>().ok());
        preference.is_some_and(|preference| (1..=10).contains(&preference))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_dictionary_of_bytes() {
        let expected = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
        assert_eq!(header(&Sha256::of(b"hello")), expected);
    }

    #[test]
    fn a_digest_is_sent_to_those_who_want_it() {
        for (want, expected) in [
            ("sha-256=1", true),
            ("sha-512=3, sha-256=10", true),
            ("sha-256=0", false),
            ("sha-256=11", false),
            ("sha-256", false),
            ("sha-512=3", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(WANT_REPR_DIGEST, HeaderValue::from_static(want))]);
            assert_eq!(is_wanted(&headers), expected, "{want}");
        }
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
