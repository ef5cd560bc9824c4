//! The page that asks for a password.

use std::borrow::Cow;
use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response, StatusCode};

use super::SOON;
use super::layout::{Page, Tone};
use crate::body::Body;

/// Without an `action`, the form goes to the address that was asked for.
const FORM: &str = include_str!("../../pages/password.html");

/// Why a visitor is asked for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// They have given none.
    First,
    /// They have given another one.
    Wrong,
    /// They have sent more than any password takes.
    TooLong,
    /// They took too long to send it.
    Slow,
    /// A page of somebody else's has sent it.
    Foreign,
    /// They were wrong so often that they have to wait.
    TooOften(Duration),
    /// Too many try at the same time.
    Busy,
}

/// That a site asks for a password. Nothing of the site is on the page.
pub(crate) fn password(asking: Asking) -> Response<Body> {
    let mut retry_after = None;
    let (status, text): (_, Cow<'_, str>) = match asking {
        Asking::First => {
            (StatusCode::UNAUTHORIZED, "Whoever has shared this site with you knows its password.".into())
        }
        Asking::Wrong => (StatusCode::UNAUTHORIZED, "That is not the password. Please try again.".into()),
        Asking::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "That is longer than any password.".into()),
        Asking::Slow => {
            (StatusCode::REQUEST_TIMEOUT, "The password did not arrive in time. Please try again.".into())
        }
        Asking::Foreign => {
            (StatusCode::FORBIDDEN, "Another page has sent a password. Please give it here.".into())
        }
        Asking::TooOften(wait) => {
            let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
            retry_after = Some(seconds);
            let text =
                format!("Too many wrong passwords came from your address. Please try again in {seconds} s.");
            (StatusCode::TOO_MANY_REQUESTS, text.into())
        }
        Asking::Busy => {
            retry_after = Some(SOON);
            let text = "Many are giving passwords right now. Please try again in a moment.";
            (StatusCode::SERVICE_UNAVAILABLE, text.into())
        }
    };
    let tone = match asking {
        Asking::First => Tone::Shut,
        Asking::TooOften(_) | Asking::Busy => Tone::Later,
        Asking::Wrong | Asking::TooLong | Asking::Slow | Asking::Foreign => Tone::Wrong,
    };
    let page = Page::new(status, "This site has a password", text);
    let mut response = Page { tone, more: FORM.into(), retry_after, ..page }.response();
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §15.5.2 wants a challenge. For one that browsers know they would not show the page.
        let challenge = HeaderValue::from_static("Form realm=\"this site\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
