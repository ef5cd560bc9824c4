//! What a builder may do in the bucket: write its own deployment and what builds of its kind keep, read the deployment
//! before, and nothing else.

use gitdeploy_core::spec::{Source, UploadKind};
use gitdeploy_core::{BuildSpec, CacheLevel, CacheUse, DeploymentId, OutputId, keys};
use serde_json::{Value, json};

/// The longest session policy that STS takes, in characters.
const LONGEST: usize = 2048;

/// The objects of the platform in a bucket.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The partition of AWS, such as `aws`.
    pub(super) partition: String,
    pub(super) bucket: String,
    /// What stands before every key.
    pub(super) prefix: String,
}

impl Place {
    /// The session policy for the builder of a deployment. What it allows is allowed only if the role's own
    /// policy does so too. Where it would be too long, the builder makes again what it cannot read.
    pub(super) fn policy(&self, spec: &BuildSpec) -> String {
        let policy = self.reading(spec, spec.previous.as_ref());
        if policy.len() <= LONGEST { policy } else { self.reading(spec, None) }
    }

    fn reading(&self, spec: &BuildSpec, previous: Option<&DeploymentId>) -> String {
        let id = spec.output_id();
        // What is finished already is only published.
        let builds = !matches!(spec.source, Source::Upload { kind: UploadKind::Prebuilt, .. });
        let cache = |level| self.below(&keys::caches(&spec.project, level));
        let saves = spec.cache.saves().filter(|_| builds);
        let restores = spec.cache.restores().iter().copied().filter(|level| builds && saves != Some(*level));
        let own = [
            self.below(&keys::outputs(&id)),
            self.below(&keys::variants(&id)),
            self.object(&keys::manifest(&id)),
            self.object(&keys::log(&id)),
        ];
        let own: Vec<_> = own.into_iter().chain(saves.map(cache)).collect();
        let mut statements = vec![
            // Reading is for who is told that there is something already: whether it is its own, written by a
            // request whose answer was lost.
            allow(&json!(["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"]), &json!(own)),
            // A bucket may be encrypted with a key of ours. The role says with which one.
            json!({
                "Effect": "Allow",
                "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                "Resource": "*",
                "Condition": { "StringLike": { "kms:ViaService": "s3.*" } },
            }),
        ];
        let upload = match (&spec.source, &spec.deployment) {
            (Source::Upload { .. }, Some(deployment)) => Some(self.object(&keys::upload(deployment))),
            _ => None,
        };
        let previous = previous.into_iter().flat_map(|previous| {
            let id = OutputId::from(previous.clone());
            let files = [keys::outputs(&id), keys::variants(&id)].map(|prefix| self.below(&prefix));
            files.into_iter().chain([self.object(&keys::manifest(&id))])
        });
        let read: Vec<_> = upload.into_iter().chain(restores.map(cache)).chain(previous).collect();
        if !read.is_empty() {
            statements.push(allow(&json!("s3:GetObject"), &json!(read)));
        }
        json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    }

    /// Whether the policy of any deployment is short enough for STS.
    pub(super) fn is_short_enough(&self) -> bool {
        use gitdeploy_core::manifest::Origin;
        use gitdeploy_core::spec::BuildSettings;
        let longest = BuildSpec {
            project: "p".repeat(63).parse().expect("a label has up to 63 characters"),
            deployment: Some("0".repeat(20).parse().expect("an id has 20 digits")),
            attempt: None,
            url: None,
            previous: None,
            source: Source::Upload { kind: UploadKind::Source, origin: Origin::default() },
            settings: BuildSettings::default(),
            cache: CacheUse { level: CacheLevel::Preview, ..CacheUse::default() },
        };
        self.policy(&longest).len() <= LONGEST
    }

    fn object(&self, key: &keys::Key) -> String {
        self.arn(key.as_str())
    }

    fn below(&self, prefix: &keys::KeyPrefix) -> String {
        self.arn(&format!("{prefix}*"))
    }

    fn arn(&self, key: &str) -> String {
        let Self { partition, bucket, prefix } = self;
        format!("arn:{partition}:s3:::{bucket}/{prefix}{key}")
    }
}

fn allow(actions: &Value, resources: &Value) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::CacheMode;
    use gitdeploy_core::manifest::Origin;
    use gitdeploy_core::spec::BuildSettings;

    use super::*;

    fn place(bucket: &str, prefix: &str) -> Place {
        Place { partition: "aws".to_owned(), bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    fn spec(source: Source) -> BuildSpec {
        BuildSpec {
            project: "blog".parse().unwrap(),
            deployment: Some("1m7wywrav60000000000".parse().unwrap()),
            attempt: None,
            url: None,
            previous: None,
            source,
            settings: BuildSettings::default(),
            cache: CacheUse::default(),
        }
    }

    #[test]
    fn a_builder_may_write_its_own_deployment() {
        let git = Source::Git { repository: "https://host/r".to_owned(), reference: None };
        let policy: Value = serde_json::from_str(&place("sites", "a/").policy(&spec(git))).unwrap();
        insta::assert_json_snapshot!(policy, @r#"
        {
          "Statement": [
            {
              "Action": [
                "s3:PutObject",
                "s3:AbortMultipartUpload",
                "s3:GetObject"
              ],
              "Effect": "Allow",
              "Resource": [
                "arn:aws:s3:::sites/a/__outputs/1m7wywrav60000000000/*",
                "arn:aws:s3:::sites/a/__variants/1m7wywrav60000000000/*",
                "arn:aws:s3:::sites/a/__manifests/1m7wywrav60000000000.json",
                "arn:aws:s3:::sites/a/__logs/1m7wywrav60000000000.ndjson.zst",
                "arn:aws:s3:::sites/a/__cache/blog/production/*"
              ]
            },
            {
              "Action": [
                "kms:GenerateDataKey",
                "kms:Decrypt"
              ],
              "Condition": {
                "StringLike": {
                  "kms:ViaService": "s3.*"
                }
              },
              "Effect": "Allow",
              "Resource": "*"
            }
          ],
          "Version": "2012-10-17"
        }
        "#);
    }

    #[test]
    fn only_who_builds_an_upload_may_read_it() {
        let upload = Source::Upload { kind: UploadKind::Prebuilt, origin: Origin::default() };
        let policy: Value = serde_json::from_str(&place("sites", "").policy(&spec(upload))).unwrap();
        assert_eq!(
            policy["Statement"][2],
            json!({
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": ["arn:aws:s3:::sites/__uploads/1m7wywrav60000000000.tar.zst"],
            })
        );
    }

    #[test]
    fn a_builder_may_read_the_deployment_in_production_unless_that_takes_too_many_words() {
        let git = Source::Git { repository: "https://host/r".to_owned(), reference: None };
        let previous = Some("1m7wywrav50000000000".parse().unwrap());
        let spec = BuildSpec { previous, ..spec(git) };
        let policy: Value = serde_json::from_str(&place("sites", "").policy(&spec)).unwrap();
        assert_eq!(
            policy["Statement"][2],
            json!({
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": [
                    "arn:aws:s3:::sites/__outputs/1m7wywrav50000000000/*",
                    "arn:aws:s3:::sites/__variants/1m7wywrav50000000000/*",
                    "arn:aws:s3:::sites/__manifests/1m7wywrav50000000000.json",
                ],
            })
        );
        let long = place(&"b".repeat(63), &"p".repeat(130)).policy(&spec);
        assert!(long.len() <= LONGEST && !long.contains("1m7wywrav50000000000"), "{long}");
    }

    #[test]
    fn a_preview_keeps_nothing_for_production_and_a_stranger_nothing_at_all() {
        let git = Source::Git { repository: "https://host/r".to_owned(), reference: None };
        let resources = |mode, statement: usize| {
            let spec =
                BuildSpec { cache: CacheUse { mode, level: CacheLevel::Preview }, ..spec(git.clone()) };
            let policy: Value = serde_json::from_str(&place("sites", "").policy(&spec)).unwrap();
            policy["Statement"][statement]["Resource"].to_string()
        };
        let written = resources(CacheMode::ReadWrite, 0);
        assert!(written.contains("__cache/blog/preview/*") && !written.contains("production"), "{written}");
        assert!(resources(CacheMode::ReadWrite, 2).contains("blog/production/*"));
        assert!(!resources(CacheMode::Read, 0).contains("__cache"));
        let read = resources(CacheMode::Read, 2);
        assert!(read.contains("blog/preview/*") && read.contains("blog/production/*"), "{read}");
        assert_eq!(resources(CacheMode::Off, 2), "null");
    }

    #[test]
    fn the_longest_policy_fits_unless_the_prefix_is_very_long() {
        assert!(place(&"b".repeat(63), &"p".repeat(100)).is_short_enough());
        assert!(!place(&"b".repeat(63), &"p".repeat(500)).is_short_enough());
    }
}
