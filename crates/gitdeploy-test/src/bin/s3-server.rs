//! The S3 server of the tests as a process of its own: `s3-server [PORT [OBJECTS]]`. It prints its variables, one
//! `NAME=value` a line, and serves until it is killed. `OBJECTS` is a file that says what is there at the start, one
//! JSON object `{"key": …, "text": …}` a line; with `"bytes": n` instead of a text it has so many.

use std::io::BufRead as _;

use anyhow::Context as _;
use gitdeploy_test::s3::S3Server;
use serde::Deserialize;

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    text: String,
    bytes: Option<usize>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = match arguments.next() {
        None => 0,
        Some(port) => port.parse().with_context(|| format!("`{port}` is no port"))?,
    };
    let server = S3Server::start_on(port).await?;
    if let Some(file) = arguments.next() {
        let objects = std::fs::File::open(&file).with_context(|| format!("cannot read `{file}`"))?;
        for line in std::io::BufReader::new(objects).lines() {
            let object: Object = serde_json::from_str(&line?).context("an object makes no sense")?;
            match object.bytes {
                Some(bytes) => server.insert(&object.key, vec![b'x'; bytes], None),
                None => server.insert(&object.key, object.text, None),
            }
        }
    }
    say(&server.vars());
    std::future::pending().await
}

#[expect(clippy::print_stdout, reason = "it is what a caller reads")]
fn say(vars: &[(String, String)]) {
    for (name, value) in vars {
        println!("{name}={value}");
    }
}
