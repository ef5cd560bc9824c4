//! How a builder becomes a sibling container of this machine: what the command line of docker is told.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use gitdeploy_core::BuildSpec;
use gitdeploy_runtime::Vars;

/// The command line that starts containers.
const DOCKER: &str = "docker";

/// How long it may take to be told to kill a container.
const KILL: Duration = Duration::from_secs(10);

/// What only makes sense on this machine, or to docker itself.
const OF_THIS_MACHINE: &[&str] =
    &["PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

/// How the variables start that are docker's own.
pub(super) const OF_DOCKER: &str = "DOCKER_";

#[derive(Debug, Clone)]
pub(super) struct Container {
    image: String,
    options: Vec<String>,
}

/// A container that runs, to be killed by its name: killing docker's command line leaves it alone.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    vars: Vars,
}

impl Container {
    pub(super) fn image(&self) -> &str {
        &self.image
    }

    pub(super) fn new(image: String, options: Vec<String>) -> Self {
        Self { image, options }
    }

    pub(super) fn program() -> PathBuf {
        PathBuf::from(DOCKER)
    }

    /// The arguments for a builder with these variables. Of them only the names are told: the values come from the
    /// environment of the command line, so nothing secret stands where `ps` shows it.
    pub(super) fn arguments<'a>(
        &self,
        spec: &BuildSpec,
        names: impl Iterator<Item = &'a str>,
    ) -> Vec<String> {
        let mut arguments: Vec<String> = ["run", "--rm", "-i", "--name"].map(str::to_owned).into();
        arguments.push(name(spec));
        arguments.extend(self.options.iter().cloned());
        for name in names.filter(|name| !OF_THIS_MACHINE.contains(name) && !name.starts_with(OF_DOCKER)) {
            arguments.extend(["-e".to_owned(), name.to_owned()]);
        }
        arguments.push(self.image.clone());
        arguments
    }

    pub(super) fn running(spec: &BuildSpec, vars: &Vars) -> Running {
        Running { name: name(spec), vars: vars.clone() }
    }
}

fn name(spec: &BuildSpec) -> String {
    let attempt = spec.attempt.map_or(0, |attempt| attempt.0);
    format!("gitdeploy-{}-{attempt}", spec.output_id())
}

impl Running {
    pub(super) async fn kill(&self) {
        let mut docker = tokio::process::Command::new(DOCKER);
        docker
            .args(["kill", &self.name])
            .env_clear()
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        match tokio::time::timeout(KILL, docker.status()).await {
            Ok(Ok(status)) if status.success() => {}
            // It may have ended in the meantime.
            Ok(Ok(status)) => tracing::debug!(container = self.name, %status, "a container is not killed"),
            Ok(Err(error)) => tracing::warn!(container = self.name, %error, "a container cannot be killed"),
            Err(_) => tracing::warn!(container = self.name, "docker does not kill a container in time"),
        }
    }
}
