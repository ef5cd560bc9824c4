//! Keys that somebody lends us for a while and replaces before they end.

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;

/// Who we are to S3, perhaps until a moment only.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// The token of the session, for keys that end.
    pub session_token: Option<SecretString>,
    /// When they end; absent: they do not.
    pub expires: Option<Timestamp>,
}

/// The newest keys. Clones see the same ones.
#[derive(Debug, Clone)]
pub struct LentKeys(watch::Receiver<Keys>);

/// Replaces the keys of a store that is in use. When it is dropped, the last ones stay.
#[derive(Debug)]
pub struct LentKeysSender(watch::Sender<Keys>);

impl LentKeys {
    /// Keys to begin with, and what replaces them.
    pub fn new(keys: Keys) -> (LentKeysSender, Self) {
        let (sender, receiver) = watch::channel(keys);
        (LentKeysSender(sender), Self(receiver))
    }

    pub(crate) fn newest(&self) -> Keys {
        self.0.borrow().clone()
    }
}

impl LentKeysSender {
    /// Every attempt of a request that begins from now on is made with these keys.
    pub fn replace(&self, keys: Keys) {
        self.0.send_replace(keys);
    }
}
