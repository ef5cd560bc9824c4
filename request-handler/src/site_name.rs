//! What a host is looked up by.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gitdeploy_core::{DeploymentId, OutputId};

/// What separates a branch, or a pull request, from its project in a label.
const OF_A_BRANCH: &[u8] = b"--";

/// What a host is looked up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum SiteName {
    /// The label before our domain: a project, a branch of one, a deployment, or a prefix of the store.
    Label(OutputId),
    /// A host of its owner's, in lower case and in ASCII.
    Custom(Arc<str>),
}

impl SiteName {
    /// The name as text, which is also that of its route.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Label(label) => label.as_str(),
            Self::Custom(host) => host,
        }
    }

    /// The deployment that is called so.
    pub(crate) fn deployment(&self) -> Option<DeploymentId> {
        match self {
            Self::Label(label) => label.as_str().parse().ok(),
            Self::Custom(_) => None,
        }
    }

    /// Whether what is there is for trying out: a deployment by its id, a branch or a pull request. Search engines
    /// are told to pass it over.
    pub(crate) fn is_preview(&self) -> bool {
        match self {
            // `xn--` begins a label that is written in another script (RFC 5890 §2.3.1).
            Self::Label(label) => {
                let label = label.as_str();
                let own = label.strip_prefix("xn--").unwrap_or(label).as_bytes();
                DeploymentId::is(label) || own.windows(OF_A_BRANCH.len()).any(|pair| pair == OF_A_BRANCH)
            }
            Self::Custom(_) => false,
        }
    }
}

impl FromStr for SiteName {
    type Err = Infallible;

    /// What is no label is the name of a host.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Custom(text.into()), Self::Label))
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_trying_out_is_a_preview() {
        for (name, expected) in [
            ("blog", false),
            ("dev--blog", true),
            ("pr-7--blog", true),
            ("01m9x2k4tb7f5q8r3w6z", true),
            ("xn--bcher-kva", false),
            ("www.example.com", false),
        ] {
            let name: SiteName = name.parse().unwrap();
            assert_eq!(name.is_preview(), expected, "{name}");
        }
    }
}
