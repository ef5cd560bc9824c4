//! The first bytes of a connection: whose it is, where a neighbour says so, and which version of HTTP follows.

use std::io;

use bytes::{Buf as _, BytesMut};
use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::visitor::Peer;

/// What a connection of HTTP/2 begins with (RFC 9113 §3.4), and no request of HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest header of the PROXY protocol that is read: addresses and a few extensions.
const MAX_PROXY_HEADER: usize = 4 << 10;

/// Why a connection does not get as far as a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpeningError {
    #[error("the connection ended")]
    Io(#[from] io::Error),
    #[error("a trusted neighbour did not begin with a header of the PROXY protocol")]
    ProxyHeader,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    Two,
}

/// Reads the header of the PROXY protocol, and makes the peer the one of whom it speaks. There has to be one:
/// where it was optional, visitors could write it themselves.
pub(crate) async fn proxied(
    socket: &mut TcpStream,
    early: &mut BytesMut,
    peer: Peer,
) -> Result<Peer, OpeningError> {
    loop {
        let (length, of) = match ProxyHeader::parse(early, ParseConfig::default()) {
            Ok((header, length)) => (length, whom(&header, peer)),
            Err(Error::BufferTooShort) if early.len() < MAX_PROXY_HEADER => {
                read_more(socket, early).await?;
                continue;
            }
            Err(_) => return Err(OpeningError::ProxyHeader),
        };
        early.advance(length);
        return Ok(of);
    }
}

/// Which version of HTTP is spoken, from as many bytes as it takes to know.
pub(crate) async fn version(socket: &mut TcpStream, early: &mut BytesMut) -> io::Result<Http> {
    loop {
        let length = early.len().min(PREFACE.len());
        if early[..length] != PREFACE[..length] {
            return Ok(Http::One);
        }
        if length == PREFACE.len() {
            return Ok(Http::Two);
        }
        read_more(socket, early).await?;
    }
}

async fn read_more(socket: &mut TcpStream, early: &mut BytesMut) -> io::Result<()> {
    // An idle connection holds no buffer while it waits: it is made when there is something to read.
    socket.readable().await?;
    early.reserve(512);
    match socket.read_buf(early).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The peer that a header names; a neighbour that speaks for itself, as health checks do, stays the peer.
fn whom(header: &ProxyHeader<'_>, peer: Peer) -> Peer {
    let Some(proxied) = header.proxied_address() else { return peer };
    let is_secure = header.ssl().map_or(peer.is_secure, |tls| tls.client_ssl());
    Peer { address: proxied.source.ip().to_canonical(), is_secure }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    const PEER: Peer =
        Peer { address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), is_secure: false };

    /// What is read of a connection on which these pieces come one after another.
    async fn open(pieces: &[&[u8]]) -> Result<(Peer, Http, Vec<u8>), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut socket = listener.accept().await.unwrap().0;
        client.set_nodelay(true).unwrap();
        let send = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.shutdown().await.unwrap();
        };
        let read = async {
            let mut early = BytesMut::new();
            let peer = proxied(&mut socket, &mut early, PEER).await.map_err(|error| error.to_string())?;
            let http = version(&mut socket, &mut early).await.map_err(|error| error.to_string())?;
            let mut rest = early.to_vec();
            socket.read_to_end(&mut rest).await.unwrap();
            Ok((peer, http, rest))
        };
        tokio::join!(send, read).1
    }

    fn second_version(tls: bool) -> Vec<u8> {
        let source = "192.0.2.7:4000".parse().unwrap();
        let mut header =
            ProxyHeader::with_address(ProxiedAddress::stream(source, "192.0.2.1:443".parse().unwrap()));
        header.append_tlv(proxy_header::Tlv::Ssl(proxy_header::SslInfo::new(tls, false, false, 1)));
        let mut bytes = Vec::new();
        header.encode_v2(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_header_names_the_visitor() {
        let request = b"GET / HTTP/1.1\r\n\r\n";
        let first = b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n".to_vec();
        for (header, is_secure) in
            [(first, false), (second_version(false), false), (second_version(true), true)]
        {
            let visitor = Peer { address: "192.0.2.7".parse().unwrap(), is_secure };
            let expected = Ok((visitor, Http::One, request.to_vec()));
            assert_eq!(open(&[&header, request]).await, expected);
            assert_eq!(open(&[&[&header[..], request].concat()]).await, expected);
            let bytes: Vec<_> = header.chunks(1).chain([&request[..]]).collect();
            assert_eq!(open(&bytes).await, expected);
        }
        let unknown = b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(open(&[unknown]).await, Ok((PEER, Http::One, request.to_vec())));
    }

    #[tokio::test]
    async fn the_preface_of_http2_is_told_from_requests() {
        let local = b"PROXY UNKNOWN\r\n";
        let check = async |pieces: &[&[u8]], expected| {
            let pieces = [&[&local[..]], pieces].concat();
            assert_eq!(open(&pieces).await.unwrap().1, expected);
        };
        check(&[PREFACE], Http::Two).await;
        check(&[&PREFACE[..1], &PREFACE[1..]], Http::Two).await;
        check(&[b"PRI * HTTP/1.1\r\n\r\n"], Http::One).await;
        check(&[b"P", b"OST / HTTP/1.1\r\n\r\n"], Http::One).await;
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let refused = Err("a trusted neighbour did not begin with a header of the PROXY protocol".to_owned());
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"PROXY TCP4 a b c d\r\n", &[b'P'; 200]] {
            assert_eq!(open(&[bytes]).await, refused);
        }
        let endless = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"[..], &[0; 8 << 10]].concat();
        assert_eq!(open(&[&endless]).await, refused);
        assert!(open(&[b"PROXY TCP4 "]).await.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(rest in proptest::collection::vec(any::<u8>(), 0..64), version in 0..3) {
            let begin: &[u8] = match version {
                0 => b"PROXY TCP4 ",
                1 => b"\r\n\r\n\0\r\nQUIT\n",
                _ => b"",
            };
            let bytes = [begin, &rest].concat();
            if let Ok((header, length)) = ProxyHeader::parse(&bytes, ParseConfig::default()) {
                whom(&header, PEER);
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
