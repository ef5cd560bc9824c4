//! Who may see a site.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use crate::hash;

/// The shortest password, in characters.
pub const SHORTEST_PASSWORD: usize = 8;

/// The longest password, in bytes.
pub const LONGEST_PASSWORD: usize = 1024;

/// Who may see a site. The default: everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Protection {
    /// Nobody: the site is being worked on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub maintenance: bool,
    /// Who knows this password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A password, as a hash that says nothing of it: Argon2id with 19 MiB and two passes, as OWASP recommends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        if password.chars().count() < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD {
            return Err(PasswordError);
        }
        let salt = hash::hexadecimal(&salt);
        let hash = derive(password, &salt).ok_or(PasswordError)?;
        Ok(Self { salt, hash })
    }

    /// Whether it is this password, which takes some 20 milliseconds.
    pub fn is(&self, password: &str) -> bool {
        // Hashes may be compared in any time: who could choose them knows the password.
        password.len() <= LONGEST_PASSWORD && derive(password, &self.salt).as_ref() == Some(&self.hash)
    }
}

fn derive(password: &str, salt: &str) -> Option<String> {
    let mut hash = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default());
    argon2.hash_password_into(password.as_bytes(), salt.as_bytes(), &mut hash).ok()?;
    Some(hash::hexadecimal(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_password_has_a_length() {
        for bad in ["", "1234567", &"x".repeat(LONGEST_PASSWORD + 1)] {
            assert_eq!(Password::new(bad, [0; 16]), Err(PasswordError), "{bad}");
        }
        assert!(Password::new("päßwörter", [0; 16]).is_ok());
    }
}
