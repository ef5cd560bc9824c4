//! The commands and their options.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gitdeploy_bus::Position;
use gitdeploy_core::ProjectId;

/// Turns a git repository into a live web site.
#[derive(Debug, Parser)]
#[command(name = "gitdeploy", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole platform on this machine, and deploy SOURCE if it is given
    Up(Up),
    /// Deploy SOURCE to the platform that runs
    Deploy(Deploy),
    /// Print what a build of SOURCE would do, and why, without building it
    Plan(Plan),
    /// List deployments, the newest first
    List(List),
    /// Print the log of a deployment
    Logs(Logs),
    /// Serve a deployment that is ready as its project's production
    Promote(Promote),
    /// Serve the deployment before the one in production
    Rollback(Rollback),
    /// Say who may see a project's site: everybody, who knows a password, or nobody
    Protect(Protect),
    /// Stop a build
    Cancel(Cancel),
    /// Say why an address is answered as it is: by which deployment, rule, file and cache
    Explain(Explain),
    /// Open a site in the browser, or the dashboard
    Open(Open),
    /// Run one build, as the launcher of `up` does
    #[command(hide = true)]
    BuildServer,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// A git URL, or a directory: the commit that is checked out, or the files if it is in no repository
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) build: Build,
    /// Where sites are served; port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) sites_listen: SocketAddr,
    /// Where the API and the dashboard are served; port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub(crate) api_listen: SocketAddr,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = ".gitdeploy")]
    pub(crate) data_dir: PathBuf,
    /// Print events as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// A git URL, or a directory: the commit that is checked out, or the files if it is in no repository
    #[arg(required_unless_present = "prebuilt")]
    pub(crate) source: Option<String>,
    /// Publish this directory as it is, without a build
    #[arg(long, value_name = "DIR", conflicts_with = "source")]
    pub(crate) prebuilt: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) build: Build,
    #[command(flatten)]
    pub(crate) platform: Platform,
    /// Print events as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is said about a deployment.
#[derive(Debug, Default, Args)]
pub(crate) struct Build {
    /// The project; without it, it is called like the repository or the directory
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<ProjectId>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Serve the deployment under its own id only, and leave production as it is
    #[arg(long, conflicts_with = "prod")]
    pub(crate) preview: bool,
    /// Serve the deployment as production, which is the default
    #[arg(long)]
    pub(crate) prod: bool,
}

/// What is said about how a source is built.
#[derive(Debug, Default, Args)]
pub(crate) struct Settings {
    /// The branch, tag or commit of a git URL
    #[arg(long = "ref", value_name = "REF")]
    pub(crate) reference: Option<String>,
    /// The directory of the project in its repository
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<String>,
    /// The install command
    #[arg(long, value_name = "COMMAND")]
    pub(crate) install: Option<String>,
    /// The build command
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// The version of Node.js, as `.nvmrc` says it
    #[arg(long, value_name = "VERSION")]
    pub(crate) node: Option<String>,
    /// The output directory, relative to the project's directory
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// A git URL, or a directory, which is looked at as it is
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only deployments of this project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<ProjectId>,
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
    /// Print the deployments as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The deployment's id, or its beginning
    pub(crate) id: String,
    /// Go on until the build ends
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only what comes after this event
    #[arg(long, value_name = "SEQ", default_value = "0")]
    pub(crate) from: Position,
    /// Print events as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The deployment's id, or its beginning
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The project
    pub(crate) project: ProjectId,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct Protect {
    /// The project
    pub(crate) project: ProjectId,
    /// Let in who knows the password: it is asked for or, without a terminal, the first line of standard input
    #[arg(long, visible_alias = "password-stdin")]
    pub(crate) password: bool,
    /// Show everybody that the site is being worked on; `=off` ends that, and leaves a password
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub(crate) maintenance: Option<Switch>,
    /// Let everybody in: no password, no maintenance
    #[arg(long, conflicts_with_all = ["password", "maintenance"])]
    pub(crate) off: bool,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The deployment's id, or its beginning
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The address of a page
    pub(crate) url: String,
    /// A header to ask with, such as `Accept-Language: de`
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Print the explanation as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct Open {
    /// A project or a deployment's id; without it, the dashboard
    pub(crate) name: Option<String>,
    /// Print the address, and open nothing
    #[arg(long)]
    pub(crate) print: bool,
    #[command(flatten)]
    pub(crate) platform: Platform,
}

/// How the platform is found.
#[derive(Debug, Args)]
pub(crate) struct Platform {
    /// The address of the API; without it, the one that runs on the data directory
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<url::Url>,
    /// The token; without it, the one in the data directory
    #[arg(long, value_name = "TOKEN", env = "GITDEPLOY_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<secrecy::SecretString>,
    /// The data directory of the platform
    #[arg(long, value_name = "DIR", default_value = ".gitdeploy")]
    pub(crate) data_dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
