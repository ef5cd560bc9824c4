//! The variables that every builder is told, of those of the service.

use gitdeploy_core::spec::git;
use gitdeploy_runtime::Vars;

use crate::launcher::{OF_PROJECTS, PASS};

/// Where the store is. Who the builder is to it, is not among them.
const STORE: &[&str] = &[
    "GITDEPLOY_STORE_BUCKET",
    "GITDEPLOY_STORE_PREFIX",
    "GITDEPLOY_STORE_PATH_STYLE",
    "GITDEPLOY_STORE_SINGLE_WRITER",
    "AWS_REGION",
    "AWS_ENDPOINT_URL_S3",
];

/// What the operator says about builds starts with this.
const BUILDS: &str = "GITDEPLOY_BUILD_";

/// What a builder's own environment says better than we do.
const OF_BUILDERS: &[&str] = &["GITDEPLOY_BUILD_LAUNCHER", "GITDEPLOY_BUILD_WORKSPACE"];

/// What every builder is told: where the store is, the limits, who it is to git servers, and what the operator passes on to builds.
pub(super) fn of_every_builder(vars: &Vars) -> Vars {
    let passed: Vec<&str> = vars
        .iter()
        .filter(|(name, _)| name == PASS)
        .flat_map(|(_, value)| value.split(',').map(str::trim))
        .collect();
    let wanted = |name: &str| {
        let is_limit =
            name.starts_with(BUILDS) && !OF_PROJECTS.contains(&name) && !OF_BUILDERS.contains(&name);
        is_limit || STORE.contains(&name) || git::ALL.contains(&name) || passed.contains(&name)
    };
    let mut told: Vars =
        vars.iter().filter(|(name, value)| wanted(name) && !value.is_empty()).cloned().collect();
    // The builder knows these two by one name each.
    for (name, other) in [("AWS_REGION", "AWS_DEFAULT_REGION"), ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")] {
        if !told.iter().any(|(told, _)| told == name)
            && let Some((_, value)) = vars.iter().find(|(found, value)| found == other && !value.is_empty())
        {
            told.push((name.to_owned(), value.clone()));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(list: &[(&str, &str)]) -> Vec<String> {
        let vars = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        of_every_builder(&vars).into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn builders_are_told_only_what_they_need() {
        let told = told(&[
            ("AWS_ACCESS_KEY_ID", "hidden"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "hidden"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
            ("AWS_REGION", "eu-central-1"),
            ("GITDEPLOY_API_TOKEN", "hidden"),
            ("GITDEPLOY_BUILD_COMMAND", "hidden"),
            ("GITDEPLOY_BUILD_LAUNCHER", "hidden"),
            ("GITDEPLOY_BUILD_PASS", "NPM_TOKEN, OTHER"),
            ("GITDEPLOY_BUILD_SECONDS", "60"),
            ("GITDEPLOY_BUS_REDIS_URL", "hidden"),
            ("GITDEPLOY_CATALOG_KMS_KEY", "hidden"),
            ("GITDEPLOY_GIT_HOST", "git.example"),
            ("GITDEPLOY_GIT_TOKEN", "lent"),
            ("GITDEPLOY_LEND_REDIS_URL", "hidden"),
            ("GITDEPLOY_STORE_BUCKET", "sites"),
            ("GITDEPLOY_STORE_PREFIX", ""),
            ("HOME", "hidden"),
            ("NPM_TOKEN", "lent"),
            ("PATH", "hidden"),
        ]);
        assert_eq!(
            told,
            [
                "AWS_REGION=eu-central-1",
                "GITDEPLOY_BUILD_PASS=NPM_TOKEN, OTHER",
                "GITDEPLOY_BUILD_SECONDS=60",
                "GITDEPLOY_GIT_HOST=git.example",
                "GITDEPLOY_GIT_TOKEN=lent",
                "GITDEPLOY_STORE_BUCKET=sites",
                "NPM_TOKEN=lent",
                "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000",
            ]
        );
    }
}
