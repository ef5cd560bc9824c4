//! What the owner is told about an answer, in a header of it.

use gitdeploy_core::Explanation;
use gitdeploy_core::explanation::HEADER;
use http::header::{CACHE_CONTROL, HeaderName};
use http::{HeaderMap, HeaderValue, Response};

use crate::account::{Account, Decision, Details, FoundBy, Source};
use crate::cache_policy;
use crate::coding::Coding;

const EXPLANATION: HeaderName = HeaderName::from_static(HEADER);

/// Adds the explanation to an answer, if the owner asks. Then nobody on the way may keep it: it tells what other
/// visitors are told about that.
pub(crate) fn tell<B>(account: &Account, response: &mut Response<B>) {
    let Some(details) = &account.details else { return };
    let headers = response.headers_mut();
    let explanation = explained(account, details, headers).to_header();
    if let Ok(value) = HeaderValue::try_from(explanation) {
        headers.insert(EXPLANATION, value);
    }
    cache_policy::keep_never(headers);
}

fn explained(account: &Account, details: &Details, headers: &HeaderMap) -> Explanation {
    let route = details.route.as_deref();
    let source = |source: Source| source.name().to_owned();
    Explanation {
        site: account.site.as_ref().map(ToString::to_string),
        found_by: details.trail.and_then(|trail| trail.by).map(FoundBy::name).map(str::to_owned),
        project: route.map(|route| route.project.to_string()),
        moved: route.map(|route| route.moved.as_second()),
        deployment: account.deployment.as_ref().map(ToString::to_string),
        decision: account.decision.map(Decision::name).map(str::to_owned),
        redirect_line: account.redirect_line,
        redirect: details.redirect.clone(),
        headers_lines: account.header_lines.clone(),
        file: account.file.as_ref().map(ToString::to_string),
        file_deployment: details.file_deployment.as_ref().map(ToString::to_string),
        encoding: account.encoding.map(Coding::as_str).map(str::to_owned),
        site_source: details.trail.map(|trail| source(trail.source)),
        manifest_source: details.trail.and_then(|trail| trail.manifest).map(source),
        source: account.source.map(source),
        store_ms: account.source.map(|_| 1000.0 * account.store_time.as_secs_f64()),
        cache_control: headers
            .get(CACHE_CONTROL)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        fault: details.fault.clone(),
    }
}
