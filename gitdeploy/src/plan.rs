//! `gitdeploy plan`: what a build would do, without one.

use std::process::ExitCode;

use build_server::planning::{self, NotPlanned, Planned, Planning};
use gitdeploy_core::event::Outcome;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_runtime::Vars;
use tokio_util::sync::CancellationToken;

use crate::cli::{Plan, Settings};
use crate::exit;
use crate::source::{Source, SourceError};
use crate::view::{print, short, shown};

/// Prints the plan on standard output, or why there is none on standard error.
pub(crate) async fn run(plan: Plan, vars: &Vars) -> anyhow::Result<ExitCode> {
    let Settings { reference, root, install, command, node, output } = plan.settings;
    let planned = match Source::parse(&plan.source)? {
        Source::Git(address) => Planned::Repository { address, reference },
        Source::Directory(_) | Source::Prebuilt(_) if reference.is_some() => {
            return Err(SourceError::ReferenceOfDirectory.into());
        }
        Source::Directory(directory) | Source::Prebuilt(directory) => Planned::Directory(directory),
    };
    let settings = BuildSettings { root, install, command, node, output };
    let cancel = CancellationToken::new();
    let mut planning = std::pin::pin!(planning::plan(planned, settings, vars, &cancel));
    let planning = tokio::select! {
        planning = &mut planning => planning,
        _ = tokio::signal::ctrl_c() => {
            cancel.cancel();
            planning.await
        }
    };
    match planning {
        Ok(planning) => show(&planning, plan.json),
        Err(error) => match error.downcast::<NotPlanned>() {
            Ok(not_planned) => Ok(refuse(&not_planned)),
            Err(error) => Err(error),
        },
    }
}

fn show(planning: &Planning, json: bool) -> anyhow::Result<ExitCode> {
    if let Some(commit) = &planning.origin.commit {
        let reference = planning.origin.reference.as_deref().unwrap_or("HEAD");
        note(&format!("the plan of {reference} @ {}", short(commit)));
    }
    if planning.uncommitted_changes {
        note("the plan is of the files as they are; what is not committed is not deployed");
    }
    if json {
        print(&serde_json::to_string(&planning.decisions)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for decision in planning.decisions.lines() {
        print(&shown(&decision.to_string()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(not_planned: &NotPlanned) -> ExitCode {
    let NotPlanned { outcome, failure } = not_planned;
    note(&format!("error: {failure} [{}]", failure.code));
    if let Some(fix) = &failure.fix {
        note(&format!("  fix    {fix}"));
    }
    ExitCode::from(exit::of_state((*outcome).into(), *outcome == Outcome::PlatformError))
}

fn note(text: &str) {
    anstream::eprintln!("{}", shown(text));
}
