//! Who may ask: the operator's token, one-time login codes and the secrets of sessions.

use std::sync::Mutex;

use gitdeploy_core::hash::Sha256;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

/// How long a login code can be used.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// How long a session lasts.
pub(crate) const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many login codes wait at most; the oldest gives way.
const MAX_CODES: usize = 100;

/// What is known of tokens and codes: their hashes.
#[derive(Debug)]
pub(crate) struct Access {
    token: Sha256,
    codes: Mutex<Vec<(Sha256, Timestamp)>>,
}

impl Access {
    /// Access for whoever has `token`.
    pub(crate) fn new(token: &str) -> Self {
        Self { token: Sha256::of(token.as_bytes()), codes: Mutex::default() }
    }

    /// Whether this is the operator's token.
    pub(crate) fn is_token(&self, text: &str) -> bool {
        same(&self.token, &Sha256::of(text.as_bytes()))
    }

    /// A code that opens one session within ten minutes of `now`.
    pub(crate) fn new_code(&self, now: Timestamp) -> String {
        let code = secret();
        let mut codes = self.codes.lock().expect("no panic while locked");
        codes.retain(|(_, expires)| *expires > now);
        if codes.len() >= MAX_CODES {
            codes.remove(0);
        }
        codes.push((Sha256::of(code.as_bytes()), now + CODE_LIFE));
        code
    }

    /// Whether the code opens a session; it does so once.
    pub(crate) fn use_code(&self, code: &str, now: Timestamp) -> bool {
        let hash = Sha256::of(code.as_bytes());
        let mut codes = self.codes.lock().expect("no panic while locked");
        codes.retain(|(_, expires)| *expires > now);
        let place = codes.iter().position(|(known, _)| same(known, &hash));
        place.map(|place| codes.remove(place)).is_some()
    }
}

/// A new token of the operator: `gd_admin_<id>_<secret>` with a secret of 256 bits.
pub(crate) fn new_token() -> String {
    format!("gd_admin_{}_{}", hexadecimal(&random::<4>()), secret())
}

/// 256 random bits in hexadecimal.
pub(crate) fn secret() -> String {
    hexadecimal(&random::<32>())
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
        text
    })
}

fn same(one: &Sha256, other: &Sha256) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
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

    #[test]
    fn a_code_opens_one_session_within_ten_minutes() {
        let access = Access::new("token");
        let now = Timestamp::UNIX_EPOCH;
        let (first, second) = (access.new_code(now), access.new_code(now));
        assert!(!access.use_code("guess", now));
        assert!(access.use_code(&first, now + SignedDuration::from_mins(9)));
        assert!(!access.use_code(&first, now + SignedDuration::from_mins(9)));
        assert!(!access.use_code(&second, now + SignedDuration::from_mins(10)));
    }
}
