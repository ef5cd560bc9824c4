//! How many files, and so connections, the process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// How many files are needed beside connections: for the store, for certificates, for logs.
const BESIDE: u64 = 512;

/// Takes as many as the system gives. Says so if they are fewer than `connections` need.
pub(crate) fn raise(connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
    let wanted = connections as u64 + BESIDE;
    if let Some(may) = getrlimit(Resource::Nofile).current.filter(|may| *may < wanted) {
        tracing::warn!(
            open_files = may,
            connections,
            "the system allows fewer open files than `GITDEPLOY_PROXY_CONNECTIONS` needs; raise `ulimit -n`, or lower the setting"
        );
    }
}
