//! One request as it is written, and its answer, byte for byte.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::sites::Served;

/// An answer: repeated lines of one header are joined.
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn send(
    site: Served<'_>,
    method: &str,
    target: &str,
    headers: &[(&str, String)],
) -> Result<Answer, String> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", site.host);
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    if let "POST" | "PUT" | "PATCH" = method {
        request.push_str("Content-Length: 0\r\n");
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
    read.map_err(|_| "no complete answer".to_owned())?.map_err(|error| error.to_string())?;
    parse(&bytes, method)
}

fn parse(bytes: &[u8], method: &str) -> Result<Answer, String> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").ok_or("the answer has no head")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status: u64 = status.ok_or_else(|| format!("`{first}` is no status line"))?;
    if (100..200).contains(&status) {
        return parse(&bytes[end + 4..], method);
    }
    let mut headers = HashMap::<String, String>::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is no header"))?;
        let value = value.trim();
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|known| *known = format!("{known}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    let body = bytes[end + 4..].to_vec();
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let expected = match status {
        204 | 304 => Some(0),
        _ if method == "HEAD" => Some(0),
        _ => length,
    };
    match expected {
        Some(expected) if expected != body.len() => {
            Err(format!("a body of {} bytes where {expected} are announced", body.len()))
        }
        None if !headers.contains_key("transfer-encoding") => Err("a body without a length".to_owned()),
        _ => Ok(Answer { status, headers, body }),
    }
}
