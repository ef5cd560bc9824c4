//! What is counted at every answer, found by its place: to look it up by its labels takes longer than to count.

use std::sync::OnceLock;

use http::{Method, Version};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::account::Source;
use crate::exchange::Exchange;

const CLASSES: usize = 5;
const METHODS: usize = 4;
const PROTOCOLS: usize = 3;
const SOURCES: usize = 4;

/// One place for each combination of labels that there is; those are empty that were not counted yet.
#[derive(Debug)]
pub(super) struct Frequent(Box<[OnceLock<Counts>]>);

/// What is counted of answers with the same labels.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) requests: Counter,
    pub(super) durations: Histogram,
}

impl Frequent {
    pub(super) fn new() -> Self {
        Self((0..CLASSES * METHODS * PROTOCOLS * SOURCES).map(|_| OnceLock::new()).collect())
    }

    /// What is counted of answers such as this one, which `find` looks up the first time.
    pub(super) fn of(&self, exchange: &Exchange, find: impl FnOnce() -> Counts) -> &Counts {
        self.0[place(exchange)].get_or_init(find)
    }
}

fn place(exchange: &Exchange) -> usize {
    let class = usize::from(exchange.status / 100).clamp(1, CLASSES) - 1;
    let method = match exchange.method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::OPTIONS => 2,
        _ => 3,
    };
    let protocol = match exchange.version {
        Version::HTTP_2 => 0,
        Version::HTTP_10 => 1,
        _ => 2,
    };
    let source = match exchange.account.source {
        None => 0,
        Some(Source::Memory) => 1,
        Some(Source::Stale) => 2,
        Some(Source::Store) => 3,
    };
    ((class * METHODS + method) * PROTOCOLS + protocol) * SOURCES + source
}
