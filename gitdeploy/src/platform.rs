//! The whole platform in one process: a directory as store, memory as bus, SQLite as catalog and builders as
//! child processes, unless the settings say otherwise.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_runtime::{Lifecycle, Vars, section};
use gitdeploy_store::StoreConfig;
use request_handler::Handler;
use secrecy::SecretString;
use tokio::net::TcpListener;
use upload_service::{Config as ApiConfig, Control, Launcher, Selection, SitesUrl};
use url::Url;

use crate::cli::Up;
use crate::client::API_FILE;

/// How long requests and builds may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(15);

/// A platform that runs.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) control: Control,
    pub(crate) api: Url,
    pub(crate) token: SecretString,
    pub(crate) sites: SitesUrl,
    pub(crate) data: PathBuf,
}

/// Starts a platform as the options and the settings say.
pub(crate) async fn start(up: &Up, vars: &Vars) -> anyhow::Result<Platform> {
    let mut proxy: request_handler::Config = section("GITDEPLOY_PROXY_", vars)?;
    let mut api = ApiConfig::from_vars(vars)?;
    let store: StoreConfig = section("GITDEPLOY_STORE_", vars)?;

    let data = std::path::absolute(&up.data_dir).context("cannot tell where the data directory is")?;
    let mut vars = vars.clone();
    if store.bucket.is_none() && store.directory.is_none() {
        vars.push(("GITDEPLOY_STORE_DIRECTORY".to_owned(), data.join("store").display().to_string()));
    }
    let selection = Selection::from_vars(&api, &vars)?;
    let sites_listener = listen(up.sites_listen, "--sites-listen").await?;
    let api_listener = listen(up.api_listen, "--api-listen").await?;
    proxy.listen = sites_listener.local_addr()?;
    api.listen = api_listener.local_addr()?;
    api.data_directory.clone_from(&data);
    api.grace_seconds = GRACE.as_secs();
    api.public_url.get_or_insert(api_url(api.listen)?);
    if !vars.iter().any(|(name, value)| name == "GITDEPLOY_API_SITES_URL" && !value.is_empty()) {
        let template = format!("http://{{label}}.{}:{}/", proxy.domain, proxy.listen.port());
        api.sites_url = SitesUrl::try_from(template).context("cannot tell the address of sites")?;
    }
    let (sites, api_url) = (api.sites_url.clone(), api_url(api.listen)?);

    make_data_directory(&data)?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let own = Launcher::process(program, vec!["build-server".to_owned()], &vars);
    let parts = selection.open(&api, own).await?;
    let store = parts.store.clone();
    // Until here a signal ends the process at once; from here on there is something to bring to an end.
    let mut lifecycle = Lifecycle::new(GRACE + Duration::from_secs(2))?;
    let token = api.token.clone();
    let control = Control::open(api, parts, lifecycle.stopping()).await?;
    let token = if let Some(token) = token {
        token
    } else {
        let text = std::fs::read_to_string(data.join("token")).context("cannot read the token")?;
        text.trim().to_owned().into()
    };
    std::fs::write(data.join(API_FILE), format!("{api_url}\n"))
        .with_context(|| format!("cannot write in the data directory `{}`", data.display()))?;

    let handler = Handler::new(store, &proxy);
    let news = control.bus().follow_routes();
    lifecycle.spawn("the proxy's invalidation", handler.clone().follow(news, lifecycle.stopping()));
    let stopping = lifecycle.stopping();
    lifecycle.spawn("the proxy", request_handler::serve(sites_listener, handler, stopping, GRACE));
    lifecycle.spawn("the upload service", upload_service::serve(api_listener, control.clone()));
    Ok(Platform { lifecycle, control, api: api_url, token, sites, data })
}

async fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "cannot listen on {address}: another program does; if it is `gitdeploy up`, use `gitdeploy deploy`, else choose another address with `{option}`"
        ),
        _ => anyhow::anyhow!("cannot listen on {address}: {error}; choose another address with `{option}`"),
    })
}

/// Where clients on this machine reach the API.
fn api_url(listen: SocketAddr) -> anyhow::Result<Url> {
    let mut host = listen;
    if listen.ip().is_unspecified() {
        host.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Url::parse(&format!("http://{host}/")).context("cannot tell the address of the API")
}

fn make_data_directory(data: &Path) -> anyhow::Result<()> {
    upload_service::check_data_directory(data)
        .map_err(|error| anyhow::anyhow!("{error}; choose another with `--data-dir`"))?;
    // The data directory is no part of the repository that it may lie in.
    std::fs::write(data.join(".gitignore"), "*\n")
        .with_context(|| format!("cannot write in the data directory `{}`", data.display()))
}
