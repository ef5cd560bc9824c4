//! What a plan has decided: each value with the rule and the file behind it.

use gitdeploy_core::event::Decision;
use serde::Serialize;

use super::evidence::Proof;
use super::settings::Setting;
use super::tree::Tree;

/// The values of a plan, in the order in which they are decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decisions {
    /// The project's directory in its repository.
    pub root: Decided,
    /// The site generator.
    pub framework: Decided,
    /// What installs the packages, with its version.
    pub package_manager: Decided,
    /// The version of Node.js.
    pub node: Decided,
    /// The install command.
    pub install: Decided,
    /// The build command.
    pub build: Decided,
    /// The output directory, relative to the project's; none: what the build makes tells.
    pub output: Decided,
}

/// One value, and why it is that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// What was decided; none: that there is none.
    pub value: Option<String>,
    /// The rule that decided it.
    pub because: String,
    /// The file that the rule looked at, relative to the repository.
    pub file: Option<String>,
}

impl Decisions {
    /// The same as an event of the log has it.
    pub fn lines(&self) -> Vec<Decision> {
        let none = "none";
        let lines = [
            ("root", &self.root, none),
            ("framework", &self.framework, none),
            ("package_manager", &self.package_manager, none),
            ("node", &self.node, none),
            ("install", &self.install, none),
            ("build", &self.build, none),
            ("output", &self.output, "found after the build"),
        ];
        let lines = lines.into_iter().map(|(name, decided, none)| Decision {
            name: name.to_owned(),
            value: decided.value.as_deref().unwrap_or(none).to_owned(),
            because: decided.because.clone(),
            file: decided.file.clone(),
        });
        lines.collect()
    }
}

impl Decided {
    /// `file` is relative to the repository.
    pub(super) fn new(value: impl Into<String>, because: impl Into<String>, file: Option<String>) -> Self {
        Self { value: Some(value.into()), because: because.into(), file }
    }

    pub(super) fn none(because: impl Into<String>) -> Self {
        Self { value: None, because: because.into(), file: None }
    }

    /// An empty setting says that there is none.
    pub(super) fn set(setting: &Setting) -> Self {
        let Setting { value, because, file } = setting.clone();
        Self { value: Some(value).filter(|value| !value.is_empty()), because, file }
    }

    pub(super) fn proved(value: &str, proof: &Proof, tree: &Tree<'_>) -> Self {
        Self::new(value, &proof.because, Some(tree.named(&proof.file)))
    }
}
