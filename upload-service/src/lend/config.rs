//! What builders that are not processes of this machine are lent.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

/// The settings `GITDEPLOY_LEND_*`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct LendConfig {
    /// Where builders reach this service, such as `https://api.example.org`.
    pub url: Option<String>,
    /// The ARN of the role whose credentials are lent to builders, cut down to their deployment; absent: builders
    /// use those that they have.
    pub role_arn: Option<String>,
    /// How long lent credentials are good, in seconds. Builders renew them.
    #[serde(deserialize_with = "seconds")]
    pub seconds: i32,
    /// The address of Redis with a login that all builders share. It is used only where Redis does not let us
    /// make a login for each build.
    pub redis_url: Option<SecretString>,
}

/// How long credentials may be good, in seconds: STS gives none for less, and, to who has a role itself,
/// none for more.
const SECONDS: std::ops::RangeInclusive<i32> = 900..=3600;

impl Default for LendConfig {
    fn default() -> Self {
        Self { url: None, role_arn: None, seconds: *SECONDS.end(), redis_url: None }
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let seconds = i32::deserialize(deserializer)?;
    if SECONDS.contains(&seconds) {
        Ok(seconds)
    } else {
        Err(de::Error::custom(format!("it must be from {} to {}", SECONDS.start(), SECONDS.end())))
    }
}

#[cfg(test)]
mod tests {
    use gitdeploy_runtime::section;

    use super::*;

    #[test]
    fn credentials_are_lent_for_a_quarter_to_a_whole_hour() {
        let read = |value: &str| {
            let vars = [("GITDEPLOY_LEND_SECONDS".to_owned(), value.to_owned())];
            section::<LendConfig>("GITDEPLOY_LEND_", &vars).map(|config| config.seconds)
        };
        assert_eq!(read("").unwrap(), 3600);
        assert_eq!(read("900").unwrap(), 900);
        for wrong in ["899", "3601", "-1", "an hour"] {
            assert_eq!(read(wrong).unwrap_err().variable, "GITDEPLOY_LEND_SECONDS", "{wrong}");
        }
    }
}
