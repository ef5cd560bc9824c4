//! What a builder claims with: a token that only this service can make, and that is the same whenever it is
//! made for the same attempt.

use aws_lc_rs::hmac;
use gitdeploy_core::hash::hexadecimal;
use gitdeploy_core::{Attempt, DeploymentId};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;

use super::LendError;
use crate::catalog::Catalog;
use crate::keyring::Keyring;

/// Under which name the key is in the catalog.
const KEY: &str = "claims";

/// What tokens start with.
const TOKEN: &str = "gd_build_";

/// Makes tokens, and passwords for what is lent. All replicas make the same.
#[derive(Debug, Clone)]
pub(super) struct Tickets(hmac::Key);

impl Tickets {
    /// With the key in the catalog, which is made if there is none.
    pub(super) async fn open(catalog: &Catalog, keyring: &Keyring) -> Result<Self, LendError> {
        let sealed = if let Some(sealed) = catalog.secret(KEY).await? {
            sealed
        } else {
            let mut fresh = [0; 32];
            getrandom::fill(&mut fresh).expect("the system has random numbers");
            // Of several replicas that start at once, one is first, and the others take its key.
            catalog.keep_secret(KEY, keyring.seal(KEY, &fresh).await?).await?
        };
        Ok(Self::new(&keyring.open_sealed(KEY, &sealed).await?))
    }

    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token of an attempt.
    pub(super) fn token(&self, id: &DeploymentId, attempt: Attempt) -> SecretString {
        format!("{TOKEN}{}", self.sign("claim", id, attempt)).into()
    }

    /// Whether `text` is the token of that attempt.
    pub(super) fn is_token(&self, text: &str, id: &DeploymentId, attempt: Attempt) -> bool {
        let expected = format!("{TOKEN}{}", self.sign("claim", id, attempt));
        text.as_bytes().ct_eq(expected.as_bytes()).into()
    }

    /// The password of the login of the bus that is lent to an attempt.
    pub(super) fn bus_password(&self, id: &DeploymentId, attempt: Attempt) -> SecretString {
        self.sign("bus", id, attempt).into()
    }

    fn sign(&self, purpose: &str, id: &DeploymentId, attempt: Attempt) -> String {
        let tag = hmac::sign(&self.0, format!("{purpose}:{id}.{attempt}").as_bytes());
        hexadecimal(tag.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_attempt_only_and_always_the_same() {
        let tickets = Tickets::new(&[7; 32]);
        let id: DeploymentId = "1m7wywrav60000000000".parse().unwrap();
        let other: DeploymentId = "1m7wywrav60000000001".parse().unwrap();
        let token = tickets.token(&id, Attempt(1));
        let token = token.expose_secret();
        assert!(token.starts_with("gd_build_") && token.len() == 9 + 64, "{token}");
        assert_eq!(Tickets::new(&[7; 32]).token(&id, Attempt(1)).expose_secret(), token);
        assert!(tickets.is_token(token, &id, Attempt(1)));
        assert!(!tickets.is_token(token, &id, Attempt(2)));
        assert!(!tickets.is_token(token, &other, Attempt(1)));
        assert!(!Tickets::new(&[8; 32]).is_token(token, &id, Attempt(1)));
        for wrong in ["", "gd_build_", &token[..token.len() - 1], &format!("{token}0"), &token.to_uppercase()]
        {
            assert!(!tickets.is_token(wrong, &id, Attempt(1)), "{wrong}");
        }
        let password = tickets.bus_password(&id, Attempt(1));
        assert!(!token.contains(password.expose_secret()));
        assert!(!format!("{tickets:?}").contains("07"));
    }

    #[tokio::test]
    async fn the_key_is_made_once_for_all_replicas() {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::local(directory.path()).unwrap();
        let catalog = Catalog::memory().unwrap();
        let (first, second) =
            tokio::join!(Tickets::open(&catalog, &keyring), Tickets::open(&catalog, &keyring));
        let id: DeploymentId = "1m7wywrav60000000000".parse().unwrap();
        let token = first.unwrap().token(&id, Attempt(1));
        assert!(second.unwrap().is_token(token.expose_secret(), &id, Attempt(1)));
        let third = Tickets::open(&catalog, &keyring).await.unwrap();
        assert!(third.is_token(token.expose_secret(), &id, Attempt(1)));

        let elsewhere = tempfile::tempdir().unwrap();
        let other = Keyring::local(elsewhere.path()).unwrap();
        let error = Tickets::open(&catalog, &other).await.unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
    }
}
