//! The negotiation of compression dictionaries (RFC 9842): a visitor who has an earlier version of a file is sent what
//! has changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitdeploy_core::hash::Sha256;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that says for which paths an answer can be the dictionary.
pub(crate) const USE_AS_DICTIONARY: HeaderName = HeaderName::from_static("use-as-dictionary");

/// The header with the hash of the dictionary that a visitor has for a path.
pub(crate) const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");

/// The largest file that is a dictionary, or that is compressed with one, in bytes.
pub(crate) const LARGEST: u64 = 4 << 20;

/// How long the part of a name is at least that is taken for a hash.
const SHORTEST_HASH: usize = 6;

/// How long the hashes of Vite and Rollup are. They may contain `-` and `_`.
const VITE: usize = 8;

/// Begins a body in `dcz`: a skippable frame of zstd with the hash of the dictionary (RFC 9842 §5).
const MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];

/// The value of `Use-As-Dictionary` that covers the names which later versions of the file at `path` will have: its
/// own with another hash.
pub(crate) fn later_versions(path: &str) -> Option<HeaderValue> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, rest) = name.split_at(hash_in(name)?.start);
    let rest = &rest[hash_in(name)?.len()..];
    let slash = if directory.is_empty() { "" } else { "/" };
    let pattern = format!("/{directory}{slash}{stem}*{rest}");
    // Other characters have a meaning in patterns, or are encoded in addresses.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~@*".contains(&byte);
    if !pattern.bytes().all(is_plain) {
        return None;
    }
    HeaderValue::from_str(&format!("match=\"{pattern}\"")).ok()
}

/// The hash of the dictionary that a visitor has: one byte sequence (RFC 9842 §2.2, RFC 9651 §3.3.5).
pub(crate) fn available(headers: &HeaderMap) -> Option<Sha256> {
    let mut values = headers.get_all(AVAILABLE_DICTIONARY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let encoded = value.to_str().ok()?.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?;
    let hash: [u8; 32] = STANDARD.decode(encoded).ok()?.try_into().ok()?;
    Some(Sha256::from(hash))
}

/// What begins a body that is compressed with the dictionary of this hash.
pub(crate) fn head(dictionary: &Sha256) -> Vec<u8> {
    [&MAGIC[..], dictionary.as_bytes()].concat()
}

/// What the tag of such a body ends with.
pub(crate) fn suffix(dictionary: &Sha256) -> String {
    format!("dcz-{}", &dictionary.to_string()[..16])
}

/// Where the hash is in a file's name: the last part of what stands before the kind.
fn hash_in(name: &str) -> Option<std::ops::Range<usize>> {
    let mut end = name.rfind('.')?;
    for decoration in [".min", ".chunk", ".bundle", ".module", ".esm"] {
        end = name[..end].strip_suffix(decoration).map_or(end, str::len);
    }
    let stem = &name[..end];
    let vite = end.checked_sub(VITE).filter(|start| {
        let separated = start.checked_sub(1).and_then(|before| stem.as_bytes().get(before));
        matches!(separated, Some(b'-' | b'.')) && stem.get(*start..).is_some_and(is_hash)
    });
    let last = || stem.rfind(['-', '.', '_']).map(|at| at + 1).filter(|start| is_hash(&stem[*start..]));
    Some(vite.or_else(last)?..end)
}

/// Words are lower-case; hashes have digits or capitals.
fn is_hash(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_no_word = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    text.len() >= SHORTEST_HASH && text.bytes().all(is_part) && text.bytes().any(is_no_word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_version_of_a_file_has_another_hash_in_its_name() {
        for (path, expected) in [
            ("assets/index-BX4d1f2Q.js", Some("/assets/index-*.js")),
            ("assets/index-B_4d-f2Q.css", Some("/assets/index-*.css")),
            ("static/js/main.073c9b0a.js", Some("/static/js/main.*.js")),
            ("static/css/main.073c9b0a.chunk.css", Some("/static/css/main.*.chunk.css")),
            ("app-1a2b3c4d5e6f70801234.js", Some("/app-*.js")),
            ("_next/static/chunks/main-app-1a2b3c4d5e6f7080.js", Some("/_next/static/chunks/main-app-*.js")),
            ("_astro/hoisted.js", None),
            ("_astro/my-component.js", None),
            ("a b/index-BX4d1f2Q.js", None),
            ("[id]/index-BX4d1f2Q.js", None),
            ("(group)/index-BX4d1f2Q.js", None),
            ("BX4d1f2Q.js", None),
            ("LICENSE", None),
        ] {
            let expected = expected.map(|pattern| format!("match=\"{pattern}\""));
            let found = later_versions(path);
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), expected.as_deref(), "{path}");
        }
    }

    #[test]
    fn one_hash_in_base64_is_an_available_dictionary() {
        let hash = Sha256::of(b"hello");
        let good = ":LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
        let ask = |values: &[&'static str]| {
            let values = values.iter().map(|value| (AVAILABLE_DICTIONARY, HeaderValue::from_static(value)));
            available(&values.collect())
        };
        assert_eq!(ask(&[good]), Some(hash));
        assert_eq!(ask(&[good, good]), None);
        for bad in ["", ":", "::", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", ":LPJN:", ":?:", "\"x\""] {
            assert_eq!(ask(&[bad]), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_never_leaves_its_quotes(path in "[a-zé\\-./\"\\\\*]{1,20}-[0-9A-F]{8}\\.js") {
            if let Some(value) = later_versions(&path) {
                let text = value.to_str().unwrap();
                let inside = text.strip_prefix("match=\"/").and_then(|text| text.strip_suffix('"')).unwrap();
                prop_assert!(!inside.contains(['"', '\\']));
            }
        }
    }
}
