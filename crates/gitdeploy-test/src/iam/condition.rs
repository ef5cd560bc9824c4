//! Conditions of a statement.

use super::Context;
use super::document::Mistake;
use super::pattern::Pattern;

/// One operator with one key: it holds if one of the values does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    key: String,
    test: Test,
    negated: bool,
    if_exists: bool,
    quantifier: Quantifier,
    values: Vec<Pattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals,
    EqualsAnyCase,
    Like,
    Arn,
    Bool,
    Null,
}

/// For keys with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    One,
    Any,
    All,
}

impl Condition {
    pub(super) fn parse(operator: &str, key: &str, values: &[String]) -> Result<Self, Mistake> {
        let unknown = || Mistake(format!("the condition operator `{operator}` is not known"));
        let (quantifier, name) = match operator.split_once(':') {
            None => (Quantifier::One, operator),
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (test, negated) = match name {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsAnyCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsAnyCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnLike" | "ArnEquals" => (Test::Arn, false),
            "ArnNotLike" | "ArnNotEquals" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            "Null" if !if_exists && quantifier == Quantifier::One => (Test::Null, false),
            _ => return Err(unknown()),
        };
        if !key.contains(':') {
            return Err(Mistake(format!("the condition key `{key}` has no service")));
        }
        if values.is_empty() {
            return Err(Mistake(format!("the condition on `{key}` has no value")));
        }
        let truth = |value: &String| matches!(value.as_str(), "true" | "false");
        if matches!(test, Test::Bool | Test::Null) && !values.iter().all(truth) {
            return Err(Mistake(format!("`{operator}` on `{key}` takes `true` or `false`")));
        }
        let values = values
            .iter()
            .map(|value| if test == Test::Arn { Pattern::parse_arn(value) } else { Pattern::parse(value) })
            .collect::<Result<_, _>>()?;
        Ok(Self { key: key.to_owned(), test, negated, if_exists, quantifier, values })
    }

    pub(super) fn holds(&self, context: &Context) -> bool {
        let given = context.values(&self.key);
        if self.test == Test::Null {
            let absent = if given.is_none() { "true" } else { "false" };
            return self.values.iter().any(|value| value.equals(absent, context) == Some(true));
        }
        let Some(given) = given else {
            // What is not there is not equal to anything, and all of nothing is as it should be.
            let nothing_is_right = self.negated && self.quantifier != Quantifier::Any;
            return self.if_exists || nothing_is_right || self.quantifier == Quantifier::All;
        };
        let holds = |value: &String| match self.found(value, context) {
            Some(found) => found != self.negated,
            None => false,
        };
        match self.quantifier {
            Quantifier::One if self.negated => given.iter().all(holds),
            Quantifier::One | Quantifier::Any => given.iter().any(holds),
            Quantifier::All => given.iter().all(holds),
        }
    }

    /// Whether a value of the request is among those of the policy; `None`: a variable has no value.
    fn found(&self, given: &str, context: &Context) -> Option<bool> {
        let mut found = false;
        for value in &self.values {
            found |= match self.test {
                Test::Equals => value.equals(given, context)?,
                Test::EqualsAnyCase | Test::Bool | Test::Null => value.equals_any_case(given, context)?,
                Test::Like => value.matches(given, context)?,
                Test::Arn => value.matches_arn(given, context)?,
            };
        }
        Some(found)
    }
}
