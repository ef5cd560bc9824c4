//! Who may ask: the operator's token, one-time login codes and the secrets of sessions.

use gitdeploy_core::hash::{Sha256, hexadecimal};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use crate::catalog::{Catalog, CatalogError};

/// How long a login code can be used.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// How long a session lasts.
pub(crate) const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is known of the operator's token: its hash.
#[derive(Debug)]
pub(crate) struct Access {
    token: Sha256,
}

impl Access {
    /// Access for whoever has `token`.
    pub(crate) fn new(token: &str) -> Self {
        Self { token: Sha256::of(token.as_bytes()) }
    }

    /// Whether this is the operator's token.
    pub(crate) fn is_token(&self, text: &str) -> bool {
        self.token.as_bytes().ct_eq(Sha256::of(text.as_bytes()).as_bytes()).into()
    }
}

/// A code that opens one session within ten minutes of `now`. Any replica takes it.
pub(crate) async fn new_code(catalog: &Catalog, now: Timestamp) -> Result<String, CatalogError> {
    let code = secret();
    catalog.add_code(Sha256::of(code.as_bytes()), now, now + CODE_LIFE).await?;
    Ok(code)
}

/// Whether the code opens a session; it does so once.
pub(crate) async fn use_code(catalog: &Catalog, code: &str, now: Timestamp) -> Result<bool, CatalogError> {
    catalog.use_code(Sha256::of(code.as_bytes()), now).await
}

/// A new token of the operator: `gd_admin_<id>_<secret>` with a secret of 256 bits.
pub(crate) fn new_token() -> String {
    format!("gd_admin_{}_{}", hexadecimal(&random::<4>()), secret())
}

/// 256 random bits in hexadecimal.
pub(crate) fn secret() -> String {
    hexadecimal(&random::<32>())
}

/// Random bytes.
pub(crate) fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_256_random_bits_and_a_kind() {
        let token = new_token();
        let parts: Vec<_> = token.split('_').collect();
        assert_eq!(parts[..2], ["gd", "admin"]);
        assert_eq!((parts[2].len(), parts[3].len()), (8, 64));
        assert_ne!(token, new_token());
    }

    #[test]
    fn only_the_token_is_the_token() {
        let access = Access::new("gd_admin_x");
        assert!(access.is_token("gd_admin_x"));
        for other in ["", "gd_admin_", "gd_admin_x "] {
            assert!(!access.is_token(other), "{other:?}");
        }
        assert!(!format!("{access:?}").contains("gd_admin_x"));
    }

    #[tokio::test]
    async fn a_code_opens_one_session_within_ten_minutes() {
        let catalog = Catalog::memory().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let first = new_code(&catalog, now).await.unwrap();
        let second = new_code(&catalog, now).await.unwrap();
        let at = async |code: &str, minutes| {
            use_code(&catalog, code, now + SignedDuration::from_mins(minutes)).await.unwrap()
        };
        assert!(!at("guess", 0).await);
        assert!(at(&first, 9).await);
        assert!(!at(&first, 9).await);
        assert!(!at(&second, 10).await);
    }
}
