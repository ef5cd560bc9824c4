//! The S3 server of the tests as a process of its own: `s3-server [PORT]`. It prints its variables, one
//! `NAME=value` a line, and serves until it is killed.

use anyhow::Context as _;
use gitdeploy_test::s3::S3Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = match std::env::args().nth(1) {
        None => 0,
        Some(port) => port.parse().with_context(|| format!("`{port}` is no port"))?,
    };
    let server = S3Server::start_on(port).await?;
    say(&server.vars());
    std::future::pending().await
}

#[expect(clippy::print_stdout, reason = "it is what a caller reads")]
fn say(vars: &[(String, String)]) {
    for (name, value) in vars {
        println!("{name}={value}");
    }
}
