//! The sites of the cases, each published into a store of its own with a proxy before it.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use gitdeploy_core::rules::{Headers, Redirects};
use gitdeploy_core::{DeploymentId, Route, SitePath, keys};
use gitdeploy_store::ObjectStore;
use http::HeaderName;
use jiff::Timestamp;
use request_handler::{Config, Handler, Options, Server, Trust};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Row, support};

/// The header in which a trusted neighbour says where visitors are.
pub(crate) const COUNTRY: &str = "x-country";

const DEPLOYMENT: &str = "01m9x2k4tb7f5q8r3w6z";

/// A site that is served.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) host: &'a str,
}

/// The sites so far: rows with the same files and rules share one.
#[derive(Default)]
pub(crate) struct Sites(HashMap<String, (SocketAddr, String)>);

impl Sites {
    pub(crate) async fn of(&mut self, row: &Row) -> Served<'_> {
        let host = row.request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = host.map_or("site.localhost", |(_, host)| host).to_owned();
        let key = serde_json::to_string(&(
            &host,
            &row.files,
            &row.redirects,
            &row.headers,
            row.settings,
            &row.encodings,
        ));
        let key = key.unwrap();
        if !self.0.contains_key(&key) {
            let address = start(row, &host).await;
            self.0.insert(key.clone(), (address, host));
        }
        let (address, host) = &self.0[&key];
        Served { address: *address, host }
    }
}

/// The path of a file in a site, if it can have one.
pub(crate) fn path(path: &str) -> Option<SitePath> {
    path.strip_prefix('/')?.parse().ok()
}

async fn start(row: &Row, host: &str) -> SocketAddr {
    let store = ObjectStore::memory();
    let mut manifest = support::empty_manifest(DEPLOYMENT);
    for (name, content) in &row.files {
        let path = path(name).unwrap();
        support::add(&store, &mut manifest, None, path.as_str(), &Bytes::from(content.clone())).await;
        for encoding in &row.encodings {
            let copy = Bytes::from(format!("{content} in {encoding}"));
            support::add_named(&store, &mut manifest, &format!("{path} [{encoding}]"), &copy).await;
        }
    }
    let mut redirects = Redirects::new(row.settings.redirects).with_pages(row.settings.html_handling);
    redirects.read(row.redirects.as_deref().unwrap_or_default());
    let mut headers = Headers::default();
    headers.read(row.headers.as_deref().unwrap_or_default());
    manifest.rules.redirects = redirects.into_rules();
    manifest.rules.headers = headers.into_rules();
    manifest.rules.serve = row.settings;
    support::put_manifest(&store, &manifest).await;

    let id: DeploymentId = DEPLOYMENT.parse().unwrap();
    let route = Route::new("site".parse().unwrap(), id, Timestamp::UNIX_EPOCH);
    let name = host.strip_suffix(".localhost").unwrap_or(host);
    support::put(&store, &keys::route(name).unwrap(), serde_json::to_vec(&route).unwrap().into()).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Handler::new(store, &Config::default());
    let trust = Trust {
        networks: "127.0.0.1".to_owned().try_into().unwrap(),
        country_header: Some(HeaderName::from_static(COUNTRY)),
        ..Trust::default()
    };
    let server = Server::new(handler, Options { trust, ..Options::default() }).listen(listener);
    tokio::spawn(server.serve(CancellationToken::new()));
    address
}
