//! What holds for every answer of a site, whatever its rules are.

use std::sync::{Arc, LazyLock};

use futures_util::FutureExt as _;
use gitdeploy_store::ObjectStore;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, DATE, LOCATION, SERVER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use hyper::body::Body as _;

use super::url::is_path;
use crate::account::{Account, Decision};
use crate::body::Body;
use crate::cache_policy::CachePolicy;
use crate::config::Config;
use crate::handler::Handler;
use crate::host::{self, Domain, Host};
use crate::site::Published;
use crate::target::Target;
use crate::visit::Visit;

/// The largest head of an answer, in bytes: a visitor's browser takes about as much.
const LARGEST_HEAD: usize = 64 << 10;

/// A proxy with nothing in its store.
static PROXY: LazyLock<Handler> = LazyLock::new(|| Handler::new(ObjectStore::memory(), &Config::default()));

/// An answer, and how it came about.
struct Answered {
    response: Response<Body>,
    decision: Decision,
}

/// Asks a site whose files are empty, or whose method is HEAD, and goes on where it redirects to.
pub(super) fn of_a_visit(site: &Arc<Published>, request: &Parts) {
    let Ok(host) = host::asked(&request.uri, &request.headers, &Domain::default()) else { return };
    let Ok(target) = Target::parse(&request.uri) else { return };
    let first = answer(site, request, &host, &target);
    let Some(location) = path_of(&first.response) else { return };
    let mut next = request.clone();
    next.uri = location.parse().expect("a location is an address");
    let next_target = Target::parse(&next.uri).expect("a location can be asked for");
    assert_ne!(next_target.path, target.path, "{location} leads back");
    let second = answer(site, &next, &host, &next_target);
    let Some(further) = path_of(&second.response) else { return };
    // Two rules may lead to each other: that is what their author says.
    if first.decision == Decision::Address || second.decision == Decision::Address {
        let uri: Uri = further.parse().expect("a location is an address");
        let third_target = Target::parse(&uri).expect("a location can be asked for");
        assert_ne!(third_target.path, target.path, "{location} leads to {further}");
        assert_ne!(first.decision, second.decision, "{location} is one of several addresses");
    }
}

fn answer(site: &Arc<Published>, request: &Parts, host: &Host<'_>, target: &Target<'_>) -> Answered {
    let mut account = Account::default();
    let visit = Visit { request, visitor: None, host, target };
    let answer = PROXY.0.published(&visit, site, None, &mut account).now_or_never();
    let response = answer.expect("nothing has to be waited for").expect("nothing fails");
    let decision = account.decision.expect("an answer has a reason");
    if let Some(path) = &account.file {
        assert!(site.file(path.as_str()).is_some(), "{path} is not to be seen");
    }
    assert!((200..600).contains(&response.status().as_u16()), "{}", response.status());
    the_head_is_sound(request, &response);
    the_decision_fits(decision, &response);
    Answered { response, decision }
}

fn the_head_is_sound(request: &Parts, response: &Response<Body>) {
    let headers = response.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    assert!(bytes <= LARGEST_HEAD, "the head has {bytes} bytes");
    for name in [CONNECTION, DATE, SERVER, TRANSFER_ENCODING, UPGRADE] {
        assert!(!headers.contains_key(&name), "{name} belongs to the connection");
    }
    if response.status() != StatusCode::NO_CONTENT && response.status() != StatusCode::NOT_MODIFIED {
        let told = headers.get(CONTENT_LENGTH).expect("the length is told").to_str().expect("it is a number");
        let sent = response.body().size_hint().exact().expect("a body of a known size");
        assert!(request.method == Method::HEAD || told == sent.to_string(), "{told} bytes are {sent}");
    }
    the_policy_fits(response.status(), headers);
}

fn the_policy_fits(status: StatusCode, headers: &HeaderMap) {
    let is_error = status.is_client_error() || status.is_server_error();
    if is_error && status != StatusCode::GONE {
        let policies: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
        assert_eq!(policies, [&CachePolicy::Never.header()], "another deployment may bring what is missing");
    }
}

fn the_decision_fits(decision: Decision, response: &Response<Body>) {
    let status = response.status();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "a rule can be answered");
    let is_redirect = matches!(decision, Decision::Redirect | Decision::Address);
    let location = response.headers().get(LOCATION);
    assert_eq!(is_redirect, location.is_some(), "{decision:?} {status}");
    let Some(location) = location else { return };
    assert!(status.is_redirection(), "{status}");
    let text = location.to_str().expect("a location is visible ASCII");
    let is_elsewhere = text.starts_with("https://") || text.starts_with("http://");
    assert!(is_path(text) || (is_elsewhere && decision == Decision::Redirect), "{text}");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
}

/// Where an answer leads on the same site.
fn path_of(response: &Response<Body>) -> Option<&str> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    is_path(location).then_some(location)
}
