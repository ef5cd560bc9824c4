use super::*;

const BUILD: &str = "arn:aws:s3:::sites/__outputs/blog/1/index.html";

fn policy(statement: &str) -> Policy {
    Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#)).unwrap()
}

fn decide(statement: &str, request: &Request) -> Decision {
    policy(statement).decide(request)
}

fn put(resource: &str) -> Request {
    Request::new("s3:PutObject", resource)
}

#[test]
fn actions_and_resources() {
    use Decision::{Allowed, Silent};
    let table = [
        (r#""Action": "s3:PutObject", "Resource": "*""#, Allowed),
        (r#""Action": "S3:putobject", "Resource": "*""#, Allowed),
        (r#""Action": ["s3:Get*", "s3:P?tObject"], "Resource": "*""#, Allowed),
        (r#""Action": "*", "Resource": "*""#, Allowed),
        (r#""Action": "s3:PutObjec", "Resource": "*""#, Silent),
        (r#""Action": "s3:PutObject?", "Resource": "*""#, Silent),
        (r#""NotAction": "s3:PutObject", "Resource": "*""#, Silent),
        (r#""NotAction": ["s3:Get*", "s3:Delete*"], "Resource": "*""#, Allowed),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/blog/1/*""#, Allowed),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/*.html""#, Allowed),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/blog/?/index.html""#, Allowed),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/blog/2/*""#, Silent),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:::SITES/*""#, Silent),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:*:*:other/*""#, Silent),
        (r#""Action": "s3:*", "Resource": ["arn:aws:s3:::other/*", "arn:aws:s3:::sites/*"]"#, Allowed),
        (r#""Action": "s3:*", "NotResource": "arn:aws:s3:::sites/*""#, Silent),
        (r#""Action": "s3:*", "NotResource": ["arn:aws:s3:::sites", "arn:aws:s3:::other/*"]"#, Allowed),
        (
            r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/${aws:PrincipalTag/project}/*""#,
            Allowed,
        ),
        (
            r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/${aws:principaltag/PROJECT}/*""#,
            Allowed,
        ),
        (
            r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/${aws:PrincipalTag/none}/*""#,
            Silent,
        ),
        (
            r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/__outputs/${aws:PrincipalTag/none, 'blog'}/*""#,
            Allowed,
        ),
        (r#""Action": "s3:*", "NotResource": "arn:aws:s3:::sites/${aws:PrincipalTag/none}/*""#, Silent),
        (r#""Action": "s3:*", "Resource": "arn:aws:s3:::sites/${*}""#, Silent),
    ];
    let request = put(BUILD).with("aws:PrincipalTag/project", "blog");
    for (members, expected) in table {
        assert_eq!(decide(&format!(r#"{{"Effect": "Allow", {members}}}"#), &request), expected, "{members}");
    }
}

#[test]
fn a_wildcard_in_a_value_is_a_character() {
    let statement = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::sites/${aws:PrincipalTag/project}/*"}"#;
    let tagged = |resource: &str| put(resource).with("aws:PrincipalTag/project", "*");
    assert_eq!(decide(statement, &tagged("arn:aws:s3:::sites/blog/x")), Decision::Silent);
    assert_eq!(decide(statement, &tagged("arn:aws:s3:::sites/*/x")), Decision::Allowed);
}

#[test]
fn a_wildcard_stays_in_its_field_of_an_arn() {
    let statement = r#"{"Effect": "Allow", "Action": "ecs:*", "Resource": "arn:aws:ecs:*:task/x"}"#;
    assert!(Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#)).is_err());
    let statement = r#"{"Effect": "Allow", "Action": "ecs:*", "Resource": "arn:aws:ecs:*:1:task/*"}"#;
    let stop = |arn: &str| Request::new("ecs:StopTask", arn);
    assert_eq!(decide(statement, &stop("arn:aws:ecs:us-east-1:1:task/a:b/c")), Decision::Allowed);
    assert_eq!(decide(statement, &stop("arn:aws:ecs:us-east-1:2:1:task/a")), Decision::Silent);
}

#[test]
fn conditions() {
    let request = put(BUILD)
        .with("s3:prefix", "__outputs/blog/")
        .with("ecs:cluster", "arn:aws:ecs:us-east-1:1:cluster/gitdeploy")
        .with("aws:SecureTransport", "true")
        .with("aws:PrincipalTag/project", "blog")
        .with("aws:TagKeys", "project")
        .with("aws:TagKeys", "deployment");
    let table = [
        (r#"{"StringEquals": {"s3:prefix": "__outputs/blog/"}}"#, true),
        (r#"{"StringEquals": {"S3:Prefix": ["x", "__outputs/blog/"]}}"#, true),
        (r#"{"StringEquals": {"s3:prefix": "__outputs/*"}}"#, false),
        (r#"{"StringEquals": {"s3:delimiter": "/"}}"#, false),
        (r#"{"StringEqualsIfExists": {"s3:delimiter": "/"}}"#, true),
        (r#"{"StringEqualsIfExists": {"s3:prefix": "/"}}"#, false),
        (r#"{"StringNotEquals": {"s3:prefix": "x"}}"#, true),
        (r#"{"StringNotEquals": {"s3:prefix": ["x", "__outputs/blog/"]}}"#, false),
        (r#"{"StringNotEquals": {"s3:delimiter": "x"}}"#, true),
        (r#"{"StringNotEquals": {"s3:prefix": "${aws:PrincipalTag/none}"}}"#, false),
        (r#"{"StringLike": {"s3:prefix": "__outputs/${aws:PrincipalTag/project}/*"}}"#, true),
        (r#"{"StringLike": {"s3:prefix": "__outputs/${aws:PrincipalTag/none}/*"}}"#, false),
        (r#"{"StringLike": {"s3:prefix": "__outputs"}}"#, false),
        (r#"{"StringNotLike": {"s3:prefix": "__outputs/*"}}"#, false),
        (r#"{"StringEqualsIgnoreCase": {"s3:prefix": "__OUTPUTS/blog/"}}"#, true),
        (r#"{"StringEqualsIgnoreCase": {"s3:prefix": "*"}}"#, false),
        (r#"{"ArnLike": {"ecs:cluster": "arn:aws:ecs:*:1:cluster/git*"}}"#, true),
        (r#"{"ArnEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:1:cluster/gitdeploy"}}"#, true),
        (r#"{"ArnEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:1:cluster/other"}}"#, false),
        (r#"{"ArnNotLike": {"ecs:cluster": "arn:aws:ecs:us-east-1:1:cluster/other"}}"#, true),
        (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, true),
        (r#"{"Bool": {"aws:SecureTransport": false}}"#, false),
        (r#"{"Bool": {"aws:Missing": "true"}}"#, false),
        (r#"{"BoolIfExists": {"aws:Missing": "true"}}"#, true),
        (r#"{"Null": {"s3:if-none-match": "true"}}"#, true),
        (r#"{"Null": {"s3:if-none-match": "false"}}"#, false),
        (r#"{"Null": {"s3:prefix": "false"}}"#, true),
        (r#"{"StringEquals": {"s3:prefix": "__outputs/blog/", "s3:delimiter": "/"}}"#, false),
        (r#"{"StringLike": {"s3:prefix": "*"}, "Bool": {"aws:SecureTransport": "false"}}"#, false),
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["project", "deployment", "x"]}}"#, true),
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["project"]}}"#, false),
        (r#"{"ForAllValues:StringEquals": {"aws:Missing": ["project"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["project"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}}"#, false),
        (r#"{"ForAnyValue:StringEquals": {"aws:Missing": ["x"]}}"#, false),
    ];
    for (condition, holds) in table {
        let statement =
            format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {condition}}}"#);
        let expected = if holds { Decision::Allowed } else { Decision::Silent };
        assert_eq!(decide(&statement, &request), expected, "{condition}");
    }
}

#[test]
fn a_denial_wins_and_all_policies_have_to_agree() {
    let everything = policy(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#);
    let but_this = policy(
        r#"[{"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Sid": "b", "Effect": "Deny", "Action": "s3:Put*", "Resource": "arn:aws:s3:::sites/__outputs/*"}]"#,
    );
    let only_this = policy(
        r#"{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::sites/__outputs/*"}"#,
    );
    let (this, other) = (put(BUILD), put("arn:aws:s3:::sites/other"));
    assert_eq!((but_this.decide(&this), but_this.decide(&other)), (Decision::Denied, Decision::Allowed));
    assert_eq!(only_this.decide(&other), Decision::Silent);
    let table: [(&[&Policy], bool, bool); 6] = [
        (&[], false, false),
        (&[&everything], true, true),
        (&[&everything, &only_this], true, false),
        (&[&only_this, &everything], true, false),
        (&[&everything, &but_this], false, true),
        (&[&only_this, &but_this], false, false),
    ];
    for (policies, first, second) in table {
        let allows = |request| allows(policies.iter().copied(), request);
        assert_eq!((allows(&this), allows(&other)), (first, second));
    }
}

#[test]
fn what_is_not_understood_is_no_policy() {
    let statements = [
        r#"{"Effect": "Allow", "Action": "*"}"#,
        r#"{"Effect": "Allow", "Resource": "*"}"#,
        r#"{"Effect": "Permit", "Action": "*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "*", "NotAction": "s3:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "PutObject", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": [], "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": []}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "sites/*"}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::sites/${aws:x"}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::sites/${project}"}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NumericLessThan": {"s3:max-keys": "1"}}}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NullIfExists": {"s3:prefix": "true"}}}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"s3:prefix": "yes"}}}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"prefix": "x"}}}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"s3:prefix": []}}}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"s3:prefix": "a", "s3:prefix": "*"}}}"#,
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": "not plain"}"#,
        r#"[{"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": "a"}, {"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": "a"}]"#,
        "[]",
        r#""Allow""#,
    ];
    for statement in statements {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
        assert!(Policy::parse(&text).is_err(), "{statement}");
    }
    let statement = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
    for text in [
        format!(r#"{{"Version": "2008-10-17", "Statement": {statement}}}"#),
        format!(r#"{{"Statement": {statement}}}"#),
        format!(r#"{{"Version": "2012-10-17", "Statement": {statement}, "Rule": 1}}"#),
        format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}} x"#),
        r#"{"Version": "2012-10-17"}"#.to_owned(),
    ] {
        assert!(Policy::parse(&text).is_err(), "{text}");
    }
    let unknown = Policy::parse(r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Rule": 1}}"#);
    assert!(unknown.unwrap_err().to_string().contains("Rule"));
}
