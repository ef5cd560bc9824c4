//! How much memory a build may use: what its cgroups allow, else what the machine has.

use std::path::Path;

/// The memory that is there for a build, in bytes, if the system tells.
pub(crate) fn memory() -> Option<u64> {
    least(|path| std::fs::read_to_string(path).ok())
}

/// The least of what the machine has and what each cgroup above this process allows.
fn least(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(place).flat_map(|(root, group, file)| {
        // In a container the path is often that of the host, and the container's own group is the mounted one.
        let group = Path::new(group.trim_start_matches('/'));
        group
            .ancestors()
            .filter_map(|above| read(&Path::new(root).join(above).join(file))?.trim().parse().ok())
            .collect::<Vec<u64>>()
    });
    limits.chain(machine).min()
}

/// Where the limit of a line of `/proc/self/cgroup` is: the mount, the group below it, and the file.
fn place(line: &str) -> Option<(&'static str, &str, &'static str)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, group) = (parts.next()?, parts.next()?);
    if controllers.is_empty() {
        return Some(("/sys/fs/cgroup", group, "memory.max"));
    }
    let is_memory = controllers.split(',').any(|controller| controller == "memory");
    is_memory.then_some(("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
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
    fn this_machine_has_memory() {
        assert!(memory().is_some_and(|bytes| bytes > 16 << 20));
    }
}
