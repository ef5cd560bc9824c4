//! The links of a page, as a browser would see them.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// A reference in a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// What the references that follow are relative to.
    Base(String),
    /// A page, an image, a script, …
    To {
        address: String,
        /// The line in which its element begins.
        line: usize,
        /// The name of its element.
        tag: String,
    },
}

/// The links of a page in their order. Only the first `<base>` counts.
pub(super) fn links(page: &str) -> impl Iterator<Item = Link> {
    let mut lines = Lines { page, at: 0, line: 1 };
    let mut has_base = false;
    tokens(page).flat_map(move |token| {
        let Token::StartTag(tag) = token else { return Vec::new() };
        let line = lines.of(tag.span.start);
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        if name == "base" {
            let href = attribute(&tag, "href").filter(|_| !has_base);
            has_base |= href.is_some();
            return href.map(Link::Base).into_iter().collect();
        }
        let to = |address| Link::To { address, line, tag: name.clone() };
        addresses(&tag, &name).into_iter().map(to).collect()
    })
}

/// The elements of a page, with where they begin.
pub(super) fn tokens(page: &str) -> impl Iterator<Item = Token<usize>> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    // Without it the text of scripts would be read as elements.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(page, emitter).map_while(Result::ok)
}

fn addresses(tag: &StartTag<usize>, name: &str) -> Vec<String> {
    let one = |name| attribute(tag, name).into_iter().collect::<Vec<_>>();
    match name {
        "a" | "area" => one("href"),
        // Hints to connect are about hosts, and a canonical address is often that of another site.
        "link" => {
            let rel = attribute(tag, "rel").unwrap_or_default().to_ascii_lowercase();
            let is_loaded =
                ["stylesheet", "icon", "manifest", "preload", "modulepreload", "apple-touch-icon"]
                    .iter()
                    .any(|known| rel.split_ascii_whitespace().any(|word| word == *known));
            if is_loaded { one("href") } else { Vec::new() }
        }
        "script" | "iframe" | "audio" | "track" | "embed" => one("src"),
        "video" => one("src").into_iter().chain(one("poster")).collect(),
        "img" | "source" => {
            let sets = attribute(tag, "srcset").map(|set| candidates(&set)).unwrap_or_default();
            one("src").into_iter().chain(sets).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn attribute(tag: &StartTag<usize>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The addresses of a `srcset`: each ends at white space, or at a comma that white space follows.
fn candidates(set: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    let mut rest = set;
    loop {
        rest = rest.trim_start_matches(|character: char| character == ',' || character.is_ascii_whitespace());
        if rest.is_empty() {
            return addresses;
        }
        let end = rest.find(|character: char| character.is_ascii_whitespace()).unwrap_or(rest.len());
        let (address, after) = rest.split_at(end);
        addresses.push(address.trim_end_matches(',').to_owned());
        // Its width or density.
        rest =
            if address.ends_with(',') { after } else { after.find(',').map_or("", |comma| &after[comma..]) };
    }
}

/// Numbers of lines of positions that grow.
struct Lines<'a> {
    page: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, position: usize) -> usize {
        let position = position.min(self.page.len());
        if position > self.at {
            self.line += memchr::memchr_iter(b'\n', &self.page.as_bytes()[self.at..position]).count();
            self.at = position;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(page: &str) -> Vec<String> {
        let shown = |link| match link {
            Link::Base(address) => format!("base {address}"),
            Link::To { address, line, tag } => format!("{line} {tag} {address}"),
        };
        links(page).map(shown).collect()
    }

    #[test]
    fn links_are_found_where_browsers_find_them() {
        let page = r#"<!doctype html>
<BASE HREF=/docs/><base href="/ignored/">
<A HREF='a.html'>x</a><a name=x>
<!-- <a href="comment.html"> -->
<script src=s.js>document.write('<a href="script.html">')</script>
<style>a::after { content: '<img src="style.png">' }</style>
<link rel="preconnect" href="https://x"><link rel="icon stylesheet"
  href="i.css">
<textarea><a href="text.html"></textarea>
<img src="a.png" srcset="b.png 1x, c,d.png 2x,e.png, f.png">
<picture><source srcset="g.webp"></picture><video src=v.mp4 poster=p.jpg></video>
<a href="q?a=1&amp;b=2">"#;
        assert_eq!(
            found(page),
            [
                "base /docs/",
                "3 a a.html",
                "5 script s.js",
                "7 link i.css",
                "10 img a.png",
                "10 img b.png",
                "10 img c,d.png",
                "10 img e.png",
                "10 img f.png",
                "11 source g.webp",
                "11 video v.mp4",
                "11 video p.jpg",
                "12 a q?a=1&b=2",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(page in "(<a|<img|<base|href=|srcset=|[<>\"'= ,\n/é\0]|x|<!--|<script>){0,60}") {
            let _ = links(&page).count();
        }
    }
}
