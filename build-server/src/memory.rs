//! What the system says about memory: how much of it a build may use, and whether it ran out.

use std::path::{Path, PathBuf};

/// The memory that is there for a build, in bytes, if the system tells: what its cgroups allow, else what the
/// machine has.
pub(crate) fn limit() -> Option<u64> {
    least(|path| std::fs::read_to_string(path).ok())
}

/// How many processes of our cgroup the kernel has killed because memory ran out, if it counts them.
pub(crate) fn oom_kills() -> Option<u64> {
    kills(|path| std::fs::read_to_string(path).ok())
}

/// The least of what the machine has and what each cgroup above this process allows.
fn least(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(Group::of).flat_map(|group| {
        let files = group.files(group.version.limit());
        files.filter_map(|file| read(&file)?.trim().parse().ok()).collect::<Vec<u64>>()
    });
    limits.chain(machine).min()
}

/// The count of the group that is nearest to us.
fn kills(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    groups.lines().filter_map(Group::of).find_map(|group| {
        let events = group.files(group.version.events()).find_map(|file| read(&file))?;
        events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
    })
}

#[derive(Debug, Clone, Copy)]
enum Version {
    One,
    Two,
}

impl Version {
    fn mount(self) -> &'static Path {
        Path::new(match self {
            Self::One => "/sys/fs/cgroup/memory",
            Self::Two => "/sys/fs/cgroup",
        })
    }

    fn limit(self) -> &'static str {
        match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        }
    }

    fn events(self) -> &'static str {
        match self {
            Self::One => "memory.oom_control",
            Self::Two => "memory.events",
        }
    }
}

/// A cgroup that this process is in.
struct Group<'a> {
    version: Version,
    path: &'a Path,
}

impl<'a> Group<'a> {
    /// That of a line of `/proc/self/cgroup`, if it has to do with memory.
    fn of(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let version = match controllers {
            "" => Version::Two,
            _ if controllers.split(',').any(|controller| controller == "memory") => Version::One,
            _ => return None,
        };
        Some(Self { version, path: Path::new(group.trim_start_matches('/')) })
    }

    /// Where `file` is, in this group and in those above. In a container the path is often that of the host, and the
    /// container's own group is the one that is mounted.
    fn files(&self, file: &'a str) -> impl Iterator<Item = PathBuf> {
        self.path.ancestors().map(move |above| self.version.mount().join(above).join(file))
    }
}

/// The first line of `/proc/meminfo`: `MemTotal:  16314468 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n");

    fn check(files: &[(&str, &str)], expected: Option<u64>) {
        let found = least(|wanted| {
            let found = files.iter().find(|(path, _)| Path::new(path) == wanted);
            found.map(|(_, text)| (*text).to_owned())
        });
        assert_eq!(found, expected, "{files:?}");
    }

    #[test]
    fn the_tightest_limit_counts() {
        check(&[], None);
        check(&[MACHINE], Some(16_384_000_000));
        let group = ("/proc/self/cgroup", "0::/build/one\n");
        let own = ("/sys/fs/cgroup/build/one/memory.max", "max\n");
        check(&[MACHINE, group, own], Some(16_384_000_000));
        let above = ("/sys/fs/cgroup/build/memory.max", "2147483648\n");
        check(&[MACHINE, group, own, above], Some(2_147_483_648));
        // A container that sees the path of its host finds its own limit at the mount.
        check(&[MACHINE, group, ("/sys/fs/cgroup/memory.max", "1000\n")], Some(1000));
    }

    #[test]
    fn the_older_cgroups_are_read_too() {
        let groups = ("/proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/ecs/task\n");
        let limit = ("/sys/fs/cgroup/memory/ecs/task/memory.limit_in_bytes", "4294967296\n");
        check(&[MACHINE, groups, limit], Some(4_294_967_296));
        // Without a limit it is a number larger than any memory.
        let unlimited = ("/sys/fs/cgroup/memory/ecs/task/memory.limit_in_bytes", "9223372036854771712\n");
        check(&[MACHINE, groups, unlimited], Some(16_384_000_000));
    }

    #[test]
    fn killed_processes_are_counted() {
        let count = |files: &[(&str, &str)]| {
            kills(|wanted| {
                let found = files.iter().find(|(path, _)| Path::new(path) == wanted);
                found.map(|(_, text)| (*text).to_owned())
            })
        };
        assert_eq!(count(&[MACHINE]), None);
        let two = ("/proc/self/cgroup", "0::/build\n");
        let events = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n";
        assert_eq!(count(&[two, ("/sys/fs/cgroup/build/memory.events", events)]), Some(3));
        assert_eq!(count(&[two, ("/sys/fs/cgroup/memory.events", events)]), Some(3));
        let one = ("/proc/self/cgroup", "4:memory:/ecs/task\n0::/\n");
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n";
        assert_eq!(count(&[one, ("/sys/fs/cgroup/memory/ecs/task/memory.oom_control", control)]), Some(1));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(limit().is_some_and(|bytes| bytes > 16 << 20));
    }
}
