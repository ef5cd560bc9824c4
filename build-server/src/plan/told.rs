//! What a build is told about its deployment: by our names, by names that its framework puts into the pages, and by
//! the names of other platforms.

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::{BuildSpec, DeploymentId};
use serde::Deserialize;

use super::Plan;

/// A platform by whose names a project may want to be told. Tools look at them to find out where they run, and then
/// do what is right there, so they are set only for projects that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Platform {
    CloudflarePages,
    Netlify,
}

/// The variables that tell of the deployment, and `CI`.
pub(crate) fn told(plan: &Plan, spec: &BuildSpec, origin: &Origin) -> Vec<(String, String)> {
    let facts = Facts { spec, origin };
    let ci = plan.preset.and_then(|preset| preset.ci.as_deref()).unwrap_or("1");
    let mut told = vec![("CI".to_owned(), ci.to_owned())];
    let ours = facts.ours();
    let public = plan.preset.and_then(|preset| preset.public_env_prefix.as_deref());
    for prefix in std::iter::once("").chain(public) {
        told.extend(ours.iter().map(|(name, value)| (format!("{prefix}{name}"), (*value).to_owned())));
    }
    let theirs = plan.platforms.iter().flat_map(|platform| facts.of(*platform));
    let theirs = facts.customary().into_iter().chain(theirs);
    told.extend(theirs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    told
}

struct Facts<'a> {
    spec: &'a BuildSpec,
    origin: &'a Origin,
}

/// Names with values, where there is one.
type Named<'a> = Vec<(&'static str, &'a str)>;

impl<'a> Facts<'a> {
    fn ours(&self) -> Named<'a> {
        let deployment = self.spec.deployment.as_ref().map(DeploymentId::as_str);
        let project = self.spec.project.as_str();
        known([
            ("GITDEPLOY", Some("1")),
            ("GITDEPLOY_PROJECT_ID", Some(project)),
            ("GITDEPLOY_DEPLOYMENT_ID", deployment.or(Some(project))),
            ("GITDEPLOY_URL", self.url()),
            ("GITDEPLOY_GIT_COMMIT_SHA", self.commit()),
            ("GITDEPLOY_GIT_COMMIT_REF", self.branch()),
            ("GITDEPLOY_GIT_COMMIT_MESSAGE", self.origin.message.as_deref()),
        ])
    }

    /// What builds that come from elsewhere look for, and nothing else hangs on.
    fn customary(&self) -> Named<'a> {
        known([("COMMIT_REF", self.commit()), ("BRANCH", self.branch()), ("DEPLOY_PRIME_URL", self.url())])
    }

    fn of(&self, platform: Platform) -> Named<'a> {
        match platform {
            Platform::CloudflarePages => known([
                ("CF_PAGES", Some("1")),
                ("CF_PAGES_COMMIT_SHA", self.commit()),
                ("CF_PAGES_BRANCH", self.branch()),
                ("CF_PAGES_URL", self.url()),
            ]),
            Platform::Netlify => known([
                ("NETLIFY", Some("true")),
                ("HEAD", self.branch()),
                ("DEPLOY_ID", self.spec.deployment.as_ref().map(DeploymentId::as_str)),
                ("DEPLOY_URL", self.url()),
                ("SITE_NAME", Some(self.spec.project.as_str())),
            ]),
        }
    }

    fn url(&self) -> Option<&'a str> {
        self.spec.url.as_deref()
    }

    fn commit(&self) -> Option<&'a str> {
        self.origin.commit.as_deref()
    }

    fn branch(&self) -> Option<&'a str> {
        self.origin.reference.as_deref()
    }
}

fn known<'a, const N: usize>(list: [(&'static str, Option<&'a str>); N]) -> Named<'a> {
    list.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use gitdeploy_core::spec::{BuildSettings, Source};
    use gitdeploy_core::{CacheUse, FailureCode};

    use super::*;
    use crate::plan;
    use crate::stop::Stop;

    fn planned(files: &[(&str, &str)]) -> Result<Plan, Stop> {
        use std::os::unix::fs::PermissionsExt as _;
        let source = tempfile::tempdir().unwrap();
        for (name, content) in files.iter().chain(&[("npm", "")]) {
            std::fs::write(source.path().join(name), content).unwrap();
        }
        let npm = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(source.path().join("npm"), npm).unwrap();
        plan::plan(source.path(), &BuildSettings::default(), OsStr::new(source.path()))
    }

    fn spec(url: Option<&str>) -> BuildSpec {
        BuildSpec {
            project: "blog".parse().unwrap(),
            deployment: Some("06gzr1vtp7njn36zcgxy".parse().unwrap()),
            attempt: None,
            previous: None,
            url: url.map(str::to_owned),
            source: Source::Git { repository: "https://host/r".to_owned(), reference: None },
            settings: BuildSettings::default(),
            cache: CacheUse::default(),
        }
    }

    fn package(needs: &str) -> String {
        format!(r#"{{"scripts":{{"build":"x"}},"dependencies":{{"{needs}":"1"}}}}"#)
    }

    const URL: &str = "https://06gzr1vtp7njn36zcgxy.example.org/";

    fn of(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let origin = Origin {
            repository: None,
            reference: Some("main".to_owned()),
            commit: Some("9f3c1e2".to_owned()),
            message: Some("Fix nav".to_owned()),
        };
        told(&planned(files).unwrap(), &spec(Some(URL)), &origin)
    }

    fn get<'a>(told: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
        told.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_framework_is_told_under_its_public_prefix_too() {
        for (needs, prefix) in [
            ("vite", "VITE_"),
            ("astro", "PUBLIC_"),
            ("gatsby", "GATSBY_"),
            ("react-scripts", "REACT_APP_"),
            ("@vue/cli-service", "VUE_APP_"),
            ("@tanstack/react-router", "VITE_"),
            ("gridsome", "GRIDSOME_"),
        ] {
            let told = of(&[("package.json", &package(needs))]);
            for (name, value) in [
                ("GITDEPLOY", "1"),
                ("GITDEPLOY_URL", URL),
                ("GITDEPLOY_PROJECT_ID", "blog"),
                ("GITDEPLOY_DEPLOYMENT_ID", "06gzr1vtp7njn36zcgxy"),
                ("GITDEPLOY_GIT_COMMIT_SHA", "9f3c1e2"),
                ("GITDEPLOY_GIT_COMMIT_REF", "main"),
                ("GITDEPLOY_GIT_COMMIT_MESSAGE", "Fix nav"),
            ] {
                assert_eq!(get(&told, name), Some(value), "{name}");
                assert_eq!(get(&told, &format!("{prefix}{name}")), Some(value), "{prefix}{name}");
            }
        }
        let plain = of(&[("package.json", &package("webpack-cli"))]);
        assert!(plain.iter().all(|(name, _)| !name.contains("_GITDEPLOY")), "{plain:?}");
        assert_eq!((get(&plain, "COMMIT_REF"), get(&plain, "BRANCH")), (Some("9f3c1e2"), Some("main")));
        assert_eq!(get(&plain, "DEPLOY_PRIME_URL"), Some(URL));
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let plan = planned(&[("package.json", &package("vite"))]).unwrap();
        let told = told(&plan, &spec(None), &Origin::default());
        for name in ["GITDEPLOY_URL", "VITE_GITDEPLOY_URL", "DEPLOY_PRIME_URL", "COMMIT_REF", "BRANCH"] {
            assert_eq!(get(&told, name), None, "{name}");
        }
    }

    #[test]
    fn the_names_of_other_platforms_are_for_those_who_ask() {
        let html = ("index.html", "hi");
        let none = of(&[html]);
        assert!(none.iter().all(|(name, _)| !name.starts_with("CF_PAGES") && name != "NETLIFY"), "{none:?}");
        let asked = "[build]\nvariables_of = [\"cloudflare-pages\", \"netlify\"]";
        let both = of(&[html, ("gitdeploy.toml", asked)]);
        for (name, value) in [
            ("CF_PAGES", "1"),
            ("CF_PAGES_COMMIT_SHA", "9f3c1e2"),
            ("CF_PAGES_BRANCH", "main"),
            ("CF_PAGES_URL", URL),
            ("NETLIFY", "true"),
            ("DEPLOY_URL", URL),
        ] {
            assert_eq!(get(&both, name), Some(value), "{name}");
        }
        let wrong = planned(&[html, ("gitdeploy.toml", "[build]\nvariables_of = [\"heroku\"]")]);
        let failure = wrong.unwrap_err().failure;
        assert_eq!(failure.code, FailureCode::PlanSetting);
        assert!(failure.cause.contains("`heroku`") && failure.cause.contains("`netlify`"), "{failure}");
    }

    #[test]
    fn warnings_are_no_errors_of_create_react_app() {
        assert_eq!(get(&of(&[("package.json", &package("react-scripts"))]), "CI"), Some("false"));
        assert_eq!(get(&of(&[("package.json", &package("vite"))]), "CI"), Some("1"));
        assert_eq!(get(&of(&[("index.html", "hi")]), "CI"), Some("1"));
    }
}
