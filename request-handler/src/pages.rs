//! The pages that the proxy shows itself.

mod layout;
mod password;

use gitdeploy_core::{BuildStatus, State};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{self, Body};
use crate::cache_policy::CachePolicy;
use crate::fault::Fault;
use crate::host::HostError;
use crate::target::TargetError;
use layout::{Page, Tone, escape};
pub(crate) use password::{Asking, password};

/// After how many seconds a visitor may try again when the store fails, and when a build goes on.
const SOON: u32 = 5;

/// That the host cannot be read (400) or that there is no site (404).
pub(crate) fn host_refused(error: &HostError) -> Response<Body> {
    match error {
        HostError::NotServed(host) => no_site(host),
        _ => page(StatusCode::BAD_REQUEST, "This request cannot be understood", &sentence(error)),
    }
}

/// That the proxy answers.
pub(crate) fn alive() -> Response<Body> {
    let mut response = Response::new(body::full("ok\n"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("3"));
    headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
    response
}

/// That there is no site at a host.
pub(crate) fn no_site(host: &str) -> Response<Body> {
    let text = format!("No site is served at {host}. Is the address right, and has the site been deployed?");
    page(StatusCode::NOT_FOUND, "There is no site here", &text)
}

/// That a site has nothing at a path.
pub(crate) fn not_found(path: &str) -> Response<Body> {
    let text = format!("This site has no page at {path}.");
    page(StatusCode::NOT_FOUND, "This page does not exist", &text)
}

/// That a rule of the site answers with a status, and shows no page with it.
pub(crate) fn bare(status: StatusCode) -> Response<Body> {
    let (title, text) = match status {
        StatusCode::GONE => ("This page is gone", "It was here, and it will not come back."),
        StatusCode::FORBIDDEN => ("This page is closed", "The site shows it to nobody."),
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
            ("This page may not be shown", "The site may not show it for legal reasons.")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            ("This page cannot be shown right now", "Please come back a little later.")
        }
        StatusCode::IM_A_TEAPOT => ("This is a teapot", "It is short and stout, and brews no coffee."),
        _ => ("This page does not exist", "The site has nothing to show here."),
    };
    page(status, title, text)
}

/// That a path cannot be looked up.
pub(crate) fn target_refused(error: TargetError) -> Response<Body> {
    let status = match error {
        TargetError::TooLong => StatusCode::URI_TOO_LONG,
        _ => StatusCode::BAD_REQUEST,
    };
    page(status, "This request cannot be understood", &sentence(&error))
}

/// That a site is only read.
pub(crate) fn method_not_allowed() -> Response<Body> {
    page(
        StatusCode::METHOD_NOT_ALLOWED,
        "This is not possible here",
        "A site answers only GET and HEAD requests.",
    )
}

/// That a visitor wanted another version of a file.
pub(crate) fn precondition_failed() -> Response<Body> {
    let text = "The file is not the version that the request asks for.";
    page(StatusCode::PRECONDITION_FAILED, "This file has changed", text)
}

/// That a visitor wanted bytes that a file does not have.
pub(crate) fn range_not_satisfiable(bytes: u64) -> Response<Body> {
    let text = format!("The file has {bytes} bytes, and the request asks for others.");
    page(StatusCode::RANGE_NOT_SATISFIABLE, "This part of the file does not exist", &text)
}

/// That the store failed. What exactly is for the operator's eyes.
pub(crate) fn unavailable(fault: &Fault) -> Response<Body> {
    let text = match fault {
        Fault::Timeout(_) => "The files of this site did not arrive in time. Please try again in a moment.",
        Fault::Store(_) | Fault::Damaged(_) | Fault::Outdated(_) => {
            "The files of this site cannot be read right now. Please try again in a moment."
        }
    };
    let page = Page::new(fault.status(), "This site cannot be shown right now", text);
    Page { retry_after: Some(SOON), ..page }.response()
}

/// That a host will show a site once its build has ended, or that there is none because the build failed.
pub(crate) fn unfinished(status: &BuildStatus) -> Response<Body> {
    let project = &status.project;
    let log = |text: &str| match &status.log {
        Some(log) => format!("<p><a href=\"{}\" rel=\"nofollow\">{text}</a></p>\n", escape(log)),
        None => String::new(),
    };
    if !status.state.is_final() {
        let what = match status.state {
            State::Queued => "waits for its turn to be built",
            _ => "is being built right now",
        };
        let sentence =
            format!("A deployment of {project} {what}. This page shows it as soon as it is there.");
        let page = Page::new(StatusCode::SERVICE_UNAVAILABLE, "This site is on its way", sentence);
        let more = log("Follow the build").into();
        let retry_after = Some(SOON);
        return Page { tone: Tone::Later, more, retry_after, reloads: true, ..page }.response();
    }
    let (title, what) = match status.state {
        State::Canceled => ("This build was canceled", "was canceled"),
        State::TimedOut => ("This build took too long", "took longer than it may"),
        // It is on its way from here to there; the next visitor sees it.
        State::Ready => ("This site is on its way", "has just ended"),
        _ => ("This build failed", "failed"),
    };
    let cause = status.cause.as_ref().map(|cause| format!(" {}", sentence(cause))).unwrap_or_default();
    let sentence = format!("There is nothing to show here: a build of {project} {what}.{cause}");
    let page = Page::new(StatusCode::NOT_FOUND, title, sentence);
    Page { tone: Tone::Wrong, more: log("See its log").into(), ..page }.response()
}

/// That a site is closed for a while.
pub(crate) fn maintenance() -> Response<Body> {
    let text = "Somebody is working on this site. Please come back a little later.";
    let page = Page::new(StatusCode::SERVICE_UNAVAILABLE, "This site will be back soon", text);
    Page { tone: Tone::Later, retry_after: Some(60), ..page }.response()
}

/// That a site has as many visitors at once as one site may have.
pub(crate) fn busy() -> Response<Body> {
    let text =
        "More people ask for this site than it may have visitors at once. Please try again in a moment.";
    let page = Page::new(StatusCode::SERVICE_UNAVAILABLE, "This site is busy", text);
    Page { tone: Tone::Later, retry_after: Some(SOON), ..page }.response()
}

/// That an address asks for as much at once as one address may.
pub(crate) fn too_many_requests() -> Response<Body> {
    let text = "Your address asks for too much at once. Please try again in a moment.";
    let page = Page::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", text);
    Page { tone: Tone::Later, retry_after: Some(SOON), ..page }.response()
}

/// That a request has more headers than are read.
pub(crate) fn too_many_headers() -> Response<Body> {
    let text = "The request has more headers than are read.";
    page(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "This request cannot be understood", text)
}

/// That the proxy itself failed.
pub(crate) fn internal_error() -> Response<Body> {
    let text = "Something went wrong on our side. Please try again in a moment.";
    page(StatusCode::INTERNAL_SERVER_ERROR, "This site cannot be shown right now", text)
}

/// A page of a title and a sentence.
fn page(status: StatusCode, title: &str, sentence: &str) -> Response<Body> {
    Page::new(status, title, sentence).response()
}

/// An error as a sentence: with a capital and a full stop, and without the back-ticks of a terminal.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars().filter(|character| *character != '`');
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn what_a_visitor_typed_is_shown_as_text() {
        let response = not_found("/<script>alert('{title}')</script>");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let html = response.into_body().collect().await.unwrap().to_bytes();
        let html = str::from_utf8(&html).unwrap();
        assert!(html.contains("/&lt;script&gt;alert(&#39;{title}&#39;)&lt;/script&gt;"), "{html}");
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence(&HostError::Malformed("a b".to_owned())), "The host a b is not a valid name.");
        assert_eq!(sentence(&TargetError::Nul), "The path contains a NUL character.");
    }
}
