//! `gitdeploy up`: starts the platform, deploys, and serves until it is told to stop.

use std::process::ExitCode;

use gitdeploy_runtime::telemetry::LogConfig;
use gitdeploy_runtime::{Vars, become_undumpable, section, telemetry};

use crate::cli::Up;
use crate::client::Client;
use crate::deploy::{self, Request};
use crate::exit;
use crate::platform::{self, Platform};
use crate::source::Source;
use crate::view::View;

/// Runs the platform. With a source whose deployment fails, the platform stops with the exit code of that.
pub(crate) async fn up(up: Up, vars: Vars) -> anyhow::Result<ExitCode> {
    let mut log: LogConfig = section("GITDEPLOY_LOG_", &vars)?;
    // What the platform says of itself would stand between the lines of the build.
    log.filter.get_or_insert_with(|| "warn".to_owned());
    telemetry::init(&log)?;
    become_undumpable();
    let source = up.source.as_deref().map(Source::parse).transpose()?;
    let mut view = View::new(up.json);
    let platform = platform::start(&up, &vars).await?;
    welcome(&platform, &mut view).await?;

    let Platform { lifecycle, api, token, .. } = platform;
    let stopping = lifecycle.stopping();
    let running = lifecycle.run();
    let Some(source) = source else { return running.await };
    let deploying = async {
        let client = Client::new(api, token)?;
        let request = Request { source: &source, build: &up.build, data_dir: &up.data_dir };
        deploy::follow(&client, &request, &mut view).await
    };
    let mut running = std::pin::pin!(running);
    let ended = tokio::select! {
        code = &mut running => {
            code?;
            return Ok(canceled(&mut view));
        }
        ended = deploying => ended,
    };
    match ended {
        // A platform that stops answers nobody; the deployment was canceled with it.
        Err(_) if stopping.is_cancelled() => {
            running.await?;
            Ok(canceled(&mut view))
        }
        Ok(ended) if ended.exit_code == 0 => {
            if let Err(error) = view.url(&ended) {
                tracing::warn!(%error, "nobody reads the address");
            }
            view.note("serving until Ctrl-C");
            running.await
        }
        other => {
            stopping.cancel();
            running.await?;
            Ok(ExitCode::from(other?.exit_code))
        }
    }
}

fn canceled(view: &mut View) -> ExitCode {
    view.note("canceled: the platform was stopped before the deployment was live");
    ExitCode::from(exit::CANCELED)
}

async fn welcome(platform: &Platform, view: &mut View) -> anyhow::Result<()> {
    let code = platform.control.new_login_code().await?;
    view.note(&format!("sites      {}", platform.sites.of("<name>")));
    view.note(&format!("dashboard  {}login?code={code} (works once, for ten minutes)", platform.api));
    view.note(&format!("data       {}", platform.data.display()));
    Ok(())
}
