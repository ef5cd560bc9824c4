//! The builder as a program: one build, and an exit code that says how it ended.

use std::process::ExitCode;

fn main() -> ExitCode {
    build_server::process(&gitdeploy_runtime::process_vars())
}
