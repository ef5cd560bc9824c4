//! Logins of Redis for one build each: they publish its events and can do nothing else.

use gitdeploy_core::{Attempt, OutputId};
use redis::RedisError;
use secrecy::{ExposeSecret as _, SecretString};

use super::link::{Request, failure, is_forbidden};
use super::{Redis, channel, stream};
use crate::BusError;

/// The commands that publishing takes. Logging in needs no permission.
const COMMANDS: &[&str] = &["+xadd", "+publish", "+expire"];

/// What the names of lent logins start with.
const USERS: &str = "gitdeploy-";

impl Redis {
    /// Whether this server lets us make logins. To find out, one is made that can do nothing, and removed.
    pub(crate) async fn may_lend(&self) -> Result<bool, BusError> {
        let user = format!("{USERS}check");
        let made = self.tell_users(&["SETUSER", &user, "reset"]).await;
        match made {
            Ok(()) => {}
            Err(error) if is_not_offered(&error) => return Ok(false),
            Err(error) => return Err(failure("make logins for builders".to_owned(), error)),
        }
        match self.tell_users(&["DELUSER", &user]).await {
            Ok(()) => Ok(true),
            Err(error) if is_not_offered(&error) => Ok(false),
            Err(error) => Err(failure("remove logins of builders".to_owned(), error)),
        }
    }

    pub(crate) async fn lend(
        &self,
        id: &OutputId,
        attempt: Attempt,
        password: &SecretString,
    ) -> Result<Option<SecretString>, BusError> {
        let user = user(id, attempt);
        let Some(url) = self.url_for(&user, password) else { return Ok(None) };
        let password = format!(">{}", password.expose_secret());
        let (keys, channels) = (format!("~{}", stream(id)), format!("&{}", channel(id)));
        // `reset` first: whatever a login of this name could do before, it cannot any more.
        let mut rules = vec!["SETUSER", &user, "reset", "on", &password, &keys, "resetchannels", &channels];
        rules.extend(COMMANDS);
        if self.link.selects_database() {
            rules.push("+select");
        }
        match self.tell_users(&rules).await {
            Ok(()) => Ok(Some(url)),
            Err(error) if is_not_offered(&error) => Ok(None),
            Err(error) => Err(failure(format!("make a login for the build of {id}"), error)),
        }
    }

    /// A login that is not there, and a server that offers none, are no failure.
    pub(crate) async fn take_back(&self, id: &OutputId, attempt: Attempt) -> Result<(), BusError> {
        match self.tell_users(&["DELUSER", &user(id, attempt)]).await {
            Err(error) if !is_not_offered(&error) => {
                Err(failure(format!("remove the login of the build of {id}"), error))
            }
            _ => Ok(()),
        }
    }

    async fn tell_users(&self, arguments: &[&str]) -> Result<(), RedisError> {
        let mut command = redis::cmd("ACL");
        command.arg(arguments);
        self.link.query::<redis::Value>(Request::One(&command)).await.map(drop)
    }

    /// Our own address with another login; none if it is a socket of this machine.
    fn url_for(&self, user: &str, password: &SecretString) -> Option<SecretString> {
        let mut url = redis::parse_redis_url(self.url.expose_secret())?;
        url.set_username(user).ok()?;
        url.set_password(Some(password.expose_secret())).ok()?;
        Some(String::from(url).into())
    }
}

fn user(id: &OutputId, attempt: Attempt) -> String {
    format!("{USERS}{id}-{attempt}")
}

/// Whether we may not make logins here: our own login forbids it, or the server is too old, or its owner does
/// it in another way, as managed services do.
fn is_not_offered(error: &RedisError) -> bool {
    let said = error.to_string().to_ascii_lowercase();
    is_forbidden(error) || said.contains("unknown command") || said.contains("unknown subcommand")
}
