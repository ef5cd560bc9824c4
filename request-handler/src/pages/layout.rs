//! What the proxy's own pages look like. They are whole in themselves: no script, no image, no other file.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{self, Body};
use crate::cache_policy::CachePolicy;

/// A page has only its own style, and its forms lead to the host that shows it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// What most of the pages take, in bytes.
const USUAL: usize = 3 << 10;

/// A page of the proxy's own.
pub(super) struct Page<'a> {
    pub(super) status: StatusCode,
    pub(super) tone: Tone,
    pub(super) title: &'a str,
    pub(super) sentence: Cow<'a, str>,
    /// HTML that follows the sentence.
    pub(super) more: Cow<'a, str>,
    /// After how many seconds another try makes sense.
    pub(super) retry_after: Option<u32>,
    /// Whether the page tries again by itself.
    pub(super) reloads: bool,
}

/// What kind of news a page has, which is the colour of its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something is closed, or not there.
    Shut,
    /// Something will be there.
    Later,
    /// Something went wrong.
    Wrong,
}

impl<'a> Page<'a> {
    /// A page of a title and a sentence, both plain text.
    pub(super) fn new(status: StatusCode, title: &'a str, sentence: impl Into<Cow<'a, str>>) -> Self {
        let tone = if status.is_server_error() { Tone::Wrong } else { Tone::Shut };
        let sentence = sentence.into();
        Self { status, tone, title, sentence, more: Cow::Borrowed(""), retry_after: None, reloads: false }
    }

    pub(super) fn response(self) -> Response<Body> {
        let reload = match self.retry_after {
            Some(seconds) if self.reloads => format!("\n<meta http-equiv=\"refresh\" content=\"{seconds}\">"),
            _ => String::new(),
        };
        let mut html = String::with_capacity(USUAL);
        // Nothing fails that is written to a string.
        _ = write!(
            html,
            include_str!("../../pages/page.html"),
            style = include_str!("../../pages/page.css"),
            reload = reload,
            tone = self.tone.class(),
            status = self.status.as_u16(),
            title = escape(self.title),
            sentence = escape(&self.sentence),
            more = self.more,
        );
        let length = HeaderValue::from(html.len());
        let mut response = Response::new(body::full(html));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Shut => "shut",
            Self::Later => "later busy",
            Self::Wrong => "wrong",
        }
    }
}

/// Text as HTML, also between quotes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}
