//! What proxies write about the requests that they pass on: `Forwarded` (RFC 7239), or `X-Forwarded-*`.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What one proxy says of the request that it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hop {
    /// Who asked it; `None` if it does not say, or hides it.
    pub(crate) address: Option<IpAddr>,
    pub(crate) is_secure: Option<bool>,
    pub(crate) host: Option<String>,
}

/// The proxies that a request has passed, the nearest last. `Forwarded` counts before the others.
pub(crate) fn hops(headers: &HeaderMap) -> Vec<Hop> {
    let standard: Vec<_> =
        values(headers, &FORWARDED).flat_map(|value| split(value, ',')).map(element).collect();
    if !standard.is_empty() {
        return standard;
    }
    let list =
        |name| values(headers, name).flat_map(|value| value.split(',')).map(str::trim).collect::<Vec<_>>();
    let (mut addresses, schemes, hosts) = (list(&FOR), list(&PROTO), list(&HOST));
    if addresses.is_empty() && !(schemes.is_empty() && hosts.is_empty()) {
        addresses.push("unknown");
    }
    // The lists have one entry for each proxy, or only what the last one wrote.
    let of = |list: &[&str], index: usize| match list.len() {
        length if length == addresses.len() => Some(list[index].to_owned()),
        _ => list.last().map(|last| (*last).to_owned()),
    };
    let hop = |(index, text): (usize, &&str)| Hop {
        address: node(text),
        is_secure: of(&schemes, index).and_then(|scheme: String| is_secure(&scheme)),
        host: of(&hosts, index),
    };
    addresses.iter().enumerate().map(hop).collect()
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

/// One element of `Forwarded`. A name that it does not know it passes over.
fn element(text: &str) -> Hop {
    let mut hop = Hop::default();
    for pair in split(text, ';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = unquote(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.address = node(&value),
            "proto" => hop.is_secure = is_secure(&value),
            "host" => hop.host = Some(value),
            _ => {}
        }
    }
    hop
}

/// The parts of a text between separators that do not stand in quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text.split(move |character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        character == separator && !is_quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn unquote(value: &str) -> String {
    let Some(quoted) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

/// The address of a node, which may have a port and, of version 6, brackets.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

fn is_secure(scheme: &str) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(HeaderName, &str)]) -> Vec<Hop> {
        let pairs = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        hops(&pairs.collect())
    }

    fn hop(address: &str, is_secure: Option<bool>, host: Option<&str>) -> Hop {
        Hop { address: address.parse().ok(), is_secure, host: host.map(str::to_owned) }
    }

    #[test]
    fn the_standard_header_is_read() {
        let examples = [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", vec![hop("192.0.2.60", Some(false), None)]),
            (r#"For="[2001:db8:cafe::17]:4711""#, vec![hop("2001:db8:cafe::17", None, None)]),
            (
                "for=192.0.2.43, for=198.51.100.17:80",
                vec![hop("192.0.2.43", None, None), hop("198.51.100.17", None, None)],
            ),
            (r#"for="_gazonk";host="a\"b;c,d";proto=HTTPS"#, vec![hop("", Some(true), Some("a\"b;c,d"))]),
            ("for=unknown, ;,for", vec![hop("", None, None), hop("", None, None), hop("", None, None)]),
        ];
        for (text, expected) in examples {
            assert_eq!(read(&[(FORWARDED, text)]), expected, "{text}");
        }
        let both = [(FOR, "192.0.2.1"), (FORWARDED, "for=192.0.2.2")];
        assert_eq!(read(&both), [hop("192.0.2.2", None, None)]);
    }

    #[test]
    fn the_older_headers_are_read() {
        let headers = [(FOR, "192.0.2.1, [2001:db8::1]"), (PROTO, "https,http"), (HOST, "a.example")];
        assert_eq!(
            read(&headers),
            [
                hop("192.0.2.1", Some(true), Some("a.example")),
                hop("2001:db8::1", Some(false), Some("a.example")),
            ]
        );
        assert_eq!(read(&[(PROTO, "https")]), [hop("", Some(true), None)]);
        assert_eq!(read(&[]), []);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(text in "[ -~]{0,60}") {
            read(&[(FORWARDED, &text)]);
            read(&[(FOR, &text), (PROTO, &text)]);
        }

        #[test]
        fn an_address_that_is_written_is_read_again(address: IpAddr, port: u16) {
            let address = address.to_canonical();
            prop_assert_eq!(node(&SocketAddr::new(address, port).to_string()), Some(address));
            prop_assert_eq!(node(&address.to_string()), Some(address));
        }
    }
}
