//! `gitdeploy open`.

use std::process::{ExitCode, Stdio};

use crate::cli::Open;
use crate::client::{Client, ClientError};
use crate::view::print;

/// Programs that open an address in the browser, by system.
const OPENERS: &[&str] = if cfg!(target_os = "macos") { &["open"] } else { &["xdg-open", "wslview"] };

/// Prints the address of a site or of the dashboard, and opens it where there is a browser.
pub(crate) async fn open(open: Open) -> anyhow::Result<ExitCode> {
    let client = Client::find(open.platform)?;
    let url = match &open.name {
        None => client.login_link().await?.url,
        Some(name) => address(&client, name).await?,
    };
    print(&url)?;
    if !open.print && !open_in_browser(&url) {
        anstream::eprintln!("no browser could be started; open the address yourself");
    }
    Ok(ExitCode::SUCCESS)
}

async fn address(client: &Client, name: &str) -> Result<String, ClientError> {
    let projects = client.projects().await?;
    match projects.items.into_iter().find(|project| project.project.as_str() == name) {
        Some(project) => Ok(project.url),
        None => Ok(client.deployment(name).await?.url),
    }
}

fn open_in_browser(url: &str) -> bool {
    OPENERS.iter().any(|opener| {
        let mut command = std::process::Command::new(opener);
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().is_ok()
    })
}
