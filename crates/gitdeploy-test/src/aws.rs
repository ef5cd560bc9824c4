//! As much of AWS as launching builders needs, on loopback: an ECS whose tasks really run a program, the queue
//! to which `EventBridge` sends their changes, and the STS that lends credentials.

mod answer;
mod clock;
mod cluster;
mod ecs;
mod events;
mod fault;
mod life;
mod process;
mod queue;
mod server;
mod sqs;
mod state;
mod sts;
mod task;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use cluster::Cluster;
pub use fault::{Fate, Fault, Rate};
pub use sts::Session;
pub use task::{Status, StopCode, Task};

use crate::iam::{Mistake, Policy};
use crate::s3::S3Server;
use fault::Bucket;
use life::Order;
use state::Shared;

use cluster::{ACCOUNT, REGION};

const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";

/// The server. It ends when it is dropped, and all processes of its tasks with it.
#[derive(Debug)]
pub struct Aws {
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Aws {
    /// A server on a free port of loopback.
    pub async fn start(cluster: Cluster) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::new(endpoint, cluster));
        let served = Arc::clone(&shared);
        let answer = move |request| server::serve(request, Arc::clone(&served));
        let serving = tokio::spawn(crate::connections::accept(listener, answer));
        Ok(Self { shared, serving })
    }

    /// The URL of all its services.
    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    /// The cluster that it was started with.
    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// The URL of the queue of task events.
    pub fn queue_url(&self) -> String {
        self.shared.queue_url()
    }

    /// The variables by which the AWS SDK finds this server and may use it. The region and the keys are those
    /// of [`S3Server::vars`].
    pub fn vars(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL_ECS", self.endpoint()),
            ("AWS_ENDPOINT_URL_SQS", self.endpoint()),
            ("AWS_ENDPOINT_URL_STS", self.endpoint()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Lets `RunTask` through at this rate only, from a full burst on; `None`: at any rate.
    pub fn throttle(&self, rate: impl Into<Option<Rate>>) {
        let bucket = rate.into().map(Bucket::full);
        self.shared.with(|state| state.faults.bucket = bucket);
    }

    /// Lets the next `times` calls of `RunTask` find no room: they are answered with 200, no task and this
    /// reason, such as `RESOURCE:MEMORY` or `Capacity is unavailable at this time.`
    pub fn fail_launches(&self, reason: &str, times: usize) {
        self.shared.with(|state| state.faults.fail_launches(reason, times));
    }

    /// Makes the next `times` calls of an operation, such as `StopTask`, fail; `usize::MAX`: until
    /// [`Aws::clear_faults`].
    pub fn fail(&self, operation: &str, fault: Fault, times: usize) {
        self.shared.with(|state| state.faults.add(operation, fault, times));
    }

    /// Carries the next `times` calls of `RunTask` out and cuts the connection before the answer.
    pub fn lose_answers(&self, times: usize) {
        self.fail("RunTask", Fault::LostAnswer, times);
    }

    /// Refuses the next `times` calls of `RunTask` with `AccessDeniedException`.
    pub fn refuse(&self, times: usize) {
        self.fail("RunTask", Fault::AccessDenied, times);
    }

    /// Nothing fails any more, no rate is kept, and the next task has no fate.
    pub fn clear_faults(&self) {
        self.shared.with(|state| state.faults = fault::Faults::default());
    }

    /// What becomes of the next task that is run; after several calls, of the one after it, and so on.
    pub fn next_task(&self, fate: Fate) {
        self.shared.with(|state| state.faults.fates.push_back(fate));
    }

    /// Stops a task, by its ARN or id, in the way of this code: SIGTERM, and SIGKILL after the stop timeout.
    pub fn interrupt(&self, task: &str, code: StopCode) {
        let reason = match code {
            StopCode::SpotInterruption | StopCode::TerminationNotice => life::INTERRUPTED,
            _ => "Task stopped by the platform",
        };
        self.shared.stop(task, Order::Stop, code, reason);
    }

    /// Kills a task with the host that it runs on: it has no exit code.
    pub fn lose(&self, task: &str, code: StopCode, reason: &str) {
        self.shared.stop(task, Order::Lose, code, reason);
    }

    /// Lets the kernel kill a task: exit code 137 and the reason that ECS gives.
    pub fn out_of_memory(&self, task: &str) {
        life::out_of_memory(&self.shared, task);
    }

    /// Whether every event is sent twice.
    pub fn duplicate_events(&self, duplicate: bool) {
        self.shared.with(|state| state.events.duplicate = duplicate);
    }

    /// Whether events are lost.
    pub fn drop_events(&self, drop: bool) {
        self.shared.with(|state| state.events.drop = drop);
    }

    /// Whether events overtake each other.
    pub fn shuffle_events(&self, shuffle: bool) {
        self.shared.with(|state| state.events.shuffle = shuffle);
    }

    /// Puts a message into the queue.
    pub fn send(&self, body: &str) {
        self.shared.queue.send(body.to_owned(), Duration::ZERO);
    }

    /// How many messages wait in the queue, and how many were received and neither deleted nor visible again.
    pub fn messages(&self) -> (usize, usize) {
        self.shared.queue.count()
    }

    /// Forgets all tasks that have stopped, as ECS does an hour later: they are missing for its API, and
    /// still there in [`Aws::tasks`].
    pub fn forget_stopped(&self) {
        self.shared.forget_stopped();
    }

    /// All tasks in the order of their start.
    pub fn tasks(&self) -> Vec<Task> {
        self.shared.tasks()
    }

    /// A task by its ARN or id.
    pub fn task(&self, name: &str) -> Option<Task> {
        self.shared.task(name)
    }

    /// Waits until something is so for the tasks, and returns them. Panics with what there is if it is not so
    /// within `limit`.
    pub async fn until(&self, limit: Duration, so: impl Fn(&[Task]) -> bool) -> Vec<Task> {
        let mut changes = self.shared.changes.subscribe();
        let seen = async {
            while !so(&self.tasks()) {
                // Lines of output come without a change.
                drop(timeout(Duration::from_millis(50), changes.changed()).await);
            }
        };
        let seen = timeout(limit, seen).await;
        assert!(seen.is_ok(), "the tasks are not as they should be: {:#?}", self.tasks());
        self.tasks()
    }

    /// All sessions that `AssumeRole` lent.
    pub fn sessions(&self) -> Vec<Session> {
        self.shared.with(|state| state.sts.sessions.clone())
    }

    /// Lets the keys of all sessions, also of later ones, into an S3 server, as far as this policy of their
    /// role, in JSON, and the session's own policy both allow.
    pub fn lend_to(&self, s3: &S3Server, role_policy: &str) -> Result<(), Mistake> {
        let role = Policy::parse(role_policy)?;
        self.shared.with(|state| state.sts.lend_to(s3.ring(), role));
        Ok(())
    }

    /// Ends all sessions now.
    pub fn expire_sessions(&self) {
        self.shared.with(|state| state.sts.expire());
    }

    /// Makes later sessions end so soon, whatever `DurationSeconds` says; `None`: as it says.
    pub fn shorten_sessions(&self, length: impl Into<Option<Duration>>) {
        let length = length.into();
        self.shared.with(|state| state.sts.shorter = length);
    }

    /// How many calls of an operation came in, such as `RunTask`, `ReceiveMessage` or `AssumeRole`. Those that
    /// a fault met count too.
    pub fn requests(&self, operation: &str) -> usize {
        self.bodies(operation).len()
    }

    /// The parameters of all calls of an operation.
    pub fn bodies(&self, operation: &str) -> Vec<Value> {
        self.shared.with(|state| {
            let calls = state.recorded.iter().filter(|call| call.operation == operation);
            calls.map(|call| call.body.clone()).collect()
        })
    }
}

impl Shared {
    fn queue_url(&self) -> String {
        format!("{}/{ACCOUNT}/{}-tasks", self.endpoint, self.cluster.name)
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.serving.abort();
        self.shared.end();
    }
}

#[cfg(test)]
mod tests;
