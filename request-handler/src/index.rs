//! Rules by the paths that they are about, so that a request looks at few of them.

use std::collections::HashMap;

use gitdeploy_core::rules::Pattern;

/// Which rules may be about a path, by their places in a list.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those about one path each, on any host or on one.
    fixed: HashMap<String, Vec<usize>>,
    /// Those with `*` or placeholders.
    dynamic: Vec<usize>,
}

impl Index {
    /// The index of a list of rules with these patterns.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Self {
        let mut index = Self::default();
        for (place, pattern) in patterns.enumerate() {
            match pattern.fixed_path() {
                Some(path) => index.fixed.entry(path.to_owned()).or_default().push(place),
                None => index.dynamic.push(place),
            }
        }
        index
    }

    /// The places of the rules that may be about `path`, in their order.
    pub(crate) fn candidates(&self, path: &str) -> impl Iterator<Item = usize> {
        let mut fixed = self.fixed.get(path).map_or(&[][..], Vec::as_slice);
        let mut dynamic = self.dynamic.as_slice();
        std::iter::from_fn(move || {
            let next = match (fixed.first(), dynamic.first()) {
                (Some(left), Some(right)) if left < right => &mut fixed,
                (_, Some(_)) => &mut dynamic,
                _ => &mut fixed,
            };
            let (place, rest) = next.split_first()?;
            *next = rest;
            Some(*place)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_come_in_the_order_of_the_list() {
        let patterns = ["/a/*", "/a/b", "/b", "https://x.test/a/b", "/:x/b", "/a/b"];
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        let index = Index::new(patterns.iter());
        for (path, expected) in [("/a/b", &[0, 1, 3, 4, 5][..]), ("/b", &[0, 2, 4]), ("/c", &[0, 4])] {
            assert_eq!(index.candidates(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
