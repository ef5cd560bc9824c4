//! From the target of a request to the path that is looked up.

use std::borrow::Cow;

use gitdeploy_core::rules;
use http::Uri;
use percent_encoding::percent_decode_str;

/// The longest path with its query, in bytes.
const MAX_TARGET: usize = 8 << 10;

/// What a request asks for within a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The path, decoded: what files are looked up by. It starts with `/` and has no `..` segment; it may have empty
    /// segments.
    pub(crate) path: Cow<'a, str>,
    /// The path as it was sent, but without dot segments: what rules are matched against.
    pub(crate) rule_path: Cow<'a, str>,
    /// The query as it was sent, without its `?`.
    pub(crate) query: Option<&'a str>,
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

impl<'a> Target<'a> {
    /// Reads the target of a request.
    pub(crate) fn parse(uri: &'a Uri) -> Result<Self, TargetError> {
        if uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
            return Err(TargetError::TooLong);
        }
        let path = lookup_path(uri.path())?;
        Ok(Self { path, rule_path: rules::rule_path(uri.path()), query: uri.query() })
    }
}

/// The path that files are looked up by:
///
/// 1. segments that are `.` or `..` are resolved while the path is still encoded, as browsers do
///    (WHATWG URL §4.4, path state);
/// 2. each remaining segment is decoded once; an escape that is none stays as it is;
/// 3. what would be a `..` only after decoding is refused.
pub(crate) fn lookup_path(raw: &str) -> Result<Cow<'_, str>, TargetError> {
    let segments = raw.strip_prefix('/').ok_or(TargetError::NoPath)?;
    let bytes = raw.as_bytes();
    if !bytes.contains(&b'%') && !bytes.windows(2).any(|pair| matches!(pair, [b'/' | b'\\', b'.'])) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut path = String::with_capacity(raw.len());
    for segment in without_dots(segments) {
        path.push('/');
        path.push_str(&decode(segment)?);
    }
    Ok(Cow::Owned(path))
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
mod tests;
