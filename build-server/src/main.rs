//! The builder as a program: one build, and an exit code that says how it ended.

use std::process::ExitCode;

use gitdeploy_runtime::{exit, process_vars};

fn main() -> ExitCode {
    match process_vars() {
        Ok(vars) => build_server::process(&vars),
        Err(error) => exit::code(Err(error.into())),
    }
}
