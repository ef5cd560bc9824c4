//! The text of an input: a request, and the site that it is for.

use std::collections::BTreeMap;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{Caching, File, Manifest, Origin, Rules, VERSION};
use gitdeploy_core::rules::{Dialect, HtmlHandling, Serve, Spa};
use gitdeploy_core::{Attempt, OutputId, SitePath, content_type};
use gitdeploy_store::ETag;
use http::request::{Builder, Parts};
use http::{HeaderValue, Request};
use jiff::Timestamp;

use crate::site::Published;

/// The sections of an input, which lines of `---` separate. There are always as many as are asked for; the last one
/// has the rest.
pub(super) fn sections<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    const MARK: &[u8] = b"---\n";
    let mut rest = Some(input);
    std::array::from_fn(|index| {
        let Some(text) = rest.take() else { return &[][..] };
        let starts_line = |at: usize| at == 0 || text[at - 1] == b'\n';
        let mark =
            text.windows(MARK.len()).enumerate().find(|(at, bytes)| *bytes == MARK && starts_line(*at));
        match mark.filter(|_| index + 1 < N) {
            Some((at, _)) => {
                rest = Some(&text[at + MARK.len()..]);
                &text[..at]
            }
            None => text,
        }
    })
}

/// The lines of a text.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The head of a request: `GET /a?b`, then headers. Nothing where the server before the handler would refuse it.
pub(super) fn request(head: &[u8]) -> Option<Parts> {
    let mut lines = lines(head);
    let line = lines.next()?;
    let space = line.iter().position(|byte| *byte == b' ')?;
    let begun = Request::builder().method(&line[..space]).uri(&line[space + 1..]);
    let parts = lines.try_fold(begun, header)?.body(()).ok()?.into_parts().0;
    // Of other targets than `*` the server takes those of origin and absolute form.
    (parts.uri.path().starts_with('/') || parts.uri == "*").then_some(parts)
}

fn header(request: Builder, line: &[u8]) -> Option<Builder> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some(request.header(&line[..colon], value))
}

/// A site with these files, which are empty: nothing is asked of the store for them.
pub(super) fn site(files: impl Iterator<Item = SitePath>, rules: Rules) -> Published {
    Published::new(manifest(files, rules), ETag(String::new()), 0)
}

/// The manifest of such a site.
pub(super) fn manifest(files: impl Iterator<Item = SitePath>, rules: Rules) -> Manifest {
    Manifest {
        version: VERSION,
        id: id(),
        project: None,
        attempt: Attempt::FIRST,
        files: files.map(|path| (path.clone(), empty_file(&path))).collect(),
        origin: Origin::default(),
        rules,
        builder: String::new(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
    }
}

/// A file without content.
pub(super) fn empty_file(path: &SitePath) -> File {
    File {
        bytes: 0,
        sha256: Sha256::of(b""),
        etag: "\"1\"".to_owned(),
        content_type: content_type::of(path.file_name()).into_owned(),
        variants: BTreeMap::new(),
        cache: Caching::Revalidate,
        staged: None,
        link: None,
    }
}

/// The site's name.
pub(super) fn id() -> OutputId {
    "blog".parse().expect("letters are a label")
}

/// The paths that a text lists, those that are none left out.
pub(super) fn paths(text: &[u8]) -> impl Iterator<Item = SitePath> {
    lines(text).filter_map(|line| std::str::from_utf8(line).ok()?.parse().ok())
}

/// The settings of a site whose words stand in a text, such as `force netlify off`.
pub(super) fn serve(text: &[u8]) -> Serve {
    let mut serve = Serve::default();
    for word in text.split(|byte| !byte.is_ascii_alphabetic()) {
        match word {
            b"force" => serve.html_handling = HtmlHandling::Force,
            b"drop" => serve.html_handling = HtmlHandling::Drop,
            b"none" => serve.html_handling = HtmlHandling::None,
            b"netlify" => serve.redirects = Dialect::Netlify,
            b"all" => serve.spa = Spa::All,
            b"off" => serve.spa = Spa::Off,
            _ => {}
        }
    }
    serve
}
