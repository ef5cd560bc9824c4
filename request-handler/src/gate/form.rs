//! The form of the page that asks for a password, as visitors send it.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, ORIGIN};
use http::{HeaderMap, Uri};
use http_body_util::{BodyExt as _, Limited};

use crate::pages::Asking;

/// The longest form, in bytes: every byte of a long password may be written as three.
const LONGEST: usize = 4 << 10;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a body is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether the form is that of a page at `host`: pages of others have no guesses made by those who see them. A program
/// that is no browser says nothing of it.
pub(super) fn is_of(headers: &HeaderMap, host: &str) -> bool {
    // Where the browser says it, the host that it knows need not be the one that a neighbour hands on to us.
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    origin.as_ref().and_then(Uri::host).is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

/// The password in a form, if it has one. The form comes whole within `patience`.
pub(super) async fn password<B>(body: B, patience: Duration) -> Result<Option<String>, Asking>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let read = Box::pin(Limited::new(body, LONGEST).collect());
    let form = tokio::time::timeout(patience, read).await.map_err(|_| Asking::Slow)?;
    // Whose connection broke gets no answer anyway.
    let form = form.map_err(|_| Asking::TooLong)?.to_bytes();
    let field = url::form_urlencoded::parse(&form).find(|(name, _)| name == "password");
    Ok(field.map(|(_, value)| value.into_owned()))
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    async fn read(form: &'static [u8]) -> Result<Option<String>, Asking> {
        password(Full::new(Bytes::from_static(form)), Duration::from_secs(1)).await
    }

    #[tokio::test]
    async fn a_form_is_read() {
        assert_eq!(read(b"password=a+b%26%C3%BC").await, Ok(Some("a b&ü".to_owned())));
        assert_eq!(read(b"other=1&password=&password=2").await, Ok(Some(String::new())));
        assert_eq!(read(b"\xff\xfe").await, Ok(None));
        assert_eq!(read(b"").await, Ok(None));
        assert_eq!(read(&[b'x'; LONGEST]).await, Ok(None));
        assert_eq!(read(&[b'x'; LONGEST + 1]).await, Err(Asking::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_does_not_end_is_not_waited_for() {
        let begin = Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"password=")));
        let endless = StreamBody::new(stream::iter([begin]).chain(stream::pending()));
        assert_eq!(password(endless, Duration::from_secs(10)).await, Err(Asking::Slow));
    }

    #[test]
    fn a_form_of_another_page_is_known() {
        let check = |name: HeaderName, value: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(is_of(&headers, "blog.localhost"), expected, "{value}");
        };
        check(ORIGIN, "http://blog.localhost:8080", true);
        check(ORIGIN, "https://Blog.localhost", true);
        for foreign in
            ["http://evil.test", "http://docs.localhost:8080", "null", "", "blog.localhost.evil.test"]
        {
            check(ORIGIN, foreign, false);
        }
        check(SEC_FETCH_SITE, "same-origin", true);
        for foreign in ["cross-site", "same-site", "none"] {
            check(SEC_FETCH_SITE, foreign, false);
        }
        assert!(is_of(&HeaderMap::new(), "blog.localhost"));
    }

    #[test]
    fn a_form_is_known_by_its_type() {
        let check = |kind: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())]);
            assert_eq!(is_form(&headers), expected, "{kind}");
        };
        check("application/x-www-form-urlencoded", true);
        check("Application/X-WWW-Form-Urlencoded ; charset=UTF-8", true);
        check("application/json", false);
        check("multipart/form-data; boundary=x", false);
        assert!(!is_form(&HeaderMap::new()));
    }
}
