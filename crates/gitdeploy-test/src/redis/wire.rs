//! As much of the Redis protocol as tests need to look at a server without any client library (RESP2).

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a connection and an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status or a text. What is no UTF-8 in it is replaced.
    Text(String),
    /// A number.
    Integer(i64),
    /// There is no such thing.
    Nothing,
    /// Several answers.
    List(Vec<Self>),
    /// The server refuses, and why.
    Error(String),
}

/// A connection that listens to one channel.
#[derive(Debug)]
pub struct Subscriber(Connection);

#[derive(Debug)]
pub(super) struct Connection(BufReader<TcpStream>);

impl Subscriber {
    pub(super) fn open(port: u16, channel: &str) -> io::Result<Self> {
        let mut connection = Connection::open(port)?;
        connection.ask(&["SUBSCRIBE", channel])?;
        Ok(Self(connection))
    }

    /// The next message, if one comes within `limit`. Blocks the thread.
    pub fn next(&mut self, limit: Duration) -> Option<String> {
        let Connection(reader) = &mut self.0;
        if reader.buffer().is_empty() {
            reader.get_ref().set_read_timeout(Some(limit)).expect("the limit is not zero");
            match reader.fill_buf() {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) => panic!("the subscription was lost: {error}"),
            }
        }
        reader.get_ref().set_read_timeout(Some(TIMEOUT)).expect("the limit is not zero");
        let Ok(Reply::List(message)) = self.0.read() else { panic!("the subscription was lost") };
        match message.into_iter().last() {
            Some(Reply::Text(text)) => Some(text),
            other => panic!("a message ends with its text, not with {other:?}"),
        }
    }
}

impl Connection {
    pub(super) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(super) fn ask(&mut self, command: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", command.len());
        for part in command {
            request.extend([format!("${}\r\n", part.len()).as_str(), part, "\r\n"]);
        }
        self.0.get_mut().write_all(request.as_bytes())?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        match kind {
            "+" => Ok(Reply::Text(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => Ok(Reply::Integer(number()?)),
            "$" => self.text(number()?),
            "*" if rest == "-1" => Ok(Reply::Nothing),
            "*" => (0..number()?).map(|_| self.read()).collect::<io::Result<_>>().map(Reply::List),
            _ => Err(io::Error::other(format!("`{line}` is no answer of Redis"))),
        }
    }

    fn text(&mut self, length: i64) -> io::Result<Reply> {
        let Ok(length) = usize::try_from(length) else { return Ok(Reply::Nothing) };
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes)?;
        Ok(Reply::Text(String::from_utf8_lossy(&bytes[..length]).into_owned()))
    }
}
