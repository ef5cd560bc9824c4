//! HTTP that keeps to the rules: only to addresses that were looked at, only within the budget.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::runtime::Handle;

use super::address::Address;
use super::budget::{Budget, too_slow};
use super::problem::Problem;
use super::rules::Rules;
use crate::stop::Stop;

/// How long a server may take to accept a connection, and to send its next bytes.
pub(super) const CONNECT: Duration = Duration::from_secs(15);
pub(super) const SILENCE: Duration = Duration::from_mins(1);

/// For a thread that may wait.
#[derive(Debug, Clone)]
pub(super) struct Web {
    runtime: Handle,
    pub(super) rules: Rules,
    pub(super) budget: Arc<Budget>,
}

impl Web {
    pub(super) fn new(runtime: Handle, rules: Rules, budget: Arc<Budget>) -> Self {
        Self { runtime, rules, budget }
    }

    /// A client for one server. It looks up no name again, and follows no redirect by itself.
    pub(super) fn client(&self, address: &Address) -> Result<Client, Problem> {
        let admitted = self.admit(address)?;
        let client = Client::builder()
            .user_agent(concat!("git/2.0 (gitdeploy ", env!("CARGO_PKG_VERSION"), ")"))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(Policy::none());
        let client =
            if admitted.is_empty() { client } else { client.resolve_to_addrs(&address.host, &admitted) };
        client.build().map_err(network)
    }

    /// Refuses addresses that must not be talked to; else returns where to connect to.
    pub(super) fn admit(&self, address: &Address) -> Result<Vec<SocketAddr>, Problem> {
        Ok(self.wait(async { Ok(self.rules.admit(address).await) })??)
    }

    pub(super) fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Problem> {
        // Within the runtime, whose timers it starts.
        self.wait(async { request.send().await })
    }

    /// The next bytes of a body, if there are more.
    pub(super) fn next(&self, response: &mut Response) -> Result<Option<Bytes>, Problem> {
        self.wait(response.chunk())
    }

    /// Waits as long as there is time and nobody cancels.
    fn wait<T>(&self, future: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, Problem> {
        self.runtime.block_on(async {
            tokio::select! {
                done = future => done.map_err(network),
                () = self.budget.cancel().cancelled() => Err(Stop::canceled().into()),
                () = tokio::time::sleep(self.budget.left()) => Err(too_slow().into()),
            }
        })
    }
}

/// The innermost cause says most, and the address is said already.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn network(error: reqwest::Error) -> Problem {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text =
        if error.is_timeout() { "the server does not answer in time".to_owned() } else { cause.to_string() };
    Problem::Network(text)
}
