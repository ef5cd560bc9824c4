//! The builder as a program: one build, and an exit code that says how it ended.

use std::process::ExitCode;

use gitdeploy_runtime::{exit, process_vars};

fn main() -> ExitCode {
    if let Some(code) = build_server::enter_sandbox() {
        return code;
    }
    match process_vars() {
        Ok(vars) => build_server::process(&vars),
        Err(error) => exit::code(Err(error.into())),
    }
}
