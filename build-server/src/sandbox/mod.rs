//! Keeps what a repository decides away from everything else: its commands run as a user of their own, with few
//! rights and with limits, and nothing of them is left when they have ended.
//!
//! A command is started through this program itself, under another name: [`enter()`] gives up in the new process what
//! a build may not have and then becomes `bash`. Only so can it be done step by step and without `unsafe`
//! (docs/adr/0017-sandbox.md). Where the builder is not root, commands keep its user; the rest is the same.

mod enter;
mod filter;
mod lease;
mod owner;
mod processes;
mod reach;

use std::ffi::OsString;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use gitdeploy_core::FailureCode;
use nix::unistd::Uid;

use crate::stop::{Stop, disk};
use lease::Lease;

pub use enter::enter;
pub(crate) use owner::Owner;
pub(crate) use processes::Processes;

/// Where the kernel shows each process its own program, even when its file was replaced.
const OURSELVES: &str = "/proc/self/exe";

/// How long the end of all processes is awaited.
const QUIESCE: Duration = Duration::from_secs(5);

/// How long to wait before looking again whether processes have ended.
const AGAIN: Duration = Duration::from_millis(10);

/// What commands of one build run in.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// Whom they run as; nobody else does meanwhile. Absent: as the builder.
    lease: Option<Lease>,
}

impl Sandbox {
    /// Takes one of `users` if the builder is root, waiting at most `limit` for it, and ends what an earlier build of
    /// this user may have left behind.
    pub(crate) async fn open(users: &RangeInclusive<u32>, limit: Duration) -> Result<Self, Stop> {
        // Whoever loses its parent becomes our child, so that we can find it and end it.
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(|error| disk("cannot adopt the processes of the build")(error.into()))?;
        if !Uid::effective().is_root() {
            tracing::info!("commands run as the builder's own user, for only root can give them another");
            return Ok(Self { lease: None });
        }
        let lease = Lease::take(users, limit).await?;
        let user = lease.user;
        let sandbox = Self { lease: Some(lease) };
        sandbox.quiesce().await?;
        tokio::task::spawn_blocking(move || lease::sweep(user))
            .await
            .map_err(|error| disk("cannot remove what an earlier build left")(error.into()))?;
        Ok(sandbox)
    }

    /// Whom commands run as, if not as the builder.
    fn user(&self) -> Option<Uid> {
        self.lease.as_ref().map(|lease| lease.user)
    }

    /// The owner of the files of the build.
    pub(crate) fn owner(&self) -> Owner {
        self.user().map_or_else(Owner::ours, Owner::of_user)
    }

    /// Bash with `line`, in the sandbox, in `directory` and with nothing but `environment`.
    pub(crate) fn command(
        &self,
        line: &str,
        directory: &Path,
        environment: &[(String, OsString)],
    ) -> tokio::process::Command {
        let mut command = self.ourselves(enter::RUN);
        command
            .arg(line)
            .current_dir(directory)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    fn ourselves(&self, what: &str) -> tokio::process::Command {
        let mut command = std::process::Command::new(OURSELVES);
        std::os::unix::process::CommandExt::arg0(&mut command, enter::NAME);
        command.arg(what).arg(self.user().map_or_else(|| enter::NOBODY.to_owned(), |user| user.to_string()));
        tokio::process::Command::from(command)
    }

    /// Makes sure that the user of the build gets to its workspace, and that nobody can replace that. `above` is where
    /// the workspaces of builds are made.
    pub(crate) fn check(&self, above: &Path) -> Result<(), Stop> {
        if self.lease.is_none() {
            return Ok(());
        }
        if !reach::is_reachable(above) {
            let cause = format!(
                "builds cannot get to their workspace: everybody must be allowed to enter `{}` \
                 (`GITDEPLOY_BUILD_WORKSPACE`) and the directories above it",
                above.display()
            );
            return Err(Stop::platform(FailureCode::BuilderFailed, cause));
        }
        if reach::is_others(above) {
            let cause = format!(
                "somebody else could replace the workspace: `{}` (`GITDEPLOY_BUILD_WORKSPACE`) must be root's, and \
                 writable for others only with the sticky bit",
                above.display()
            );
            return Err(Stop::platform(FailureCode::BuilderFailed, cause));
        }
        Ok(())
    }

    /// What keeps commands from being run at all, if something does.
    pub(crate) async fn defect(&self) -> Option<Stop> {
        let output = self.command(":", Path::new("/"), &[]).output().await;
        let output = match output {
            Ok(output) if output.status.success() => return None,
            Ok(output) => output,
            Err(error) => return Some(disk("cannot start a command")(error)),
        };
        let cause = format!("commands cannot be run: {}", String::from_utf8_lossy(&output.stderr).trim());
        Some(Stop::platform(FailureCode::BuilderFailed, cause))
    }

    /// Hands `tree` over to the build, with all that is in it, before any command has run. No link is followed.
    pub(crate) async fn hand_over(&self, tree: &Path) -> Result<(), Stop> {
        let Some(owner) = self.user().map(Owner::of_user) else { return Ok(()) };
        let tree = tree.to_owned();
        tokio::task::spawn_blocking(move || owner.give(&tree))
            .await
            .map_err(io::Error::from)
            .and_then(|done| done)
            .map_err(disk("cannot hand the workspace over to the build"))
    }

    /// Ends every process of the build, whatever it did to stay.
    pub(crate) async fn quiesce(&self) -> Result<(), Stop> {
        let start = tokio::time::Instant::now();
        while self.kill().await.map_err(disk("cannot end the processes of the build"))? {
            // Some may have ended long ago, and wait for somebody else to ask how.
            let processes = self.user().map_or_else(Processes::ours, Processes::of);
            processes.reap(None);
            if processes.living().next().is_none() {
                break;
            }
            if start.elapsed() > QUIESCE {
                let cause = "processes of the build do not end";
                return Err(Stop::platform(FailureCode::BuilderFailed, cause));
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Whether there was a process to kill.
    async fn kill(&self) -> io::Result<bool> {
        if self.lease.is_none() {
            let processes = Processes::ours();
            processes.kill();
            return Ok(!processes.is_empty());
        }
        // What is sent to the group of the builder, such as Ctrl-C, must not meet it.
        let mut end = self.ourselves(enter::END);
        let output = end.env_clear().stdin(Stdio::null()).process_group(0).output().await?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(code) if code == i32::from(enter::NONE_LEFT) => Ok(false),
            _ => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    /// Those directories of a `PATH` in which commands can find something.
    pub(crate) fn reachable(&self, path: &str) -> OsString {
        match self.lease {
            Some(_) => reach::reachable(path),
            None => path.into(),
        }
    }
}
