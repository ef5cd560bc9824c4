//! TLS as visitors see it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::process::{self, Proxy};
use crate::server::{SOON, get, rest};
use crate::support;
use bytes::Bytes;
use gitdeploy_store::ObjectStore;
use request_handler::{Certificates, Config, Handler, Limits, Options, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A server with a certificate for each name.
struct Secured {
    address: SocketAddr,
    roots: RootCertStore,
    _stop: DropGuard,
}

async fn start(names: &[&str], limits: Limits) -> Secured {
    let folder = tempfile::tempdir().unwrap();
    let (mut certificates, mut keys, mut trusted) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let (certificate, key, root) = write(folder.path(), name);
        trusted.push(root);
        certificates.push(certificate);
        keys.push(key);
    }
    let certificates = Certificates::read(&certificates, &keys).unwrap();
    let store = ObjectStore::memory();
    support::publish(&store, "blog", &[("index.html", Bytes::from_static(b"home"))]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stopping) = (listener.local_addr().unwrap(), CancellationToken::new());
    let server =
        Server::new(Handler::new(store, &Config::default()), Options { limits, ..Options::default() });
    tokio::spawn(server.listen_tls(listener, &certificates).serve(stopping.clone()));
    Secured { address, roots: roots(trusted), _stop: stopping.drop_guard() }
}

fn write(folder: &Path, name: &str) -> (PathBuf, PathBuf, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key, made.cert.der().clone())
}

impl Secured {
    async fn connect(&self, name: &str, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.address, &self.roots, name, protocols).await
    }
}

fn roots(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).unwrap();
    }
    roots
}

async fn connect(
    address: SocketAddr,
    roots: &RootCertStore,
    name: &str,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let secured = start(&["*.sites.example"], Limits::default()).await;
    let mut first = secured.connect("blog.sites.example", &["http/1.1"]).await.unwrap();
    assert_eq!(get(&mut first, "blog.localhost", "/").await.1, "home");
    let mut none = secured.connect("blog.sites.example", &[]).await.unwrap();
    assert_eq!(get(&mut none, "blog.localhost", "/").await.1, "home");

    let second = secured.connect("blog.sites.example", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(second.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (visitor, connection) = h2::client::handshake(second).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://blog.localhost/").body(()).unwrap();
    let response = visitor.ready().await.unwrap().send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().data().await.unwrap().unwrap(), "home");
}

#[tokio::test]
async fn the_certificate_is_the_one_for_the_name() {
    let secured = start(&["*.sites.example", "blog.example"], Limits::default()).await;
    for name in ["blog.sites.example", "blog.example"] {
        assert!(secured.connect(name, &[]).await.is_ok(), "{name}");
    }
    let error = secured.connect("other.example", &[]).await.unwrap_err().to_string();
    assert!(error.contains("sites.example"), "the first one is offered: {error}");
}

#[tokio::test]
async fn a_handshake_is_bounded() {
    let secured =
        start(&["*.sites.example"], Limits { head: Duration::from_millis(200), ..Limits::default() }).await;
    for begin in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(secured.address).await.unwrap();
        stream.write_all(begin).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"");
    }
    let mut plain = TcpStream::connect(secured.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let said = rest(&mut plain).await;
    assert!(!said.starts_with(b"HTTP/"), "what is not TLS is not answered");
}

#[tokio::test]
async fn new_files_are_used_by_a_process_that_runs() {
    let (folder, certificates) = (process::site().await, tempfile::tempdir().unwrap());
    let (certificate, key, before) = write(certificates.path(), "blog.example");
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    let settings = [
        ("GITDEPLOY_PROXY_TLS_LISTEN", "127.0.0.1:0"),
        ("GITDEPLOY_PROXY_TLS_CERTIFICATE", certificate.as_str()),
        ("GITDEPLOY_PROXY_TLS_KEY", key.as_str()),
    ];
    let proxy = Proxy::start(&folder, &settings).await;
    let address = process::field(&proxy.running.wait_for_line("tls_address", SOON).await, "tls_address");
    let address = address.parse().unwrap();
    let mut stream = connect(address, &roots([before]), "blog.example", &[]).await.unwrap();
    assert_eq!(get(&mut stream, "blog.localhost", "/").await.1, "home");

    std::fs::write(&key, "half a key").unwrap();
    proxy.running.wait_for_line("those from before stay in use", SOON).await;
    let (.., after) = write(certificates.path(), "blog.example");
    proxy.running.wait_for_line("the certificates have been read again", SOON).await;
    let mut stream = connect(address, &roots([after]), "blog.example", &[]).await.unwrap();
    assert_eq!(get(&mut stream, "blog.localhost", "/").await.1, "home");
    let line = proxy.running.wait_for_line("\"visitor.secure\":true", SOON).await;
    assert!(line.contains("\"protocol\":\"http/1.1\""), "{line}");
}
