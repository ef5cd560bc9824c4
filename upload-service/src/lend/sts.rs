//! Credentials of the publish role, cut down to one deployment.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Tag;
use gitdeploy_core::BuildSpec;
use gitdeploy_core::claim::Credentials;
use jiff::Timestamp;

use super::LendError;
use super::policy::Place;
use crate::aws::said;

const CONNECT: Duration = Duration::from_secs(5);

/// How long one attempt may take to be answered.
const ANSWER: Duration = Duration::from_secs(10);

/// What allows nothing, to find out whether we may lend at all.
const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

#[derive(Debug, Clone)]
pub(super) struct Sts {
    client: Client,
    role: String,
    seconds: i32,
    place: Place,
}

impl Sts {
    /// STS as `shared` says where it is and who we are.
    pub(super) fn open(shared: &SdkConfig, role: String, seconds: i32, place: Place) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER);
        let config = aws_sdk_sts::config::Builder::from(shared).timeout_config(timeouts.build()).build();
        Self { client: Client::from_conf(config), role, seconds, place }
    }

    /// Whether the role can be lent.
    pub(super) async fn check(&self) -> Result<(), LendError> {
        self.assume("check", NOTHING.to_owned(), Vec::new()).await.map(drop)
    }

    /// Credentials for the builder of a deployment. Its trail in AWS bears its name.
    pub(super) async fn credentials(&self, spec: &BuildSpec) -> Result<Credentials, LendError> {
        let id = spec.output_id();
        let session = match spec.attempt {
            Some(attempt) => format!("{id}.{attempt}"),
            None => id.to_string(),
        };
        let mut tags =
            vec![tag("gitdeploy:project", spec.project.as_str()), tag("gitdeploy:deployment", id.as_str())];
        tags.extend(spec.previous.as_ref().map(|previous| tag("gitdeploy:previous", previous.as_str())));
        self.assume(&session, self.place.policy(spec), tags).await
    }

    async fn assume(&self, session: &str, policy: String, tags: Vec<Tag>) -> Result<Credentials, LendError> {
        let failed = |source: String| LendError::Role { role: self.role.clone(), source: source.into() };
        let assumed = self
            .client
            .assume_role()
            .role_arn(&self.role)
            .role_session_name(session)
            .policy(policy)
            .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
            .duration_seconds(self.seconds)
            .send()
            .await
            .map_err(|error| failed(said(&error)))?;
        let lent = assumed.credentials.ok_or_else(|| failed("the answer has no credentials".to_owned()))?;
        let expires =
            Timestamp::from_second(lent.expiration.secs()).map_err(|error| failed(error.to_string()))?;
        Ok(Credentials {
            access_key_id: lent.access_key_id,
            secret_access_key: lent.secret_access_key,
            session_token: lent.session_token,
            expires,
        })
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("it has a key and a value")
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use gitdeploy_core::spec::{BuildSettings, Source};
    use gitdeploy_core::{Attempt, CacheUse};
    use gitdeploy_test::moto::Moto;

    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/publish";

    async fn sts(endpoint: String) -> Sts {
        let keys = aws_sdk_sts::config::Credentials::new("testing", "testing", None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint);
        let shared = config.region(Region::from_static("us-east-1")).credentials_provider(keys).load().await;
        let place = Place { partition: "aws".to_owned(), bucket: "sites".to_owned(), prefix: String::new() };
        Sts::open(&shared, ROLE.to_owned(), 900, place)
    }

    /// A second opinion on the shape of the request; what the policy means is seen elsewhere.
    #[tokio::test]
    async fn moto_lends_for_the_time_that_is_asked_for() {
        let moto = Moto::start();
        let sts = sts(moto.endpoint()).await;
        sts.check().await.unwrap();
        let spec = BuildSpec {
            project: "blog".parse().unwrap(),
            deployment: Some("1m7wywrav60000000000".parse().unwrap()),
            attempt: Some(Attempt(u64::MAX)),
            url: None,
            previous: None,
            source: Source::Git { repository: "https://host/r".to_owned(), reference: None },
            settings: BuildSettings::default(),
            cache: CacheUse::default(),
        };
        let credentials = sts.credentials(&spec).await.unwrap();
        assert!(credentials.access_key_id.starts_with("ASIA"), "{credentials:?}");
        assert!(!credentials.secret_access_key.is_empty() && !credentials.session_token.is_empty());
        let seconds = credentials.expires.duration_since(Timestamp::now()).as_secs();
        assert!((0..=900).contains(&seconds), "{seconds}");
    }

    #[tokio::test]
    async fn a_service_that_is_away_is_told_in_one_sentence() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = sts(endpoint).await.check().await.unwrap_err();
        let said = crate::problem::chain(&error);
        assert!(said.starts_with(&format!("the credentials of `{ROLE}` cannot be lent: ")), "{said}");
        assert!(!said.contains('\n') && said.len() < 500, "{said}");
    }
}
