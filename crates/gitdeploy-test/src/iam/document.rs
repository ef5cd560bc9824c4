//! The JSON of a policy.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::condition::Condition;
use super::pattern::Pattern;
use super::{Decision, Request};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Vec<Statement>);

/// Why a text is no policy, or not one that can be decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(pub(super) String);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    allows: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// What matches, or with `not` what does not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Patterns {
    not: bool,
    patterns: Vec<Pattern>,
}

impl Policy {
    /// Reads a policy.
    pub fn parse(json: &str) -> Result<Self, Mistake> {
        let document: Document = serde_json::from_str(json).map_err(|error| Mistake(error.to_string()))?;
        if document.version != "2012-10-17" {
            return Err(Mistake(format!("the version is `{}` and should be `2012-10-17`", document.version)));
        }
        let statements = document.statement.into_vec();
        let mut sids: Vec<&str> =
            statements.iter().filter_map(|statement| statement.sid.as_deref()).collect();
        sids.sort_unstable();
        if let Some(sid) = sids.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]) {
            return Err(Mistake(format!("there are two statements `{sid}`")));
        }
        if let Some(sid) = sids.iter().find(|sid| !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Err(Mistake(format!("the Sid `{sid}` has more than letters and digits")));
        }
        let statements: Vec<_> = statements.into_iter().map(Statement::read).collect::<Result<_, _>>()?;
        if statements.is_empty() {
            return Err(Mistake("there is no statement".to_owned()));
        }
        Ok(Self(statements))
    }

    /// What it says about a request.
    pub fn decide(&self, request: &Request) -> Decision {
        let applying = self.0.iter().filter(|statement| statement.applies(request));
        applying.fold(Decision::Silent, |decision, statement| match (decision, statement.allows) {
            (Decision::Denied, _) | (_, false) => Decision::Denied,
            (_, true) => Decision::Allowed,
        })
    }
}

impl Statement {
    fn read(text: StatementText) -> Result<Self, Mistake> {
        let allows = match text.effect.as_str() {
            "Allow" => true,
            "Deny" => false,
            other => return Err(Mistake(format!("the effect `{other}` is neither `Allow` nor `Deny`"))),
        };
        let actions = Patterns::read("Action", text.action, text.not_action, action)?;
        let resources = Patterns::read("Resource", text.resource, text.not_resource, Pattern::parse_arn)?;
        let mut conditions = Vec::new();
        for (operator, keys) in text.condition.unwrap_or_default().0 {
            for (key, values) in keys.0 {
                let values: Vec<String> = values.into_vec().into_iter().map(Scalar::text).collect();
                conditions.push(Condition::parse(&operator, &key, &values)?);
            }
        }
        Ok(Self { allows, actions, resources, conditions })
    }

    fn applies(&self, request: &Request) -> bool {
        let context = &request.context;
        self.actions.match_by(|pattern| pattern.matches_any_case(&request.action, context))
            && self.resources.match_by(|pattern| pattern.matches_arn(&request.resource, context))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

impl Patterns {
    fn read(
        name: &str,
        some: Option<OneOrMany<String>>,
        not: Option<OneOrMany<String>>,
        parse: fn(&str) -> Result<Pattern, Mistake>,
    ) -> Result<Self, Mistake> {
        let (texts, not) = match (some, not) {
            (Some(some), None) => (some, false),
            (None, Some(not)) => (not, true),
            _ => return Err(Mistake(format!("a statement has either `{name}` or `Not{name}`"))),
        };
        let patterns: Vec<_> = texts.into_vec().iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
        if patterns.is_empty() {
            return Err(Mistake(format!("an empty `{name}` matches nothing")));
        }
        Ok(Self { not, patterns })
    }

    /// With a variable that has no value, the statement is about nothing.
    fn match_by(&self, matches: impl Fn(&Pattern) -> Option<bool>) -> bool {
        let matches: Vec<_> = self.patterns.iter().map(matches).collect();
        if self.not {
            matches.iter().all(|found| *found == Some(false))
        } else {
            matches.contains(&Some(true))
        }
    }
}

fn action(text: &str) -> Result<Pattern, Mistake> {
    let named = text.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty() && !name.is_empty() && !service.contains(['*', '?'])
    });
    if text != "*" && !named || text.contains('$') {
        return Err(Mistake(format!("`{text}` is no action")));
    }
    Pattern::parse(text)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    version: String,
    statement: OneOrMany<StatementText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct StatementText {
    sid: Option<String>,
    effect: String,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    condition: Option<Pairs<Pairs<OneOrMany<Scalar>>>>,
}

/// A list, which may be left out around a single member.
#[derive(Debug)]
struct OneOrMany<T>(Vec<T>);

/// An object whose names are all different.
#[derive(Debug)]
struct Pairs<T>(Vec<(String, T)>);

/// `true` is written for `"true"` too.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Truth(bool),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Truth(truth) => truth.to_string(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members(PhantomData))
    }
}

/// Unlike an untagged enum, it keeps the reason why a member is refused.
struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one member or a list of them")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<Self::Value, E> {
        T::deserialize(serde::de::value::BoolDeserializer::new(truth)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = sequence.next_element()? {
            members.push(member);
        }
        Ok(OneOrMany(members))
    }
}

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsOf(PhantomData))
    }
}

struct PairsOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsOf<T> {
    type Value = Pairs<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs: Vec<(String, T)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if pairs.iter().any(|(known, _)| *known == name) {
                map.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            pairs.push((name, map.next_value()?));
        }
        Ok(Pairs(pairs))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a policy: {}", self.0)
    }
}

impl std::error::Error for Mistake {}
