//! The batch API of Git LFS: which files are where, and getting them from there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use gitdeploy_core::{Failure, FailureCode};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::super::address::{Address, Login};
use super::super::budget::Budget;
use super::super::problem::{self, Problem};
use super::super::rules::refused;
use super::super::session::Session;
use super::pointer::Pointer;
use crate::stop::Stop;

const MEDIA: &str = "application/vnd.git-lfs+json";

/// How long an answer may be that says where files are.
const LONGEST: usize = 4 << 20;

/// How often the way to a file may be redirected.
const REDIRECTS: usize = 3;

const OPERATOR: &str = "tell the operator of the LFS server";

/// The LFS server of a repository.
pub(super) struct Server<'a> {
    session: &'a Session,
    /// Below it is the API.
    address: Address,
    login: Option<Login>,
    /// One for each server that files come from.
    clients: Mutex<HashMap<String, Client>>,
}

/// Where files are.
pub(super) struct Downloads(HashMap<String, Object>);

#[derive(Serialize)]
struct Ask {
    operation: &'static str,
    transfers: [&'static str; 1],
    objects: Vec<Name>,
    hash_algo: &'static str,
}

#[derive(Serialize)]
struct Name {
    oid: String,
    size: u64,
}

#[derive(Deserialize)]
struct Answer {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Missing>,
}

#[derive(Deserialize)]
struct Actions {
    download: Option<Download>,
}

#[derive(Deserialize)]
struct Missing {
    message: String,
}

/// Where one file is, and what the server wants to be told there.
#[derive(Deserialize)]
pub(super) struct Download {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, String>,
}

impl<'a> Server<'a> {
    /// The server that goes with a repository. One that is cloned over SSH has it at HTTPS.
    pub(super) fn of(session: &'a Session, repository: &Address) -> Result<Self, Stop> {
        let shown = repository.shown.trim_end_matches('/').trim_end_matches(".git");
        let url = match repository.scheme.as_str() {
            "http" | "https" => format!("{shown}.git/info/lfs"),
            "ssh" if repository.port == 22 => {
                let path = shown.splitn(4, '/').nth(3).unwrap_or_default();
                format!("https://{}/{path}.git/info/lfs", repository.host)
            }
            scheme => {
                let cause = format!("LFS is not to be had over `{scheme}`");
                return Err(refused(cause, "give the `https` address of the repository"));
            }
        };
        let mut address = Address::parse(&url)?;
        if repository.is_http() {
            address.login.clone_from(&repository.login);
        }
        let login = session.credentials.login(&address);
        Ok(Self { session, address, login, clients: Mutex::default() })
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.session.web.budget
    }

    /// Asks where the files are.
    pub(super) fn ask(&self, pointers: &[&Pointer]) -> Result<Downloads, Stop> {
        let names =
            pointers.iter().map(|pointer| Name { oid: pointer.sha256.to_string(), size: pointer.bytes });
        let ask = Ask {
            operation: "download",
            transfers: ["basic"],
            objects: names.collect(),
            hash_algo: "sha256",
        };
        let body = serde_json::to_vec(&ask).expect("names and numbers are JSON");
        let answer = self.session.with_tries(&self.address.shown, || self.ask_once(&body))?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|error| {
            let cause = format!("`{}` does not answer as LFS does: {error}", self.address.shown);
            failed(cause, "check that the repository's server has LFS")
        })?;
        Ok(Downloads(answer.objects.into_iter().map(|object| (object.oid.clone(), object)).collect()))
    }

    fn ask_once(&self, body: &[u8]) -> Result<Vec<u8>, Problem> {
        let client = self.client(&self.address)?;
        let url = format!("{}/objects/batch", self.address.shown);
        let post = || client.post(&url).header(ACCEPT, MEDIA).header(CONTENT_TYPE, MEDIA).body(body.to_vec());
        let mut response = self.session.web.send(post())?;
        let mut with_login = false;
        if let Some(login) = self.login.as_ref().filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
            with_login = true;
            response = self
                .session
                .web
                .send(post().basic_auth(&login.user, Some(login.password.expose_secret())))?;
        }
        if response.status() != StatusCode::OK {
            return Err(problem::status(response.status(), &self.address.shown, with_login));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = self.session.web.next(&mut response)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > LONGEST {
                return Err(failed("the answer of the LFS server does not end", OPERATOR).into());
            }
        }
        Ok(answer)
    }

    /// Gets a file in pieces. It is asked for again only as long as nothing has come.
    pub(super) fn get(
        &self,
        download: &Download,
        mut take: impl FnMut(&[u8]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let shown = &self.address.shown;
        let mut response = self.session.with_tries(shown, || self.open(download))?;
        let next = |response: &mut Response| self.session.web.next(response);
        while let Some(chunk) = next(&mut response).map_err(|problem| problem.into_stop(shown))? {
            self.budget().receive(chunk.len() as u64)?;
            take(&chunk)?;
        }
        Ok(())
    }

    fn open(&self, download: &Download) -> Result<Response, Problem> {
        let mut url = download.href.clone();
        let first = Address::parse(&url)?;
        for _ in 0..=REDIRECTS {
            let place = Address::parse(&url)?;
            let mut request = self.client(&place)?.get(&url);
            // What it is told is for the server that was named only.
            if place.is_of_server(&first) {
                request = request.headers(headers(&download.header));
                let login = self.login.as_ref().filter(|_| place.is_of_server(&self.address));
                if let Some(login) = login.filter(|_| download.header.is_empty()) {
                    request = request.basic_auth(&login.user, Some(login.password.expose_secret()));
                }
            }
            let response = self.session.web.send(request)?;
            let status = response.status();
            if !status.is_redirection() {
                let ok = status == StatusCode::OK;
                let shown = &self.address.shown;
                return if ok {
                    Ok(response)
                } else {
                    Err(problem::status(status, shown, self.login.is_some()))
                };
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| response.url().join(location).ok());
            url = next.ok_or_else(|| failed("the LFS server redirects to nowhere", OPERATOR))?.into();
        }
        Err(failed("the LFS server redirects without an end", OPERATOR).into())
    }

    fn client(&self, place: &Address) -> Result<Client, Problem> {
        let key = format!("{}://{}:{}", place.scheme, place.host, place.port);
        let known = self.clients.lock().expect("no panic while locked").get(&key).cloned();
        if let Some(client) = known {
            return Ok(client);
        }
        if !place.is_http() {
            return Err(refused("the LFS server names a place that is not of HTTP", OPERATOR).into());
        }
        let client = self.session.web.client(place)?;
        self.clients.lock().expect("no panic while locked").insert(key, client.clone());
        Ok(client)
    }
}

impl Downloads {
    pub(super) fn of(&self, pointer: &Pointer) -> Result<&Download, Stop> {
        let object = self.0.get(&pointer.sha256.to_string());
        if let Some(missing) = object.and_then(|object| object.error.as_ref()) {
            let cause =
                format!("the server does not have it and says `{}`", problem::plain(&missing.message));
            return Err(failed(cause, "push it with `git lfs push --all`"));
        }
        let download = object.and_then(|object| object.actions.as_ref()?.download.as_ref());
        download
            .ok_or_else(|| failed("the server does not say where it is", "push it with `git lfs push --all`"))
    }
}

/// What cannot be a header is left out.
fn headers(named: &BTreeMap<String, String>) -> HeaderMap {
    let headers = named.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    headers.collect()
}

fn failed(cause: impl Into<String>, fix: &str) -> Stop {
    Stop::author(Failure::new(FailureCode::CloneLfs, cause).fix(fix))
}
