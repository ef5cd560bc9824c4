//! Asks the upload service for what belongs to this build.

use std::time::Duration;

use anyhow::{Context as _, bail};
use gitdeploy_core::Attempt;
use gitdeploy_core::claim::{ClaimRequest, variable};
use gitdeploy_core::hash::hexadecimal;
use gitdeploy_runtime::SettingError;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(15);

/// How long an answer may be, in bytes.
const LONGEST: usize = 1 << 20;

/// The upload service as it knows this build.
#[derive(Debug)]
pub(crate) struct Service {
    http: Client,
    url: Url,
    token: SecretString,
    request: ClaimRequest,
}

/// The service does not give us anything: asking again is of no use.
#[derive(Debug, thiserror::Error)]
#[error("the upload service answered {status}: {detail}")]
pub(crate) struct Refused {
    status: StatusCode,
    detail: String,
}

/// As much as is needed of a problem of RFC 9457.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Service {
    pub(crate) fn new(url: &str, token: &str, attempt: Attempt) -> Result<Self, SettingError> {
        let wrong = |reason: &str| SettingError::new(variable::URL, reason);
        let form = "it must be an `http` or `https` address";
        let url: Url = url.parse().map_err(|_| wrong(form))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(form));
        }
        // A proxy is for other machines. A redirect would carry the token elsewhere.
        let local = url.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
        let http = Client::builder().connect_timeout(CONNECT).timeout(ANSWER).redirect(Policy::none());
        let http = if local { http.no_proxy() } else { http };
        let http = http.build().map_err(|error| wrong(&format!("no client can be made for it: {error}")))?;
        Ok(Self { http, url, token: token.into(), request: ClaimRequest { attempt, session: session() } })
    }

    /// Asks once. An error is one that may pass.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<Result<T, Refused>> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{what}", self.url.path().trim_end_matches('/')));
        let request = self.http.post(url).bearer_auth(self.token.expose_secret()).json(&self.request);
        let response = request.send().await?;
        let status = response.status();
        let body = body(response).await?;
        if status.is_success() {
            let answer = serde_json::from_slice(&body);
            // What it says of the answer may quote the answer.
            return Ok(Ok(answer.ok().context("the answer is not what was asked for")?));
        }
        let detail = match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.detail,
            Err(_) => status.canonical_reason().unwrap_or("no reason given").to_owned(),
        };
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => bail!("{detail}"),
            status if status.is_server_error() => bail!("{detail}"),
            status => Ok(Err(Refused { status, detail })),
        }
    }
}

async fn body(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST {
            bail!("the answer is longer than {LONGEST} bytes");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// 256 random bits in hexadecimal.
fn session() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    hexadecimal(&bytes)
}
