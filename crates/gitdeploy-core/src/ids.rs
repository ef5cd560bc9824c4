//! Names of projects, deployments and outputs. Each is a DNS label, so each can be a host.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest DNS label, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Crockford's base32 in lower case: no `i`, `l`, `o` or `u`.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a [`DeploymentId`]: 48 bits of time and 52 random bits, five bits each.
const DEPLOYMENT_ID_LENGTH: usize = 20;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {reason}")]
pub struct IdError {
    text: String,
    what: &'static str,
    reason: &'static str,
}

/// The name of a project: a DNS label of 1 to 63 characters `a-z`, `0-9` and `-`, that neither starts nor
/// ends with `-`, has no `--`, which separates a branch from its project in a host, and is no deployment's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectId(String);

impl ProjectId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest valid name to a free text such as a directory or a repository name, if any letter or
    /// digit is left.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut slug = String::with_capacity(text.len());
        for character in text.chars().map(|character| character.to_ascii_lowercase()) {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(MAX_LABEL);
        let slug = slug.trim_end_matches('-');
        slug.parse().ok()
    }
}

impl FromStr for ProjectId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse = |reason| IdError { text: text.to_owned(), what: "project name", reason };
        check_label(text).map_err(refuse)?;
        if text.contains("--") {
            return Err(refuse("`--` separates a branch from its project in a host; use a single `-`"));
        }
        if text.parse::<DeploymentId>().is_ok() {
            return Err(refuse("it reads like a deployment's id, which has a host of its own; add a `-`"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The id of one deployment: 20 characters of lower-case Crockford base32. Sorting by id sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId(Arc<str>);

impl DeploymentId {
    /// The id for a deployment made at `at`; of `random` the low 52 bits are used.
    pub fn new(at: Timestamp, random: u64) -> Self {
        let milliseconds = u128::try_from(at.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
        let bits = (milliseconds << 52) | u128::from(random & ((1 << 52) - 1));
        let text: String = (0..DEPLOYMENT_ID_LENGTH)
            .rev()
            .map(|place| {
                let digit = usize::try_from((bits >> (place * 5)) & 31).expect("five bits fit");
                char::from(CROCKFORD[digit])
            })
            .collect();
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is the id of a deployment.
    pub fn is(text: &str) -> bool {
        text.len() == DEPLOYMENT_ID_LENGTH && text.bytes().all(is_crockford)
    }
}

impl FromStr for DeploymentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse = |reason| IdError { text: text.to_owned(), what: "deployment id", reason };
        if text.len() != DEPLOYMENT_ID_LENGTH {
            return Err(refuse("it must have 20 characters"));
        }
        if !text.bytes().all(is_crockford) {
            return Err(refuse("only `0-9` and `a-z` without `i`, `l`, `o` and `u` may stand in it"));
        }
        Ok(Self(text.into()))
    }
}

/// What the objects of a published site are filed under, and the label it is always served at: a
/// deployment's id, or a project's name where a builder ran without an upload service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutputId(Arc<str>);

impl OutputId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OutputId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_label(text).map_err(|reason| IdError { text: text.to_owned(), what: "output id", reason })?;
        Ok(Self(text.into()))
    }
}

impl From<DeploymentId> for OutputId {
    fn from(id: DeploymentId) -> Self {
        Self(id.0)
    }
}

impl From<ProjectId> for OutputId {
    fn from(id: ProjectId) -> Self {
        Self(id.0.into())
    }
}

/// Which start of a deployment's build something belongs to, counted upwards. It is the fencing token: what
/// an older attempt sends is refused. A builder without an upload service uses the time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt(pub u64);

impl Attempt {
    /// The first start of a deployment.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The digits of [`CROCKFORD`], as ranges.
fn is_crockford(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'h' | b'j' | b'k' | b'm' | b'n' | b'p'..=b't' | b'v'..=b'z')
}

/// The rules of a host label: letters, digits and hyphens of RFC 1123 §2.1, in lower case.
fn check_label(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_LABEL {
        return Err("it is longer than 63 characters");
    }
    if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err("only `a-z`, `0-9` and `-` may stand in it");
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err("it starts or ends with `-`");
    }
    Ok(())
}

macro_rules! text_conversions {
    ($($id:ty),*) => {$(
        impl TryFrom<String> for $id {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

text_conversions!(ProjectId, DeploymentId, OutputId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn project_names_are_dns_labels() {
        for good in ["a", "blog", "my-site-2", "0", &"x".repeat(63)] {
            assert!(good.parse::<ProjectId>().is_ok(), "{good}");
        }
        for bad in
            ["", "-a", "a-", "A", "a_b", "a.b", "a--b", "ä", "a b", "06gzr1vtp7njn36zcgxy", &"x".repeat(64)]
        {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let error = "My_Site".parse::<ProjectId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`My_Site` is not a valid project name: only `a-z`, `0-9` and `-` may stand in it"
        );
    }

    #[test]
    fn a_project_is_named_after_a_text() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(ProjectId::from_text(text).as_ref().map(ProjectId::as_str), expected, "{text}");
        };
        check("vite-react", Some("vite-react"));
        check("My Site_2", Some("my-site-2"));
        check("a--b", Some("a-b"));
        check("...", None);
        check("", None);
        check(&format!("{}-tail", "x".repeat(62)), Some(&"x".repeat(62)));
    }

    #[test]
    fn the_time_leads_a_deployment_id() {
        let at = Timestamp::from_millisecond(1_795_219_200_123).unwrap();
        assert_eq!(DeploymentId::new(at, 0).as_str(), "06gzpsrrfc0000000000");
        assert_eq!(DeploymentId::new(at, u64::MAX).as_str(), "06gzpsrrffzzzzzzzzzz");
    }

    proptest! {
        #[test]
        fn deployment_ids_sort_by_time_and_parse(early in 0_i64..1 << 47, later in 1_i64..1000, random: u64, other: u64) {
            let id = |milliseconds, random| {
                DeploymentId::new(Timestamp::from_millisecond(milliseconds).unwrap(), random)
            };
            let (first, second) = (id(early, random), id(early + later, other));
            prop_assert!(first < second);
            prop_assert_eq!(first.as_str().parse::<DeploymentId>(), Ok(first.clone()));
            prop_assert!(first.as_str().parse::<OutputId>().is_ok());
        }

        #[test]
        fn a_name_made_from_any_text_is_valid(text: String) {
            if let Some(project) = ProjectId::from_text(&text) {
                prop_assert_eq!(project.as_str().parse::<ProjectId>(), Ok(project.clone()));
            }
        }
    }
}
