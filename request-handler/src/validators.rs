//! Conditional requests: whether a visitor already has what they ask for.
//!
//! No answer has a `Last-Modified`: a rollback brings older dates, and with them a visitor who asks by date alone
//! would keep what was rolled back. `If-Unmodified-Since` errs on the other side, and is held against the time of the
//! deployment.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What an answer's content is called, with its quotes and possibly `W/` (RFC 9110 §8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityTag(HeaderValue);

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request is answered as if there were no conditions.
    Proceed,
    /// The visitor has it already: 304.
    NotModified,
    /// The visitor wants something else: 412.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD request for a file that is there, in the order of RFC 9110
/// §13.2.2:
///
/// 1. `If-Match`: 412 unless one of its tags is the file's, by strong comparison, or it is `*`;
/// 2. else `If-Unmodified-Since`: 412 if the file was published later; passed over if nobody knows when, or if it is
///    no date;
/// 3. `If-None-Match`: 304 if one of its tags is the file's, by weak comparison, or it is `*`;
/// 4. else `If-Modified-Since`: passed over, since no visitor was told a date;
/// 5. `Range` and `If-Range` follow in [`crate::range::select`].
pub(crate) fn check(headers: &HeaderMap, tag: &EntityTag, published: Option<SystemTime>) -> Verdict {
    let listed = any_listed(headers, &header::IF_MATCH, |other| tag.matches_strongly(other));
    if !listed.unwrap_or_else(|| is_unmodified(headers, published)) {
        return Verdict::Failed;
    }
    match any_listed(headers, &header::IF_NONE_MATCH, |other| tag.matches_weakly(other)) {
        Some(true) => Verdict::NotModified,
        Some(false) | None => Verdict::Proceed,
    }
}

/// The tag that `If-None-Match` lists and `accepts` takes: what the visitor has.
pub(crate) fn held(headers: &HeaderMap, accepts: impl Fn(&EntityTag) -> bool) -> Option<EntityTag> {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let listed = lists.flat_map(tags).filter_map(|tag| EntityTag::new(opaque(tag)));
    listed.into_iter().find(accepts)
}

/// Whether `If-Unmodified-Since` holds. Dates have no fractions of a second.
fn is_unmodified(headers: &HeaderMap, published: Option<SystemTime>) -> bool {
    let since = headers.get(header::IF_UNMODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(|value| httpdate::parse_http_date(value).ok());
    let (Some(since), Some(published)) = (since, published) else { return true };
    published < since + Duration::from_secs(1)
}

impl EntityTag {
    /// A tag from its text, if it is one that a header can carry.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let is_tag = opaque.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        HeaderValue::from_str(text).ok().filter(|_| is_tag).map(Self)
    }

    /// The value of `ETag`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("a tag is visible ASCII")
    }

    /// Whether a header's value is this tag and the tag is strong.
    pub(crate) fn is_exactly(&self, value: &HeaderValue) -> bool {
        value.to_str().is_ok_and(|value| self.matches_strongly(value.trim_matches([' ', '\t'])))
    }

    fn matches_strongly(&self, other: &str) -> bool {
        self.0 == other && !other.starts_with("W/")
    }

    fn matches_weakly(&self, other: &str) -> bool {
        opaque(self.text()) == opaque(other)
    }

    /// The tag of another representation of the same content.
    pub(crate) fn with_suffix(&self, suffix: &str) -> Self {
        let quoted = self.text().strip_suffix('"').expect("a tag ends with a quote");
        Self(HeaderValue::from_str(&format!("{quoted}-{suffix}\"")).expect("a suffix is visible ASCII"))
    }

    /// What [`Self::with_suffix`] added to `other`, if this was made so.
    pub(crate) fn suffix_to(&self, other: &Self) -> Option<&str> {
        let quoted = other.text().strip_suffix('"').expect("a tag ends with a quote");
        self.text().strip_prefix(quoted)?.strip_prefix('-')?.strip_suffix('"')
    }
}

/// A tag without what says that it is weak.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether a list of tags is `*` or has one that matches; `None` if the header is absent.
fn any_listed(headers: &HeaderMap, name: &HeaderName, matches: impl Fn(&str) -> bool) -> Option<bool> {
    headers.contains_key(name).then(|| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|list| list.trim_matches([' ', '\t']) == "*" || tags(list).any(&matches))
    })
}

/// The tags of a list, up to where it is malformed. A tag may contain commas.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let quote = if rest.starts_with("W/") { 2 } else { 0 };
        let opaque = rest[quote..].strip_prefix('"')?;
        let length = quote + 1 + opaque.find('"')? + 1;
        let (tag, after) = rest.split_at(length);
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(tag: &str, conditions: &[(HeaderName, &str)]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in conditions {
            headers.append(name, value.parse().unwrap());
        }
        let published = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500_000_000_500);
        check(&headers, &EntityTag::new(tag).unwrap(), Some(published))
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (list, expected) in [
            ("\"a\"", Verdict::NotModified),
            ("W/\"a\"", Verdict::NotModified),
            ("*", Verdict::NotModified),
            (" * ", Verdict::NotModified),
            ("\"x\", \"a\"", Verdict::NotModified),
            ("\"x,y\" ,W/\"a\"", Verdict::NotModified),
            ("\"b\"", Verdict::Proceed),
            ("a", Verdict::Proceed),
            ("\"a", Verdict::Proceed),
            ("", Verdict::Proceed),
            ("\"*\"", Verdict::Proceed),
        ] {
            assert_eq!(verdict("\"a\"", &[(header::IF_NONE_MATCH, list)]), expected, "{list}");
        }
        assert_eq!(verdict("W/\"a\"", &[(header::IF_NONE_MATCH, "\"a\"")]), Verdict::NotModified);
        let lines = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_NONE_MATCH, "\"a\"")];
        assert_eq!(verdict("\"a\"", &lines), Verdict::NotModified);
    }

    #[test]
    fn if_match_compares_strongly_and_comes_first() {
        for (list, expected) in [
            ("\"a\"", Verdict::Proceed),
            ("*", Verdict::Proceed),
            ("\"x\", \"a\"", Verdict::Proceed),
            ("W/\"a\"", Verdict::Failed),
            ("\"b\"", Verdict::Failed),
            ("nonsense", Verdict::Failed),
        ] {
            assert_eq!(verdict("\"a\"", &[(header::IF_MATCH, list)]), expected, "{list}");
        }
        assert_eq!(verdict("W/\"a\"", &[(header::IF_MATCH, "W/\"a\"")]), Verdict::Failed);
        let both = [(header::IF_NONE_MATCH, "\"a\""), (header::IF_MATCH, "\"b\"")];
        assert_eq!(verdict("\"a\"", &both), Verdict::Failed);
    }

    #[test]
    fn a_file_that_was_published_later_is_modified() {
        let (unmodified, modified) = (header::IF_UNMODIFIED_SINCE, header::IF_MODIFIED_SINCE);
        for (date, expected) in [
            ("Fri, 14 Jul 2017 02:40:00 GMT", Verdict::Proceed),
            ("Friday, 14-Jul-17 02:40:01 GMT", Verdict::Proceed),
            ("Fri, 14 Jul 2017 02:39:59 GMT", Verdict::Failed),
            ("yesterday", Verdict::Proceed),
        ] {
            assert_eq!(verdict("\"a\"", &[(unmodified.clone(), date)]), expected, "{date}");
            assert_eq!(verdict("\"a\"", &[(modified.clone(), date)]), Verdict::Proceed, "{date}");
            let both = [(unmodified.clone(), date), (header::IF_MATCH, "\"a\"")];
            assert_eq!(verdict("\"a\"", &both), Verdict::Proceed, "{date}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(unmodified, "Fri, 14 Jul 1989 02:39:59 GMT".parse().unwrap());
        assert_eq!(check(&headers, &EntityTag::new("\"a\"").unwrap(), None), Verdict::Proceed);
    }

    #[test]
    fn representations_of_a_content_have_tags_of_their_own() {
        let tag = EntityTag::new("\"a\"").unwrap();
        let compressed = tag.with_suffix("br");
        assert_eq!(compressed.header(), "\"a-br\"");
        assert_eq!(compressed.suffix_to(&tag), Some("br"));
        for other in ["\"a\"", "\"b-br\"", "\"abr\""] {
            assert_eq!(EntityTag::new(other).unwrap().suffix_to(&tag), None, "{other}");
        }
    }

    #[test]
    fn only_quoted_visible_text_is_a_tag() {
        assert!(EntityTag::new("\"a-b\"").is_some() && EntityTag::new("W/\"\"").is_some());
        for bad in ["a", "\"", "\"a", "\"a\"b\"", "\"a b\"", "\"\n\"", "w/\"a\""] {
            assert!(EntityTag::new(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read_without_a_panic(list in "[ ,\"W/*a-cé]{0,20}") {
            let found: Vec<_> = tags(&list).collect();
            prop_assert!(found.iter().all(|tag| tag.ends_with('"')));
        }
    }
}
