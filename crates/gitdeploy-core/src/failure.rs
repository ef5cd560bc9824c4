//! Why a deployment did not become ready: a stable code, one sentence, one fix.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason that an author reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// What kind of failure it is; programs may rely on it.
    pub code: FailureCode,
    /// What happened, in one sentence without a full stop.
    pub cause: String,
    /// What to do about it, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// What a well-known message in the log means, in one sentence, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a known fix.
    pub fn new(code: FailureCode, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), fix: None, hint: None }
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The same failure with what a message in the log means.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// The stable codes of failures: `<where>.<what>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum FailureCode {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl FailureCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The text of the code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// The repository address is no address, a path, or of a scheme that is not allowed.
    CloneAddress = "clone.address",
    /// The repository wants a login, or the one we have was refused.
    CloneAuth = "clone.auth",
    /// There is no repository at the address, or it needs a login to be seen.
    CloneNotFound = "clone.not_found",
    /// The host key of an SSH server is not the one that is known, or none is known.
    CloneHostKey = "clone.host_key",
    /// A submodule cannot be fetched, or its address is not allowed.
    CloneSubmodule = "clone.submodule",
    /// A file that is kept in LFS cannot be fetched.
    CloneLfs = "clone.lfs",
    /// The repository has no such branch, tag or commit.
    CloneReference = "clone.reference",
    /// The repository has no commit.
    CloneEmpty = "clone.empty",
    /// A path of the commit cannot be written, or would lead elsewhere.
    CloneTree = "clone.tree",
    /// The repository is larger than the limit.
    CloneTooLarge = "clone.too_large",
    /// The clone took longer than the limit.
    CloneTimeout = "clone.timeout",
    /// The server of the repository cannot be reached.
    CloneUnreachable = "clone.unreachable",
    /// An uploaded source archive is damaged or leads out of its directory.
    SourceArchive = "source.archive",
    /// A setting of the project is not usable.
    PlanSetting = "plan.setting",
    /// The root directory does not exist in the repository.
    PlanRoot = "plan.root",
    /// Nothing says how this repository is built.
    PlanUnknown = "plan.unknown",
    /// The package manager or tool that the repository needs is not installed.
    PlanToolMissing = "plan.tool_missing",
    /// The configuration makes a server, not files.
    PlanServerRendered = "plan.server_rendered",
    /// The plan took longer than the limit.
    PlanTimeout = "plan.timeout",
    /// The install command ended with an error.
    InstallExit = "install.exit",
    /// The lockfile does not fit the package's manifest.
    InstallLockfile = "install.lockfile_out_of_sync",
    /// A signal ended the install command.
    InstallSignal = "install.signal",
    /// The install command needed more memory than there is.
    InstallMemory = "install.out_of_memory",
    /// The install command ran longer than the limit.
    InstallTimeout = "install.timeout",
    /// The install command wrote nothing for longer than the limit.
    InstallSilent = "install.silent",
    /// The build command ended with an error.
    BuildExit = "build.exit",
    /// A signal ended the build command.
    BuildSignal = "build.signal",
    /// The build command needed more memory than there is.
    BuildMemory = "build.out_of_memory",
    /// The build command ran longer than the limit.
    BuildTimeout = "build.timeout",
    /// The build command wrote nothing for longer than the limit.
    BuildSilent = "build.silent",
    /// The output directory does not exist after the build.
    OutputMissing = "output.missing",
    /// The output directory has no files.
    OutputEmpty = "output.empty",
    /// A link in the output leads out of it.
    OutputLink = "output.link",
    /// A file of the output cannot be published: its name or its kind.
    OutputFile = "output.file",
    /// The output has more files or bytes than the limit.
    OutputTooLarge = "output.too_large",
    /// A secret stands in a file of the output.
    OutputSecret = "output.secret",
    /// The deployment was canceled.
    Canceled = "canceled",
    /// The object store cannot be reached or refuses us.
    StoreUnavailable = "store.unavailable",
    /// The event bus cannot be reached or refuses us.
    BusUnavailable = "bus.unavailable",
    /// The builder's machine failed: disk, memory or process table.
    BuilderFailed = "builder.failed",
    /// The builder ended without a word.
    BuilderLost = "builder.lost",
    /// The builder needed more memory than its task has.
    BuilderMemory = "builder.memory",
    /// The builder's task ran longer than the limit.
    BuilderTimeout = "builder.timeout",
    /// The builder's machine was taken back, as spot capacity may be.
    BuilderReclaimed = "builder.reclaimed",
    /// Somebody other than us stopped the builder's task.
    BuilderStopped = "builder.stopped",
    /// No machine was free for the builder, or the launches were throttled for too long.
    LaunchCapacity = "launch.capacity",
    /// The builder's image cannot be pulled.
    LaunchImage = "launch.image",
    /// The builder's task could not be set up: its network, its secrets, its log group.
    LaunchSetup = "launch.setup",
    /// The platform may not start builders as it is configured.
    LaunchRefused = "launch.refused",
}

impl fmt::Display for FailureCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_stored_as_its_text() {
        for code in FailureCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
