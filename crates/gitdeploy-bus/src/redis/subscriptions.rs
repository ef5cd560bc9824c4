//! One connection on which all readers of a process hear of news.
//!
//! A message only wakes the reader, which then looks into the stream: a message does not say which attempt
//! it belongs to, and may be lost, but the stream has everything in order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use gitdeploy_core::OutputId;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisError, RedisResult};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{channel, link};

/// How often Redis is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait between two connections, at first and at most.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

#[derive(Debug)]
pub(super) struct Subscriptions {
    client: Client,
    listeners: Listeners,
    /// Tells the task which channel to look at; it starts with the first subscription and ends with us.
    changed: OnceLock<mpsc::UnboundedSender<String>>,
}

/// Who wants to hear of which channel.
#[derive(Debug, Clone, Default)]
struct Listeners(Arc<Mutex<HashMap<String, watch::Sender<()>>>>);

/// A channel that is subscribed to until this is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    news: Option<watch::Receiver<()>>,
    channel: String,
    listeners: Listeners,
    changed: mpsc::UnboundedSender<String>,
}

impl Subscriptions {
    pub(super) fn new(client: Client) -> Self {
        Self { client, listeners: Listeners::default(), changed: OnceLock::new() }
    }

    /// Must be called within a runtime.
    pub(super) fn subscribe(&self, id: &OutputId) -> Subscription {
        let changed = self.changed.get_or_init(|| {
            let (changed, told) = mpsc::unbounded_channel();
            tokio::spawn(listen(self.client.clone(), self.listeners.clone(), told));
            changed
        });
        let channel = channel(id);
        let (news, is_new) = self.listeners.join(&channel);
        let listeners = self.listeners.clone();
        let subscription = Subscription { news: Some(news), channel, listeners, changed: changed.clone() };
        if is_new {
            subscription.tell();
        }
        subscription
    }
}

impl Subscription {
    /// Forgets the news so far: a look into the stream that begins now finds them.
    pub(super) fn catch_up(&mut self) {
        if let Some(news) = &mut self.news {
            news.mark_unchanged();
        }
    }

    /// Waits for news since [`Subscription::catch_up`], or for `limit`.
    pub(super) async fn wait(&mut self, limit: Duration) {
        let Some(news) = &mut self.news else { return };
        if let Ok(Err(_)) = timeout(limit, news.changed()).await {
            tokio::time::sleep(limit).await;
        }
    }

    fn tell(&self) {
        // The task ends only with its runtime; then nobody waits for news any more.
        self.changed.send(self.channel.clone()).ok();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.news = None;
        let mut listeners = self.listeners.lock();
        if listeners.get(&self.channel).is_some_and(|news| news.receiver_count() == 0) {
            listeners.remove(&self.channel);
            drop(listeners);
            self.tell();
        }
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.0.lock().expect("no panic while locked")
    }

    /// The news of a channel, and whether nobody listened to it before.
    fn join(&self, channel: &str) -> (watch::Receiver<()>, bool) {
        let mut listeners = self.lock();
        let is_new = !listeners.contains_key(channel);
        (listeners.entry(channel.to_owned()).or_default().subscribe(), is_new)
    }

    fn has(&self, channel: &str) -> bool {
        self.lock().contains_key(channel)
    }

    fn channels(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn wake(&self, channel: &str) {
        if let Some(news) = self.lock().get(channel) {
            news.send_replace(());
        }
    }
}

/// Keeps a connection for as long as somebody may listen.
async fn listen(client: Client, listeners: Listeners, mut changes: mpsc::UnboundedReceiver<String>) {
    let (shortest, longest) = PAUSES;
    let mut pause = shortest;
    loop {
        match connect(&client).await {
            Ok((sink, messages)) => {
                pause = shortest;
                match relay(sink, messages, &listeners, &mut changes).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "the subscription to Redis was lost"),
                }
            }
            Err(error) => tracing::debug!(%error, "cannot subscribe to Redis"),
        }
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
        while !changes.is_empty() {
            changes.recv().await;
        }
        if changes.is_closed() {
            return;
        }
    }
}

pub(super) async fn connect(client: &Client) -> RedisResult<(PubSubSink, PubSubStream)> {
    let connected =
        timeout(link::CONNECT_TIMEOUT, client.get_async_pubsub()).await.map_err(|_| timed_out())?;
    Ok(connected?.split())
}

/// Passes messages on until the connection is lost; returns `Ok` once nobody can listen any more.
async fn relay(
    mut sink: PubSubSink,
    mut messages: PubSubStream,
    listeners: &Listeners,
    changes: &mut mpsc::UnboundedReceiver<String>,
) -> RedisResult<()> {
    for channel in listeners.channels() {
        subscribe(&mut sink, listeners, &channel).await?;
    }
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => listeners.wake(message.get_channel_name()),
                None => return Err(lost()),
            },
            change = changes.recv() => match change {
                Some(channel) if listeners.has(&channel) => subscribe(&mut sink, listeners, &channel).await?,
                Some(channel) => bounded(sink.unsubscribe(channel)).await?,
                None => return Ok(()),
            },
            _ = ping.tick() => match bounded(sink.ping::<redis::Value>()).await {
                Err(error) if !link::is_forbidden(&error) => return Err(error),
                _ => {}
            },
        }
    }
}

/// Once a channel is subscribed to, its readers look again: what was published meanwhile sent no message.
async fn subscribe(sink: &mut PubSubSink, listeners: &Listeners, channel: &str) -> RedisResult<()> {
    bounded(sink.subscribe(channel)).await?;
    listeners.wake(channel);
    Ok(())
}

pub(super) async fn bounded<T>(command: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(PING_TIMEOUT, command).await.map_err(|_| timed_out())?
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

fn lost() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()
}
