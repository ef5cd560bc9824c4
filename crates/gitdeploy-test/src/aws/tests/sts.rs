use http::Method;

use super::*;
use crate::s3::{Keys, S3Server};
use crate::sigv4;

const ROLE: &str = "arn:aws:iam::123456789012:role/publish";
const ROLE_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::sites/${aws:PrincipalTag/project}/*"}}"#;
const SESSION_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::sites/*/1/*"}}"#;

async fn sts(aws: &Aws, key: &str, form: &[(&str, &str)]) -> (u16, String) {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let answer = reqwest::Client::new()
        .post(aws.endpoint())
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sts/aws4_request"),
        )
        .body(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn assume(aws: &Aws, form: &[(&str, &str)]) -> (u16, String) {
    let mut whole = vec![("Action", "AssumeRole"), ("Version", "2011-06-15")];
    for (name, value) in [("RoleArn", ROLE), ("RoleSessionName", "deployment-1")] {
        if !form.iter().any(|(given, _)| *given == name) {
            whole.push((name, value));
        }
    }
    whole.extend(form);
    sts(aws, ACCESS_KEY, &whole).await
}

fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

fn keys(xml: &str) -> Keys {
    Keys {
        access_key_id: element(xml, "AccessKeyId").to_owned(),
        secret: element(xml, "SecretAccessKey").to_owned(),
        session_token: Some(element(xml, "SessionToken").to_owned()),
        expires: None,
    }
}

#[tokio::test]
async fn lent_keys_work_as_far_as_both_policies_allow_until_they_expire() {
    let aws = server("exit 0").await;
    let s3 = S3Server::start().await.unwrap();
    aws.lend_to(&s3, ROLE_POLICY).unwrap();
    let form = [
        ("Policy", SESSION_POLICY),
        ("Tags.member.1.Key", "project"),
        ("Tags.member.1.Value", "blog"),
        ("TransitiveTagKeys.member.1", "project"),
        ("DurationSeconds", "900"),
    ];
    let (status, xml) = assume(&aws, &form).await;
    assert_eq!(status, 200, "{xml}");
    let lent = keys(&xml);
    let put = async |path: &str| sigv4::send(&s3, &lent, Method::PUT, path, &[], "x").await.status().as_u16();
    assert_eq!(put("/sites/blog/1/index.html").await, 200);
    assert_eq!(put("/sites/blog/2/index.html").await, 403, "the session policy does not allow it");
    assert_eq!(put("/sites/other/1/index.html").await, 403, "the role does not allow it");
    let session = aws.sessions().remove(0);
    assert_eq!((session.access_key.as_str(), session.role_arn.as_str()), (lent.access_key_id.as_str(), ROLE));
    assert_eq!((session.policy.as_deref(), session.name.as_str()), (Some(SESSION_POLICY), "deployment-1"));
    assert_eq!(session.tags, [("project".to_owned(), "blog".to_owned())]);
    let rest = session.expires.duration_since(std::time::SystemTime::now()).unwrap();
    assert!((880..=900).contains(&rest.as_secs()));
    assert!(!format!("{session:?}").contains(&lent.secret));
    aws.expire_sessions();
    assert_eq!(put("/sites/blog/1/index.html").await, 400);
    aws.shorten_sessions(Duration::ZERO);
    let (_, xml) = assume(&aws, &form).await;
    let late = sigv4::send(&s3, &keys(&xml), Method::PUT, "/sites/blog/1/a", &[], "x").await;
    assert!(late.text().await.unwrap().contains("ExpiredToken"));
}

#[tokio::test]
async fn an_older_session_is_let_in_too_and_may_do_nothing_else() {
    let aws = server("exit 0").await;
    let (_, xml) = assume(&aws, &[("Tags.member.1.Key", "project"), ("Tags.member.1.Value", "blog")]).await;
    let lent = keys(&xml);
    let s3 = S3Server::start().await.unwrap();
    aws.lend_to(&s3, ROLE_POLICY).unwrap();
    assert_eq!(sigv4::send(&s3, &lent, Method::PUT, "/sites/blog/a", &[], "x").await.status(), 200);
    let (status, xml) = sts(&aws, &lent.access_key_id, &[("Action", "GetCallerIdentity")]).await;
    assert_eq!(
        (status, element(&xml, "Arn")),
        (200, "arn:aws:sts::123456789012:assumed-role/publish/deployment-1")
    );
    let (status, xml) = sts(&aws, &lent.access_key_id, &[("Action", "AssumeRole")]).await;
    assert_eq!((status, element(&xml, "Code")), (403, "AccessDenied"));
    let (status, xml) = sts(&aws, "other", &[("Action", "AssumeRole")]).await;
    assert_eq!((status, element(&xml, "Code")), (403, "InvalidClientTokenId"));
}

#[tokio::test]
async fn what_sts_refuses_is_refused() {
    let aws = server("exit 0").await;
    let long = format!("{SESSION_POLICY}{}", " ".repeat(2048));
    let table: [(&[(&str, &str)], &str); 13] = [
        (&[("DurationSeconds", "899")], "ValidationError"),
        (&[("DurationSeconds", "3601")], "ValidationError"),
        (&[("RoleSessionName", "a")], "ValidationError"),
        (&[("RoleSessionName", "a b")], "ValidationError"),
        (&[("RoleSessionName", &"a".repeat(65))], "ValidationError"),
        (&[("RoleArn", "publish")], "ValidationError"),
        (&[("Policy", &long)], "PackedPolicyTooLarge"),
        (&[("Policy", "{}")], "MalformedPolicyDocument"),
        (&[("Policy", "{\"Version\": \"…\"}")], "ValidationError"),
        (&[("Tags.member.1.Key", "aws:x")], "ValidationError"),
        (&[("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "<b>")], "ValidationError"),
        (&[("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "A")], "InvalidParameterValue"),
        (&[("Tags.member.1.Key", "a"), ("TransitiveTagKeys.member.1", "b")], "InvalidParameterValue"),
    ];
    for (form, code) in table {
        let (status, xml) = assume(&aws, form).await;
        assert_eq!((status, element(&xml, "Code")), (400, code), "{form:?}");
    }
    aws.fail("AssumeRole", Fault::Throttled, 1);
    let (status, xml) = assume(&aws, &[]).await;
    assert_eq!((status, element(&xml, "Code")), (400, "Throttling"));
    assert!(aws.sessions().is_empty());
    assert_eq!(aws.bodies("AssumeRole").len(), 14);
}
