//! From the target of a request to the path that is looked up.

use http::Uri;
use percent_encoding::percent_decode_str;

/// The longest path with its query, in bytes.
const MAX_TARGET: usize = 8 << 10;

/// What a request asks for within a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The path, decoded. It starts with `/` and has no `..` segment; it may have empty segments.
    pub(crate) path: String,
    /// The query as it was sent, without its `?`.
    pub(crate) query: Option<String>,
}

/// Why a target cannot be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("the address is longer than {MAX_TARGET} bytes")]
    TooLong,
    #[error("the request has no path")]
    NoPath,
    #[error("the path contains a NUL character")]
    Nul,
    #[error("the path contains a `..` that could lead out of the site")]
    Traversal,
    #[error("the path is not valid UTF-8")]
    NotUtf8,
}

impl Target {
    /// Reads a target:
    ///
    /// 1. segments that are `.` or `..` are resolved while the path is still encoded, as browsers do
    ///    (WHATWG URL §4.4, path state);
    /// 2. each remaining segment is decoded once; an escape that is none stays as it is;
    /// 3. what would be a `..` only after decoding is refused.
    pub(crate) fn parse(uri: &Uri) -> Result<Self, TargetError> {
        if uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
            return Err(TargetError::TooLong);
        }
        let raw = uri.path().strip_prefix('/').ok_or(TargetError::NoPath)?;
        let mut path = String::with_capacity(raw.len() + 1);
        for segment in without_dots(raw) {
            path.push('/');
            path.push_str(&decode(segment)?);
        }
        Ok(Self { path, query: uri.query().map(str::to_owned) })
    }
}

fn without_dots(raw: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut segments = raw.split('/').peekable();
    while let Some(segment) = segments.next() {
        let dots = dots(segment);
        if dots == 2 {
            kept.pop();
        }
        if dots == 0 {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    kept
}

/// 1 for `.`, 2 for `..`, either of them possibly written as `%2e`; else 0.
fn dots(segment: &str) -> usize {
    let mut rest = segment;
    let mut count = 0;
    while !rest.is_empty() {
        let escape = rest.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2e"));
        let Some(after) = rest.strip_prefix('.').or_else(|| rest.get(3..).filter(|_| escape)) else {
            return 0;
        };
        rest = after;
        count += 1;
    }
    if count <= 2 { count } else { 0 }
}

fn decode(segment: &str) -> Result<String, TargetError> {
    let bytes: Vec<u8> = percent_decode_str(segment).collect();
    let text = String::from_utf8(bytes).map_err(|_| TargetError::NotUtf8)?;
    if text.contains('\0') {
        return Err(TargetError::Nul);
    }
    if text.split(['/', '\\']).any(|part| part == "..") {
        return Err(TargetError::Traversal);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(target: &str) -> Result<String, TargetError> {
        Target::parse(&target.parse().unwrap()).map(|target| target.path)
    }

    #[test]
    fn paths_are_decoded_once() {
        for (target, expected) in [
            ("/", "/"),
            ("/a/b.css?x=1", "/a/b.css"),
            ("/a/", "/a/"),
            ("//a//", "//a//"),
            ("/caf%C3%A9", "/café"),
            ("/%5Bx%5d", "/[x]"),
            ("/a%2Fb", "/a/b"),
            ("/%252e%252e/x", "/%2e%2e/x"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/a..b/...", "/a..b/..."),
            ("http://host.example", "/"),
            ("http://host.example?q", "/"),
        ] {
            assert_eq!(parse(target).as_deref(), Ok(expected), "{target}");
        }
    }

    #[test]
    fn dot_segments_are_resolved() {
        for (target, expected) in [
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a//../b", "/a/b"),
        ] {
            assert_eq!(parse(target).as_deref(), Ok(expected), "{target}");
        }
    }

    #[test]
    fn what_could_lead_out_of_the_site_is_refused() {
        for target in ["/a%2F..%2Fb", "/..%2f", "/%2e%2e%2fx", "/a\\..\\b", "/..%5cx", "/a%5C..", "/x/%2F.."]
        {
            assert_eq!(parse(target), Err(TargetError::Traversal), "{target}");
        }
        for target in ["/%00", "/a%00.html", "/a/%00/b"] {
            assert_eq!(parse(target), Err(TargetError::Nul), "{target}");
        }
        for target in ["/%ff", "/a%C3", "/%ED%A0%80"] {
            assert_eq!(parse(target), Err(TargetError::NotUtf8), "{target}");
        }
        assert_eq!(parse(&format!("/{}", "x".repeat(MAX_TARGET))), Err(TargetError::TooLong));
        assert_eq!(parse("*"), Err(TargetError::NoPath));
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_the_site(
            parts in prop::collection::vec("\\.\\.|\\.|/|\\\\|%2e|%2E|%2f|%5c|%25|%00|[a-c]|%c3%a9|%", 0..12),
        ) {
            let Ok(uri) = format!("/{}", parts.concat()).parse::<Uri>() else { return Ok(()) };
            if let Ok(target) = Target::parse(&uri) {
                prop_assert!(target.path.starts_with('/'));
                prop_assert!(target.path.split(['/', '\\']).all(|segment| segment != ".."), "{}", target.path);
                prop_assert!(!target.path.contains('\0'));
            }
        }
    }
}
