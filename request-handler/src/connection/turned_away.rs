//! What a visitor is told for whose connection there is no place, without reading what was asked.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a visitor may take to read it.
const BOUND: Duration = Duration::from_secs(1);

/// That all places are taken. No cache keeps a 503 or a 429 unasked (RFC 9110 §15.1).
pub(crate) const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    Connection: close\r\nContent-Length: 68\r\n\
    Content-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\n\r\n\
    Too many visitors are here right now. Please try again in a moment.\n";

/// That the visitor's address has taken all places that one address gets.
pub(crate) const TOO_MANY: &str = "HTTP/1.1 429 Too Many Requests\r\n\
    Connection: close\r\nContent-Length: 80\r\n\
    Content-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\n\r\n\
    Your address has too many connections open. Please close some, or wait a while.\n";

/// Says it, and closes the connection.
pub(crate) async fn say(mut socket: TcpStream, answer: &'static str) {
    let said = async {
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await?;
        // A connection that is closed with something unread is reset, and the answer is lost.
        let mut unread = [0; 512];
        while socket.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Whether it was read is of no consequence.
    tokio::time::timeout(BOUND, said).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_right() {
        for answer in [FULL, TOO_MANY] {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        }
    }
}
