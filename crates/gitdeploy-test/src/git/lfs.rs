//! The batch API of Git LFS, and the files behind it.

use std::collections::HashMap;
use std::io;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Body, plain};

/// What is kept for a repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    by_hash: HashMap<String, Bytes>,
    /// Where the files are said to be, if not here.
    pub(super) base: Option<String>,
}

impl Objects {
    pub(super) fn add(&mut self, content: &[u8]) {
        self.by_hash.insert(Sha256::of(content).to_string(), Bytes::copy_from_slice(content));
    }
}

/// What a repository has in the place of a file that is kept in LFS.
pub fn pointer(content: &[u8]) -> String {
    let (hash, bytes) = (Sha256::of(content), content.len());
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{hash}\nsize {bytes}\n")
}

pub(super) async fn answer(
    objects: &Objects,
    origin: String,
    name: &str,
    request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    if request.method() == Method::GET {
        let hash = request.uri().path().rsplit('/').next().unwrap_or_default();
        return Ok(match objects.by_hash.get(hash) {
            Some(content) => Response::new(body(content.clone())),
            None => plain(StatusCode::NOT_FOUND),
        });
    }
    let asked = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let asked: Value = serde_json::from_slice(&asked)?;
    let base = objects.base.clone().unwrap_or_else(|| format!("{origin}/{name}/info/lfs/files"));
    let files = asked["objects"].as_array().cloned().unwrap_or_default().into_iter().map(|object| {
        let hash = object["oid"].as_str().unwrap_or_default().to_owned();
        if objects.by_hash.contains_key(&hash) || objects.base.is_some() {
            json!({"oid": hash, "size": object["size"], "actions": {"download": {"href": format!("{base}/{hash}")}}})
        } else {
            json!({"oid": hash, "size": object["size"], "error": {"code": 404, "message": "Object does not exist"}})
        }
    });
    let answer = json!({"transfer": "basic", "objects": files.collect::<Vec<_>>()});
    Ok(Response::new(body(Bytes::from(answer.to_string()))))
}

fn body(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
