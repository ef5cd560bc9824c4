//! TLS with certificates from files, which are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Certificates that are in use, and where they come from. Clones share them.
#[derive(Debug, Clone)]
pub struct Certificates {
    files: Arc<[Pair]>,
    chosen: Arc<Chosen>,
}

/// The file of a certificate, with those that vouch for it, and the file of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

/// Certificates in the order of the settings.
#[derive(Debug)]
struct Chosen(RwLock<Vec<Arc<CertifiedKey>>>);

/// What is in the files. It is compared and never shown.
#[derive(PartialEq, Eq)]
struct Contents(Vec<(Vec<u8>, Vec<u8>)>);

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Read(PathBuf, std::io::Error),
    /// A file has something else in it.
    #[error("`{0}` is no PEM file with {1}: {2}")]
    Pem(PathBuf, &'static str, pem::Error),
    /// A certificate or a key that rustls does not take, or a key of another certificate.
    #[error("cannot use the certificate `{0}` with the key `{1}`: {2}")]
    Pair(PathBuf, PathBuf, rustls::Error),
    /// There are more of the ones than of the others.
    #[error("there are {0} certificates and {1} keys: each certificate needs a key, in the same order")]
    Count(usize, usize),
}

impl Certificates {
    /// Reads certificates and their keys, of which there is one for each.
    pub fn read(certificates: &[PathBuf], keys: &[PathBuf]) -> Result<Self, CertificateError> {
        if certificates.len() != keys.len() || keys.is_empty() {
            return Err(CertificateError::Count(certificates.len(), keys.len()));
        }
        let pair = |(certificate, key): (&PathBuf, &PathBuf)| Pair {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let files: Arc<[Pair]> = certificates.iter().zip(keys).map(pair).collect();
        let read = parse(&files, &contents(&files)?)?;
        Ok(Self { files, chosen: Arc::new(Chosen(RwLock::new(read))) })
    }

    /// Uses what is in the files whenever it has changed. What cannot be used is reported once, and the certificates
    /// from before stay in use.
    pub async fn follow(self, stopping: CancellationToken) {
        let mut last = contents(&self.files).ok();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stopping.cancelled() => return,
            }
            last = self.look(last).await;
        }
    }

    /// Looks at the files once; `last` is what was in them before, and what is returned is what is in them now.
    async fn look(&self, last: Option<Contents>) -> Option<Contents> {
        let files = Arc::clone(&self.files);
        let read = tokio::task::spawn_blocking(move || contents(&files)).await.ok()?;
        let now = match read {
            Ok(now) if last.as_ref() == Some(&now) => return last,
            Ok(now) => now,
            Err(error) => {
                if last.is_some() {
                    tracing::warn!(%error, "the certificates cannot be read; those from before stay in use");
                }
                return None;
            }
        };
        match parse(&self.files, &now) {
            Ok(certificates) => {
                *self.chosen.0.write().unwrap_or_else(PoisonError::into_inner) = certificates;
                tracing::info!("the certificates have been read again");
            }
            Err(error) => {
                tracing::warn!(%error, "the new certificates cannot be used; those from before stay in use");
            }
        }
        Some(now)
    }

    /// What makes handshakes with these certificates.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions");
        let chosen: Arc<dyn ResolvesServerCert> = Arc::<Chosen>::clone(&self.chosen);
        let mut config = config.with_no_client_auth().with_cert_resolver(chosen);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config).into()
    }
}

impl ResolvesServerCert for Chosen {
    /// The first certificate for the name that the visitor wants, else the first one.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |certificate: &&Arc<CertifiedKey>, name: &ServerName<'_>| {
            let parsed = certificate.end_entity_cert().and_then(ParsedCertificate::try_from);
            parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
        };
        let wanted = name.and_then(|name| certificates.iter().find(|certificate| is_for(certificate, &name)));
        wanted.or(certificates.first()).cloned()
    }
}

fn contents(files: &[Pair]) -> Result<Contents, CertificateError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|error| CertificateError::Read(path.to_owned(), error));
    let pairs = files.iter().map(|pair| Ok((read(&pair.certificate)?, read(&pair.key)?)));
    pairs.collect::<Result<_, _>>().map(Contents)
}

fn parse(files: &[Pair], contents: &Contents) -> Result<Vec<Arc<CertifiedKey>>, CertificateError> {
    files.iter().zip(&contents.0).map(|(pair, (certificate, key))| pair.parse(certificate, key)).collect()
}

impl Pair {
    fn parse(&self, certificate: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, CertificateError> {
        let pem = |path: &Path, what| {
            let path = path.to_owned();
            move |error| CertificateError::Pem(path, what, error)
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(pem(&self.certificate, "certificates"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(pem(&self.key, "a private key"))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let unusable = |error| CertificateError::Pair(self.certificate.clone(), self.key.clone(), error);
        certified.map(Arc::new).map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Files with a new certificate for a name.
    fn write(folder: &Path, file: &str, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let files = (folder.join(format!("{file}.pem")), folder.join(format!("{file}.key")));
        fs::write(&files.0, made.cert.pem()).unwrap();
        fs::write(&files.1, made.signing_key.serialize_pem()).unwrap();
        files
    }

    fn first(certificates: &Certificates) -> Vec<u8> {
        certificates.chosen.0.read().unwrap()[0].end_entity_cert().unwrap().to_vec()
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) =
            (write(folder.path(), "one", "a.example"), write(folder.path(), "other", "a.example"));
        let read = |certificate: &Path, key: &Path| {
            Certificates::read(&[certificate.to_owned()], &[key.to_owned()])
                .map(drop)
                .unwrap_err()
                .to_string()
        };
        let error = read(&one.0, &other.1);
        assert!(error.starts_with("cannot use the certificate `") && error.contains("other.key"), "{error}");
        let error = read(&one.1, &one.1);
        assert!(error.contains("one.key"), "{error}");
        let error = read(&one.0, &one.0);
        assert!(error.contains("one.pem` is no PEM file with a private key"), "{error}");
        assert!(read(Path::new("/nowhere"), &one.1).starts_with("cannot read `/nowhere`"));
    }

    #[tokio::test]
    async fn new_files_are_used_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = write(folder.path(), "site", "a.example");
        let certificates = Certificates::read(std::slice::from_ref(&certificate), &[key]).unwrap();
        let before = first(&certificates);
        let last = certificates.look(contents(&certificates.files).ok()).await;
        assert_eq!(first(&certificates), before);

        fs::write(&certificate, "half a").unwrap();
        let last = certificates.look(last).await;
        assert_eq!(first(&certificates), before);
        fs::remove_file(&certificate).unwrap();
        let last = certificates.look(last).await;
        assert_eq!(first(&certificates), before);

        write(folder.path(), "site", "a.example");
        certificates.look(last).await;
        assert_ne!(first(&certificates), before);
    }
}
