//! What is counted, for Prometheus. No label has a value that visitors or sites choose.

mod frequent;
mod labels;

use std::time::Duration;

use http::Version;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::account::Source;
use crate::exchange::Exchange;
use frequent::{Counts, Frequent};
use labels::{Answers, Cache, Class, Protocol, Refusals, StoreRequests, StoreTimes};
pub(crate) use labels::{Operation, Outcome, Refused, protocol};

/// The upper bounds of durations, in seconds: from memory to the limits of the store.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// Counters of one proxy.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answers, Counter>,
    durations: Family<Class, Histogram>,
    /// Both of these.
    frequent: Frequent,
    sent: Counter,
    aborted: Counter,
    pub(crate) lost_log_lines: Counter,
    connections: Family<Protocol, Gauge>,
    refused: Family<Refusals, Counter>,
    store_requests: Family<StoreRequests, Counter>,
    store_durations: Family<StoreTimes, Histogram>,
    cache_bytes: Family<Cache, Gauge>,
    cache_entries: Family<Cache, Gauge>,
}

/// A connection that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("gitdeploy_proxy");
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            frequent: Frequent::new(),
            sent: Counter::default(),
            aborted: Counter::default(),
            lost_log_lines: Counter::default(),
            connections: Family::default(),
            refused: Family::default(),
            store_requests: Family::default(),
            store_durations: Family::new_with_constructor(histogram),
            cache_bytes: Family::default(),
            cache_entries: Family::default(),
            registry: Registry::default(),
        };
        let (seconds, bytes) = (|| Unit::Seconds, || Unit::Bytes);
        registry.register("requests", "Answers that have ended", metrics.requests.clone());
        let help = "From the head of a request to the end of its answer";
        registry.register_with_unit("request_duration", help, seconds(), metrics.durations.clone());
        registry.register_with_unit("sent", "Bytes of bodies", bytes(), metrics.sent.clone());
        let help = "Answers whose visitor, or whose store, went away before their end";
        registry.register("aborted_answers", help, metrics.aborted.clone());
        let help = "Lines of the access log that came faster than they could be written";
        registry.register("lost_log_lines", help, metrics.lost_log_lines.clone());
        registry.register("open_connections", "Connections that speak HTTP", metrics.connections.clone());
        let help = "Connections and requests that were turned away or cut off";
        registry.register("refused", help, metrics.refused.clone());
        registry.register("store_requests", "Requests to the store", metrics.store_requests.clone());
        let help = "Until the store begins its answer";
        registry.register_with_unit(
            "store_request_duration",
            help,
            seconds(),
            metrics.store_durations.clone(),
        );
        registry.register_with_unit("cache", "What caches hold", bytes(), metrics.cache_bytes.clone());
        registry.register("cache_entries", "How many values caches hold", metrics.cache_entries.clone());
        Self { registry, ..metrics }
    }

    pub(crate) fn answered(&self, exchange: &Exchange) {
        let counts = self.frequent.of(exchange, || self.counts(exchange));
        counts.requests.inc();
        counts.durations.observe(exchange.duration.as_secs_f64());
        self.sent.inc_by(exchange.bytes);
        if !exchange.is_whole {
            self.aborted.inc();
        }
    }

    fn counts(&self, exchange: &Exchange) -> Counts {
        let status = labels::class(exchange.status);
        let answers = Answers {
            status,
            method: labels::method(&exchange.method),
            protocol: protocol(exchange.version),
            source: exchange.account.source.map_or("none", Source::name),
        };
        Counts {
            requests: self.requests.get_or_create(&answers).clone(),
            durations: self.durations.get_or_create(&Class { status }).clone(),
        }
    }

    pub(crate) fn refused(&self, reason: Refused) {
        self.refused.get_or_create(&Refusals { reason: reason.label() }).inc();
    }

    pub(crate) fn connected(&self, version: Version) -> Counted {
        let gauge = self.connections.get_or_create(&Protocol { protocol: protocol(version) }).clone();
        gauge.inc();
        Counted(gauge)
    }

    pub(crate) fn asked_store(&self, operation: Operation, outcome: Outcome, duration: Duration) {
        let (operation, outcome) = (operation.label(), outcome.label());
        self.store_requests.get_or_create(&StoreRequests { operation, outcome }).inc();
        self.store_durations.get_or_create(&StoreTimes { operation }).observe(duration.as_secs_f64());
    }

    /// How much a cache holds now.
    pub(crate) fn cache_holds(&self, cache: &'static str, bytes: u64, entries: u64) {
        let gauge = |family: &Family<Cache, Gauge>, value: u64| {
            family.get_or_create(&Cache { cache }).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        gauge(&self.cache_bytes, bytes);
        gauge(&self.cache_entries, entries);
    }

    /// All of it, in the text format of `OpenMetrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes whatever is written");
        text
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use http::Method;

    use super::*;
    use crate::account::Account;
    use crate::visitor::Visitor;

    #[test]
    fn everything_is_told_by_name_and_unit() {
        let metrics = Metrics::new();
        metrics.answered(&Exchange {
            visitor: Visitor { address: "192.0.2.7".parse().unwrap(), is_secure: true, country: None },
            method: Method::GET,
            uri: "/".parse().unwrap(),
            version: Version::HTTP_2,
            host: None,
            user_agent: None,
            referer: None,
            status: 304,
            account: Account { source: Some(Source::Memory), ..Account::default() },
            begin: Instant::now(),
            duration: Duration::from_millis(2),
            ended: SystemTime::UNIX_EPOCH,
            bytes: 7,
            is_whole: true,
        });
        metrics.refused(Refused::SlowHead);
        metrics.asked_store(Operation::Get, Outcome::TimedOut, Duration::from_secs(10));
        metrics.cache_holds("files", 10, 1);
        let connection = metrics.connected(Version::HTTP_11);
        let text = metrics.text();
        for line in [
            r#"gitdeploy_proxy_requests_total{status="3xx",method="GET",protocol="h2",source="memory"} 1"#,
            r#"gitdeploy_proxy_request_duration_seconds_bucket{le="0.0025",status="3xx"} 1"#,
            "gitdeploy_proxy_sent_bytes_total 7",
            "gitdeploy_proxy_aborted_answers_total 0",
            r#"gitdeploy_proxy_open_connections{protocol="http/1.1"} 1"#,
            r#"gitdeploy_proxy_refused_total{reason="slow_head"} 1"#,
            r#"gitdeploy_proxy_store_requests_total{operation="get",outcome="timed_out"} 1"#,
            r#"gitdeploy_proxy_cache_bytes{cache="files"} 10"#,
            r#"gitdeploy_proxy_cache_entries{cache="files"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        drop(connection);
        assert!(metrics.text().contains("open_connections{protocol=\"http/1.1\"} 0"));
    }
}
