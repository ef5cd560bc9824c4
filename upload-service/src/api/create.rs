//! `POST /v1/deployments`: from a repository, or from an archive in the body.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{IdError, ProjectId, SitePath};
use serde::{Deserialize, Serialize};

use super::{App, DeploymentView, upload};
use crate::catalog::{Deployment, NewDeployment, SourceKind, Target};
use crate::config::Config;
use crate::git_address;
use crate::problem::ApiError;

/// How long a text of a request may be, in bytes: an environment holds it easily.
const MAX_TEXT: usize = 4096;

/// How long a text that only informs is kept, in characters.
const MAX_INFORMATION: usize = 256;

/// The body that asks for a deployment of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDeployment {
    /// The repository's address.
    pub git: String,
    /// The branch, tag or commit; absent: the default branch.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The project; absent: it is called like the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The directory of the project in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What the project says about its build.
    #[serde(default)]
    pub settings: CreateSettings,
    /// What the deployment is for.
    #[serde(default)]
    pub target: Target,
}

/// What a request says about a build; what is absent is found out from the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CreateSettings {
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

pub(super) async fn create(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    if app.control.stopping.is_cancelled() {
        return Err(ApiError::Stopping);
    }
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let deployment = if media_type == "application/json" {
        from_repository(&app, request).await?
    } else if let Some(packing) = upload::Packing::of(media_type) {
        upload::from_archive(&app, packing, request).await?
    } else {
        return Err(ApiError::MediaType(media_type.to_owned()));
    };
    let location = format!("/v1/deployments/{}", deployment.id);
    let view = DeploymentView::new(deployment, &app.control.config.sites_url);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(view)).into_response())
}

async fn from_repository(app: &App, request: Request) -> Result<Deployment, ApiError> {
    let Json(body) = Json::<CreateDeployment>::from_request(request, &()).await.map_err(rejected)?;
    git_address::check(&body.git).map_err(|error| {
        // Before an `@` there may be a secret, in whatever else is wrong with the address.
        let shown =
            if body.git.contains('@') { "the repository's address" } else { &format!("`{}`", body.git) };
        ApiError::invalid("git.address", format!("{shown} cannot be cloned: {error}")).hint(error.hint())
    })?;
    let CreateSettings { install, command, node, output } = body.settings;
    let settings = build_settings(body.root, install, command, node, output)?;
    let (id, created) = app.control.next_id();
    let new = NewDeployment {
        project: project(&app.control.config, body.project, Some(&body.git))?,
        target: body.target,
        source: SourceKind::Git,
        origin: Origin {
            repository: Some(text("git", body.git)?),
            reference: reference(body.reference)?,
            ..Origin::default()
        },
        settings,
        id,
        created,
    };
    Ok(app.control.deploy(new).await?)
}

/// The project that a request names, or that its repository is called like.
pub(super) fn project(
    config: &Config,
    name: Option<String>,
    repository: Option<&str>,
) -> Result<ProjectId, ApiError> {
    let hint = "give a name such as `my-site`";
    let project = match name.filter(|name| !name.is_empty()) {
        Some(name) => name
            .parse()
            .map_err(|error: IdError| ApiError::invalid("project.name", error.to_string()).hint(hint)),
        None => repository.and_then(git_address::project).ok_or_else(|| {
            ApiError::invalid("project.name", "nothing says what the project is called").hint(hint)
        }),
    }?;
    if config.reserves(&project) {
        let detail = format!("`{project}` is the name of this service's own host");
        return Err(ApiError::invalid("project.name", detail).hint("choose another name"));
    }
    Ok(project)
}

/// A branch, tag or commit. Whether it exists is seen by the builder.
pub(super) fn reference(name: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(name) = present("ref", name)? else {
        return Ok(None);
    };
    // What git refuses in every name of a reference (git-check-ref-format(1)).
    let refused = name.starts_with(['-', '/'])
        || name.contains("..")
        || name.contains([' ', '~', '^', ':', '?', '*', '[', '\\']);
    if refused {
        let detail = format!("`{name}` is no name of a branch, a tag or a commit");
        return Err(ApiError::invalid("git.ref", detail));
    }
    Ok(Some(name))
}

/// What a request says about a build, checked.
pub(super) fn build_settings(
    root: Option<String>,
    install: Option<String>,
    command: Option<String>,
    node: Option<String>,
    output: Option<String>,
) -> Result<BuildSettings, ApiError> {
    Ok(BuildSettings {
        root: directory("root", root)?,
        install: present("install", install)?,
        command: present("command", command)?,
        node: present("node", node)?,
        output: directory("output", output)?,
    })
}

/// A text that is not empty, if it is there.
pub(super) fn present(field: &str, value: Option<String>) -> Result<Option<String>, ApiError> {
    value.filter(|value| !value.is_empty()).map(|value| text(field, value)).transpose()
}

/// A text that only informs: what cannot be shown becomes spaces, and what is too long is cut.
pub(super) fn information(value: Option<String>) -> Option<String> {
    let value: String = value?
        .chars()
        .take(MAX_INFORMATION)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn text(field: &str, value: String) -> Result<String, ApiError> {
    if value.len() > MAX_TEXT {
        let detail = format!("`{field}` is longer than {MAX_TEXT} bytes");
        return Err(ApiError::invalid("text", detail));
    }
    if value.chars().any(char::is_control) {
        return Err(ApiError::invalid("text", format!("a control character stands in `{field}`")));
    }
    Ok(value)
}

/// A directory below another: `.` and a slash at the end are tolerated, a way out is not.
fn directory(field: &str, value: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(value) = present(field, value)? else {
        return Ok(None);
    };
    let path = value.trim_start_matches("./").trim_end_matches('/');
    if matches!(path, "" | ".") && !value.starts_with('/') {
        return Ok((field != "root").then(|| ".".to_owned()));
    }
    let path: SitePath = path.parse().map_err(|error| {
        ApiError::invalid(
            "directory",
            format!("`{field}` is `{value}`, which is no directory below: {error}"),
        )
    })?;
    Ok(Some(path.into()))
}

fn rejected(rejection: JsonRejection) -> ApiError {
    match rejection {
        JsonRejection::JsonDataError(error) => ApiError::invalid("body", error.body_text()),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge { limit: 2 << 20 },
        other => ApiError::Body(other.body_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_stay_below() {
        for (value, expected) in [
            ("docs", Some("docs")),
            ("./docs/", Some("docs")),
            ("a/b", Some("a/b")),
            (".", None),
            ("./", None),
            ("", None),
        ] {
            let found = directory("root", Some(value.to_owned())).unwrap();
            assert_eq!(found.as_deref(), expected, "{value}");
        }
        for value in ["/", "/etc", "../up", "a/../../b", "a//b", "a\0b"] {
            assert!(directory("root", Some(value.to_owned())).is_err(), "{value:?}");
        }
        assert_eq!(directory("output", Some(".".to_owned())).unwrap().as_deref(), Some("."));
    }

    #[test]
    fn references_are_names() {
        for name in ["main", "feature/x", "v1.0", "9f3c1e2", "refs/heads/main"] {
            assert!(reference(Some(name.to_owned())).is_ok(), "{name}");
        }
        for name in ["-x", "a b", "a..b", "a:b", "a\nb", "/a", "@{-1}^"] {
            assert!(reference(Some(name.to_owned())).is_err(), "{name}");
        }
    }
}
