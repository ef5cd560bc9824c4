//! How an answer differs from what a case expects.

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::Value;

use crate::exchange::Answer;

/// The differences, which are none if another answer that the case allows has come.
pub(crate) fn judge(expect: &Value, answer: &Answer) -> Vec<String> {
    let found = differences(expect, answer);
    if let (false, Some(other)) = (found.is_empty(), expect.get("allow_alternative")) {
        let mut other = other.clone();
        if let Some(not_body) = expect.get("not_body") {
            other["not_body"] = not_body.clone();
        }
        if differences(&other, answer).is_empty() {
            return Vec::new();
        }
    }
    found
}

fn differences(expect: &Value, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(status) = expect.get("status")
        && !is_status(status, answer.status)
    {
        found.push(format!("expected status {status}, got {}", answer.status));
    }
    for (name, value) in expect.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let actual = answer.headers.get(&name.to_ascii_lowercase());
        if !is_header(value, actual.map(String::as_str)) {
            found.push(format!("expected {name} {value}, got {actual:?}"));
        }
    }
    if answer.headers.get("location").is_some_and(|to| to.replace('\\', "/").starts_with("//")) {
        found.push(format!("location {:?} leads to another site", answer.headers["location"]));
    }
    if let Some(expected) = expect.get("body").and_then(Value::as_str)
        && answer.body != expected.as_bytes()
    {
        found.push(format!("expected body {expected:?}, got {body:?}"));
    }
    if let Some(wrong) = expect.get("not_body").and_then(Value::as_str)
        && body.contains(wrong)
    {
        found.push(format!("expected body without {wrong:?}"));
    }
    if let Some(parts) = expect.get("multipart") {
        let actual = multipart(answer);
        if actual.as_ref() != Some(parts) {
            found.push(format!("expected parts {parts}, got {actual:?}"));
        }
    }
    found
}

fn is_status(expected: &Value, actual: u64) -> bool {
    if let Some(one_of) = expected.get("in").and_then(Value::as_array) {
        return one_of.iter().any(|status| status.as_u64() == Some(actual));
    }
    match expected.get("not") {
        Some(other) => other.as_u64() != Some(actual),
        None => expected.as_u64() == Some(actual),
    }
}

fn is_header(expected: &Value, actual: Option<&str>) -> bool {
    let Some(actual) = actual else { return expected.is_null() };
    if let Some(text) = expected.as_str() {
        return text == actual;
    }
    if let Some(pattern) = expected.get("re").and_then(Value::as_str) {
        return Regex::new(pattern).unwrap().is_match(actual);
    }
    let Some(wanted) = expected.get("decoded").and_then(Value::as_str) else { return false };
    // It is decoded already, except that a text with a malformed escape was left as it was.
    let has_malformed = wanted.split('%').skip(1).any(|rest| {
        rest.get(..2).is_none_or(|digits| !digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    });
    decoded(actual) == if has_malformed { decoded(wanted) } else { wanted.to_owned() }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The parts of a `multipart/byteranges` body, as cases write them.
fn multipart(answer: &Answer) -> Option<Value> {
    let kind = answer.headers.get("content-type")?;
    let boundary = kind.strip_prefix("multipart/byteranges")?.split_once("boundary=")?.1.trim_matches('"');
    let body = format!("\r\n{}", String::from_utf8_lossy(&answer.body));
    let mut pieces: Vec<_> = body.split(&format!("\r\n--{boundary}")).skip(1).collect();
    pieces.pop().filter(|last| last.starts_with("--"))?;
    let part = |piece: &str| {
        let (head, body) = piece.split_once("\r\n\r\n")?;
        let range = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-range").then(|| value.trim().to_owned())
        })?;
        Some(serde_json::json!({ "content-range": range, "body": body }))
    };
    pieces.into_iter().map(part).collect::<Option<Vec<_>>>().map(Value::Array)
}
