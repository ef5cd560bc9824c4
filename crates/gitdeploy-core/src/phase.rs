//! The steps of a build.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step of a build, in the order in which they run. A build need not have them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reads the settings and finds the store and the bus.
    Boot,
    /// Fetches the source.
    Clone,
    /// Decides what to install, what to run and where the output will lie.
    Plan,
    /// Unpacks what an earlier build of the project left in the cache.
    Restore,
    /// Installs the packages that the lockfile names.
    Install,
    /// Runs the build command.
    Build,
    /// Finds and checks the output directory.
    Validate,
    /// Reads the site's rules, and hashes and compresses its files.
    Process,
    /// Uploads the files, then the manifest.
    Upload,
    /// Keeps what the next build of the project can use. It never changes how the build ends.
    Save,
}

impl Phase {
    /// The name that stands in events, on screens and in failure codes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Clone => "clone",
            Self::Plan => "plan",
            Self::Restore => "restore",
            Self::Install => "install",
            Self::Build => "build",
            Self::Validate => "validate",
            Self::Process => "process",
            Self::Upload => "upload",
            Self::Save => "save",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
