//! Paths and addresses in the form in which requests carry them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with everything percent-encoded that a URL cannot hold. What is encoded already stays.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_graphic() && !matches!(character, '"' | '<' | '>' | '`' | '{' | '}') {
            encoded.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                write!(encoded, "%{byte:02X}").expect("a text takes everything");
            }
        }
    }
    encoded
}

/// The path of a request in the form in which rules are matched against it: encoded, with `/` for `\`, and with `.` and
/// `..` resolved. Most paths are in that form already.
pub fn rule_path(path: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>`{}\\".contains(&byte);
    let may_have_dots =
        path.as_bytes().windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'.' | b'%'));
    if path.starts_with('/') && path.bytes().all(is_plain) && !may_have_dots {
        return Cow::Borrowed(path);
    }
    Cow::Owned(normalize(path))
}

/// The path of a request for `path`: encoded, with `/` for `\`, and with `.` and `..` resolved as browsers do it.
pub(super) fn normalize(path: &str) -> String {
    let path = encode(path).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.strip_prefix('/').unwrap_or(&path).split('/').peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => {}
            ".." => drop(segments.pop()),
            _ => {
                segments.push(part);
                continue;
            }
        }
        if is_last {
            segments.push("");
        }
    }
    format!("/{}", segments.join("/"))
}

/// The path of an address, and its query and fragment with their marks.
pub fn split(address: &str) -> (&str, &str) {
    address.split_at(address.find(['?', '#']).unwrap_or(address.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_get_the_form_of_requests() {
        for (path, expected) in [
            ("/", "/"),
            ("", "/"),
            ("a", "/a"),
            ("/a b", "/a%20b"),
            ("/a%20b", "/a%20b"),
            ("/://so;`me", "/://so;%60me"),
            ("/&@%+~{}ense", "/&@%+~%7B%7Dense"),
            ("/café", "/caf%C3%A9"),
            ("/a/../b", "/b"),
            ("/a/./b/", "/a/b/"),
            ("/a/..", "/"),
            ("/a/b/%2E%2e", "/a/"),
            ("/../../a", "/a"),
            ("//a//b//", "//a//b//"),
            ("/\\evil", "//evil"),
        ] {
            assert_eq!(normalize(path), expected, "{path}");
            assert_eq!(normalize(expected), expected, "{path}");
        }
    }
}
