//! News of routes, and how they travel within one process.

use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How many labels a follower may be behind.
const BEHIND: usize = 256;

/// For how long who follows the routes may take one for granted of which nothing is heard. Then they look: word that is
/// sent while Redis changes its place may reach nobody.
pub const TAKEN_FOR_GRANTED: Duration = Duration::from_mins(10);

/// What a follower of routes is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteNews {
    /// From now on nothing is missed. Whatever was known before may be old.
    Listening,
    /// What this label leads to has changed.
    Moved(String),
    /// Until further notice, changes are not told.
    Deaf,
}

/// News in memory.
#[derive(Debug)]
pub(crate) struct Routes(broadcast::Sender<RouteNews>);

impl Default for Routes {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Routes {
    pub(crate) fn announce(&self, news: RouteNews) {
        // An error says that nobody listens.
        self.0.send(news).ok();
    }

    pub(crate) fn follow(&self) -> impl Stream<Item = RouteNews> + use<> {
        let begun = (self.0.subscribe(), true);
        stream::unfold(begun, |(mut news, is_first)| async move {
            if is_first {
                return Some((RouteNews::Listening, (news, false)));
            }
            let heard = match news.recv().await {
                Ok(heard) => heard,
                // What was missed is old for the follower, as at the beginning.
                Err(RecvError::Lagged(_)) => RouteNews::Listening,
                Err(RecvError::Closed) => return None,
            };
            Some((heard, (news, false)))
        })
    }
}
