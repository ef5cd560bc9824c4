//! A grant: that whoever brings it may be told why a host answers as it does. The upload service writes it, the proxy
//! reads it, and neither asks the other.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};

use crate::hash::hexadecimal;

/// The header of a request that holds a grant.
pub const HEADER: &str = "gitdeploy-explain";

/// How long a grant is good for.
pub const LIFE: SignedDuration = SignedDuration::from_mins(5);

/// How far the clocks of who writes and who reads may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What a seal is about, so that no other use of the key makes the same.
const PURPOSE: &[u8] = b"gitdeploy-explain:1\0";

/// What grants are sealed with.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantKey([u8; Self::BYTES]);

/// A grant as it was sent, of which nobody knows yet whether it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// When it ends, in seconds since 1970.
    until: i64,
    seal: [u8; 32],
}

impl GrantKey {
    /// How many bytes a key has.
    pub const BYTES: usize = 32;

    /// A key from random bytes.
    pub fn new(random: [u8; Self::BYTES]) -> Self {
        Self(random)
    }

    /// The key that lies in the store, unless that is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key as it lies in the store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A grant for `host`, in lower case, in ASCII and without a port.
    pub fn grant(&self, host: &str, now: Timestamp) -> Grant {
        let until = (now + LIFE).as_second();
        let seal = self.mac(host, until).finalize().into_bytes().into();
        Grant { until, seal }
    }

    /// Whether this key has sealed the grant, for this host. It takes as long for any other.
    pub fn has_sealed(&self, grant: &Grant, host: &str) -> bool {
        self.mac(host, grant.until).verify_slice(&grant.seal).is_ok()
    }

    fn mac(&self, host: &str, until: i64) -> Hmac<sha2::Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("a key may have any length");
        mac.update(PURPOSE);
        mac.update(&until.to_be_bytes());
        mac.update(host.as_bytes());
        mac
    }
}

// A key in a log would be everybody's.
impl fmt::Debug for GrantKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GrantKey(…)")
    }
}

impl Grant {
    /// Reads a text, unless it is none, or says itself that it is of no use: it has ended, or ends later than any does.
    pub fn read(text: &str, now: Timestamp) -> Option<Self> {
        let (until, seal) = text.split_once('.')?;
        let is_number = (1..=12).contains(&until.len()) && until.bytes().all(|byte| byte.is_ascii_digit());
        let until = until.parse().ok().filter(|_| is_number)?;
        let left = SignedDuration::from_secs(until - now.as_second());
        if !left.is_positive() || left > LIFE + SKEW {
            return None;
        }
        Some(Self { until, seal: unhexed(seal)? })
    }

    /// When it ends.
    pub fn until(&self) -> Timestamp {
        Timestamp::from_second(self.until).expect("it ends minutes after a time that has a date")
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.until, hexadecimal(&self.seal))
    }
}

fn unhexed(text: &str) -> Option<[u8; 32]> {
    let is_one = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)).filter(|_| is_one) {
        *byte = u8::from_str_radix(&text[place..place + 2], 16).ok()?;
    }
    is_one.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "blog.example.org";

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_grant_is_read_as_it_was_written_until_it_ends() {
        let key = GrantKey::new([7; 32]);
        let grant = key.grant(HOST, now());
        let text = grant.to_string();
        let life = LIFE.as_secs();
        for (seconds, expected) in
            [(-61, false), (-60, true), (0, true), (life - 1, true), (life, false), (86_400, false)]
        {
            let read = Grant::read(&text, now() + SignedDuration::from_secs(seconds));
            assert_eq!(read, expected.then_some(grant), "{seconds}");
        }
        assert_eq!(grant.until(), now() + LIFE);
    }

    #[test]
    fn it_is_for_one_host_and_of_one_key() {
        let key = GrantKey::new([7; 32]);
        let grant = key.grant(HOST, now());
        assert!(key.has_sealed(&grant, HOST));
        for host in ["", "blog.example.or", "blog.example.org.", "Blog.example.org", "other.example.org"] {
            assert!(!key.has_sealed(&grant, host), "{host}");
        }
        assert!(!GrantKey::new([8; 32]).has_sealed(&grant, HOST));
        let longer = Grant { until: grant.until + 1, ..grant };
        assert!(!key.has_sealed(&longer, HOST), "who has one cannot make it last");
    }

    #[test]
    fn whatever_is_changed_in_it_makes_it_none() {
        let key = GrantKey::new([7; 32]);
        let text = key.grant(HOST, now()).to_string();
        for at in 0..text.len() {
            for other in ["0", "f", ".", "-", ""] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                let read = Grant::read(&changed, now()).filter(|grant| key.has_sealed(grant, HOST));
                assert!(changed == text || read.is_none(), "{changed}");
            }
        }
    }

    #[test]
    fn a_key_is_what_has_its_length_and_is_not_shown() {
        let key = GrantKey::new([7; 32]);
        assert_eq!(GrantKey::read(key.as_bytes()), Some(key.clone()));
        for bytes in [&[][..], &[7; 31], &[7; 33]] {
            assert_eq!(GrantKey::read(bytes), None);
        }
        assert_eq!(format!("{key:?}"), "GrantKey(…)");
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in ".{0,100}", until in any::<i64>()) {
            Grant::read(&text, now());
            Grant::read(&format!("{until}.{}", "0".repeat(64)), now());
            Grant::read(&format!("{until}.{text}"), now());
        }
    }
}
