//! `gitdeploy explain`: why an address is answered as it is.
//!
//! The address may be anybody's, so what it is sent is no token but a grant: good for its host alone, for minutes.

mod ask;
mod error;
mod words;

use std::process::ExitCode;

use gitdeploy_core::Explanation;
use serde::Serialize;

use crate::cli::Explain;
use crate::client::Client;
use crate::view::{print, shown};

pub(crate) use error::ExplainError;

/// What an address has answered, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    pub(crate) url: String,
    pub(crate) status: u16,
    /// Where it leads.
    pub(crate) location: Option<String>,
    #[serde(flatten)]
    pub(crate) explanation: Explanation,
}

/// Asks for the address as a browser would, and prints why it is answered so.
pub(crate) async fn explain(explain: Explain) -> anyhow::Result<ExitCode> {
    let page = ask::Page::parse(&explain.url, &explain.headers)?;
    let client = Client::find(explain.platform)?;
    let grant = client.grant(page.host()).await?;
    let explained = page.ask(&grant.grant).await?;
    if explain.json {
        print(&serde_json::to_string(&explained)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in words::lines(&explained) {
        print(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A text of a stranger's in a line of its own: whoever answers writes what they like.
fn safe(text: &str) -> String {
    shown(&text.replace('\x1b', ""))
}
