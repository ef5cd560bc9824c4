//! One line of JSON for each answer that has ended, on standard output.
//!
//! A thread writes them, many at once where many come. It never holds up visitors: lines that come faster than they
//! are written are left out and counted. The query of a target and of a referer is left out: tokens stand there.

use std::borrow::Cow;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gitdeploy_core::{OutputId, SitePath};
use http::HeaderValue;
use jiff::Timestamp;
use serde::Serialize;

use crate::account::{Decision, Source};
use crate::coding::Coding;
use crate::exchange::Exchange;
use crate::metrics;
use crate::site_name::SiteName;

/// How many lines may wait to be written.
const WAITING: usize = 16 << 10;

/// From which size on what is written is written at once, in bytes.
const BATCH: usize = 64 << 10;

/// How long what waits to be written is waited for at the end, and how often it is looked at.
const LAST_LINES: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// How much of what a visitor sent stands in a line, in bytes.
const LONGEST: usize = 1 << 10;

/// The access log. Dropped, it has written everything, unless nobody reads it.
#[derive(Debug)]
pub struct AccessLog {
    /// `None` only while it is dropped.
    exchanges: Option<SyncSender<Box<Exchange>>>,
    thread: Option<JoinHandle<()>>,
}

/// A line, field by field.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    message: &'static str,
    status: u16,
    method: &'a str,
    host: Option<Cow<'a, str>>,
    path: Cow<'a, str>,
    protocol: &'static str,
    bytes: u64,
    aborted: bool,
    duration_ms: f64,
    site: Option<&'a str>,
    #[serde(rename = "deployment.id")]
    deployment: Option<&'a str>,
    decision: Option<&'static str>,
    #[serde(rename = "redirect.line")]
    redirect: Option<u32>,
    #[serde(rename = "headers.lines")]
    headers: &'a [u32],
    file: Option<&'a str>,
    encoding: Option<&'static str>,
    source: Option<&'static str>,
    store_ms: f64,
    #[serde(rename = "visitor.address")]
    address: std::net::IpAddr,
    #[serde(rename = "visitor.country")]
    country: Option<&'a str>,
    #[serde(rename = "visitor.secure")]
    is_secure: bool,
    user_agent: Option<Cow<'a, str>>,
    referer: Option<Cow<'a, str>>,
}

impl AccessLog {
    /// Writes to standard output.
    pub fn to_stdout() -> std::io::Result<Self> {
        Self::to(std::io::stdout())
    }

    fn to(output: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (sender, exchanges) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("access-log".to_owned());
        let thread = thread.spawn(move || write_all(&exchanges, output))?;
        Ok(Self { exchanges: Some(sender), thread: Some(thread) })
    }

    /// Takes an exchange, unless too many wait already.
    pub(crate) fn tell(&self, exchange: Box<Exchange>) -> bool {
        self.exchanges.as_ref().is_some_and(|exchanges| exchanges.try_send(exchange).is_ok())
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        drop(self.exchanges.take());
        let Some(thread) = self.thread.take() else { return };
        let begin = Instant::now();
        while !thread.is_finished() && begin.elapsed() < LAST_LINES {
            std::thread::sleep(PAUSE);
        }
        if !thread.is_finished() {
            tracing::warn!("nobody reads the access log: its last lines are lost");
        } else if thread.join().is_err() {
            tracing::error!("the access log ended early");
        }
    }
}

fn write_all(exchanges: &Receiver<Box<Exchange>>, mut output: impl Write) {
    let (mut batch, mut is_broken) = (Vec::new(), false);
    while let Ok(exchange) = exchanges.recv() {
        append(&mut batch, &exchange);
        while batch.len() < BATCH
            && let Ok(exchange) = exchanges.try_recv()
        {
            append(&mut batch, &exchange);
        }
        let written = output.write_all(&batch).and_then(|()| output.flush());
        if let Err(error) = &written
            && !is_broken
        {
            tracing::warn!(%error, "cannot write the access log");
        }
        is_broken = written.is_err();
        batch.clear();
    }
}

fn append(batch: &mut Vec<u8>, exchange: &Exchange) {
    serde_json::to_writer(&mut *batch, &line(exchange))
        .expect("memory takes what is written, and every key is text");
    batch.push(b'\n');
}

fn line(exchange: &Exchange) -> Line<'_> {
    let account = &exchange.account;
    Line {
        timestamp: Timestamp::try_from(exchange.ended).unwrap_or_default(),
        message: "answered",
        status: exchange.status,
        method: clipped(exchange.method.as_str()),
        host: exchange.host.as_ref().map(text),
        path: clip(Cow::Borrowed(exchange.uri.path())),
        protocol: metrics::protocol(exchange.version),
        bytes: exchange.bytes,
        aborted: !exchange.is_whole,
        duration_ms: milliseconds(exchange.duration),
        site: account.site.as_ref().map(SiteName::as_str),
        deployment: account.deployment.as_ref().map(OutputId::as_str),
        decision: account.decision.map(Decision::name),
        redirect: account.redirect_line,
        headers: &account.header_lines,
        file: account.file.as_ref().map(SitePath::as_str),
        encoding: account.encoding.map(Coding::as_str),
        source: account.source.map(Source::name),
        store_ms: milliseconds(account.store_time),
        address: exchange.visitor.address,
        country: exchange.visitor.country.as_deref(),
        is_secure: exchange.visitor.is_secure,
        user_agent: exchange.user_agent.as_ref().map(text),
        referer: exchange.referer.as_ref().map(|value| without_query(text(value))),
    }
}

/// What a header says. What is no text is shown as well as it can be.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    clip(String::from_utf8_lossy(value.as_bytes()))
}

fn clip(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(clipped(text)),
        Cow::Owned(text) => Cow::Owned(clipped(&text).to_owned()),
    }
}

fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

fn without_query(url: Cow<'_, str>) -> Cow<'_, str> {
    match url.find(['?', '#']) {
        Some(end) => Cow::Owned(url[..end].to_owned()),
        None => url,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::SystemTime;

    use http::{Method, Version};

    use super::*;
    use crate::account::Account;
    use crate::visitor::Visitor;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn entry(uri: &str, user_agent: &[u8]) -> Box<Exchange> {
        Box::new(Exchange {
            visitor: Visitor { address: "192.0.2.7".parse().unwrap(), is_secure: true, country: None },
            method: Method::GET,
            uri: uri.parse().unwrap(),
            version: Version::HTTP_2,
            host: Some(HeaderValue::from_static("blog.example")),
            user_agent: Some(HeaderValue::from_bytes(user_agent).unwrap()),
            referer: Some(HeaderValue::from_static("https://example.org/a?token=secret#b")),
            status: 200,
            account: Account {
                site: "blog".parse().ok(),
                decision: Some(Decision::Redirect),
                redirect_line: Some(3),
                header_lines: vec![1, 7],
                ..Account::default()
            },
            begin: Instant::now(),
            ended: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            duration: Duration::from_micros(1500),
            bytes: 4,
            is_whole: true,
        })
    }

    fn written(entries: impl IntoIterator<Item = Box<Exchange>>) -> Vec<serde_json::Value> {
        let output = Output::default();
        let log = AccessLog::to(output.clone()).unwrap();
        for entry in entries {
            assert!(log.tell(entry));
        }
        drop(log);
        let bytes = output.0.lock().unwrap();
        let lines = str::from_utf8(&bytes).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_answer_is_a_line() {
        let lines = written([entry("/a?token=secret", b"curl")]);
        assert_eq!(
            lines,
            [serde_json::json!({
                "timestamp": "1970-01-01T00:00:01Z", "message": "answered", "status": 200, "method": "GET",
                "host": "blog.example", "path": "/a", "protocol": "h2", "bytes": 4, "aborted": false,
                "duration_ms": 1.5, "site": "blog", "deployment.id": null, "decision": "redirect", "redirect.line": 3,
                "headers.lines": [1, 7], "file": null, "encoding": null, "source": null, "store_ms": 0.0,
                "visitor.address": "192.0.2.7", "visitor.country": null, "visitor.secure": true,
                "user_agent": "curl", "referer": "https://example.org/a",
            })]
        );
    }

    #[test]
    fn nobody_forges_a_line() {
        let agent = "x\"}\t{\u{85}\u{2028}\u{1f}";
        let agent: Vec<_> =
            agent.bytes().filter(|byte| *byte == b'\t' || *byte >= 0x20).chain([0xff]).collect();
        let lines = written([entry("/\u{2028}", &agent), entry("/b", b"")]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["user_agent"], "x\"}\t{\u{85}\u{2028}\u{fffd}");
        assert_eq!(lines[1]["path"], "/b");
    }

    #[test]
    fn what_is_long_is_cut() {
        let path = format!("/{}", "ü".repeat(LONGEST));
        let lines = written([entry(&path, &[b'a'; 2 * LONGEST])]);
        assert_eq!(lines[0]["path"].as_str().unwrap().len(), LONGEST - 1);
        assert_eq!(lines[0]["user_agent"].as_str().unwrap().len(), LONGEST);
    }

    #[test]
    fn all_are_written_before_it_is_dropped() {
        assert_eq!(written((0..5000).map(|_| entry("/", b""))).len(), 5000);
    }

    #[test]
    fn who_does_not_read_it_holds_up_nobody() {
        struct Stuck(Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                self.0.recv().map_err(std::io::Error::other)?;
                Ok(0)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (release, stuck) = std::sync::mpsc::channel();
        let log = AccessLog::to(Stuck(stuck)).unwrap();
        let taken = (0..4 * WAITING).take_while(|_| log.tell(entry("/", b""))).count();
        assert!((WAITING..4 * WAITING).contains(&taken), "{taken} were taken");
        drop(log);
        drop(release);
    }
}
