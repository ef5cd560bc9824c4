//! The one connection over which commands go. After any failure it is made anew.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult,
    ServerErrorKind,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::BusError;
use crate::config::URL_FORM;

/// How long a connection may take, TLS and login included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long Redis may take to answer a command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    One(&'a Cmd),
    Several(&'a Pipeline),
}

type Connecting = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

pub(crate) struct Link {
    client: Client,
    /// The connection, made by whoever needs it first. The redis crate's own manager keeps a connection whose
    /// peer has vanished, and hands out old failures; hence this.
    connecting: Mutex<Connecting>,
}

impl Link {
    pub(crate) fn new(url: &SecretString) -> Result<Self, BusError> {
        // The redis crate turns rustls on without a provider of cryptography. It is no error if there is one.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        }
        let client = Client::open(url.expose_secret()).map_err(|_| BusError::Address(URL_FORM.to_owned()))?;
        let connecting = Mutex::new(connect(client.clone()));
        Ok(Self { client, connecting })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Whether connecting takes a `SELECT`, because the address names a database other than the first.
    pub(crate) fn selects_database(&self) -> bool {
        self.client.get_connection_info().redis_settings().db() != 0
    }

    /// Sends commands and waits for their answers. Every command of ours may be repeated, so one that met a
    /// connection that had ended is sent again.
    pub(crate) async fn query<T: FromRedisValue>(&self, request: Request<'_>) -> RedisResult<T> {
        match self.query_once(request).await {
            Err(error) if error.is_connection_dropped() => self.query_once(request).await,
            result => result,
        }
    }

    async fn query_once<T: FromRedisValue>(&self, request: Request<'_>) -> RedisResult<T> {
        let connecting = self.lock().clone();
        let result = match (connecting.clone().await, request) {
            (Ok(mut connection), Request::One(command)) => command.query_async(&mut connection).await,
            (Ok(mut connection), Request::Several(commands)) => commands.query_async(&mut connection).await,
            (Err(error), _) => Err(error),
        };
        if result.as_ref().is_err_and(needs_new_connection) {
            let mut current = self.lock();
            if current.ptr_eq(&connecting) {
                *current = connect(self.client.clone());
            }
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Connecting> {
        self.connecting.lock().expect("no panic while locked")
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Link").field(&self.address()).finish()
    }
}

fn connect(client: Client) -> Connecting {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    async move { client.get_multiplexed_async_connection_with_config(&config).await }.boxed().shared()
}

/// A timeout too: its cause may be a peer that has vanished without a word. So may `READONLY`: it is what a
/// primary says after it was replaced.
fn needs_new_connection(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || is_read_only(error)
}

fn is_read_only(error: &RedisError) -> bool {
    has_kind(error, ServerErrorKind::ReadOnly)
}

/// Whether the login may not use a command, a key or a channel.
pub(crate) fn is_forbidden(error: &RedisError) -> bool {
    has_kind(error, ServerErrorKind::NoPerm)
}

fn has_kind(error: &RedisError, kind: ServerErrorKind) -> bool {
    error.kind() == ErrorKind::Server(kind)
        || error
            .clone()
            .into_server_errors()
            .is_some_and(|errors| errors.iter().any(|(_, error)| error.kind() == Some(kind)))
}

/// The failure as the bus tells it. `context` completes "cannot …".
pub(crate) fn failure(context: String, error: RedisError) -> BusError {
    let denied = is_forbidden(&error)
        || error.kind() == ErrorKind::AuthenticationFailed
        || error.code() == Some("NOAUTH");
    if denied {
        BusError::Denied { context, source: error.into() }
    } else {
        BusError::Unavailable { context, source: error.into() }
    }
}
