//! Which paths, and on which host, a rule is about.

use serde::{Deserialize, Serialize};

use super::address::{normalize, split};
use super::problem::{Refusal, shown};
use super::template::{Piece, pieces};

/// A path with at most one `*`, which stands for anything, and with placeholders like `:name`, which stand for
/// something without `/`. A host may stand before it, where a placeholder stands for something without a dot.
/// It is matched against the path as a browser sends it, still encoded.
///
/// Matching takes time linear in the path's length: everything that would need trying again is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    host: Option<Glob>,
    path: Glob,
}

/// What a pattern took from a request, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Captures<'a> {
    /// What was taken under `name`; what `*` stands for is called `splat`.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Adds a value, as a condition on the query does.
    pub fn insert(&mut self, name: &'a str, value: &'a str) {
        self.0.push((name, value));
    }
}

/// The name of what `*` stands for.
const SPLAT: &str = "splat";

impl Pattern {
    /// The pattern that `text` means: a path, or `https://host/path`. A query or a fragment in it is passed over.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let without_scheme = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let (host, path) = match without_scheme {
            None => (None, text),
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
                (Some(check_host(host)?), path)
            }
        };
        let path = normalize(split(path).0);
        let text = match &host {
            Some(host) => format!("https://{host}{path}"),
            None => path.clone(),
        };
        let host = host.map(|host| Glob::parse(&host, '.')).transpose()?;
        let pattern = Self { text, host, path: Glob::parse(&path, '/')? };
        pattern.check_names()?;
        Ok(pattern)
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names a host.
    pub fn has_host(&self) -> bool {
        self.host.is_some()
    }

    /// Whether one path alone is meant, on one host or on all.
    pub fn is_fixed(&self) -> bool {
        self.names().next().is_none()
    }

    /// The path that alone is meant, if it is one.
    pub fn fixed_path(&self) -> Option<&str> {
        let path = match &self.host {
            None => self.text.as_str(),
            Some(_) => {
                self.text.splitn(4, '/').nth(3).map(|rest| &self.text[self.text.len() - rest.len() - 1..])?
            }
        };
        self.is_fixed().then_some(path)
    }

    /// The names of what it takes from a request.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.host.iter().chain([&self.path]).flat_map(Glob::names)
    }

    /// What it takes from a request for the encoded `path` at `host`, if it is about that.
    pub fn captures<'a>(&'a self, host: &'a str, path: &'a str) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        if let Some(glob) = &self.host {
            glob.take(host, &mut captures)?;
        }
        self.path.take(path, &mut captures)?;
        Some(captures)
    }

    fn check_names(&self) -> Result<(), Refusal> {
        let mut names: Vec<_> = self.names().collect();
        if names.iter().filter(|name| **name == SPLAT).count() > 1 {
            return Err(Refusal::Splats);
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Refusal::Twice(pair[0].to_owned())),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

/// The host of a pattern in lower case, but for the names of placeholders.
fn check_host(host: &str) -> Result<String, Refusal> {
    let lower = pieces(host).into_iter().map(|piece| match piece {
        Piece::Literal(literal) => literal.to_ascii_lowercase(),
        Piece::Name(name) => format!(":{name}"),
    });
    let lower = lower.collect::<String>();
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.*:".contains(character);
    if lower.is_empty() || !lower.chars().all(is_part) {
        return Err(Refusal::Host(shown(host)));
    }
    let names_a_port = |piece: &Piece| matches!(piece, Piece::Literal(literal) if literal.contains(':'));
    if pieces(&lower).iter().any(names_a_port) {
        return Err(Refusal::Port(shown(host)));
    }
    Ok(lower)
}

/// Segments between separators, of which the last may hold a `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Glob {
    separator: char,
    /// The whole segments, those before the `*` if there is one.
    segments: Vec<Vec<Piece>>,
    splat: Option<Splat>,
}

/// A `*` with what stands before it in its segment, and all that stands after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Splat {
    before: String,
    after: String,
}

impl Glob {
    fn parse(text: &str, separator: char) -> Result<Self, Refusal> {
        let (head, after) = match text.split_once('*') {
            None => (text, None),
            Some((_, after)) if after.contains('*') => return Err(Refusal::Splats),
            Some((head, after)) => (head, Some(after)),
        };
        let is_name = |piece: &Piece| matches!(piece, Piece::Name(_));
        let mut segments = Vec::new();
        for segment in head.split(separator) {
            let parts = pieces(segment);
            if parts.windows(2).any(|pair| pair.iter().all(is_name)) {
                return Err(Refusal::Adjacent(shown(segment)));
            }
            segments.push(parts);
        }
        let splat = match after {
            None => None,
            Some(after) if pieces(after).iter().any(is_name) => {
                return Err(Refusal::AfterSplat(shown(text)));
            }
            Some(after) => {
                let before = head.rsplit(separator).next().unwrap_or_default();
                if segments.pop().is_some_and(|last| last.iter().any(is_name)) {
                    return Err(Refusal::SharedWithSplat(shown(text)));
                }
                Some(Splat { before: before.to_owned(), after: after.to_owned() })
            }
        };
        Ok(Self { separator, segments, splat })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.segments.iter().flatten().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        });
        names.chain(self.splat.iter().map(|_| SPLAT))
    }

    fn take<'a>(&'a self, text: &'a str, captures: &mut Captures<'a>) -> Option<()> {
        let Some(splat) = &self.splat else {
            let mut parts = text.split(self.separator);
            for segment in &self.segments {
                take_segment(segment, parts.next()?, captures)?;
            }
            return parts.next().is_none().then_some(());
        };
        let mut rest = text;
        for segment in &self.segments {
            let (part, after) = rest.split_once(self.separator)?;
            take_segment(segment, part, captures)?;
            rest = after;
        }
        let value = rest.strip_prefix(splat.before.as_str())?.strip_suffix(splat.after.as_str())?;
        captures.insert(SPLAT, value);
        Some(())
    }
}

/// From the right, so that an earlier placeholder takes as much as it can, and nothing is tried twice.
fn take_segment<'a>(mut pieces: &'a [Piece], mut text: &'a str, captures: &mut Captures<'a>) -> Option<()> {
    while let Some((last, before)) = pieces.split_last() {
        match last {
            Piece::Literal(literal) => text = text.strip_suffix(literal.as_str())?,
            Piece::Name(name) => {
                let start = match before {
                    [.., Piece::Name(_)] => return None,
                    [] => 0,
                    [Piece::Literal(first)] => text.starts_with(first.as_str()).then_some(first.len())?,
                    [.., Piece::Literal(literal)] => {
                        let (last, _) = text.char_indices().next_back()?;
                        text[..last].rfind(literal.as_str())? + literal.len()
                    }
                };
                let (rest, value) = text.split_at(start);
                if value.is_empty() {
                    return None;
                }
                captures.insert(name, value);
                text = rest;
            }
        }
        pieces = before;
    }
    text.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(pattern: &str, host: &str, path: &str) -> Option<String> {
        let pattern = Pattern::parse(pattern).unwrap();
        let captures = pattern.captures(host, path)?;
        let mut shown: Vec<_> = captures.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        shown.sort();
        Some(shown.join(" "))
    }

    #[test]
    fn patterns_take_what_they_name() {
        for (pattern, path, expected) in [
            ("/a", "/a", Some("")),
            ("/a", "/a/", None),
            ("/a", "/A", None),
            ("/", "/", Some("")),
            ("/*", "/", Some("splat=")),
            ("/*", "/a/b", Some("splat=a/b")),
            ("/a/*", "/a", None),
            ("/a/*", "/a/", Some("splat=")),
            ("/a/*/b", "/a/x/y/b", Some("splat=x/y")),
            ("/a/*/b", "/a/b", None),
            ("/a/b*c", "/a/bxc", Some("splat=x")),
            ("/a/b*c", "/a/b", None),
            ("/aa*aa", "/aaa", None),
            ("/*.css", "/d/x.css", Some("splat=d/x")),
            ("/:x/y", "/ph/y", Some("x=ph")),
            ("/:x/y", "//y", None),
            ("/:x/y", "/zz/w/y", None),
            ("/p/:id/:id2", "/p/1/2", Some("id2=2 id=1")),
            ("/a/:id/*", "/a/1/2/3", Some("id=1 splat=2/3")),
            ("/:y-:m-:slug.html", "/2024-01-my-post.html", Some("m=my slug=post y=2024-01")),
            ("/:y-:m", "/2024-", None),
            ("/x:a.:b", "/x1.2.3", Some("a=1.2 b=3")),
            ("/x:a.:b", "/y1.2", None),
            ("/:8080", "/:8080", Some("")),
            ("/café", "/caf%C3%A9", Some("")),
        ] {
            assert_eq!(taken(pattern, "h", path).as_deref(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_host_is_matched_by_its_labels() {
        let sub = "https://:sub.example.*/path";
        assert_eq!(taken(sub, "a.example.co.uk", "/path").as_deref(), Some("splat=co.uk sub=a"));
        assert_eq!(taken(sub, "a.b.example.com", "/path"), None);
        assert_eq!(taken("http://Example.com", "example.com", "/").as_deref(), Some(""));
        assert_eq!(taken("https://*.pages.dev/", "a.b.pages.dev", "/").as_deref(), Some("splat=a.b"));
    }

    #[test]
    fn what_would_be_ambiguous_is_refused() {
        for (pattern, expected) in [
            ("/*/*", Refusal::Splats),
            ("https://*.x.com/*", Refusal::Splats),
            ("/:splat/*", Refusal::Splats),
            ("/*/:id", Refusal::AfterSplat("/*/:id".to_owned())),
            ("/:id*", Refusal::SharedWithSplat("/:id*".to_owned())),
            ("/:a:b", Refusal::Adjacent(":a:b".to_owned())),
            ("/:a/:a", Refusal::Twice("a".to_owned())),
            ("https:///a", Refusal::Host(String::new())),
            ("https://ex ample/", Refusal::Host("ex ample".to_owned())),
            ("https://user@x.com/", Refusal::Host("user@x.com".to_owned())),
            ("https://x.com:8080/", Refusal::Port("x.com:8080".to_owned())),
        ] {
            assert_eq!(Pattern::parse(pattern), Err(expected), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_is_read_back_as_it_was_written(text in "(https://)?[a:*./ %\\\\?ü-]{0,12}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert_eq!(Pattern::parse(pattern.as_str()), Ok(pattern));
            }
        }

        #[test]
        fn any_path_can_be_asked_for(pattern in "[ab:/*.-]{0,10}", path in "[ab/.-]{0,20}") {
            if let Ok(pattern) = Pattern::parse(&pattern)
                && let Some(captures) = pattern.captures("h", &path)
            {
                prop_assert!(pattern.names().all(|name| captures.get(name).is_some()));
            }
        }
    }
}
