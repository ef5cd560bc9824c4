//! The calls of STS, and the sessions that come of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::answer::{Outcome, Refusal, escape};
use super::clock::{self, random, uuid};
use super::cluster::ACCOUNT;
use crate::iam::Policy;
use crate::s3::{Authority, KeyRing, Keys};

/// What a role that assumes another one may have at most.
const LONGEST: u64 = 3600;
const SHORTEST: u64 = 900;
const DEFAULT: u64 = 3600;
const LONGEST_POLICY: usize = 2048;
const MOST_TAGS: usize = 50;

/// What `AssumeRole` lent.
#[derive(Debug, Clone)]
pub struct Session {
    /// The id of its access key.
    pub access_key: String,
    /// The role.
    pub role_arn: String,
    /// The name that the request gave it.
    pub name: String,
    /// The session policy as it came, in JSON.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// When it ends.
    pub expires: SystemTime,
    keys: Keys,
}

/// All sessions, and where their keys are good for something.
#[derive(Debug, Default)]
pub(super) struct Sts {
    pub(super) sessions: Vec<Session>,
    places: Vec<(Arc<KeyRing>, Policy)>,
    /// After which sessions end, whatever was asked for.
    pub(super) shorter: Option<Duration>,
}

impl Sts {
    /// Carries a call of somebody out.
    pub(super) fn call(&mut self, operation: &str, form: &Value, who: &str) -> Outcome<String> {
        match operation {
            "AssumeRole" => self.assume_role(&Form(form)),
            "GetCallerIdentity" => Ok(self.identity(who)),
            _ => Err(Refusal::new("InvalidAction", format!("Could not find operation {operation}"))),
        }
    }

    /// Lets the keys of all sessions, also of later ones, into a server.
    pub(super) fn lend_to(&mut self, ring: Arc<KeyRing>, role: Policy) {
        for session in &self.sessions {
            session.admit(&ring, &role);
        }
        self.places.push((ring, role));
    }

    /// Ends all sessions.
    pub(super) fn expire(&mut self) {
        for session in &mut self.sessions {
            session.expires = SystemTime::now();
            session.keys.expires = Some(session.expires);
            for (ring, role) in &self.places {
                session.admit(ring, role);
            }
        }
    }

    pub(super) fn session(&self, access_key: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.access_key == access_key)
    }

    fn assume_role(&mut self, form: &Form<'_>) -> Outcome<String> {
        let session = self.lend(form)?;
        let Session { keys, role_arn, name, .. } = &session;
        let size = form.text("Policy").map_or(0, |policy| policy.chars().count())
            + session.tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let answer = result(
            "AssumeRole",
            &format!(
                "<AssumedRoleUser><Arn>{}</Arn><AssumedRoleId>AROATEST:{}</AssumedRoleId></AssumedRoleUser>\
                 <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
                 <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
                 <PackedPolicySize>{}</PackedPolicySize>",
                escape(&assumed(role_arn, name)),
                escape(name),
                keys.access_key_id,
                keys.secret,
                keys.session_token.as_deref().unwrap_or_default(),
                clock::text(session.expires),
                // How densely AWS packs is not known; this is no better than it says.
                (size * 100).div_ceil(LONGEST_POLICY),
            ),
        );
        for (ring, role) in &self.places {
            session.admit(ring, role);
        }
        self.sessions.push(session);
        Ok(answer)
    }

    fn lend(&self, form: &Form<'_>) -> Outcome<Session> {
        let role_arn = form.required("RoleArn")?;
        let account = role_arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
        if !account.is_some_and(|(account, name)| account.len() == 12 && !name.is_empty()) {
            return Err(invalid(format!("{role_arn} is invalid")));
        }
        let name = form.required("RoleSessionName")?;
        let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
        if !(2..=64).contains(&name.len()) || !fits {
            return Err(constraint(
                "roleSessionName",
                name,
                r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}",
            ));
        }
        let seconds = form.duration()?;
        let policy = form.text("Policy").map(|text| policy(text).map(|()| text.to_owned())).transpose()?;
        let tags = form.tags()?;
        let ends = self.shorter.unwrap_or(Duration::from_secs(seconds));
        let expires = SystemTime::now() + ends;
        let access_key = format!("ASIA{}", random()[..16].to_uppercase());
        let keys = Keys {
            access_key_id: access_key.clone(),
            secret: random()[..40].to_owned(),
            session_token: Some(random()),
            expires: Some(expires),
        };
        Ok(Session {
            access_key,
            role_arn: role_arn.to_owned(),
            name: name.to_owned(),
            policy,
            tags,
            expires,
            keys,
        })
    }

    fn identity(&self, who: &str) -> String {
        let arn = self.session(who).map_or_else(
            || format!("arn:aws:iam::{ACCOUNT}:user/test"),
            |session| assumed(&session.role_arn, &session.name),
        );
        let arn = escape(&arn);
        let inside = format!("<Arn>{arn}</Arn><UserId>{}</UserId><Account>{ACCOUNT}</Account>", escape(who));
        result("GetCallerIdentity", &inside)
    }
}

impl Session {
    /// The ARN of whoever has it.
    pub(super) fn arn(&self) -> String {
        assumed(&self.role_arn, &self.name)
    }

    fn admit(&self, ring: &KeyRing, role: &Policy) {
        let session =
            self.policy.as_deref().map(|policy| Policy::parse(policy).expect("it was parsed before"));
        ring.admit(self.keys.clone(), Authority { role: role.clone(), session, tags: self.tags.clone() });
    }
}

/// The parameters of a call.
struct Form<'a>(&'a Value);

impl Form<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn required(&self, name: &str) -> Outcome<&str> {
        self.text(name).ok_or_else(|| invalid(format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null")))
    }

    fn duration(&self) -> Outcome<u64> {
        let Some(text) = self.text("DurationSeconds") else { return Ok(DEFAULT) };
        let seconds =
            text.parse().map_err(|_| Refusal::new("MalformedInput", "DurationSeconds is no number"))?;
        if seconds < SHORTEST {
            return Err(constraint(
                "durationSeconds",
                text,
                "Member must have value greater than or equal to 900",
            ));
        }
        if seconds > LONGEST {
            return Err(invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        Ok(seconds)
    }

    fn tags(&self) -> Outcome<Vec<(String, String)>> {
        let tags: BTreeMap<u32, (&str, &str)> = (1..)
            .map_while(|number| {
                let key = self.text(&format!("Tags.member.{number}.Key"))?;
                Some((number, (key, self.text(&format!("Tags.member.{number}.Value")).unwrap_or_default())))
            })
            .collect();
        let known = |name: &str| tags.values().any(|(key, _)| *key == name);
        let fits = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
        let mut names: Vec<String> = tags.values().map(|(key, _)| key.to_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < tags.len() {
            return Err(Refusal::new(
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        for (key, value) in tags.values() {
            let sizes = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
            if !sizes || !fits(key) || !fits(value) || key.to_lowercase().starts_with("aws:") {
                return Err(constraint("tags", key, "Member must be a tag"));
            }
        }
        if tags.len() > MOST_TAGS {
            return Err(constraint("tags", "", "Member must have length less than or equal to 50"));
        }
        let transitive = (1..).map_while(|number| self.text(&format!("TransitiveTagKeys.member.{number}")));
        if let Some(unknown) = transitive.into_iter().find(|key| !known(key)) {
            let message =
                format!("The specified transitive tag key {unknown} must be included in the requested tags.");
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        Ok(tags.into_values().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

fn policy(text: &str) -> Outcome<()> {
    let length = text.chars().count();
    if length > LONGEST_POLICY {
        let message = format!(
            "Packed policy consumes {}% of allotted space, please use smaller policy.",
            (length * 100).div_ceil(LONGEST_POLICY)
        );
        return Err(Refusal::new("PackedPolicyTooLarge", message));
    }
    if text.chars().any(|c| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')) {
        return Err(constraint(
            "policy",
            "",
            "Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
        ));
    }
    match Policy::parse(text) {
        Ok(_) => Ok(()),
        Err(mistake) => Err(Refusal::new("MalformedPolicyDocument", mistake.to_string())),
    }
}

fn assumed(role_arn: &str, name: &str) -> String {
    let role = role_arn.rsplit('/').next().unwrap_or_default();
    format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}")
}

fn result(operation: &str, inside: &str) -> String {
    format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{inside}\
         </{operation}Result><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        uuid()
    )
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn constraint(member: &str, value: &str, rule: &str) -> Refusal {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    ))
}
