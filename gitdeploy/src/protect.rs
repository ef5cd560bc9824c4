//! `gitdeploy protect`.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::Context as _;
use upload_service::api::ChangeProtection;

use crate::cli::{Protect, Switch};
use crate::client::Client;
use crate::view::print;

/// Changes who may see a project's site, if anything is to change, and prints who may.
pub(crate) async fn protect(protect: Protect) -> anyhow::Result<ExitCode> {
    let client = Client::find(protect.platform)?;
    let password = match (protect.password, protect.no_password) {
        (true, _) => Some(Some(ask()?)),
        (false, true) => Some(None),
        (false, false) => None,
    };
    let maintenance = protect.maintenance.map(|switch| switch == Switch::On);
    let change = ChangeProtection { maintenance, password };
    let project = protect.project.as_str();
    let protection = client.protect(project, &change).await?;
    print(match (protection.maintenance, protection.password) {
        (true, _) => "nobody sees the site: it is in maintenance",
        (false, true) => "who knows the password sees the site",
        (false, false) => "everybody sees the site",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The password: typed unseen, or the first line of what is not a terminal. It is no option of the command line, which
/// others on the machine can read.
fn ask() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("cannot read the password")?;
        let again = rpassword::prompt_password("Again: ").context("cannot read the password")?;
        anyhow::ensure!(password == again, "the two are not the same");
        return Ok(password);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read the password from standard input")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
