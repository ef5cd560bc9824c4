//! A request and its answer: what the access log and the metrics tell of.

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderValue, Method, Uri, Version};

use crate::account::Account;
use crate::visitor::Visitor;

/// A request and its answer. What is not known before the answer has ended is zero until then.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) visitor: Visitor,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) referer: Option<HeaderValue>,
    pub(crate) status: u16,
    pub(crate) account: Account,
    pub(crate) begin: Instant,
    pub(crate) duration: Duration,
    pub(crate) ended: SystemTime,
    /// How much of the body was handed to the system.
    pub(crate) bytes: u64,
    /// Whether that was all of it.
    pub(crate) is_whole: bool,
}
