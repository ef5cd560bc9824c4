//! Keys, conditions and the record of calls, asked as any client would.

use std::time::{Duration, SystemTime};

use http::Method;

use super::*;
use crate::iam::Policy;
use crate::sigv4::send;

fn keys(token: Option<&str>, expires: Option<SystemTime>) -> Keys {
    Keys {
        access_key_id: "ASIATEST".to_owned(),
        secret: "secret".to_owned(),
        session_token: token.map(str::to_owned),
        expires,
    }
}

fn root() -> Keys {
    Keys {
        access_key_id: ACCESS_KEY.to_owned(),
        secret: SECRET_KEY.to_owned(),
        session_token: None,
        expires: None,
    }
}

fn policy(statements: &str) -> Policy {
    Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)).unwrap()
}

/// A role for the whole bucket, and a session for one deployment of the project that it is tagged with.
fn authority() -> Authority {
    Authority {
        role: policy(
            r#"{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::sites/__outputs/*", "arn:aws:s3:::sites/__cache/${aws:PrincipalTag/project}/*"]}"#,
        ),
        session: Some(policy(
            r#"{"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": "arn:aws:s3:::sites/__outputs/1/*"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::sites/__cache/*"}"#,
        )),
        tags: vec![("project".to_owned(), "blog".to_owned())],
    }
}

async fn ask(server: &S3Server, keys: &Keys, method: Method, path: &str) -> (u16, String) {
    ask_with(server, keys, method, path, &[], "").await
}

async fn ask_with(
    server: &S3Server,
    keys: &Keys,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let answer = send(server, keys, method, path, headers, body).await;
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    (status, code.map_or_else(String::new, |(code, _)| code.to_owned()))
}

#[tokio::test]
async fn keys_reach_as_far_as_role_and_session_both_allow() {
    let server = S3Server::start().await.unwrap();
    let lent = keys(Some("token"), None);
    server.admit(lent.clone(), authority());
    server.insert("__outputs/1/old", "x", None);
    server.insert("__cache/blog/old", "x", None);
    let table = [
        (Method::PUT, "/sites/__outputs/1/index.html", 200),
        (Method::PUT, "/sites/__outputs/2/index.html", 403),
        (Method::PUT, "/sites/__cache/blog/npm", 200),
        // The role does not allow it, whatever the session says.
        (Method::PUT, "/sites/__cache/other/npm", 403),
        (Method::GET, "/sites/__outputs/1/old", 403),
        (Method::GET, "/sites/__cache/blog/old", 200),
        (Method::HEAD, "/sites/__cache/blog/old", 200),
        (Method::DELETE, "/sites/__outputs/1/old", 403),
        // Who may not list does not learn what is not there.
        (Method::GET, "/sites/__cache/blog/missing", 403),
        (Method::HEAD, "/sites/__cache/blog/missing", 403),
        (Method::GET, "/sites?list-type=2&prefix=__outputs%2F1%2F", 403),
        (Method::HEAD, "/sites", 403),
        (Method::POST, "/sites/__outputs/1/large?uploads=", 200),
        (Method::POST, "/sites/__outputs/2/large?uploads=", 403),
        (Method::PUT, "/sites/__outputs/1/large?partNumber=1&uploadId=upload-1", 200),
        (Method::PUT, "/sites/__outputs/2/large?partNumber=1&uploadId=upload-1", 403),
        (Method::DELETE, "/sites/__cache/blog/large?uploadId=upload-1", 403),
        (Method::DELETE, "/sites/__outputs/1/large?uploadId=upload-1", 204),
        (Method::GET, "/sites/__outputs/1/large?uploadId=upload-1", 403),
    ];
    for (method, path, expected) in table {
        let (status, code) = ask(&server, &lent, method.clone(), path).await;
        assert_eq!(status, expected, "{method} {path}: {code}");
        let says = status == 403 && method != Method::HEAD;
        assert_eq!(code, if says { "AccessDenied" } else { "" }, "{method} {path}");
    }
    let copy = async |source| {
        ask_with(
            &server,
            &lent,
            Method::PUT,
            "/sites/__cache/blog/copy",
            &[("x-amz-copy-source", source)],
            "",
        )
        .await
        .0
    };
    assert_eq!((copy("/sites/__cache/blog/old").await, copy("/sites/__outputs/1/old").await), (200, 403));
    assert_eq!(ask(&server, &root(), Method::GET, "/sites/missing").await, (404, "NoSuchKey".to_owned()));
    assert_eq!(ask(&server, &root(), Method::DELETE, "/sites/__outputs/1/old").await.0, 204);
}

#[tokio::test]
async fn many_deletions_are_decided_one_by_one() {
    let server = S3Server::start().await.unwrap();
    let lent = keys(None, None);
    let role =
        policy(r#"{"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::sites/a/*"}"#);
    server.admit(lent.clone(), Authority { role, session: None, tags: Vec::new() });
    for key in ["a/1", "b/1"] {
        server.insert(key, "x", None);
    }
    let body = "<Delete><Object><Key>a/1</Key></Object><Object><Key>b/1</Key></Object></Delete>";
    let checksum = ("x-amz-checksum-sha256", "");
    let answer = send(&server, &lent, Method::POST, "/sites?delete=", &[checksum][1..], body).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("<Deleted><Key>a/1</Key></Deleted>") && text.contains("AccessDenied"), "{text}");
    assert_eq!(server.keys(), ["b/1"]);
}

#[tokio::test]
async fn a_listing_shows_its_prefix_to_the_policy() {
    let server = S3Server::start().await.unwrap();
    let lent = keys(None, None);
    let role = policy(
        r#"{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::sites", "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
           {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sites/*"}"#,
    );
    server.admit(lent.clone(), Authority { role, session: None, tags: Vec::new() });
    for (path, expected) in [
        ("/sites?list-type=2&prefix=a%2F", 200),
        ("/sites?list-type=2&prefix=b%2F", 403),
        ("/sites?list-type=2", 403),
        ("/sites/a/missing", 403),
    ] {
        assert_eq!(ask(&server, &lent, Method::GET, path).await.0, expected, "{path}");
    }
    let role = policy(r#"{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}"#);
    server.admit(lent.clone(), Authority { role, session: None, tags: Vec::new() });
    assert_eq!(ask(&server, &lent, Method::GET, "/sites/a/missing").await.0, 404);
}

#[tokio::test]
async fn a_policy_may_require_writing_once() {
    let server = S3Server::start().await.unwrap();
    let lent = keys(None, None);
    let role = policy(
        r#"{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
           {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*",
            "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}"#,
    );
    server.admit(lent.clone(), Authority { role, session: None, tags: Vec::new() });
    assert_eq!(ask(&server, &lent, Method::PUT, "/sites/a").await.0, 403);
    assert_eq!(ask(&server, &lent, Method::POST, "/sites/a?uploads=").await.0, 200);
    for expected in [200, 412] {
        let put = ask_with(&server, &lent, Method::PUT, "/sites/a", &[("if-none-match", "*")], "x").await;
        assert_eq!(put.0, expected);
    }
}

#[tokio::test]
async fn tokens_are_checked() {
    let server = S3Server::start().await.unwrap();
    let now = SystemTime::now();
    let table = [
        (Some("token"), Some(now + Duration::from_mins(1)), Some("token"), 200, ""),
        (Some("token"), Some(now), Some("token"), 400, "ExpiredToken"),
        (Some("token"), None, Some("other"), 400, "InvalidToken"),
        (Some("token"), None, None, 403, "InvalidAccessKeyId"),
        (None, None, Some("other"), 400, "InvalidToken"),
        (None, None, None, 200, ""),
    ];
    for (token, expires, given, status, code) in table {
        server.admit(keys(token, expires), authority());
        let answer = ask(&server, &keys(given, None), Method::PUT, "/sites/__outputs/1/a").await;
        assert_eq!(answer, (status, code.to_owned()), "{token:?} {given:?}");
    }
    let unknown = Keys { access_key_id: "ASIAOTHER".to_owned(), ..keys(None, None) };
    assert_eq!(ask(&server, &unknown, Method::GET, "/sites/a").await, (403, "InvalidAccessKeyId".to_owned()));
    let forged = Keys { secret: "other".to_owned(), ..keys(None, None) };
    assert_eq!(
        ask(&server, &forged, Method::GET, "/sites/a").await,
        (403, "SignatureDoesNotMatch".to_owned())
    );
}

#[tokio::test]
async fn conditions_hold_unless_they_are_ignored() {
    let server = S3Server::start().await.unwrap();
    for (ignore, expected) in [(false, 412), (true, 200)] {
        server.ignore_conditions(ignore);
        server.insert("a", "x", None);
        for condition in [("if-none-match", "*"), ("if-match", "\"other\"")] {
            let put = ask_with(&server, &root(), Method::PUT, "/sites/a", &[condition], "y").await;
            assert_eq!(put.0, expected, "{condition:?}");
        }
    }
}

#[tokio::test]
async fn calls_are_recorded() {
    let server = S3Server::start().await.unwrap();
    ask_with(&server, &root(), Method::PUT, "/sites/a%20b", &[("if-none-match", "*")], "x").await;
    ask(&server, &root(), Method::GET, "/sites?list-type=2&prefix=c%2Fd").await;
    server.fail(Operation::DeleteObject, Fault::Reset, 1);
    let url = format!("{}/sites/a", server.endpoint());
    assert!(reqwest::Client::new().delete(url).send().await.is_err());
    let calls = server.calls();
    let put = Call {
        access_key: Some(ACCESS_KEY.to_owned()),
        operation: Operation::PutObject,
        action: "s3:PutObject",
        key: "a b".to_owned(),
        if_match: false,
        if_none_match: true,
        status: Some(200),
    };
    assert_eq!(calls[0], put);
    assert_eq!((calls[1].action, calls[1].key.as_str()), ("s3:ListBucket", "c/d"));
    assert_eq!(
        (calls[2].access_key.as_deref(), calls[2].action, calls[2].status),
        (None, "s3:DeleteObject", None)
    );
    server.forget_requests();
    assert!(server.calls().is_empty());
}
