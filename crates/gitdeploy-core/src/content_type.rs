//! The `Content-Type` of a file, from its name.

use std::borrow::Cow;

/// What is sent for a name that says nothing.
pub const UNKNOWN: &str = "application/octet-stream";

/// Extensions that `mime_guess` lacks, knows under an old name, or that need a `charset`.
const TABLE: &[(&str, &str)] = &[
    ("atom", "application/atom+xml; charset=utf-8"),
    ("avif", "image/avif"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("geojson", "application/geo+json"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("jsonld", "application/ld+json"),
    ("map", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("otf", "font/otf"),
    ("rss", "application/rss+xml; charset=utf-8"),
    ("svg", "image/svg+xml; charset=utf-8"),
    ("ttf", "font/ttf"),
    ("wasm", "application/wasm"),
    ("webmanifest", "application/manifest+json"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml; charset=utf-8"),
    ("xml", "application/xml; charset=utf-8"),
];

/// The media type of a file by the extension of `file_name`. Text carries `charset=utf-8`; JSON does not,
/// since it has no such parameter (RFC 8259 §11).
pub fn of(file_name: &str) -> Cow<'static, str> {
    let Some((_, extension)) = file_name.rsplit_once('.') else {
        return Cow::Borrowed(UNKNOWN);
    };
    let extension = extension.to_ascii_lowercase();
    if let Ok(place) = TABLE.binary_search_by_key(&extension.as_str(), |(known, _)| known) {
        return Cow::Borrowed(TABLE[place].1);
    }
    match mime_guess::from_ext(&extension).first_raw() {
        Some(text) if text.starts_with("text/") || text.ends_with("+xml") => {
            Cow::Owned(format!("{text}; charset=utf-8"))
        }
        Some(other) => Cow::Borrowed(other),
        None => Cow::Borrowed(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by_key(|(extension, _)| extension));
    }

    #[test]
    fn names_have_types() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("INDEX.HTML", "text/html; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("app.css", "text/css; charset=utf-8"),
            ("data.json", "application/json"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
            ("photo.png", "image/png"),
            ("font.woff2", "font/woff2"),
            ("feed.xml", "application/xml; charset=utf-8"),
            ("map.kml", "application/vnd.google-earth.kml+xml; charset=utf-8"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("Makefile", UNKNOWN),
            ("a.unheard-of", UNKNOWN),
            (".html", "text/html; charset=utf-8"),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
