//! Events of builds, replayed and followed: in memory or over Redis.
//!
//! What a reader may rely on, whatever is behind it: it gets every event from the one after which it asked,
//! in order, none twice; first those that were published before it came, then the others as they come. A
//! repeat of a batch and a batch of an older attempt are never seen. Once a newer attempt has begun, the
//! events of the older one are no longer shown.

mod batch;
mod config;
mod error;
mod memory;
mod redis;
mod routes;

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use gitdeploy_core::{Attempt, OutputId};
use secrecy::SecretString;

pub use batch::{Batch, Position, PositionError};
pub use config::BusConfig;
pub use error::BusError;
pub use routes::{RouteNews, TAKEN_FOR_GRANTED};

/// Where events go and come from. Clones share the same bus.
#[derive(Debug, Clone)]
pub struct EventBus(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Memory(Arc<memory::Memory>),
    Redis(Arc<redis::Redis>),
}

impl EventBus {
    /// A bus that ends with the process. Of builds that have ended it keeps only the last few: after the end
    /// the archive in the store is the source.
    pub fn memory() -> Self {
        Self(Backend::Memory(Arc::default()))
    }

    /// The bus that the settings name. With Redis it connects once, so that a wrong address is known at the
    /// start; a bus that was opened survives that Redis goes away and comes back.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        let Some(url) = &config.redis_url else {
            return Ok(Self::memory());
        };
        let redis = redis::Redis::new(url)?;
        redis.check().await?;
        Ok(Self(Backend::Redis(Arc::new(redis))))
    }

    /// As [`EventBus::open`], for whoever can do without it: nothing is asked of Redis until it is needed.
    pub fn open_unasked(config: &BusConfig) -> Result<Self, BusError> {
        Ok(match &config.redis_url {
            Some(url) => Self(Backend::Redis(Arc::new(redis::Redis::new(url)?))),
            None => Self::memory(),
        })
    }

    /// Whether the bus can be reached.
    pub async fn check(&self) -> Result<(), BusError> {
        match &self.0 {
            Backend::Memory(_) => Ok(()),
            Backend::Redis(redis) => redis.check().await,
        }
    }

    /// What the bus is, for people: without user name and password.
    pub fn describe(&self) -> String {
        match &self.0 {
            Backend::Memory(_) => "memory".to_owned(),
            Backend::Redis(redis) => redis.describe(),
        }
    }

    /// Appends events. A batch that is already there is `Ok` and invisible, and of one that overlaps with
    /// what is there only the new events are seen: whatever failed may be published again. A batch without
    /// events does nothing.
    pub async fn publish(&self, id: &OutputId, batch: &Batch) -> Result<(), BusError> {
        let Some(last) = batch.last() else {
            return Ok(());
        };
        match &self.0 {
            Backend::Memory(memory) => memory.publish(id, batch),
            Backend::Redis(redis) => redis.publish(id, batch, last).await,
        }
    }

    /// The events after a position, or from the first: replayed, then as they come. The stream ends after
    /// the batch that holds the `end` event and waits through every outage of the bus.
    pub fn follow(&self, id: &OutputId, after: Option<Position>) -> BoxStream<'static, Batch> {
        match &self.0 {
            Backend::Memory(memory) => memory.follow(id, after).boxed(),
            Backend::Redis(redis) => redis::follow(redis.clone(), id, after).boxed(),
        }
    }

    /// Where the last event is that the bus holds, if it holds any.
    pub async fn position(&self, id: &OutputId) -> Result<Option<Position>, BusError> {
        match &self.0 {
            Backend::Memory(memory) => Ok(memory.position(id)),
            Backend::Redis(redis) => redis.position(id).await,
        }
    }

    /// Tells whoever follows the routes that what a label leads to has changed. It is told once, to those who listen
    /// now.
    pub async fn announce(&self, label: &str) -> Result<(), BusError> {
        match &self.0 {
            Backend::Memory(memory) => {
                memory.routes.announce(RouteNews::Moved(label.to_owned()));
                Ok(())
            }
            Backend::Redis(redis) => redis.announce(label).await,
        }
    }

    /// Tells whoever follows the routes that what any label leads to may have changed: they hear
    /// [`RouteNews::Listening`] once more. Fails as [`EventBus::announce`] does, when the bus cannot be reached.
    pub async fn announce_any(&self) -> Result<(), BusError> {
        match &self.0 {
            Backend::Memory(memory) => {
                memory.routes.announce(RouteNews::Listening);
                Ok(())
            }
            Backend::Redis(redis) => redis.announce_any().await,
        }
    }

    /// News of routes, for ever and through every outage of the bus. It begins with [`RouteNews::Listening`] once
    /// that is so.
    pub fn follow_routes(&self) -> BoxStream<'static, RouteNews> {
        match &self.0 {
            Backend::Memory(memory) => memory.routes.follow().boxed(),
            Backend::Redis(redis) => redis::follow_routes(redis.clone()).boxed(),
        }
    }

    /// Whether [`EventBus::lend`] gives logins here. Events in memory cannot be lent at all, which is
    /// [`BusError::NotShared`].
    pub async fn may_lend(&self) -> Result<bool, BusError> {
        match &self.0 {
            Backend::Memory(_) => Err(BusError::NotShared),
            Backend::Redis(redis) => redis.may_lend().await,
        }
    }

    /// The address of the bus with a login of its own for one attempt of a build: it publishes that build's
    /// events and can do nothing else. None where the server does not let us make logins. A repeat with the same
    /// password changes nothing.
    pub async fn lend(
        &self,
        id: &OutputId,
        attempt: Attempt,
        password: &SecretString,
    ) -> Result<Option<SecretString>, BusError> {
        match &self.0 {
            Backend::Memory(_) => Err(BusError::NotShared),
            Backend::Redis(redis) => redis.lend(id, attempt, password).await,
        }
    }

    /// Removes the login that was lent to an attempt of a build, if there is one, and ends its connections.
    pub async fn take_back(&self, id: &OutputId, attempt: Attempt) -> Result<(), BusError> {
        match &self.0 {
            Backend::Memory(_) => Ok(()),
            Backend::Redis(redis) => redis.take_back(id, attempt).await,
        }
    }
}
