//! What builds sites that are not of Node.js: which program it takes, and how what it needs is installed.

use std::ffi::OsStr;

use gitdeploy_core::{Failure, FailureCode};

use super::detect::Detected;
use super::preset::Runtime;
use super::tree::Tree;
use crate::command::find_program;
use crate::stop::Stop;

/// An install command, and why it is that.
#[derive(Debug)]
pub(super) struct Install {
    pub(super) line: String,
    pub(super) because: String,
    pub(super) file: Option<String>,
}

/// Makes a place for Python packages; `PATH` leads there first.
const VENV: &str = "python3 -m venv ~/.venv";

/// Refuses a site whose tool is not on `path`.
pub(super) fn check(detected: &Detected, path: &OsStr) -> Result<(), Stop> {
    let preset = detected.preset;
    let program = match preset.runtime {
        Runtime::Node | Runtime::None => return Ok(()),
        Runtime::Python => "python3",
        Runtime::Ruby => "bundle",
        _ => preset.build.as_deref().and_then(|build| build.split(' ').next()).unwrap_or_default(),
    };
    if find_program(program, path).is_some() {
        return Ok(());
    }
    let cause = format!("{} sites are built with `{program}`, which is not installed here", preset.name);
    let fix = format!(
        "have the operator install `{program}` where builds run, or build elsewhere and deploy with `--prebuilt`"
    );
    Err(Stop::author(Failure::new(FailureCode::PlanToolMissing, cause).fix(fix)))
}

/// What is installed before the build, if anything is.
pub(super) fn install(detected: &Detected, tree: &Tree<'_>) -> Option<Install> {
    let preset = detected.preset;
    match preset.runtime {
        Runtime::Python => Some(python(detected, tree)),
        Runtime::Ruby => {
            let file = tree.files("Gemfile").into_iter().next()?;
            let line = "bundle config set --local path vendor/bundle && bundle install".to_owned();
            Some(Install { line, because: format!("there is a `{file}`"), file: Some(file) })
        }
        _ => None,
    }
}

fn python(detected: &Detected, tree: &Tree<'_>) -> Install {
    let nearer = detected.fill("{dir}/requirements.txt");
    let named = [nearer.as_str(), "requirements.txt"].into_iter().flat_map(|name| tree.files(name)).next();
    if let Some(file) = named {
        let line = format!("{VENV} && pip install -r {file}");
        return Install { line, because: format!("there is a `{file}`"), file: Some(file) };
    }
    let package = detected.preset.package.as_deref().unwrap_or_default();
    let because = format!("nothing names a version of {}", detected.preset.name);
    Install { line: format!("{VENV} && pip install '{package}'"), because, file: None }
}
