//! What goes wrong on demand.

use std::collections::VecDeque;

use std::time::Duration;
use tokio::time::Instant;

use super::answer::{Protocol, Refusal};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused because there are too many: `ThrottlingException`.
    Throttled,
    /// It is refused: `AccessDeniedException`.
    AccessDenied,
    /// It is answered with 500: `ServerException`.
    Unavailable,
    /// The connection ends without an answer; it is not carried out.
    Reset,
    /// It is carried out, then the connection ends without an answer.
    LostAnswer,
}

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its image is not there: it stops before it runs.
    CannotPullImage,
    /// Its network, log group or secrets are not to be had: it stops before it runs.
    ResourceInitialization,
    /// It stays in `PENDING` until it is stopped.
    NeverStarts,
    /// The kernel kills it so long after its start.
    OutOfMemory {
        /// How long it runs.
        after: Duration,
    },
    /// Spot capacity is taken back so long after its start.
    Spot {
        /// How long it runs.
        after: Duration,
    },
}

/// How many calls are let through: `burst` at once, then `per_second`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many calls may come at once.
    pub burst: u32,
    /// How many calls a second are possible in the long run; 0: none after the burst.
    pub per_second: f64,
}

/// All that waits to go wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<(String, Fault, usize)>,
    launches: VecDeque<(String, usize)>,
    pub(super) fates: VecDeque<Fate>,
    pub(super) bucket: Option<Bucket>,
}

/// The tokens of [`Rate`].
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    tokens: f64,
    filled: Instant,
}

impl Faults {
    pub(super) fn add(&mut self, operation: &str, fault: Fault, times: usize) {
        self.waiting.push((operation.to_owned(), fault, times));
    }

    pub(super) fn fail_launches(&mut self, reason: &str, times: usize) {
        self.launches.push_back((reason.to_owned(), times));
    }

    /// How this call fails, if it does.
    pub(super) fn meet(&mut self, operation: &str) -> Option<Fault> {
        let (_, fault, times) =
            self.waiting.iter_mut().find(|(waiting, _, times)| waiting == operation && *times > 0)?;
        spend(times);
        Some(*fault)
    }

    /// Why there is no room for a task, if there is none.
    pub(super) fn no_room(&mut self) -> Option<String> {
        let (reason, times) = self.launches.iter_mut().find(|(_, times)| *times > 0)?;
        spend(times);
        Some(reason.clone())
    }

    /// Whether a task may be run now.
    pub(super) fn admits(&mut self) -> bool {
        self.bucket.as_mut().is_none_or(Bucket::take)
    }
}

impl Fault {
    /// What is answered, unless the connection is cut.
    pub(super) fn refusal(self, protocol: Protocol, operation: &str) -> Option<Refusal> {
        let (status, code, message) = match (self, protocol) {
            (Self::Throttled, Protocol::Json11) => (400, "ThrottlingException", "Rate exceeded".to_owned()),
            (Self::Throttled, Protocol::Json10) => {
                (400, "RequestThrottled", "Request is throttled.".to_owned())
            }
            (Self::Throttled, Protocol::Query) => (400, "Throttling", "Rate exceeded".to_owned()),
            (Self::AccessDenied, _) => {
                return Some(denied(protocol, "arn:aws:iam::123456789012:user/test", operation));
            }
            (Self::Unavailable, Protocol::Json11) => {
                (500, "ServerException", "Service Unavailable. Please try again later.".to_owned())
            }
            (Self::Unavailable, _) => (503, "ServiceUnavailable", "Service Unavailable".to_owned()),
            (Self::Reset | Self::LostAnswer, _) => return None,
        };
        Some(Refusal::new(code, message).status(status))
    }
}

/// What a principal hears that may not do something.
pub(super) fn denied(protocol: Protocol, who: &str, operation: &str) -> Refusal {
    let (status, code, service) = match protocol {
        Protocol::Json11 => (400, "AccessDeniedException", "ecs"),
        Protocol::Json10 => (403, "AccessDeniedException", "sqs"),
        Protocol::Query => (403, "AccessDenied", "sts"),
    };
    let action = format!("{service}:{operation}");
    let message = format!(
        "User: {who} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
    );
    Refusal::new(code, message).status(status)
}

impl Bucket {
    pub(super) fn full(rate: Rate) -> Self {
        Self { rate, tokens: f64::from(rate.burst), filled: Instant::now() }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = now.duration_since(self.filled).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + gained).min(f64::from(self.rate.burst));
        self.filled = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

/// `usize::MAX` is for ever.
fn spend(times: &mut usize) {
    if *times != usize::MAX {
        *times -= 1;
    }
}
