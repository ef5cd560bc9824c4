//! `git http-backend` as a CGI program (RFC 3875), streamed in both directions.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use futures_util::TryStreamExt as _;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio_util::io::ReaderStream;

use super::{Body, repository};

/// Headers of the request that the program reads, by the name of its variable.
const HEADERS: [(&str, &str); 4] = [
    ("CONTENT_TYPE", "content-type"),
    ("CONTENT_LENGTH", "content-length"),
    ("HTTP_CONTENT_ENCODING", "content-encoding"),
    ("GIT_PROTOCOL", "git-protocol"),
];

pub(super) async fn answer(root: &Path, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let mut command = Command::new(backend());
    repository::isolate(command.as_std_mut(), root);
    command
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (variable, name) in HEADERS {
        if let Some(value) = parts.headers.get(name).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    let mut child = command.spawn()?;
    tokio::spawn(feed(child.stdin.take().expect("it is piped"), body));
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut response = Response::builder();
    loop {
        let mut line = String::new();
        output.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("status") {
            let code = value.trim().split(' ').next().unwrap_or_default();
            response = response.status(StatusCode::from_bytes(code.as_bytes()).map_err(io::Error::other)?);
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
            response = response.header(name, HeaderValue::from_str(value.trim()).map_err(io::Error::other)?);
        }
    }
    // The child lives as long as its output is read; it is killed when the client goes away.
    let body = ReaderStream::new(output).map_ok(move |bytes| {
        let _lives = &child;
        Frame::data(bytes)
    });
    response
        .header(header::SERVER, "git")
        .body(StreamBody::new(body).boxed_unsync())
        .map_err(io::Error::other)
}

/// Passes a request's body on. A program that has read enough closes its input, which is no error.
async fn feed(mut input: ChildStdin, mut body: Incoming) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(bytes) = frame.into_data()
            && input.write_all(&bytes).await.is_err()
        {
            return;
        }
    }
}

fn backend() -> &'static Path {
    static BACKEND: OnceLock<PathBuf> = OnceLock::new();
    BACKEND.get_or_init(|| {
        let folder = repository::git(Path::new("/"), &["--exec-path"]);
        Path::new(&folder).join("git-http-backend")
    })
}
