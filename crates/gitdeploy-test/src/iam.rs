//! What policies of AWS allow, decided as AWS decides it. A document with anything that is not understood here
//! is refused, so that nothing is allowed by mistake.

mod condition;
mod document;
mod pattern;

use std::collections::BTreeMap;

pub use document::{Mistake, Policy};

/// Something that somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `s3:PutObject`.
    pub action: String,
    /// The ARN.
    pub resource: String,
    /// What conditions and variables of policies are about.
    pub context: Context,
}

/// Keys such as `aws:PrincipalTag/project`, in any case, with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

/// What one policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement forbids it.
    Denied,
    /// A statement allows it and none forbids it.
    Allowed,
    /// No statement is about it.
    Silent,
}

/// Whether something is allowed that needs the consent of all these policies: a session may do what the
/// policy of its role and its session policy both allow.
pub fn allows<'a>(policies: impl IntoIterator<Item = &'a Policy>, request: &Request) -> bool {
    let mut policies = policies.into_iter().peekable();
    policies.peek().is_some() && policies.all(|policy| policy.decide(request) == Decision::Allowed)
}

impl Request {
    /// A request without context.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: Context::default() }
    }

    /// Adds a value to a key of the context.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.add(key, value);
        self
    }
}

impl Context {
    /// Adds a value to a key.
    pub fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_lowercase()).or_default().push(value.into());
    }

    fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }

    /// The value of a variable. A key with several values is none.
    fn value(&self, key: &str) -> Option<&str> {
        match self.values(key) {
            Some([value]) => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
