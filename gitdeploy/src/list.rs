//! `gitdeploy list`.

use std::process::ExitCode;

use gitdeploy_core::State;
use jiff::Timestamp;
use upload_service::api::DeploymentView;

use crate::cli::List;
use crate::client::Client;
use crate::view::{print, short};

/// The largest page that the API gives.
const PAGE: u32 = 100;

pub(crate) async fn list(list: List) -> anyhow::Result<ExitCode> {
    let client = Client::find(list.platform)?;
    let project = list.project.as_ref().map(gitdeploy_core::ProjectId::as_str);
    let mut deployments = Vec::new();
    let mut after = None;
    while deployments.len() < list.limit as usize {
        let left = list.limit.saturating_sub(u32::try_from(deployments.len()).unwrap_or(u32::MAX));
        let page = client.deployments(project, left.min(PAGE), after.as_deref()).await?;
        deployments.extend(page.items);
        match page.next {
            Some(next) => after = Some(next.to_string()),
            None => break,
        }
    }
    if list.json {
        for deployment in &deployments {
            print(&serde_json::to_string(deployment)?)?;
        }
    } else if deployments.is_empty() {
        anstream::eprintln!("nothing was deployed yet: `gitdeploy deploy SOURCE` deploys a repository");
    } else {
        table(&deployments)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(deployments: &[DeploymentView]) -> std::io::Result<()> {
    let now = Timestamp::now();
    let header = ["ID", "PROJECT", "STATE", "COMMIT", "AGE", "URL"].map(str::to_owned);
    let rows = deployments.iter().map(|deployment| {
        let commit = deployment.source.commit.as_deref().map_or("-", short);
        let state =
            if deployment.production { "ready, live".to_owned() } else { deployment.state.to_string() };
        let url = match &deployment.production_url {
            Some(url) if deployment.production => url,
            _ if deployment.state == State::Ready => &deployment.url,
            _ => "-",
        };
        [
            deployment.id.to_string(),
            deployment.project.to_string(),
            state,
            commit.to_owned(),
            age(now, deployment.created),
            url.to_owned(),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        print(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// How long ago something was, in its largest unit.
fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let then = Timestamp::UNIX_EPOCH;
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d"), (-5, "0s")]
        {
            assert_eq!(age(Timestamp::from_second(seconds).unwrap(), then), expected);
        }
    }
}
