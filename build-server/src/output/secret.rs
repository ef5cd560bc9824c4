//! Refuses to publish what holds a secret.

use std::sync::Arc;

use gitdeploy_core::{Failure, FailureCode};

use super::SiteFile;
use crate::config::Config;
use crate::secrets::{Finding, Secrets, What};
use crate::stop::{Stop, disk};

/// Refuses a site if one of its files holds a secret.
pub(crate) async fn refuse_secrets(
    files: Vec<SiteFile>,
    secrets: Arc<Secrets>,
    config: &Config,
) -> Result<Vec<SiteFile>, Stop> {
    let allowed = config.allow_secrets_in.clone();
    let scan =
        tokio::task::spawn_blocking(move || secrets.scan(&files, &allowed).map(|found| (files, found)));
    let unreadable = disk("cannot read the output directory");
    let (files, found) =
        scan.await.map_err(std::io::Error::from).and_then(|found| found).map_err(unreadable)?;
    match found.split_first() {
        Some((first, others)) => Err(refusal(first, others.len())),
        None => Ok(files),
    }
}

fn refusal(Finding { path, what }: &Finding, others: usize) -> Stop {
    let others = match others {
        0 => String::new(),
        1 => ", and another file holds a secret too".to_owned(),
        others => format!(", and {others} other files hold secrets too"),
    };
    let (cause, fix) = match what {
        What::ValueOf(name) => (
            format!("`{path}` would publish the value of `{name}`{others}"),
            format!(
                "keep `{name}` out of what the browser gets; if everybody may see it, have the operator add it to \
                 `GITDEPLOY_BUILD_PUBLIC`"
            ),
        ),
        What::Pattern(what) => (
            format!("`{path}` would publish {what}{others}"),
            "remove it and replace it where it is used, for others may have seen it; if it is an example, have the \
             operator add the file to `GITDEPLOY_BUILD_ALLOW_SECRETS_IN`"
                .to_owned(),
        ),
    };
    Stop::author(Failure::new(FailureCode::OutputSecret, cause).fix(fix))
}
