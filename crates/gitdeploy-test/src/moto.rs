//! A real moto server: the shapes of AWS' services on a port of 127.0.0.1.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// How long a server may take to answer after it was started. It loads a lot of Python.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How often a server is started at another port, if somebody else took the one that was free.
const TRIES: usize = 3;

const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
    Credential=testing/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";

/// What `moto_server` does, but one request at a time: moto forgets writes of requests that run beside a
/// transaction which fails. It ends with whoever holds its standard input.
const SERVER: &str = r#"
import os, sys, threading

port = int(sys.argv[1])
os.environ["MOTO_PORT"] = str(port)

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()
application = DomainDispatcherApplication(create_backend_app)
one_at_a_time = threading.Lock()

def serve(environ, start_response):
    with one_at_a_time:
        return list(application(environ, start_response))

run_simple("127.0.0.1", port, serve, threaded=True)
"#;

/// A server that keeps everything in memory. It ends when it is dropped, and with this process.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    child: Child,
}

impl Moto {
    /// Starts a server and waits until it answers. Panics with a plain sentence if there is none to start.
    pub fn start() -> Self {
        let python = python();
        let mut said = String::new();
        for _ in 0..TRIES {
            match launch(&python) {
                Ok(server) => return server,
                Err(reason) => said = reason,
            }
        }
        panic!("moto does not start with `{}`: {said}", python.display());
    }

    /// The address of every service.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables that tell the AWS SDK where this server is and who we are.
    pub fn vars(&self) -> Vec<(String, String)> {
        let vars = [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
        ];
        vars.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Makes a table as the catalog wants it: the definition that production has.
    pub async fn create_catalog_table(&self, name: &str) {
        let texts = ["pk", "sk"].map(|key| json!({ "AttributeName": key, "AttributeType": "S" }));
        let keys = [("pk", "HASH"), ("sk", "RANGE")];
        let definition = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": texts,
            "KeySchema": keys.map(|(key, kind)| json!({ "AttributeName": key, "KeyType": kind })),
        });
        self.dynamodb("CreateTable", &definition).await;
        let expires = json!({ "Enabled": true, "AttributeName": "expires" });
        let expires = json!({ "TableName": name, "TimeToLiveSpecification": expires });
        self.dynamodb("UpdateTimeToLive", &expires).await;
    }

    async fn dynamodb(&self, operation: &str, input: &Value) {
        let request = reqwest::Client::builder()
            .build()
            .expect("a client can be made")
            .post(self.endpoint())
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            // moto reads the region and the service in it and checks nothing.
            .header("authorization", AUTHORIZATION)
            .body(input.to_string());
        let answer = request.send().await.expect("moto answers");
        let status = answer.status();
        let said = answer.text().await.expect("moto answers whole");
        assert!(status.is_success(), "{operation}: {said}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }
}

/// The Python that has moto: the one that `.ci/run setup` has made, or the one beside `moto_server`.
fn python() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(workspace.join("target/moto/bin")).chain(std::env::split_paths(&path));
    let pythons = directories.filter(|directory| directory.join("moto_server").is_file());
    let python = pythons.map(|directory| directory.join("python3")).find(|python| python.is_file());
    python.expect("moto is not installed: `.ci/run setup` installs it in `target/moto`")
}

fn launch(python: &Path) -> Result<Moto, String> {
    let log = NamedTempFile::new().expect("a temporary file can be made");
    let output = log.reopen().expect("a temporary file can be opened");
    let port = free_port();
    let child = Command::new(python)
        .args(["-c", SERVER, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", python.display()));
    let mut server = Moto { port, child };
    let deadline = Instant::now() + START_TIMEOUT;
    while !answers(port) {
        if let Some(status) = server.child.try_wait().expect("a child can be waited for") {
            let said = std::fs::read_to_string(log.path()).unwrap_or_default();
            return Err(format!("it ended with {status}\n{said}"));
        }
        assert!(Instant::now() < deadline, "moto was started and does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(START_TIMEOUT))?;
        stream.write_all(b"GET /moto-api/ HTTP/1.0\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok::<_, std::io::Error>(start.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_and_is_gone_when_it_is_dropped() {
        let server = Moto::start();
        let port = server.port;
        assert!(answers(port));
        drop(server);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
