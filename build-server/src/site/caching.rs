//! Which files may be kept for ever, because their names change with their content.
//!
//! A name that is wrongly taken for one shows visitors an old file for a year, and a miss costs them one request.
//! So a name has to look made by a machine, and does so more clearly for images, which people name, than for
//! scripts.

use gitdeploy_core::SitePath;
use gitdeploy_core::manifest::Caching;

use crate::plan::Preset;
use globset::{Glob, GlobSet, GlobSetBuilder};

/// Directories in which a generator puts nothing but what it names by content or by build.
const DIRECTORIES: [&str; 3] = ["_next/static/", "_app/immutable/", "_astro/"];

/// Kinds of files that tools name more often than people.
const CODE: [&str; 10] = ["js", "mjs", "cjs", "css", "wasm", "woff", "woff2", "ttf", "otf", "eot"];

/// Kinds of files that people name as well.
const MEDIA: [&str; 13] =
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "mp4", "webm", "mp3", "ogg", "jxl"];

/// How many hexadecimal digits of a hash tools write.
const HEX_LENGTHS: [usize; 10] = [8, 10, 16, 20, 32, 40, 56, 64, 96, 128];

/// The names that change with the content.
#[derive(Debug)]
pub(crate) struct Names {
    /// Where the framework puts what it names by content, among other things.
    globs: GlobSet,
}

impl Names {
    /// The names that a site generator makes, if one is known.
    pub(crate) fn of(preset: Option<&Preset>) -> Self {
        Self::new(preset.into_iter().flat_map(|preset| &preset.immutable_globs).map(String::as_str))
    }

    /// With the patterns of the framework that built the site. One that is none matches nothing.
    fn new<'a>(globs: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = GlobSetBuilder::new();
        for glob in globs.into_iter().filter_map(|glob| Glob::new(glob).ok()) {
            set.add(glob);
        }
        Self { globs: set.build().unwrap_or_default() }
    }

    /// How long a visitor may keep the file at `path`.
    pub(crate) fn caching(&self, path: &SitePath) -> Caching {
        if self.is_immutable(path) { Caching::Immutable } else { Caching::Revalidate }
    }

    fn is_immutable(&self, path: &SitePath) -> bool {
        let (directory, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        let name = name.strip_suffix(".map").unwrap_or(name);
        let Some((stem, kind)) = name.rsplit_once('.') else { return false };
        let kind = kind.to_ascii_lowercase();
        if matches!(kind.as_str(), "html" | "htm" | "xhtml") {
            return false;
        }
        let directory = format!("/{directory}/");
        if DIRECTORIES.iter().any(|known| directory.contains(&format!("/{known}"))) {
            return true;
        }
        let is_code = CODE.contains(&kind.as_str());
        let is_media = MEDIA.contains(&kind.as_str());
        let decorations = [".min", ".chunk", ".bundle", ".module", ".esm"];
        let stem =
            decorations.iter().fold(stem, |stem, decoration| stem.strip_suffix(decoration).unwrap_or(stem));
        (is_code && has_hash(stem, true)) || (is_media && has_hash(stem, false))
            // A framework's own directory may hold files of the author's, so the name is looked at there too.
            || (self.globs.is_match(path.as_str()) && has_short_hash(stem))
    }
}

/// Whether a name without its kind ends in a hash.
fn has_hash(stem: &str, is_code: bool) -> bool {
    if ends_in_uuid(stem) {
        return false;
    }
    let separators: &[char] = if is_code { &['-', '.', '_'] } else { &['-', '.'] };
    let (before, last) = match stem.rfind(separators) {
        Some(at) => (&stem[..at], &stem[at + 1..]),
        None => ("", stem),
    };
    // Nothing but a hash: of a kind that is never written by hand.
    if before.is_empty() {
        return is_code && last.len() >= 20 && is_hex_hash(last);
    }
    is_hex_hash(last) && (is_code || changes(last) >= 3) || (is_code && is_mixed_hash(last))
}

/// Whether a name without its kind ends in 8 characters as Vite writes them, or in a longer hash.
fn has_short_hash(stem: &str) -> bool {
    if has_hash(stem, true) {
        return true;
    }
    let Some(start) = stem.len().checked_sub(8).filter(|start| stem.is_char_boundary(*start)) else {
        return false;
    };
    let (before, last) = stem.split_at(start);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    before.ends_with(['-', '.'])
        && last.bytes().all(is_part)
        && last.bytes().any(|byte| byte.is_ascii_uppercase())
        && changes(last) >= 3
}

fn is_hex_hash(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    HEX_LENGTHS.contains(&text.len())
        && text.bytes().all(is_hex)
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && changes(text) >= 2
}

/// 8 characters of base64url or base32: letters of both cases and digits in disorder.
fn is_mixed_hash(text: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| text.as_bytes().iter().any(kind);
    let (upper, lower, digit) =
        (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase), has(u8::is_ascii_digit));
    text.len() == 8
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && match (upper, lower, digit) {
            (true, true, true) => changes(text) >= 3,
            (true, true, false) => changes(text) >= 5,
            (true, false, true) => changes(text) >= 2,
            _ => false,
        }
}

/// How often a text changes between capitals, small letters, digits and others.
fn changes(text: &str) -> usize {
    let kind = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    text.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count()
}

/// What people upload is often named so, and replaced under the same name.
fn ends_in_uuid(stem: &str) -> bool {
    let Some(uuid) = stem.len().checked_sub(36).and_then(|start| stem.get(start..)) else { return false };
    uuid.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_immutable(path: &str, globs: &[&str]) -> bool {
        Names::new(globs.iter().copied()).caching(&path.parse().unwrap()) == Caching::Immutable
    }

    #[test]
    fn names_that_tools_make_are_kept_for_ever() {
        for path in [
            // Vite and Rollup
            "assets/index-BX4d1f2Q.js",
            "assets/index-DkXyQrTz.css",
            "assets/index.4f3a2b1c.js",
            "assets/logo-1a2b3c4d.svg",
            "assets/index-BX4d1f2Q.js.map",
            // webpack, Create React App, Vue CLI, Docusaurus
            "static/js/main.073c9b0a.js",
            "static/css/main.073c9b0a.chunk.css",
            "static/js/2.1a2b3c4d.chunk.js",
            "js/chunk-vendors.7f3b2a1c.js",
            "assets/js/runtime~main.1f2e3d4c.js",
            "app-1a2b3c4d5e6f70801234.js",
            "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
            // Next
            "_next/static/chunks/main-app-1a2b3c4d5e6f7080.js",
            "_next/static/Xy12_abcDEF-9/_buildManifest.js",
            "_next/static/media/e4af272ccee01ff0-s.p.woff2",
            "docs/_next/static/css/styles.css",
            // Astro, SvelteKit
            "_astro/hoisted.js",
            "_astro/photo.DhK1x8sG_Z2kQ8x.webp",
            "_app/immutable/entry/start.B1yxq3kK.js",
            // Angular, esbuild
            "main-K4XGZ2B7.js",
            "chunk-5QJ7W2LM.js",
            "main.4f3a2b1c5d6e7f80.js",
            "polyfills.4f3a2b1c5d6e7f801234.js",
            // Parcel, Hugo, workbox, a bare hash
            "index.4f3a2b1c.css",
            "css/main.min.6ce24c58023cc2f8fd88fe9d219db6c66ce24c58023cc2f8fd88fe9d219db6c6.css",
            "workbox-1a2b3c4d.js",
            "fonts/inter-latin.8a4c2f1b.woff2",
            "674f50d287a8c48dc19ba404d20fe713.woff2",
        ] {
            assert!(is_immutable(path, &[]), "{path}");
        }
    }

    #[test]
    fn names_that_only_look_like_it_are_asked_for_again() {
        for path in [
            "index.html",
            "assets/index-BX4d1f2Q.html",
            "_next/static/page.html",
            "google4f3a2b1c5d6e7f80.html",
            "jquery-3.7.1.min.js",
            "bootstrap.bundle.min.js",
            "pdf.worker-2.16.105.min.js",
            "2024-01-15.jpg",
            "photo-20240115.jpg",
            "IMG_20240115_123456.jpg",
            "deadbeef.jpg",
            "photo-deadbeef.jpg",
            "bundle-20240115.js",
            "polyfills-es2015.js",
            "swagger-ui-es2020ab.js",
            "lib-version2.js",
            "tool-win32x64.wasm",
            "face2face-face2face.mp3",
            "hero-iPhone15.png",
            "app-redesign.css",
            "app-MyModule.js",
            "photo_3f2a1b4c5d.jpg",
            "3f2a1b4c-5d6e-7f80-91a2-b3c4d5e6f708.jpg",
            "cover-3f2a1b4c-5d6e-7f80-91a2-b3c4d5e6f708.png",
            "3f2a1b4c5d6e7f8091a2b3c4d5e6f708.jpg",
            "report-1a2b3c4d.pdf",
            "data-1a2b3c4d.json",
            "release-1a2b3c4d.zip",
            "sw.js",
            "service-worker.js",
            "site.webmanifest",
            "1a2b3c4d.js",
            "noextension-1a2b3c4d",
            "größe-größe.js",
        ] {
            assert!(!is_immutable(path, &[]), "{path}");
        }
    }

    #[test]
    fn a_framework_says_where_its_names_are_and_an_author_may_put_others_there() {
        let vite: &[&str] = &["assets/**"];
        for name in ["index-B_x2-Kf9.js", "logo-D7xLWQp_.svg", "photo-BX4d1f2Q.jpg"] {
            assert!(is_immutable(&format!("assets/{name}"), vite), "{name}");
            assert!(!is_immutable(&format!("other/{name}"), vite), "{name}");
        }
        for name in ["logo.png", "hero-vertical.png", "og-image.jpg", "index-BX4d1f2Q.html", "2024-01-15.jpg"]
        {
            assert!(!is_immutable(&format!("assets/{name}"), vite), "{name}");
        }
        assert!(!is_immutable("assets/index.js", &["[", "{"]));
    }
}
