//! What a page needs at once, for its `Link` header: a browser, or a network in front of us that sends early hints,
//! begins to load it before it has read the page.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;

use gitdeploy_core::{SitePath, content_type};
use html5gum::{StartTag, Token};
use percent_encoding::percent_decode_str;

use super::html::{attribute, tokens};
use super::links::{address_of, within};
use crate::output::SiteFile;

/// The beginning of a page, in bytes: what is said of it later is no longer early.
const HEAD: u64 = 128 << 10;

/// How many files are named: more of them get in the way of each other.
const MOST: usize = 8;

/// The longest header that is made, in bytes.
const LONGEST: usize = 2048;

/// What pages need, of the files that there are.
pub(crate) struct Preloads<'a> {
    paths: HashSet<&'a str>,
}

/// How a browser loads a file early.
struct Preload {
    address: String,
    /// The parameters of the link.
    how: String,
}

impl<'a> Preloads<'a> {
    /// For a site of these files.
    pub(crate) fn new(paths: impl Iterator<Item = &'a SitePath>) -> Self {
        Self { paths: paths.map(SitePath::as_str).collect() }
    }

    /// The value of `Link` for a file, if it is a page that needs something. A page that cannot be read has none.
    pub(crate) fn of(&self, file: &SiteFile) -> Option<String> {
        if !content_type::of(file.path.file_name()).starts_with("text/html") {
            return None;
        }
        let mut bytes = Vec::new();
        File::open(&file.real).ok()?.take(HEAD).read_to_end(&mut bytes).ok()?;
        self.header(&file.path, &String::from_utf8_lossy(&bytes))
    }

    fn header(&self, page: &SitePath, text: &str) -> Option<String> {
        let mut base = address_of(page)?;
        let mut has_base = false;
        let mut named = HashSet::new();
        let mut header = String::new();
        for token in tokens(text) {
            let tag = match token {
                Token::StartTag(tag) if *tag.name != b"body"[..] => tag,
                Token::EndTag(tag) if *tag.name != b"head"[..] => continue,
                Token::StartTag(_) | Token::EndTag(_) => break,
                _ => continue,
            };
            if *tag.name == b"base"[..] && !has_base {
                let joined = attribute(&tag, "href").and_then(|href| base.join(&href).ok());
                has_base = joined.is_some();
                base = joined.unwrap_or(base);
            }
            let Some(Preload { address, how }) = preload(&tag) else { continue };
            // Only the path is compared: a query changes nothing for a file.
            let (Some(path), Ok(url)) = (within(&base, &address), base.join(address.trim())) else {
                continue;
            };
            let decoded = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
            if !self.paths.contains(&*decoded) {
                continue;
            }
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            let link = format!("<{path}{query}>; {how}");
            let separator = if header.is_empty() { "" } else { ", " };
            if header.len() + separator.len() + link.len() > LONGEST
                || !named.insert(format!("{path}{query}"))
            {
                continue;
            }
            write!(header, "{separator}{link}").expect("writing to a string succeeds");
            if named.len() == MOST {
                break;
            }
        }
        (!header.is_empty()).then_some(header)
    }
}

/// What an element of a page's head loads, if a link can say the same. One with `integrity` is left out: browsers load
/// it a second time if the link does not have it.
fn preload(tag: &StartTag<usize>) -> Option<Preload> {
    let has = |name: &str| tag.attributes.contains_key(name.as_bytes());
    let lower = |name| attribute(tag, name).unwrap_or_default().trim().to_ascii_lowercase();
    if ["integrity", "disabled", "nomodule", "imagesrcset"].iter().any(|name| has(name)) {
        return None;
    }
    if has("media") && lower("media") != "all" {
        return None;
    }
    let crossorigin = match lower("crossorigin").as_str() {
        _ if !has("crossorigin") => "",
        "use-credentials" => "; crossorigin=use-credentials",
        _ => "; crossorigin",
    };
    let (address, how) = match &**tag.name {
        b"script" => (
            attribute(tag, "src")?,
            match lower("type").as_str() {
                "module" => "rel=modulepreload".to_owned(),
                "" | "text/javascript" | "application/javascript" => "rel=preload; as=script".to_owned(),
                _ => return None,
            },
        ),
        b"link" => {
            let rel = lower("rel");
            let is = |word: &str| rel.split_ascii_whitespace().any(|other| other == word);
            let how = if is("stylesheet") && !is("alternate") {
                "rel=preload; as=style".to_owned()
            } else if is("modulepreload") {
                "rel=modulepreload".to_owned()
            } else if is("preload") {
                let kind = lower("as");
                // A font without `crossorigin` is loaded twice.
                let known = ["font", "image", "script", "style"].contains(&kind.as_str());
                if !known || (kind == "font" && !has("crossorigin")) {
                    return None;
                }
                format!("rel=preload; as={kind}")
            } else {
                return None;
            };
            (attribute(tag, "href")?, how)
        }
        _ => return None,
    };
    Some(Preload { address, how: how + crossorigin })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(page: &str, text: &str) -> Option<String> {
        let names =
            ["assets/app-1a.js", "assets/app.css", "a b.css", "font.woff2", "docs/page.css", "late.css"];
        let paths: Vec<SitePath> = names.iter().map(|name| name.parse().unwrap()).collect();
        Preloads::new(paths.iter()).header(&page.parse().unwrap(), text)
    }

    #[test]
    fn what_the_head_of_a_page_needs_is_named() {
        let page = r#"<!doctype html><head><title>x</title>
            <script type="module" crossorigin src="/assets/app-1a.js"></script>
            <link rel="stylesheet" href="assets/app.css?v=1"><LINK REL=stylesheet HREF='/a b.css' media=all>
            <link rel=preload as=font crossorigin href=/font.woff2></head>
            <body><link rel=stylesheet href=/late.css>"#;
        let expected = "</assets/app-1a.js>; rel=modulepreload; crossorigin, \
            </assets/app.css?v=1>; rel=preload; as=style, </a%20b.css>; rel=preload; as=style, \
            </font.woff2>; rel=preload; as=font; crossorigin";
        assert_eq!(header("index.html", page).as_deref(), Some(expected));
        let relative = "<base href=../><link rel=stylesheet href=docs/page.css>";
        let expected = "</docs/page.css>; rel=preload; as=style";
        assert_eq!(header("docs/index.html", relative).as_deref(), Some(expected));
    }

    #[test]
    fn what_would_be_loaded_in_vain_is_not_named() {
        for text in [
            "<link rel=stylesheet href=https://example.com/assets/app.css>",
            "<link rel=stylesheet href=//example.com/assets/app.css>",
            "<link rel=stylesheet href=/gone.css>",
            "<link rel=stylesheet href=/assets/app.css media=print>",
            "<link rel='alternate stylesheet' href=/assets/app.css>",
            "<link rel=stylesheet href=/assets/app.css integrity=sha256-x>",
            "<link rel=preload as=font href=/font.woff2>",
            "<link rel=icon href=/font.woff2>",
            "<script nomodule src=/assets/app-1a.js></script>",
            "<script type=text/template src=/assets/app-1a.js></script>",
            "<!-- <link rel=stylesheet href=/assets/app.css> -->",
            "<p>",
        ] {
            assert_eq!(header("index.html", text), None, "{text}");
        }
        let twice = "<link rel=stylesheet href=/assets/app.css>".repeat(2);
        assert_eq!(header("a.html", &twice).unwrap().matches("app.css").count(), 1);
    }

    #[test]
    fn not_everything_is_named() {
        let paths: Vec<SitePath> = (0..20).map(|number| format!("{number}.css").parse().unwrap()).collect();
        let links: Vec<_> =
            (0..20).map(|number| format!("<link rel=stylesheet href={number}.css>")).collect();
        let header =
            Preloads::new(paths.iter()).header(&"index.html".parse().unwrap(), &links.concat()).unwrap();
        assert_eq!(header.split(", ").count(), MOST);
    }

    proptest! {
        #[test]
        fn any_page_has_a_header_that_can_be_sent(
            text in "(<link rel=stylesheet href=|<script src=|<base href=|[<>\"'= ,;\n/é\0]|app.css|assets|\\?){0,40}",
        ) {
            if let Some(header) = header("index.html", &text) {
                prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", header);
            }
        }
    }
}
