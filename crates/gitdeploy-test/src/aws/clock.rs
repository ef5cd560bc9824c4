//! Times as AWS writes them, and names that are there only once.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use gitdeploy_core::hash::Sha256;
use s3s::dto::{Timestamp, TimestampFormat};
use serde_json::Value;

/// How a time is written in JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clock {
    /// Seconds since 1970 with a fraction, as in the answers of the API.
    Epoch,
    /// RFC 3339, as in events.
    Text,
}

impl Clock {
    pub(super) fn write(self, time: SystemTime) -> Value {
        match self {
            Self::Epoch => {
                let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                // Rounded to milliseconds, as there.
                serde_json::from_str(&format!("{}.{:03}", millis / 1000, millis % 1000)).unwrap_or_default()
            }
            Self::Text => text(time).into(),
        }
    }
}

/// RFC 3339.
pub(super) fn text(time: SystemTime) -> String {
    let mut text = Vec::new();
    Timestamp::from(time).format(TimestampFormat::DateTime, &mut text).expect("the time has a year");
    String::from_utf8(text).expect("digits are UTF-8")
}

/// 32 hexadecimal digits that nobody had before.
pub(super) fn unique() -> String {
    random()[..32].to_owned()
}

/// In the shape of a UUID.
pub(super) fn uuid() -> String {
    let digits = random();
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32]];
    groups.join("-")
}

/// 64 hexadecimal digits.
pub(super) fn random() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let state = RandomState::new();
    let parts: Vec<u8> = (0..4u64)
        .flat_map(|part| state.hash_one((part, MADE.fetch_add(1, Ordering::Relaxed))).to_be_bytes())
        .collect();
    Sha256::of(&parts).to_string()
}
