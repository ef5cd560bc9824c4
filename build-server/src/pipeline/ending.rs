//! How the endings of commands read in the terms of their phase.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use gitdeploy_core::size::size;
use gitdeploy_core::{Failure, FailureCode, Phase};
use nix::sys::signal::Signal;

use crate::command::{Command, Ended, Ran};
use crate::stop::Stop;

/// What shells add to the number of a signal that ended what they ran.
const OF_SHELLS: i32 = 128;

/// What a build must have held of its limit, in percent, if SIGKILL is to be the kernel's for want of memory.
const NEARLY_ALL: u64 = 90;

/// Says whether a command has done its work. `available` is the memory that there was for it, in bytes.
pub(super) fn judge(command: &Command<'_>, ran: &Ran, available: Option<u64>) -> Result<(), Stop> {
    let (phase, codes) = (command.phase, Codes::of(command.phase));
    let failed = |code, cause: String, fix: &str| Failure::new(code, cause).fix(fix);
    match ran.ended {
        Ended::Exited(status) if status.success() => Ok(()),
        Ended::Exited(status) => {
            let stop = if is_for_want_of_memory(status, ran, available) {
                out_of_memory(command, ran, available)
            } else {
                exited(command, status)
            };
            let signal = status.signal().map(name);
            Err(Stop { exit_code: status.code(), signal, ..stop })
        }
        Ended::TooMuchMemory => Err(out_of_memory(command, ran, command.memory)),
        Ended::TimedOut => {
            let cause = format!("the {phase} command ran longer than {} s", command.limit.as_secs());
            let fix = "make it faster, or have the operator raise the limit";
            Err(Stop::timed_out(failed(codes.timeout, cause, fix)))
        }
        Ended::Silent => {
            let cause = format!("the {phase} command wrote nothing for {} s", command.silence.as_secs());
            let fix = "check that it does not wait for an answer or watch for changes";
            Err(Stop::timed_out(failed(codes.silent, cause, fix)))
        }
        Ended::Canceled => Err(Stop::canceled()),
    }
}

fn exited(command: &Command<'_>, status: ExitStatus) -> Stop {
    let (phase, codes) = (command.phase, Codes::of(command.phase));
    let (code, how) = match (status.code(), status.signal()) {
        (Some(code), _) => match signal_of_shell(code) {
            Some(signal) => {
                (codes.exit, format!("exited with {code}: something in it was ended by {signal}"))
            }
            None => (codes.exit, format!("exited with {code}")),
        },
        (None, signal) => (codes.signal, format!("was ended by {}", name(signal.unwrap_or_default()))),
    };
    let cause = format!("the {phase} command {how}");
    let fix = format!("read the last lines of the {phase} log, and try `{}` on your machine", command.line);
    Stop::author(Failure::new(code, cause).fix(fix))
}

/// Whether the kernel ended it because there was no memory left. Where it does not count that, SIGKILL from nobody we
/// know says so if the memory was nearly all in use.
fn is_for_want_of_memory(status: ExitStatus, ran: &Ran, available: Option<u64>) -> bool {
    let is_killed = status.signal() == Some(Signal::SIGKILL as i32)
        || status.code() == Some(OF_SHELLS + Signal::SIGKILL as i32);
    let is_full = available.is_some_and(|available| ran.peak >= available / 100 * NEARLY_ALL);
    ran.oom_killed || (is_killed && is_full)
}

fn out_of_memory(command: &Command<'_>, ran: &Ran, available: Option<u64>) -> Stop {
    let there_is = available.map_or_else(String::new, |bytes| format!("; there is {}", size(bytes)));
    let cause =
        format!("the {} command ran out of memory: it held {}{there_is}", command.phase, size(ran.peak));
    let fix = "make the build do less at once, or have the operator give builds more memory";
    Stop::author(Failure::new(Codes::of(command.phase).memory, cause).fix(fix))
}

fn signal_of_shell(code: i32) -> Option<&'static str> {
    Signal::try_from(code - OF_SHELLS).ok().map(Signal::as_str)
}

fn name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

struct Codes {
    exit: FailureCode,
    signal: FailureCode,
    memory: FailureCode,
    timeout: FailureCode,
    silent: FailureCode,
}

impl Codes {
    fn of(phase: Phase) -> Self {
        match phase {
            Phase::Install => Self {
                exit: FailureCode::InstallExit,
                signal: FailureCode::InstallSignal,
                memory: FailureCode::InstallMemory,
                timeout: FailureCode::InstallTimeout,
                silent: FailureCode::InstallSilent,
            },
            _ => Self {
                exit: FailureCode::BuildExit,
                signal: FailureCode::BuildSignal,
                memory: FailureCode::BuildMemory,
                timeout: FailureCode::BuildTimeout,
                silent: FailureCode::BuildSilent,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    /// How the wait status of a process says that it exited, or that a signal ended it.
    fn exit(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    fn killed(signal: Signal) -> ExitStatus {
        ExitStatus::from_raw(signal as i32)
    }

    fn judged(
        status: ExitStatus,
        peak: u64,
        oom_killed: bool,
    ) -> Option<(FailureCode, String, Option<String>)> {
        let second = Duration::from_secs(1);
        let command = Command {
            line: "make",
            phase: Phase::Build,
            directory: Path::new("."),
            environment: &[],
            limit: second,
            silence: second,
            memory: None,
        };
        let ran = Ran { ended: Ended::Exited(status), peak, oom_killed };
        let stop = judge(&command, &ran, Some(1000)).err()?;
        Some((stop.failure.code, stop.failure.cause, stop.signal))
    }

    #[test]
    fn exit_signal_and_want_of_memory_are_told_apart() {
        assert!(judged(exit(0), 999, false).is_none());
        let (code, cause, signal) = judged(exit(3), 999, false).unwrap();
        assert_eq!((code, cause.as_str()), (FailureCode::BuildExit, "the build command exited with 3"));
        assert_eq!(signal, None);
        let (code, cause, signal) = judged(killed(Signal::SIGSEGV), 1, false).unwrap();
        assert_eq!(
            (code, cause.as_str()),
            (FailureCode::BuildSignal, "the build command was ended by SIGSEGV")
        );
        assert_eq!(signal.as_deref(), Some("SIGSEGV"));
        let (code, cause, _) = judged(exit(139), 1, false).unwrap();
        assert_eq!(code, FailureCode::BuildExit);
        assert!(cause.ends_with("exited with 139: something in it was ended by SIGSEGV"), "{cause}");
    }

    #[test]
    fn the_kernels_word_or_a_kill_at_the_limit_is_want_of_memory() {
        let code = |status, peak, oom_killed| judged(status, peak, oom_killed).unwrap().0;
        assert_eq!(code(exit(1), 1, true), FailureCode::BuildMemory);
        assert_eq!(code(killed(Signal::SIGKILL), 950, false), FailureCode::BuildMemory);
        assert_eq!(code(exit(137), 950, false), FailureCode::BuildMemory);
        assert_eq!(code(killed(Signal::SIGKILL), 500, false), FailureCode::BuildSignal);
        assert_eq!(code(exit(137), 500, false), FailureCode::BuildExit);
        assert_eq!(code(exit(1), 950, false), FailureCode::BuildExit);
        assert!(judged(exit(0), 1, true).is_none());
        let cause = judged(exit(137), 950, false).unwrap().1;
        assert_eq!(cause, "the build command ran out of memory: it held 950 B; there is 1.0 kB");
    }
}
