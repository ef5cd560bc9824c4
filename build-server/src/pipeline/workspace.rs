//! The directories of one build.

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gitdeploy_runtime::Vars;

use crate::config::Config;
use crate::sandbox::Sandbox;
use crate::stop::{Stop, disk};

/// The directories of one build. They are removed with it.
pub(crate) struct Workspace(tempfile::TempDir);

impl Workspace {
    pub(super) fn make(config: &Config) -> Result<Self, Stop> {
        let mut name = tempfile::Builder::new();
        name.prefix("gitdeploy-");
        let directory = match &config.workspace {
            Some(parent) => std::fs::create_dir_all(parent).and_then(|()| name.tempdir_in(parent)),
            None => name.tempdir(),
        };
        let workspace = Self(directory.map_err(disk("cannot make a workspace"))?);
        // Others may pass through on the way to what is theirs, but see nothing else.
        std::fs::set_permissions(workspace.top(), Permissions::from_mode(0o711))
            .map_err(disk("cannot make a workspace"))?;
        let cache = workspace.top().join("cache");
        let (tools, temporary, variants) = (workspace.tools(), workspace.temporary(), workspace.variants());
        for directory in [workspace.source(), workspace.home(), tools, temporary, variants, cache] {
            DirBuilder::new().mode(0o700).create(directory).map_err(disk("cannot make a workspace"))?;
        }
        Ok(workspace)
    }

    pub(super) fn top(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn source(&self) -> PathBuf {
        self.0.path().join("source")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    pub(super) fn tools(&self) -> PathBuf {
        self.0.path().join("tools")
    }

    /// Where commands put what they need for a while.
    pub(super) fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    /// Hands over to the build what is its own. The top stays ours, and so does what we keep there.
    pub(super) async fn hand_over(&self, sandbox: &Sandbox) -> Result<(), Stop> {
        sandbox.check(self.top().parent().unwrap_or(self.top()))?;
        for directory in [self.source(), self.home(), self.tools(), self.temporary()] {
            sandbox.hand_over(&directory).await?;
        }
        Ok(())
    }

    /// Where large compressed copies wait for the upload.
    pub(super) fn variants(&self) -> PathBuf {
        self.0.path().join("variants")
    }

    /// The `PATH` of commands: our own, after the tools that the plan installs.
    pub(super) fn path(&self, vars: &Vars, sandbox: &Sandbox) -> OsString {
        let mut path = self.tools().join("node_modules/.bin").into_os_string();
        path.push(":");
        path.push(self.home().join(".venv/bin"));
        let ours = vars.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
        path.push(":");
        path.push(sandbox.reachable(ours.unwrap_or("/usr/local/bin:/usr/bin:/bin")));
        path
    }
}
