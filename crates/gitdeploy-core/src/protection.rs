//! Who may see a site.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use crate::hash;

/// The shortest password, in characters.
pub const SHORTEST_PASSWORD: usize = 8;

/// The longest password, in bytes.
pub const LONGEST_PASSWORD: usize = 1024;

/// What a guess costs: Argon2id with 19 MiB and two passes, as OWASP recommends.
const MEMORY_KIB: u32 = 19 << 10;
const PASSES: u32 = 2;

/// Who may see a site. The default: everybody. A reader that does not know all of it must not serve the site, so
/// unknown fields are an error, unlike those of the route around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protection {
    /// Nobody: the site is being worked on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub maintenance: bool,
    /// Who knows this password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A password, as a hash that says nothing of it. Whoever has the hash can let themselves in, so it is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// 16 random bytes, in hexadecimal digits.
    pub salt: String,
    /// 32 bytes, in hexadecimal digits.
    pub hash: String,
}

/// A password that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password has {SHORTEST_PASSWORD} characters or more, and at most {LONGEST_PASSWORD} bytes")]
pub struct PasswordError;

impl Protection {
    /// Whether everybody may see the site.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

impl Password {
    /// Hashes a password, which takes some 20 milliseconds.
    pub fn new(password: &str, salt: [u8; 16]) -> Result<Self, PasswordError> {
        if !has_length(password) {
            return Err(PasswordError);
        }
        let salt = hash::hexadecimal(&salt);
        let hash = derive(password, &salt).ok_or(PasswordError)?;
        Ok(Self { salt, hash })
    }

    /// Whether it is this password, which takes some 20 milliseconds.
    pub fn is(&self, password: &str) -> bool {
        // The hashes may be compared in any time: without the salt nobody can tell what a guess hashes to.
        has_length(password) && derive(password, &self.salt).as_ref() == Some(&self.hash)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

fn has_length(password: &str) -> bool {
    password.chars().count() >= SHORTEST_PASSWORD && password.len() <= LONGEST_PASSWORD
}

fn derive(password: &str, salt: &str) -> Option<String> {
    let mut hash = [0; 32];
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(hash.len())).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt.as_bytes(), &mut hash).ok()?;
    Some(hash::hexadecimal(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Route;

    #[test]
    fn only_the_password_opens() {
        let password = Password::new("correct horse", [7; 16]).unwrap();
        assert!(password.is("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", &"x".repeat(LONGEST_PASSWORD + 1)] {
            assert!(!password.is(wrong), "{wrong}");
        }
        assert_ne!(password.hash, Password::new("correct horse", [8; 16]).unwrap().hash);
        assert!(!Password { salt: "x".to_owned(), ..password }.is("correct horse"), "a salt that is none");
    }

    #[test]
    fn a_hash_means_the_same_for_ever() {
        // As the reference implementation says.
        let hash = "a6e2bcccb5257bcc4dfbed18ec66b469a4db1b92ba884db87d446f07ee23ca5d";
        assert_eq!(Password::new("correct horse", [7; 16]).unwrap().hash, hash);
    }

    #[test]
    fn what_is_not_understood_is_not_served() {
        let route = |protection: &str| {
            let id = "01m9x2k4tb7f5q8r3w6z";
            let text = format!(
                r#"{{"version":1,"project":"blog","deployment":"{id}","moved":0,"other":1{protection}}}"#
            );
            serde_json::from_str::<Route>(&text).map(|route| route.protection)
        };
        assert!(route("").unwrap().is_open());
        assert!(route(r#","protection":{"maintenance":true}"#).unwrap().maintenance);
        assert!(route(r#","protection":{"members":["ada"]}"#).is_err());
        assert!(route(r#","protection":{"password":{"salt":"","hash":"","passes":3}}"#).is_err());
    }

    #[test]
    fn a_hash_is_not_shown() {
        let protection = Protection {
            password: Some(Password::new("correct horse", [7; 16]).unwrap()),
            ..Protection::default()
        };
        assert_eq!(
            format!("{protection:?}"),
            "Protection { maintenance: false, password: Some(Password(..)) }"
        );
    }

    #[test]
    fn a_password_has_a_length() {
        for bad in ["", "1234567", &"x".repeat(LONGEST_PASSWORD + 1)] {
            assert_eq!(Password::new(bad, [0; 16]), Err(PasswordError), "{bad}");
        }
        assert!(Password::new("päßwörter", [0; 16]).is_ok());
    }
}
