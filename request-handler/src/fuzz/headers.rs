//! Headers: whatever visitors send, they get a file as they take it; whatever they write into what proxies pass on, they
//! are who they are.

use std::net::IpAddr;

use bytes::Bytes;
use futures_util::FutureExt as _;
use gitdeploy_core::hash::Sha256;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, FORWARDED, HeaderName, IF_MATCH,
    IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::proxy::{self, content};
use super::script;
use crate::account::Account;
use crate::digest::{self, REPR_DIGEST};
use crate::host::{self, Domain};
use crate::visitor::{Networks, Peer, Trust, Visitor};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const WANT_REPR_DIGEST: &str = "want-repr-digest";

/// A request.
pub fn headers(input: &[u8]) {
    let Some(mut request) = script::request(input) else { return };
    visitors_are_who_they_are(&request.headers);
    let visitor = trust(false).visitor(peer("10.0.0.1"), &mut request.headers.clone());
    let (answer, account) = ask(request.clone(), &visitor);
    the_status_has_a_reason(&request, &answer);
    the_content_is_what_was_asked_for(&request, &answer, &account);
    if request.method == Method::GET {
        request.method = Method::HEAD;
        let (head, _) = ask(request, &visitor);
        assert!(head.body().is_empty());
        assert_eq!((head.status(), head.headers()), (answer.status(), answer.headers()), "HEAD is as GET");
    }
}

fn ask(request: Parts, visitor: &Visitor) -> (Response<Bytes>, Account) {
    let (answer, account) = proxy::with(|proxy| proxy.answer(request, visitor));
    let answer = answer.map(|body| {
        let collected = body.collect().now_or_never().expect("files are in memory");
        collected.expect("memory does not fail").to_bytes()
    });
    (answer, account)
}

fn the_status_has_a_reason(request: &Parts, answer: &Response<Bytes>) {
    let has = |name: &HeaderName| request.headers.contains_key(name);
    let is_due = match answer.status().as_u16() {
        200 | 308 | 400 | 404 | 405 | 414 => true,
        204 => request.method == Method::OPTIONS,
        206 | 416 => has(&RANGE),
        304 => has(&IF_NONE_MATCH),
        412 => has(&IF_MATCH) || has(&IF_UNMODIFIED_SINCE),
        _ => false,
    };
    assert!(is_due, "{}", answer.status());
}

fn the_content_is_what_was_asked_for(request: &Parts, answer: &Response<Bytes>, account: &Account) {
    let (headers, body) = (answer.headers(), answer.body());
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        assert!(request.method == Method::HEAD || length == &body.len().to_string(), "{length:?}");
    }
    let Some(path) = &account.file else { return };
    if let Some(coding) = headers.get(ETAG).and_then(coding_of) {
        assert!(is_taken(&request.headers, coding), "what is told to be there already is in {coding}");
    }
    let coding = headers.get(CONTENT_ENCODING).map_or("", |coding| coding.to_str().expect("it is a word"));
    assert!(coding.is_empty() || is_taken(&request.headers, coding), "{coding} is not taken");
    assert!(content(path, "br").is_none() || headers.contains_key(VARY) || answer.status().is_client_error());
    if !matches!(answer.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return;
    }
    let whole = content(path, coding).expect("it is in the store");
    let digest = headers.get(REPR_DIGEST);
    assert!(digest.is_none_or(|told| *told == digest::header(&Sha256::of(whole.as_bytes()))), "{digest:?}");
    assert!(digest.is_none() || request.headers.contains_key(WANT_REPR_DIGEST));
    if request.method == Method::HEAD {
        return;
    }
    match (answer.status(), headers.get(CONTENT_RANGE)) {
        (StatusCode::OK, range) => assert!(body == whole.as_bytes() && range.is_none(), "{path} {coding}"),
        (_, Some(range)) => assert_eq!(Some(&body[..]), slice(whole, range), "{range:?}"),
        (_, None) => assert!(body.starts_with(b"\r\n--part-of-"), "{body:?}"),
    }
}

/// Whether a header names a coding, or all of them, and does not say with each that it is unwanted.
fn is_taken(headers: &HeaderMap, coding: &str) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|element| {
        let (name, weight) = element.split_once(';').unwrap_or((element, "q=1"));
        let name = name.trim().to_ascii_lowercase();
        let is_zero =
            weight.trim().get(2..).is_some_and(|digits| digits.bytes().all(|byte| b"0.".contains(&byte)));
        (name == coding || name == "*" || name.strip_prefix("x-") == Some(coding)) && !is_zero
    })
}

/// How a representation is compressed, by its tag.
fn coding_of(tag: &HeaderValue) -> Option<&str> {
    tag.to_str().ok()?.trim_matches('"').split_once('-').map(|(_, coding)| coding)
}

/// The bytes that a `Content-Range` tells of.
fn slice<'a>(whole: &'a str, range: &HeaderValue) -> Option<&'a [u8]> {
    let (range, size) = range.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let is_true = size.parse() == Ok(whole.len());
    whole.as_bytes().get(start.parse().ok()?..=end.parse().ok()?).filter(|_| is_true)
}

fn visitors_are_who_they_are(headers: &HeaderMap) {
    let visitor = |from, headers: &HeaderMap| {
        let mut passed = headers.clone();
        let visitor = trust(false).visitor(peer(from), &mut passed);
        assert_eq!(passed, *headers, "the host is not believed");
        visitor
    };
    let (neighbour, stranger) = ("10.0.0.1", "192.0.2.7");
    let alone = Visitor { address: address(stranger), is_secure: false, country: None };
    assert_eq!(visitor(stranger, headers), alone, "strangers are not believed");
    let Visitor { address: found, country, .. } = visitor(neighbour, headers);
    let is_code = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    assert!(country.is_none_or(|code| is_code(&code)));
    let is_told = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    assert!(is_told || found == address(neighbour), "{found}");
    // A neighbour that adds whom it sees is believed, whatever stands before that.
    let mut told = headers.clone();
    told.append(FORWARDED, HeaderValue::from_static("for=192.0.2.7"));
    assert_eq!(visitor(neighbour, &told).address, address(stranger));
    told.remove(FORWARDED);
    told.append(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"));
    assert_eq!(visitor(neighbour, &told).address, address(stranger));
    let mut chosen = headers.clone();
    trust(true).visitor(peer(neighbour), &mut chosen);
    if let Ok(host) = host::asked(&http::Uri::from_static("/"), &chosen, &Domain::default()) {
        assert!(!host.text.is_empty());
    }
}

fn trust(believes_host: bool) -> Trust {
    let networks = Networks::try_from("10.0.0.0/8".to_owned()).expect("it is a network");
    Trust { networks, believes_host, country_header: Some(HeaderName::from_static("x-country")) }
}

fn peer(text: &str) -> Peer {
    Peer { address: address(text), is_secure: false }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("it is an address")
}
