//! The processes of a build.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, Uid};
use procfs::ProcError;
use procfs::process::{Process, all_processes};

/// The processes of a build at one moment.
#[derive(Debug)]
pub(crate) struct Processes(Vec<Member>);

#[derive(Debug)]
struct Member {
    pid: i32,
    parent: i32,
    user: u32,
    /// Whether it has ended, and only waits to be asked how.
    is_zombie: bool,
    /// The memory that it holds and that is no file's, in bytes.
    bytes: u64,
}

impl Processes {
    /// Those that run as `user`.
    pub(super) fn of(user: Uid) -> Self {
        Self(all().into_iter().filter(|member| member.user == user.as_raw()).collect())
    }

    /// All that come from this process. We adopt orphans, so none gets lost.
    pub(crate) fn ours() -> Self {
        let us = Pid::this().as_raw();
        Self(below(us).unwrap_or_else(|_| descendants(all(), us)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that have not ended.
    pub(super) fn living(&self) -> impl Iterator<Item = i32> {
        self.0.iter().filter(|member| !member.is_zombie).map(|member| member.pid)
    }

    /// How much memory they hold together, in bytes. What two of them share counts twice.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|member| member.bytes).sum()
    }

    /// Ends them. All are stopped first, so that none can start others while the rest is ended.
    pub(super) fn kill(&self) {
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for pid in self.living() {
                // One that has ended meanwhile is as good.
                kill(Pid::from_raw(pid), signal).ok();
            }
        }
    }

    /// Lets those go that have ended and were left to us. `ours` is awaited elsewhere.
    pub(crate) fn reap(&self, ours: Option<u32>) {
        let us = Pid::this().as_raw();
        let orphans = self.0.iter().filter(|member| member.is_zombie && member.parent == us);
        for orphan in orphans.filter(|orphan| u32::try_from(orphan.pid).ok() != ours) {
            waitpid(Pid::from_raw(orphan.pid), Some(WaitPidFlag::WNOHANG)).ok();
        }
    }
}

impl Member {
    /// A process that ends while it is looked at is none.
    fn read(process: &Process) -> Option<Self> {
        let status = process.status().ok()?;
        Some(Self {
            pid: status.pid,
            parent: status.ppid,
            user: status.ruid,
            is_zombie: status.state.starts_with(['Z', 'X']),
            bytes: status.rssanon.unwrap_or(0).saturating_mul(1024),
        })
    }
}

fn all() -> Vec<Member> {
    all_processes().into_iter().flatten().flatten().filter_map(|process| Member::read(&process)).collect()
}

/// The family of a process, asked from the top down: with many processes around that is much less than looking at all.
fn below(pid: i32) -> Result<Vec<Member>, ProcError> {
    let mut found = Vec::new();
    let mut parents = vec![Process::new(pid)?];
    while let Some(parent) = parents.pop() {
        for task in parent.tasks().into_iter().flatten().flatten() {
            let children = match task.children() {
                // This kernel does not tell.
                Err(ProcError::NotFound(_)) if parent.is_alive() => return Err(ProcError::NotFound(None)),
                children => children.unwrap_or_default(),
            };
            let children = children.into_iter().filter_map(|child| Process::new(child.cast_signed()).ok());
            for child in children {
                found.extend(Member::read(&child));
                parents.push(child);
            }
        }
    }
    Ok(found)
}

fn descendants(all: Vec<Member>, of: i32) -> Vec<Member> {
    let mut family = vec![of];
    let (mut found, mut others) = (Vec::new(), all);
    loop {
        let (children, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|member| family.contains(&member.parent));
        if children.is_empty() {
            return found;
        }
        family = children.iter().map(|child| child.pid).collect();
        found.extend(children);
        others = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_whatever_the_order() {
        let member = |pid, parent| Member { pid, parent, user: 0, is_zombie: false, bytes: 1 };
        let all = vec![member(7, 5), member(5, 3), member(3, 1), member(4, 1), member(8, 7), member(1, 0)];
        let found = Processes(descendants(all, 3));
        assert_eq!(found.living().collect::<Vec<_>>(), [5, 7, 8]);
        assert_eq!(found.bytes(), 3);
    }
}
