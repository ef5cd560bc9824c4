//! Talks to the API of a platform.

mod error;
mod events;

use std::path::Path;

use gitdeploy_core::DeploymentId;
use gitdeploy_core::spec::UploadKind;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use upload_service::api::{
    ChangeProtection, CreateDeployment, CreateGrant, DeploymentList, DeploymentView, GrantView, LoginLink,
    ProjectList, ProtectionView, Rollback,
};
use url::Url;

use crate::cli::Platform;

pub(crate) use error::ClientError;

/// The file of a data directory that says where the API of the platform on it is.
pub(crate) const API_FILE: &str = "api";

/// Where the API is when nothing says.
const DEFAULT_API: &str = "http://127.0.0.1:8081/";

/// A platform's API.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    api: Url,
    token: SecretString,
    http: reqwest::Client,
}

/// A description of an archive, as the query of its upload.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    pub(crate) file: &'a Path,
    pub(crate) kind: UploadKind,
    /// The other fields of the query, of which those without a value are left out.
    pub(crate) fields: Vec<(&'static str, Option<String>)>,
}

impl Client {
    pub(crate) fn new(api: Url, token: SecretString) -> Result<Self, ClientError> {
        // A proxy is for other machines; the platform of a data directory is this one.
        let local = api.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
        let http = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(10));
        let http = if local { http.no_proxy() } else { http };
        Ok(Self { http: http.build().map_err(|error| ClientError::away(&api, error))?, api, token })
    }

    /// The platform that the options name, or the one that runs on the data directory.
    pub(crate) fn find(platform: Platform) -> Result<Self, ClientError> {
        let directory = platform.data_dir;
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).ok();
        let api = if let Some(api) = platform.api {
            api
        } else {
            let text = read(API_FILE);
            let text = text.as_deref().map_or(DEFAULT_API, str::trim);
            text.parse().map_err(|_| ClientError::ApiFile(directory.join(API_FILE)))?
        };
        let given = platform.token.filter(|token| !token.expose_secret().is_empty());
        let token = match given {
            Some(token) => token,
            None => match read("token") {
                Some(token) => token.trim().to_owned().into(),
                None => return Err(ClientError::NoToken(directory)),
            },
        };
        Self::new(api, token)
    }

    /// Asks for a deployment of a repository.
    pub(crate) async fn deploy_git(&self, request: &CreateDeployment) -> Result<DeploymentView, ClientError> {
        let request = self.request(Method::POST, "v1/deployments").json(request);
        self.json(request).await
    }

    /// Sends an archive and asks for its deployment.
    pub(crate) async fn deploy_archive(&self, archive: Archive<'_>) -> Result<DeploymentView, ClientError> {
        let file = tokio::fs::File::open(archive.file).await.map_err(ClientError::Archive)?;
        let bytes = file.metadata().await.map_err(ClientError::Archive)?.len();
        let fields = archive.fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let query: Vec<_> = [("kind", archive.kind.as_str().to_owned())].into_iter().chain(fields).collect();
        let request = self
            .request(Method::POST, "v1/deployments")
            .query(&query)
            .header("content-type", "application/x-tar+zstd")
            .header("content-length", bytes)
            .body(reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(file)));
        self.json(request).await
    }

    pub(crate) async fn deployment(&self, id: &str) -> Result<DeploymentView, ClientError> {
        let id = segment(id);
        self.json(self.request(Method::GET, &format!("v1/deployments/{id}"))).await
    }

    pub(crate) async fn deployments(
        &self,
        project: Option<&str>,
        limit: u32,
        after: Option<&str>,
    ) -> Result<DeploymentList, ClientError> {
        let limit = limit.to_string();
        let query = [("limit", Some(limit.as_str())), ("project", project), ("after", after)];
        let query: Vec<_> = query.into_iter().filter(|(_, value)| value.is_some()).collect();
        self.json(self.request(Method::GET, "v1/deployments").query(&query)).await
    }

    pub(crate) async fn projects(&self) -> Result<ProjectList, ClientError> {
        self.json(self.request(Method::GET, "v1/projects")).await
    }

    /// Makes a deployment the production of its project.
    pub(crate) async fn promote(&self, id: &str) -> Result<DeploymentView, ClientError> {
        self.post(&format!("v1/deployments/{}/promote", segment(id))).await
    }

    /// Makes the deployment before the one in production the production of the project.
    /// With `from`, only if that is the one in production.
    pub(crate) async fn rollback(
        &self,
        project: &str,
        from: Option<DeploymentId>,
    ) -> Result<DeploymentView, ClientError> {
        let path = format!("v1/projects/{}/rollback", segment(project));
        self.json(self.request(Method::POST, &path).json(&Rollback { from })).await
    }

    /// Changes who may see a project's site, and says who may.
    pub(crate) async fn protect(
        &self,
        project: &str,
        change: &ChangeProtection,
    ) -> Result<ProtectionView, ClientError> {
        let path = format!("v1/projects/{}/protection", segment(project));
        self.json(self.request(Method::PATCH, &path).json(change)).await
    }

    /// Cancels a deployment.
    pub(crate) async fn cancel(&self, id: &str) -> Result<DeploymentView, ClientError> {
        self.post(&format!("v1/deployments/{}/cancel", segment(id))).await
    }

    /// What a host is asked with why it answers as it does.
    pub(crate) async fn grant(&self, host: &str) -> Result<GrantView, ClientError> {
        let request = CreateGrant { host: host.to_owned() };
        self.json(self.request(Method::POST, "v1/grants").json(&request)).await
    }

    /// An address that opens the dashboard once.
    pub(crate) async fn login_link(&self) -> Result<LoginLink, ClientError> {
        self.json(self.request(Method::POST, "v1/login-links").json(&json!({}))).await
    }

    async fn post(&self, path: &str) -> Result<DeploymentView, ClientError> {
        self.json(self.request(Method::POST, path)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.api.clone();
        url.set_path(&format!("{}/{path}", self.api.path().trim_end_matches('/')));
        self.http.request(method, url).bearer_auth(self.token.expose_secret())
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        response.json().await.map_err(|error| ClientError::away(&self.api, error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| ClientError::away(&self.api, error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(ClientError::refused(response).await)
    }
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
