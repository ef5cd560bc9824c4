//! News of routes: a channel on which whoever moves a route says so.
//!
//! Nothing is kept: who was not there has to look at the routes themselves, which is why a follower is told
//! when it hears again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use redis::aio::{PubSubSink, PubSubStream};
use tokio::time::{Instant, timeout};

use super::link::{Request, failure, is_forbidden};
use super::subscriptions::PAUSES;
use super::{Redis, subscriptions};
use crate::{BusError, RouteNews};

/// The channel. A message is the label of a route, or [`ANY`].
const CHANNEL: &str = "routes";

/// The message that any route may have changed; no label is like it.
const ANY: &str = "*";

/// How often Redis is asked whether it is still there: as long may news be missed without being told so.
const PING_EVERY: Duration = Duration::from_secs(2);

impl Redis {
    pub(crate) async fn announce(&self, label: &str) -> Result<(), BusError> {
        self.say(label).await.map_err(|error| failure(format!("tell that `{label}` has moved"), error))
    }

    pub(crate) async fn announce_any(&self) -> Result<(), BusError> {
        self.say(ANY).await.map_err(|error| failure("tell that any route may have moved".to_owned(), error))
    }

    async fn say(&self, message: &str) -> redis::RedisResult<()> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(CHANNEL).arg(message);
        self.link.query::<redis::Value>(Request::One(&command)).await.map(drop)
    }
}

/// News of routes, through every outage.
pub(crate) fn follow(redis: Arc<Redis>) -> impl Stream<Item = RouteNews> + use<> {
    let state = Follower { redis, line: Line::Down, pause: PAUSES.0 };
    stream::unfold(state, |mut follower| async move { Some((follower.next().await, follower)) })
}

struct Follower {
    redis: Arc<Redis>,
    line: Line,
    /// How long to wait before the next connection.
    pause: Duration,
}

enum Line {
    Down,
    Up { sink: PubSubSink, messages: PubSubStream, ping_at: Instant },
}

impl Follower {
    async fn next(&mut self) -> RouteNews {
        loop {
            match &mut self.line {
                Line::Down => match self.connect().await {
                    Ok(line) => {
                        (self.line, self.pause) = (line, PAUSES.0);
                        return RouteNews::Listening;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "cannot follow the routes");
                        tokio::time::sleep(self.pause).await;
                        self.pause = PAUSES.1.min(self.pause * 2);
                    }
                },
                Line::Up { sink, messages, ping_at } => tokio::select! {
                    message = messages.next() => match message.map(|message| message.get_payload::<String>()) {
                        Some(Ok(message)) if message == ANY => return RouteNews::Listening,
                        Some(Ok(label)) => return RouteNews::Moved(label),
                        Some(Err(error)) => tracing::debug!(%error, "news of a route that cannot be read"),
                        None => return self.lost(),
                    },
                    () = tokio::time::sleep_until(*ping_at) => {
                        *ping_at = Instant::now() + PING_EVERY;
                        match timeout(PING_EVERY, sink.ping::<redis::Value>()).await {
                            Ok(Ok(_)) => {}
                            Ok(Err(error)) if is_forbidden(&error) => {}
                            Ok(Err(_)) | Err(_) => return self.lost(),
                        }
                    }
                },
            }
        }
    }

    async fn connect(&self) -> redis::RedisResult<Line> {
        let (mut sink, messages) = subscriptions::connect(self.redis.link.client()).await?;
        subscriptions::bounded(sink.subscribe(CHANNEL)).await?;
        Ok(Line::Up { sink, messages, ping_at: Instant::now() + PING_EVERY })
    }

    fn lost(&mut self) -> RouteNews {
        self.line = Line::Down;
        RouteNews::Deaf
    }
}
