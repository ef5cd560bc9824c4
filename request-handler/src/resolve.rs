//! Which file a path leads to: the rules for HTML pages, as pure functions over the files of a site.
//!
//! The rules are those of Cloudflare's `html_handling`, except that what would be several redirects is one.

use std::borrow::Cow;

use gitdeploy_core::path::LONGEST;
use gitdeploy_core::rules::HtmlHandling;

/// Files at the root of a site that say how it is served.
const CONTROL_FILES: [&str; 3] = ["_headers", "_redirects", "gitdeploy.toml"];

/// What a site's own page for what is not there is called.
pub(crate) const NOT_FOUND_PAGE: &str = "404.html";

/// How many redirects in a row are collapsed; the rules make at most two.
const MAX_HOPS: usize = 4;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// To the file of this name, without its first `/`.
    File(String),
    /// To this path, decoded, which leads to a file.
    Redirect(String),
    /// Nowhere.
    Missing,
}

/// The files of a site as paths name them. `is_file` knows whether there is a file of a name without its first `/`; the
/// name may be none that a file can have.
pub(crate) struct Pages<F> {
    pub(crate) handling: HtmlHandling,
    pub(crate) is_file: F,
}

impl<F: FnMut(&str) -> bool> Pages<F> {
    /// Where `path` leads. It is decoded and starts with `/`.
    pub(crate) fn resolve(&mut self, path: &str) -> Resolution {
        let collapsed = collapse(path);
        // Whatever is tried is longer by a few bytes or shorter by `/index.html`.
        if collapsed.len() > 2 * LONGEST {
            return Resolution::Missing;
        }
        let mut found = self.step(&collapsed);
        for _ in 0..MAX_HOPS {
            match found {
                Resolution::File(_) if *collapsed != *path => {
                    return Resolution::Redirect(collapsed.into_owned());
                }
                Resolution::File(_) | Resolution::Missing => return found,
                Resolution::Redirect(to) => match self.step(&to) {
                    Resolution::File(_) => return Resolution::Redirect(to),
                    further => found = further,
                },
            }
        }
        Resolution::Missing
    }

    /// The file that a rule shows at `path`: the one of that name, else the one that visitors of `path` end at.
    pub(crate) fn shown(&mut self, path: &str) -> Option<String> {
        if let Some(file) = self.at(path) {
            return Some(file);
        }
        match self.resolve(path) {
            Resolution::File(file) => Some(file),
            Resolution::Redirect(to) => self.serve(&to),
            Resolution::Missing => None,
        }
    }

    /// The `404.html` nearest to `path`, in its directory or one above, of at most `levels` directories.
    pub(crate) fn not_found_page(&mut self, path: &str, levels: usize) -> Option<String> {
        let path = collapse(path);
        // A path of thousands of directories would be looked at as often.
        let ends = path.match_indices('/').map(|(end, _)| end).take_while(|end| *end <= LONGEST);
        let directories: Vec<_> = ends.take(levels).map(|end| &path[..=end]).collect();
        directories.into_iter().rev().find_map(|directory| self.at(&[directory, NOT_FOUND_PAGE].concat()))
    }

    /// Where `path` leads, if redirects are not followed.
    fn step(&mut self, path: &str) -> Resolution {
        let found = match self.handling {
            HtmlHandling::Auto => self.step_auto(path),
            HtmlHandling::Force => self.step_force(path),
            HtmlHandling::Drop => self.step_drop(path),
            HtmlHandling::None => self.served(path),
        };
        found.unwrap_or(Resolution::Missing)
    }

    /// `a.html` is `/a`, and `a/index.html` is `/a/`.
    fn step_auto(&mut self, path: &str) -> Option<Resolution> {
        if let Some(page) = path.strip_suffix('/') {
            return self.served(path).or_else(|| self.redirect(&[page, ".html"].concat(), page));
        }
        let canonical = if let Some(page) = path.strip_suffix("/index") {
            self.exact(path)
                .or_else(|| self.redirect(&[path, ".html"].concat(), &[page, "/"].concat()))
                .or_else(|| self.redirect(&[page, ".html"].concat(), page))
        } else if let Some(page) = path.strip_suffix("/index.html") {
            self.redirect(path, &[page, "/"].concat())
                .or_else(|| self.redirect(&[page, ".html"].concat(), page))
        } else if let Some(page) = path.strip_suffix(".html") {
            self.redirect(path, page)
                .or_else(|| self.redirect(&[page, "/index.html"].concat(), &[page, "/"].concat()))
        } else {
            None
        };
        canonical
            .or_else(|| self.served(path))
            .or_else(|| self.redirect(&[path, "/index.html"].concat(), &[path, "/"].concat()))
    }

    /// Both are `/a/`.
    fn step_force(&mut self, path: &str) -> Option<Resolution> {
        if path.ends_with('/') {
            return self.served(path);
        }
        let canonical = if let Some(page) = path.strip_suffix("/index") {
            self.exact(path)
                .or_else(|| self.redirect(&[path, ".html"].concat(), &[page, "/"].concat()))
                .or_else(|| self.redirect(&[page, ".html"].concat(), &[page, "/"].concat()))
        } else if let Some(page) = path.strip_suffix("/index.html") {
            self.redirect(path, &[page, "/"].concat())
                .or_else(|| self.redirect(&[page, ".html"].concat(), &[page, "/"].concat()))
        } else if let Some(page) = path.strip_suffix(".html") {
            self.redirect(path, &[page, "/"].concat())
                .or_else(|| self.exact(path))
                .or_else(|| self.redirect(&[page, "/index.html"].concat(), &[page, "/"].concat()))
        } else {
            None
        };
        canonical
            .or_else(|| self.exact(path))
            .or_else(|| self.redirect(&[path, ".html"].concat(), &[path, "/"].concat()))
            .or_else(|| self.redirect(&[path, "/index.html"].concat(), &[path, "/"].concat()))
    }

    /// Both are `/a`.
    fn step_drop(&mut self, path: &str) -> Option<Resolution> {
        let canonical = if path == "/index" {
            self.exact(path).or_else(|| self.redirect("/index.html", "/"))
        } else if path == "/index.html" {
            self.redirect(path, "/")
        } else if let Some(page) = path.strip_suffix("/index") {
            self.exact(path)
                .or_else(|| self.redirect(&[page, ".html"].concat(), page))
                .or_else(|| self.redirect(&[path, ".html"].concat(), page))
        } else if let Some(page) = path.strip_suffix("/index.html") {
            self.redirect(path, page)
                .or_else(|| self.exact(path))
                .or_else(|| self.redirect(&[page, ".html"].concat(), page))
        } else if let Some(page) = path.strip_suffix('/') {
            self.redirect(&[page, ".html"].concat(), page)
                .or_else(|| self.redirect(&[page, "/index.html"].concat(), page))
        } else if let Some(page) = path.strip_suffix(".html") {
            self.redirect(path, page)
                .or_else(|| self.exact(path))
                .or_else(|| self.redirect(&[page, "/index.html"].concat(), page))
        } else {
            None
        };
        canonical.or_else(|| self.served(path))
    }

    /// A redirect to `destination`, if that shows `file` and is not a file of its own.
    fn redirect(&mut self, file: &str, destination: &str) -> Option<Resolution> {
        // A file called `.html` is no page of the directory above.
        if !destination.starts_with('/') || destination.contains("//") {
            return None;
        }
        let file = self.at(file)?;
        let shows_it = self.at(destination).is_none() && self.serve(destination) == Some(file);
        shows_it.then(|| Resolution::Redirect(destination.to_owned()))
    }

    /// The file that `path` shows without a redirect.
    fn serve(&mut self, path: &str) -> Option<String> {
        let page = path.strip_suffix('/');
        match (self.handling, page) {
            (HtmlHandling::Auto, Some(_)) => self.at(&[path, "index.html"].concat()),
            (HtmlHandling::Auto, None) => self.at(path).or_else(|| self.at(&[path, ".html"].concat())),
            (HtmlHandling::Force, Some(page)) => {
                self.at(&[path, "index.html"].concat()).or_else(|| self.at(&[page, ".html"].concat()))
            }
            (HtmlHandling::Drop, Some("")) => self.at("/index.html"),
            (HtmlHandling::Drop, None) => self
                .at(path)
                .or_else(|| self.at(&[path, ".html"].concat()))
                .or_else(|| self.at(&[path, "/index.html"].concat())),
            (HtmlHandling::Force | HtmlHandling::None, None) => self.at(path),
            (HtmlHandling::Drop | HtmlHandling::None, Some(_)) => None,
        }
    }

    fn served(&mut self, path: &str) -> Option<Resolution> {
        self.serve(path).map(Resolution::File)
    }

    fn exact(&mut self, path: &str) -> Option<Resolution> {
        self.at(path).map(Resolution::File)
    }

    /// The file whose name is exactly `path`, if there is one that may be seen.
    fn at(&mut self, path: &str) -> Option<String> {
        let name = path.strip_prefix('/')?;
        (!is_hidden(name) && (self.is_file)(name)).then(|| name.to_owned())
    }
}

/// Whether a file is never served: it says how the site is served, or should not have been published.
pub(crate) fn is_hidden(name: &str) -> bool {
    let has_dot_segment = name.starts_with('.') || name.as_bytes().windows(2).any(|pair| pair == b"/.");
    CONTROL_FILES.contains(&name) || has_dot_segment && has_hidden_segment(name)
}

fn has_hidden_segment(name: &str) -> bool {
    let mut segments = name.split('/').peekable();
    if segments.peek() == Some(&".well-known") {
        return false;
    }
    segments.any(|segment| segment == ".git" || segment.starts_with(".env"))
}

/// The path with every run of slashes made one.
pub(crate) fn collapse(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut collapsed = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !collapsed.ends_with('/') {
            collapsed.push(character);
        }
    }
    Cow::Owned(collapsed)
}

#[cfg(test)]
mod tests;
