//! The signatures of well-known failures, from `signatures.toml`.

use std::sync::LazyLock;

use regex::RegexSet;
use serde::Deserialize;

/// A message that tools write when they fail in a known way.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, serde(deny_unknown_fields))]
pub(super) struct Signature {
    /// What tests call it.
    #[cfg(test)]
    pub(super) name: String,
    /// What it tells besides the hint.
    #[serde(default)]
    pub(super) kind: Kind,
    /// A regular expression for one line without colours.
    pub(super) pattern: String,
    /// What it means; `$1` is the first group of the pattern.
    pub(super) hint: String,
    /// What to do about it.
    pub(super) fix: String,
    /// Lines that have the pattern.
    #[cfg(test)]
    pub(super) messages: Vec<String>,
}

/// What a signature tells about the code of a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The lockfile does not fit.
    Lockfile,
    /// There was not enough memory.
    Memory,
    /// Nothing.
    #[default]
    Other,
}

#[derive(Deserialize)]
struct Table {
    signature: Vec<Signature>,
}

/// In the order in which they count.
pub(super) static SIGNATURES: LazyLock<Vec<Signature>> = LazyLock::new(|| {
    toml::from_str::<Table>(include_str!("signatures.toml")).expect("the tests read it too").signature
});

/// The patterns of all signatures, in the same order.
pub(super) static PATTERNS: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = SIGNATURES.iter().map(|signature| &signature.pattern);
    RegexSet::new(patterns).expect("the tests compile them too")
});
