//! What a process does between its start and the author's command: it gives up what a build may not have.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use gitdeploy_runtime::exit;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, close, setgroups, setresgid, setresuid, setsid};

use super::filter;

/// The name under which this program starts in order to become something of a build's.
pub(super) const NAME: &str = "gitdeploy-sandbox";

/// What it may do then: run a line of bash, or end all processes of the user.
pub(super) const RUN: &str = "run";
pub(super) const END: &str = "end";

/// What [`END`] exits with if there was no process to end.
pub(super) const NONE_LEFT: u8 = 3;

/// Stands in the place of a user where the user does not change.
pub(super) const NOBODY: &str = "-";

/// What a build may take of the system. Hard limits that are lower stay.
const LIMITS: &[(Resource, u64)] = &[
    (Resource::RLIMIT_NPROC, 4096),
    (Resource::RLIMIT_NOFILE, 65_536),
    (Resource::RLIMIT_FSIZE, 4 << 30),
    (Resource::RLIMIT_CORE, 0),
];

/// Who is killed first when memory runs out: the build and not its builder.
const OOM_SCORE: &str = "500";

/// If this process was started for it, becomes what runs in a sandbox: then it returns only what went wrong. To be
/// called before anything else, for a process with threads cannot do it.
pub fn enter() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != NAME {
        return None;
    }
    Some(act(&arguments.collect::<Vec<_>>()).unwrap_or_else(|error| {
        #[expect(clippy::print_stderr, reason = "nothing but the standard error is open")]
        {
            eprintln!("{error}");
        }
        ExitCode::from(exit::UNAVAILABLE)
    }))
}

fn act(arguments: &[OsString]) -> io::Result<ExitCode> {
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_str()).collect();
    match arguments[..] {
        [Some(RUN), Some(user), Some(line)] => run(parse(user)?, line),
        [Some(END), Some(user)] => end(parse(user)?),
        _ => Err(io::Error::other("this is no command of a builder")),
    }
}

fn parse(user: &str) -> io::Result<Option<Uid>> {
    if user == NOBODY {
        return Ok(None);
    }
    user.parse().map(|user| Some(Uid::from_raw(user))).map_err(io::Error::other)
}

/// Becomes bash.
fn run(user: Option<Uid>, line: &str) -> io::Result<ExitCode> {
    close_all()?;
    // Without a terminal nobody can be asked for a password, and none can be written into.
    setsid().map_err(cannot("leave the session"))?;
    std::fs::write("/proc/self/oom_score_adj", OOM_SCORE).ok();
    for (resource, wanted) in LIMITS {
        let (_, hard) = getrlimit(*resource)?;
        let limit = if user.is_some() { *wanted } else { hard.min(*wanted) };
        // Without the capability for more, the lower limit is what there is.
        setrlimit(*resource, limit, limit)
            .or_else(|_| setrlimit(*resource, hard.min(limit), hard.min(limit)))
            .map_err(cannot("set limits"))?;
    }
    if let Some(user) = user {
        become_user(user)?;
    }
    // After the change of the user, which takes it back.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(cannot("be bound to the builder"))?;
    prctl::set_no_new_privs().map_err(cannot("give up new rights"))?;
    filter::install().map_err(|error| io::Error::other(format!("cannot filter system calls: {error}")))?;
    Err(Command::new("bash").args(["-eo", "pipefail", "-c", line]).exec())
}

/// Sends SIGKILL to every process of the user but this one. The kernel does it in one go, so none can be missed by
/// starting others all the time.
fn end(user: Option<Uid>) -> io::Result<ExitCode> {
    let user = user.ok_or_else(|| io::Error::other("there is no user whose processes to end"))?;
    become_user(user)?;
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Errno::ESRCH) => Ok(ExitCode::from(NONE_LEFT)),
        Err(error) => Err(error.into()),
    }
}

fn become_user(user: Uid) -> io::Result<()> {
    let group = Gid::from_raw(user.as_raw());
    setgroups(&[]).map_err(cannot("give up its groups"))?;
    setresgid(group, group, group).map_err(cannot("change its group"))?;
    setresuid(user, user, user).map_err(cannot("change its user"))
}

fn cannot(what: &'static str) -> impl FnOnce(Errno) -> io::Error {
    move |error| {
        let hint = match error {
            Errno::EPERM => {
                "; the builder needs the capabilities CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID and SETUID"
            }
            _ => "",
        };
        io::Error::other(format!("the process of a command cannot {what}: {}{hint}", error.desc()))
    }
}

/// Closes whatever the builder may have left open to its children.
fn close_all() -> io::Result<()> {
    let open = std::fs::read_dir("/proc/self/fd")?.flatten();
    let numbers: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The directory that was just read is closed already.
        close(number).ok();
    }
    Ok(())
}
