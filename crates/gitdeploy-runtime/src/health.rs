//! A service that asks itself how it is: what an image without a shell checks its health with.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// The path that answers 200 as long as the process can answer.
const PATH: &str = "/healthz";

/// How long the answer may take.
const BOUND: Duration = Duration::from_secs(3);

/// Whether the process is started with the argument `health`: to ask the one that serves, not to serve.
pub fn is_asked() -> anyhow::Result<bool> {
    match std::env::args_os().nth(1) {
        None => Ok(false),
        Some(argument) if argument == "health" => Ok(true),
        Some(argument) => bail!("unknown argument `{}`: there is only `health`", argument.display()),
    }
}

/// Asks the service that listens at `address` on this machine.
pub async fn ask(address: SocketAddr) -> anyhow::Result<ExitCode> {
    let address = reachable(address);
    let line = tokio::time::timeout(BOUND, status_line(address))
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .with_context(|| format!("no answer from {address}"))?;
    ensure!(line.split(' ').nth(1) == Some("200"), "{address} answers `{}`", line.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Where a service is asked that listens at `address`, which may stand for every address of the machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}

async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What is said of a service that answers so.
    async fn said(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let mut request = String::new();
            stream.read_line(&mut request).await.unwrap();
            assert_eq!(request, "GET /healthz HTTP/1.1\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        ask(SocketAddr::from(([0, 0, 0, 0], port))).await.map(drop).map_err(|error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn only_200_is_healthy() {
        assert_eq!(said("HTTP/1.1 200 OK\r\n\r\n").await, Ok(()));
        let error = said("HTTP/1.1 503 Service Unavailable\r\n\r\n").await.unwrap_err();
        assert!(error.ends_with("answers `HTTP/1.1 503 Service Unavailable`"), "{error}");
        assert!(said("").await.unwrap_err().ends_with("answers ``"));
    }

    #[tokio::test]
    async fn nobody_is_not_healthy() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = ask(closed).await.unwrap_err().to_string();
        assert_eq!(error, format!("no answer from {closed}"));
    }

    #[test]
    fn every_address_is_reached_at_the_loopback_one() {
        let check = |address: &str, expected: &str| {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), expected);
        };
        check("0.0.0.0:8080", "127.0.0.1:8080");
        check("[::]:8080", "[::1]:8080");
        check("10.0.0.7:80", "10.0.0.7:80");
    }
}
