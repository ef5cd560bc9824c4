//! What a builder is told to build, as variables of its environment and back.

use serde::{Deserialize, Serialize};

use crate::cache::{CacheLevel, CacheMode, CacheUse};
use crate::ids::{Attempt, DeploymentId, OutputId, ProjectId};

/// The variables that a build spec is made of.
pub mod variable {
    /// The repository to clone.
    pub const REPOSITORY: &str = "GIT_REPOSITORY_URL";
    /// The branch, tag or commit; absent: the repository's default branch.
    pub const REFERENCE: &str = "GIT_REF";
    /// The project.
    pub const PROJECT: &str = "PROJECT_ID";
    /// The deployment, when an upload service launched the builder.
    pub const DEPLOYMENT: &str = "DEPLOYMENT_ID";
    /// Which start of the deployment it is.
    pub const ATTEMPT: &str = "GITDEPLOY_ATTEMPT";
    /// The address under which the deployment will be served.
    pub const URL: &str = "DEPLOYMENT_URL";
    /// The deployment that is in production while this one is built.
    pub const PREVIOUS: &str = "GITDEPLOY_PREVIOUS";
    /// `source` or `prebuilt`: the source is the archive that was uploaded for the deployment.
    pub const UPLOAD: &str = "GITDEPLOY_UPLOAD";
    /// The directory of the project in its repository.
    pub const ROOT: &str = "GITDEPLOY_ROOT";
    /// The install command.
    pub const INSTALL: &str = "GITDEPLOY_BUILD_INSTALL";
    /// The build command.
    pub const COMMAND: &str = "GITDEPLOY_BUILD_COMMAND";
    /// The version of Node.js, as `.nvmrc` says it.
    pub const NODE: &str = "GITDEPLOY_BUILD_NODE";
    /// The output directory, relative to the root.
    pub const OUTPUT: &str = "GITDEPLOY_BUILD_OUTPUT";
    /// What the build does with the cache of its project: `read-write`, `read`, `write` or `off`.
    pub const CACHE: &str = "GITDEPLOY_CACHE";
    /// How far the build is trusted with it: `production` or `preview`.
    pub const CACHE_LEVEL: &str = "GITDEPLOY_CACHE_LEVEL";
    /// The repository's address as it is shown, when the source is an archive.
    pub const ORIGIN_REPOSITORY: &str = "GITDEPLOY_ORIGIN_REPOSITORY";
    /// The branch that an archive was made from.
    pub const ORIGIN_REFERENCE: &str = "GITDEPLOY_ORIGIN_REFERENCE";
    /// The commit that an archive was made from.
    pub const ORIGIN_COMMIT: &str = "GITDEPLOY_ORIGIN_COMMIT";
    /// The first line of that commit's message.
    pub const ORIGIN_MESSAGE: &str = "GITDEPLOY_ORIGIN_MESSAGE";
}

/// The variables that say who builders are to git servers. They are no part of a spec: the operator sets them,
/// and what is in them is shown nowhere.
pub mod git {
    /// The password or token for repositories over HTTPS.
    pub const TOKEN: &str = "GITDEPLOY_GIT_TOKEN";
    /// The user that goes with it; absent: one that the forges take with a token.
    pub const USER: &str = "GITDEPLOY_GIT_USER";
    /// The one host, with a port where it is not the usual one, that gets the token or sees the key.
    pub const HOST: &str = "GITDEPLOY_GIT_HOST";
    /// The private key for repositories over SSH.
    pub const SSH_KEY: &str = "GITDEPLOY_GIT_SSH_KEY";
    /// Keys of SSH servers, in the lines of a `known_hosts` file.
    pub const KNOWN_HOSTS: &str = "GITDEPLOY_GIT_KNOWN_HOSTS";
    /// All of them.
    pub const ALL: &[&str] = &[TOKEN, USER, HOST, SSH_KEY, KNOWN_HOSTS];
}

/// What to build and what to call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSpec {
    /// The project.
    pub project: ProjectId,
    /// The deployment; absent where a builder runs without an upload service.
    pub deployment: Option<DeploymentId>,
    /// Which start it is; absent where a builder runs without an upload service.
    pub attempt: Option<Attempt>,
    /// The address under which it will be served, where it is known.
    pub url: Option<String>,
    /// The project's deployment that is in production: what it shares with the new one need not be made again.
    pub previous: Option<DeploymentId>,
    /// Where the files come from.
    pub source: Source,
    /// What the project says about its build.
    pub settings: BuildSettings,
    /// What it does with the cache of its project.
    pub cache: CacheUse,
}

/// Where the files of a build come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A repository to clone.
    Git {
        /// Its address.
        repository: String,
        /// The branch, tag or commit; absent: the default branch.
        reference: Option<String>,
    },
    /// An archive that was uploaded for the deployment.
    Upload {
        /// Whether it is to be built or only published.
        kind: UploadKind,
        /// What the archive was made from.
        origin: crate::manifest::Origin,
    },
}

/// What an uploaded archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadKind {
    /// A source tree, to be built.
    Source,
    /// A finished site, to be published as it is.
    Prebuilt,
}

/// What a project says about its build; what is absent is found out from its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildSettings {
    /// The directory of the project in its repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The install command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// The build command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The version of Node.js, as `.nvmrc` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The output directory, relative to the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// Why variables are no build spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` {reason}")]
pub struct SpecError {
    /// The variable that is wrong.
    pub variable: &'static str,
    /// What is wrong with it, as the end of the sentence.
    pub reason: String,
}

impl BuildSpec {
    /// What the objects of the build are filed under.
    pub fn output_id(&self) -> OutputId {
        match &self.deployment {
            Some(deployment) => deployment.clone().into(),
            None => self.project.clone().into(),
        }
    }

    /// Reads a spec from variables. An empty variable counts as absent; unknown ones are passed over.
    pub fn from_vars(vars: &[(String, String)]) -> Result<Self, SpecError> {
        let get = |variable: &str| {
            let found = vars.iter().find(|(name, _)| name == variable);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let project = get(variable::PROJECT)
            .ok_or_else(|| missing(variable::PROJECT, "the name of the project, such as `my-site`"))?;
        Ok(Self {
            project: project.parse().map_err(|error| invalid(variable::PROJECT, &error))?,
            deployment: get(variable::DEPLOYMENT)
                .map(|text| text.parse().map_err(|error| invalid(variable::DEPLOYMENT, &error)))
                .transpose()?,
            attempt: get(variable::ATTEMPT)
                .map(|text| text.parse().map_err(|error| invalid(variable::ATTEMPT, &error)))
                .transpose()?
                .map(Attempt),
            url: get(variable::URL),
            previous: get(variable::PREVIOUS)
                .map(|text| text.parse().map_err(|error| invalid(variable::PREVIOUS, &error)))
                .transpose()?,
            source: source(&get)?,
            settings: BuildSettings {
                root: get(variable::ROOT),
                install: get(variable::INSTALL),
                command: get(variable::COMMAND),
                node: get(variable::NODE),
                output: get(variable::OUTPUT),
            },
            cache: cache(&get)?,
        })
    }

    /// The variables from which [`BuildSpec::from_vars`] reads the same spec.
    pub fn to_vars(&self) -> Vec<(String, String)> {
        let mut vars = Vec::new();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                vars.push((name.to_owned(), value.to_owned()));
            }
        };
        set(variable::PROJECT, Some(self.project.as_str()));
        set(variable::DEPLOYMENT, self.deployment.as_ref().map(DeploymentId::as_str));
        set(variable::ATTEMPT, self.attempt.map(|attempt| attempt.to_string()).as_deref());
        set(variable::URL, self.url.as_deref());
        set(variable::PREVIOUS, self.previous.as_ref().map(DeploymentId::as_str));
        match &self.source {
            Source::Git { repository, reference } => {
                set(variable::REPOSITORY, Some(repository));
                set(variable::REFERENCE, reference.as_deref());
            }
            Source::Upload { kind, origin } => {
                set(variable::UPLOAD, Some(kind.as_str()));
                set(variable::ORIGIN_REPOSITORY, origin.repository.as_deref());
                set(variable::ORIGIN_REFERENCE, origin.reference.as_deref());
                set(variable::ORIGIN_COMMIT, origin.commit.as_deref());
                set(variable::ORIGIN_MESSAGE, origin.message.as_deref());
            }
        }
        set(variable::ROOT, self.settings.root.as_deref());
        set(variable::INSTALL, self.settings.install.as_deref());
        set(variable::COMMAND, self.settings.command.as_deref());
        set(variable::NODE, self.settings.node.as_deref());
        set(variable::OUTPUT, self.settings.output.as_deref());
        let CacheUse { mode, level } = self.cache;
        set(variable::CACHE, Some(mode.as_str()).filter(|_| mode != CacheMode::default()));
        set(variable::CACHE_LEVEL, Some(level.as_str()).filter(|_| level != CacheLevel::default()));
        vars
    }
}

impl UploadKind {
    /// The name that stands in variables and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Prebuilt => "prebuilt",
        }
    }
}

fn source(get: &impl Fn(&str) -> Option<String>) -> Result<Source, SpecError> {
    let kind = match get(variable::UPLOAD).as_deref() {
        None => {
            let repository = get(variable::REPOSITORY)
                .ok_or_else(|| missing(variable::REPOSITORY, "the address of the repository to build"))?;
            return Ok(Source::Git { repository, reference: get(variable::REFERENCE) });
        }
        Some("source") => UploadKind::Source,
        Some("prebuilt") => UploadKind::Prebuilt,
        Some(other) => {
            let reason = format!("is `{other}`; it must be `source` or `prebuilt`");
            return Err(SpecError { variable: variable::UPLOAD, reason });
        }
    };
    if get(variable::DEPLOYMENT).is_none() {
        return Err(missing(variable::DEPLOYMENT, "the deployment whose archive is to be built"));
    }
    let origin = crate::manifest::Origin {
        repository: get(variable::ORIGIN_REPOSITORY),
        reference: get(variable::ORIGIN_REFERENCE),
        commit: get(variable::ORIGIN_COMMIT),
        message: get(variable::ORIGIN_MESSAGE),
    };
    Ok(Source::Upload { kind, origin })
}

fn cache(get: &impl Fn(&str) -> Option<String>) -> Result<CacheUse, SpecError> {
    let mode = one_of(variable::CACHE, get, CacheMode::ALL, CacheMode::as_str)?;
    let level = one_of(variable::CACHE_LEVEL, get, CacheLevel::ALL, CacheLevel::as_str)?;
    Ok(CacheUse { mode, level })
}

/// The value that a variable names, or the usual one if it names none.
fn one_of<T: Copy + Default, const N: usize>(
    variable: &'static str,
    get: &impl Fn(&str) -> Option<String>,
    values: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, SpecError> {
    let Some(text) = get(variable) else {
        return Ok(T::default());
    };
    values.into_iter().find(|value| name(*value) == text).ok_or_else(|| {
        let names: Vec<_> = values.into_iter().map(|value| format!("`{}`", name(value))).collect();
        let (last, others) = names.split_last().expect("there is a value");
        SpecError { variable, reason: format!("is `{text}`; it must be {} or {last}", others.join(", ")) }
    })
}

fn missing(variable: &'static str, what: &str) -> SpecError {
    SpecError { variable, reason: format!("is not set; it says {what}") }
}

fn invalid(variable: &'static str, error: &impl std::fmt::Display) -> SpecError {
    SpecError { variable, reason: format!("is not usable: {error}") }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::Origin;

    fn text() -> impl Strategy<Value = String> {
        "[^\0]{1,40}"
    }

    fn any_source() -> impl Strategy<Value = Source> {
        let git = (text(), option::of(text()))
            .prop_map(|(repository, reference)| Source::Git { repository, reference });
        let origin =
            (option::of(text()), option::of(text()), option::of(text()), option::of(text())).prop_map(
                |(repository, reference, commit, message)| Origin { repository, reference, commit, message },
            );
        let kind = prop_oneof![Just(UploadKind::Source), Just(UploadKind::Prebuilt)];
        let upload = (kind, origin).prop_map(|(kind, origin)| Source::Upload { kind, origin });
        prop_oneof![git, upload]
    }

    prop_compose! {
        fn any_settings()(
            root in option::of(text()),
            install in option::of(text()),
            command in option::of(text()),
            node in option::of(text()),
            output in option::of(text()),
        ) -> BuildSettings {
            BuildSettings { root, install, command, node, output }
        }
    }

    proptest! {
        #[test]
        fn a_spec_survives_the_environment(
            project in "[a-z0-9]{1,19}",
            id in option::of((0_i64..1 << 47, any::<u64>())),
            attempt in option::of(any::<u64>()),
            url in option::of(text()),
            previous in option::of((0_i64..1 << 47, any::<u64>())),
            source in any_source(),
            settings in any_settings(),
            mode in prop::sample::select(&CacheMode::ALL[..]),
            level in prop::sample::select(&CacheLevel::ALL[..]),
        ) {
            let id = match source {
                Source::Git { .. } => id,
                Source::Upload { .. } => id.or(Some((0, 0))),
            };
            let id_of = |(at, random)| DeploymentId::new(Timestamp::from_millisecond(at).unwrap(), random);
            let spec = BuildSpec {
                project: project.parse().unwrap(),
                deployment: id.map(id_of),
                attempt: attempt.map(Attempt),
                url,
                previous: previous.map(id_of),
                source,
                settings,
                cache: CacheUse { mode, level },
            };
            prop_assert_eq!(BuildSpec::from_vars(&spec.to_vars()), Ok(spec));
        }
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let check = |vars: &[(&str, &str)], expected: &str| {
            let vars: Vec<_> =
                vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(BuildSpec::from_vars(&vars).unwrap_err().to_string(), expected);
        };
        check(&[], "`PROJECT_ID` is not set; it says the name of the project, such as `my-site`");
        check(
            &[("PROJECT_ID", "a")],
            "`GIT_REPOSITORY_URL` is not set; it says the address of the repository to build",
        );
        check(
            &[("PROJECT_ID", "A b"), ("GIT_REPOSITORY_URL", "x")],
            "`PROJECT_ID` is not usable: `A b` is not a valid project name: only `a-z`, `0-9` and `-` may stand in it",
        );
        check(
            &[("PROJECT_ID", "a"), ("GITDEPLOY_UPLOAD", "zip")],
            "`GITDEPLOY_UPLOAD` is `zip`; it must be `source` or `prebuilt`",
        );
        check(
            &[("PROJECT_ID", "a"), ("GIT_REPOSITORY_URL", "x"), ("GITDEPLOY_CACHE", "on")],
            "`GITDEPLOY_CACHE` is `on`; it must be `read-write`, `read`, `write` or `off`",
        );
    }

    #[test]
    fn two_variables_are_enough() {
        let vars = [("PROJECT_ID", "blog"), ("GIT_REPOSITORY_URL", "https://host/repository")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = BuildSpec::from_vars(&vars).unwrap();
        assert_eq!(spec.output_id().as_str(), "blog");
    }
}
