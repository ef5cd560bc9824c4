//! How a body is compressed, and what of that a visitor takes.
//!
//! `Accept-Encoding` is read by hand: no crate for it is alive. What is malformed is passed over, and there is no 406:
//! whoever takes nothing that there is gets the file as it is.

use gitdeploy_core::manifest::Encoding;
use http::{HeaderMap, header};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As the builder has done it.
    Stored(Encoding),
    /// By zstd with a file that the visitor has as the dictionary (RFC 9842 §5).
    Dictionary,
}

impl Coding {
    /// The value of `Content-Encoding`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stored(encoding) => encoding.as_str(),
            Self::Dictionary => "dcz",
        }
    }
}

/// How gladly a visitor takes each coding, in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    br: u16,
    zstd: u16,
    gzip: u16,
    dictionary: u16,
    identity: Identity,
}

/// Whether a visitor takes a file as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Identity {
    /// Nothing is said: if there is nothing better.
    #[default]
    Last,
    /// As gladly as this, which may be not at all.
    Said(u16),
}

impl Accepted {
    /// Reads `Accept-Encoding` (RFC 9110 §12.5.3). Who sends none gets the file as it is, as old clients expect.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(header::ACCEPT_ENCODING) {
            return Self::default();
        }
        let (mut br, mut zstd, mut gzip, mut dictionary, mut identity, mut others) = Default::default();
        let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for (name, weight) in lists.flat_map(|list| list.split(',')).filter_map(element) {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let known: &mut Option<u16> = if is("br") {
                &mut br
            } else if is("zstd") {
                &mut zstd
            } else if is("gzip") || is("x-gzip") {
                &mut gzip
            } else if is("dcz") {
                &mut dictionary
            } else if is("identity") {
                &mut identity
            } else if is("*") {
                &mut others
            } else {
                continue;
            };
            *known = Some(weight);
        }
        let weight = |said: Option<u16>| said.or(others).unwrap_or(0);
        Self {
            br: weight(br),
            zstd: weight(zstd),
            gzip: weight(gzip),
            // A dictionary is offered by name: `*` says nothing of one.
            dictionary: dictionary.unwrap_or(0),
            identity: match identity.or(others.filter(|weight| *weight == 0)) {
                Some(weight) => Identity::Said(weight),
                None => Identity::Last,
            },
        }
    }

    /// Whether a body may be compressed so; `None` is not at all.
    pub(crate) fn takes(self, coding: Option<Coding>) -> bool {
        match coding {
            None => self.identity != Identity::Said(0),
            Some(coding) => self.weight(coding) > 0,
        }
    }

    /// Whether a dictionary is wanted at least as much as all else.
    pub(crate) fn prefers_dictionary(self) -> bool {
        let best = Encoding::ALL.map(|encoding| self.weight(Coding::Stored(encoding))).into_iter().max();
        self.dictionary > 0 && best.is_none_or(|best| best <= self.dictionary)
    }

    /// The best of what there is; `None` is the file as it is. At equal weights the earlier one of `available` wins.
    pub(crate) fn best(self, available: impl Iterator<Item = Encoding>) -> Option<Encoding> {
        let weighed = available.map(|encoding| (self.weight(Coding::Stored(encoding)), encoding));
        // `max_by_key` would take the last of those that are equal.
        let best = weighed.filter(|(weight, _)| *weight > 0).fold(None, |best, next| match best {
            Some((weight, _)) if weight >= next.0 => best,
            _ => Some(next),
        });
        let (weight, encoding) = best?;
        let is_wanted = match self.identity {
            Identity::Last => true,
            Identity::Said(identity) => weight >= identity,
        };
        is_wanted.then_some(encoding)
    }

    fn weight(self, coding: Coding) -> u16 {
        match coding {
            Coding::Stored(Encoding::Br) => self.br,
            Coding::Stored(Encoding::Zstd) => self.zstd,
            Coding::Stored(Encoding::Gzip) => self.gzip,
            Coding::Dictionary => self.dictionary,
        }
    }
}

/// A name and its weight; `None` if they are malformed.
fn element(text: &str) -> Option<(&str, u16)> {
    let (name, parameter) = match text.split_once(';') {
        None => (text, None),
        Some((name, parameter)) => (name, Some(parameter.trim_matches([' ', '\t']))),
    };
    let name = name.trim_matches([' ', '\t']);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let weight = match parameter {
        None => 1000,
        Some(parameter) => thousandths(parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="))?)?,
    };
    Some((name, weight))
}

/// A `qvalue` (RFC 9110 §12.4.2): at most three digits after the point, and nothing above 1.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let fraction = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(lines: &[&str]) -> Accepted {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT_ENCODING, line.parse().unwrap());
        }
        Accepted::of(&headers)
    }

    fn best(line: &str) -> &'static str {
        accepted(&[line]).best(Encoding::ALL.into_iter()).map_or("identity", Encoding::as_str)
    }

    #[test]
    fn the_best_of_what_a_visitor_takes_is_chosen() {
        for (line, expected) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip, zstd", "zstd"),
            ("gzip,,zstd", "zstd"),
            ("x-gzip", "gzip"),
            ("GZIP", "gzip"),
            ("gzip, br;q=0.5", "gzip"),
            ("gzip;q=0.5, br; q=0.500", "br"),
            ("br;q=0, gzip", "gzip"),
            ("*", "br"),
            ("*, br;q=0", "zstd"),
            ("*;q=0, gzip", "gzip"),
            ("identity", "identity"),
            ("identity, gzip", "gzip"),
            ("identity;q=1, gzip;q=0.9", "identity"),
            ("identity;q=0.1, gzip;q=0.2", "gzip"),
            ("identity;q=0, gzip;q=0.001", "gzip"),
            ("identity;q=0", "identity"),
            ("*;q=0", "identity"),
            ("", "identity"),
            ("deflate", "identity"),
            ("br;q=2, gzip;q=0.1", "gzip"),
            ("br;q=0.0001, gzip;q=1.000", "gzip"),
            ("br;level=5, gzip", "gzip"),
            ("br gzip, zstd", "zstd"),
            ("dcz", "identity"),
        ] {
            assert_eq!(best(line), expected, "{line}");
        }
        assert_eq!(accepted(&[]).best(Encoding::ALL.into_iter()), None);
        assert_eq!(accepted(&["gzip", "br"]).best(Encoding::ALL.into_iter()), Some(Encoding::Br));
        assert_eq!(accepted(&["br, gzip"]).best([Encoding::Gzip].into_iter()), Some(Encoding::Gzip));
    }

    #[test]
    fn a_dictionary_is_wanted_by_name() {
        for (line, expected) in [
            ("gzip, br, zstd, dcb, dcz", true),
            ("br, dcz;q=0.5", false),
            ("br;q=0.5, dcz;q=0.5", true),
            ("dcz;q=0", false),
            ("*", false),
        ] {
            assert_eq!(accepted(&[line]).prefers_dictionary(), expected, "{line}");
        }
        let all = accepted(&["identity;q=0, br"]);
        assert!(!all.takes(None) && all.takes(Some(Coding::Stored(Encoding::Br))));
        assert!(!all.takes(Some(Coding::Dictionary)) && accepted(&["*"]).takes(None));
    }

    proptest! {
        #[test]
        fn any_list_is_read_and_nothing_is_sent_that_is_refused(
            line in "((br|zstd|gzip|dcz|\\*|identity|x)(;q=[01](\\.[0-9]{0,4})?|;é|;q)?[ ,]{0,2}){0,6}",
        ) {
            let Ok(value) = http::HeaderValue::from_bytes(line.as_bytes()) else { return Ok(()) };
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]);
            let accepted = Accepted::of(&headers);
            if let Some(encoding) = accepted.best(Encoding::ALL.into_iter()) {
                prop_assert!(accepted.takes(Some(Coding::Stored(encoding))));
            }
        }
    }
}
