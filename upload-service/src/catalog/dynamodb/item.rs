//! The items of the table: a partition `pk` for each kind, and `sk` for what is sorted in it.
//!
//! | `pk` | `sk` | what |
//! |---|---|---|
//! | `deployment` | id | the record, with its `revision` |
//! | `project#<project>` | id | that the project has this deployment |
//! | `project` | project | the project, with its `production` |
//! | `queued` | id | that it waits |
//! | `building` | project | the `deployment` whose build runs: the project's only one |
//! | `session`, `code` | hash | one that `expires` |
//! | `secret` | name | what is `sealed` |
//!
//! There is no index beside it: DynamoDB's are behind the table, and every list here is complete.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use gitdeploy_core::ProjectId;
use serde_json::{Map, Number, Value};

use crate::catalog::{CatalogError, Deployment};

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) const DEPLOYMENT: &str = "deployment";
pub(super) const PROJECT: &str = "project";
pub(super) const QUEUED: &str = "queued";
pub(super) const BUILDING: &str = "building";
pub(super) const SESSION: &str = "session";
pub(super) const CODE: &str = "code";
pub(super) const SECRET: &str = "secret";

/// The partition of the deployments of one project.
pub(super) fn of_project(project: &ProjectId) -> String {
    format!("project#{project}")
}

pub(super) fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The text in a field.
pub(super) fn read_text<'a>(item: &'a Item, field: &str) -> Result<&'a str, CatalogError> {
    match item.get(field) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(CatalogError::Record(format!("an item has no `{field}`"))),
    }
}

/// The id in a field, if there is one.
pub(super) fn read_id<T>(item: &Item, field: &str) -> Result<Option<T>, CatalogError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    if !item.contains_key(field) {
        return Ok(None);
    }
    let id = read_text(item, field)?.parse().map_err(|error: T::Err| nonsense(&error))?;
    Ok(Some(id))
}

/// A deployment as an item.
pub(super) fn write(deployment: &Deployment, revision: &str) -> Result<Item, CatalogError> {
    let Value::Object(fields) = serde_json::to_value(deployment).map_err(|error| nonsense(&error))? else {
        unreachable!("a struct is an object")
    };
    let mut item = attributes(fields);
    item.extend(key(DEPLOYMENT, deployment.id.as_str()));
    item.insert("revision".to_owned(), text(revision));
    Ok(item)
}

/// The deployment in an item. Whether it is in production stands with its project.
pub(super) fn read(item: &Item) -> Result<Deployment, CatalogError> {
    let fields = item.iter().map(|(name, value)| Ok((name.clone(), to_json(value)?)));
    let fields = fields.collect::<Result<_, CatalogError>>()?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| nonsense(&error))
}

fn attributes(fields: Map<String, Value>) -> Item {
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    present.map(|(name, value)| (name, from_json(value))).collect()
}

fn from_json(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => number(&value),
        Value::String(value) => text(value),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(from_json).collect()),
        Value::Object(fields) => AttributeValue::M(attributes(fields)),
    }
}

fn to_json(value: &AttributeValue) -> Result<Value, CatalogError> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::N(value) => Value::Number(value.parse::<Number>().map_err(|error| nonsense(&error))?),
        AttributeValue::S(value) => Value::String(value.clone()),
        AttributeValue::L(values) => Value::Array(values.iter().map(to_json).collect::<Result<_, _>>()?),
        AttributeValue::M(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), to_json(value)?)));
            Value::Object(fields.collect::<Result<_, CatalogError>>()?)
        }
        _ => return Err(CatalogError::Record("a field has a type that no field has".to_owned())),
    })
}

fn nonsense(error: &impl ToString) -> CatalogError {
    CatalogError::Record(error.to_string())
}
