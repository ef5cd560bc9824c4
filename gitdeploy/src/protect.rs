//! `gitdeploy protect`.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::Context as _;
use upload_service::api::{ChangePassword, ChangeProtection};

use crate::cli::{Protect, Switch};
use crate::client::Client;
use crate::view::print;

/// How much of standard input is looked at, in bytes: more than any password has.
const LONGEST: u64 = 4 << 10;

/// Changes who may see a project's site, if anything is to change, and prints who may.
pub(crate) async fn protect(protect: Protect) -> anyhow::Result<ExitCode> {
    let client = Client::find(protect.platform)?;
    let change = if protect.off {
        ChangeProtection { maintenance: Some(false), password: ChangePassword::Remove }
    } else {
        ChangeProtection {
            maintenance: protect.maintenance.map(|switch| switch == Switch::On),
            password: if protect.password { ChangePassword::Set(ask()?) } else { ChangePassword::Stay },
        }
    };
    let protection = client.protect(protect.project.as_str(), &change).await?;
    print(match (protection.maintenance, protection.password) {
        (true, true) => "nobody sees the site: it is in maintenance; then, who knows the password",
        (true, false) => "nobody sees the site: it is in maintenance",
        (false, true) => "who knows the password sees the site",
        (false, false) => "everybody sees the site",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The password: typed unseen, or the first line of what is not a terminal. It is no value of an option, which others
/// on the machine can read.
fn ask() -> anyhow::Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("cannot read the password")?;
        let again = rpassword::prompt_password("Again: ").context("cannot read the password")?;
        anyhow::ensure!(password == again, "the two are not the same");
        return Ok(password);
    }
    let mut line = String::new();
    let mut input = input.lock().take(LONGEST);
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
