//! What a session policy allows, as AWS decides it.

use gitdeploy_core::State;
use gitdeploy_core::claim::Claim;
use gitdeploy_core::manifest::Origin;
use gitdeploy_test::aws::Session;
use gitdeploy_test::iam::{self, Policy, Request};
use jiff::Timestamp;
use upload_service::catalog::{Ending, Finished, SourceKind};

use super::lending::{Lending, ROLE_POLICY, SESSION};

/// Whether the role and the session both allow it.
pub(super) fn allows(session: &Session, action: &str, key: &str) -> bool {
    let role = Policy::parse(ROLE_POLICY).unwrap();
    let own = Policy::parse(session.policy.as_deref().unwrap()).unwrap();
    let bucket = if action == "s3:ListBucket" { String::new() } else { format!("/{key}") };
    iam::allows([&role, &own], &Request::new(action, format!("arn:aws:s3:::sites{bucket}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_reaches_its_own_deployment_only() {
    let lending = Lending::start().await;
    let git = lending.begin("https://host/blog").await;
    let upload = lending.begin_from(SourceKind::Prebuilt, "docs", Origin::default()).await;
    let mut sessions = Vec::new();
    for deployment in [&git, &upload] {
        assert!(lending.claim(deployment, SESSION).await.status.is_success());
        sessions.push(lending.aws.sessions().pop().unwrap());
    }
    let [of_git, of_upload] = &sessions[..] else { panic!() };
    assert!(of_git.policy.as_ref().unwrap().len() <= 2048);
    let (id, other) = (&git.id, &upload.id);

    for key in [
        format!("__outputs/{id}/index.html"),
        format!("__outputs/{id}/a/b c/*.js"),
        format!("__manifests/{id}.json"),
        format!("__logs/{id}.ndjson.zst"),
    ] {
        assert!(allows(of_git, "s3:PutObject", &key), "{key}");
        assert!(allows(of_git, "s3:GetObject", &key), "{key}");
        assert!(!allows(of_git, "s3:DeleteObject", &key), "{key}");
        assert!(!allows(of_git, "s3:PutObjectAcl", &key), "{key}");
        assert!(!allows(of_upload, "s3:PutObject", &key), "{key}");
        assert!(!allows(of_upload, "s3:GetObject", &key), "{key}");
    }
    assert!(allows(of_git, "s3:AbortMultipartUpload", &format!("__outputs/{id}/big.iso")));
    for key in [
        format!("__outputs/{other}/index.html"),
        format!("__outputs/{id}"),
        format!("__outputs/{id}x/index.html"),
        "__outputs/blog/index.html".to_owned(),
        format!("__manifests/{id}.json.bak"),
        format!("__manifests/{other}.json"),
        format!("__logs/{other}.ndjson.zst"),
        "__routes/blog.json".to_owned(),
        format!("__staged/{id}/1/index.html"),
        "__cache/blog/preview/key.tar.zst".to_owned(),
        "__cache/docs/production/key.tar.zst".to_owned(),
        "__cache/blog".to_owned(),
        format!("__uploads/{id}.tar.zst"),
        format!("__uploads/{other}.tar.zst"),
        "index.html".to_owned(),
    ] {
        for action in ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] {
            assert!(!allows(of_git, action, &key), "{action} {key}");
        }
    }
    let kept = "__cache/blog/production/key.tar.zst";
    assert!(allows(of_git, "s3:PutObject", kept) && allows(of_git, "s3:GetObject", kept));
    assert!(!allows(of_git, "s3:DeleteObject", kept) && !allows(of_upload, "s3:GetObject", kept));
    for session in [of_git, of_upload] {
        assert!(!allows(session, "s3:ListBucket", ""));
    }
    assert!(allows(of_upload, "s3:GetObject", &format!("__uploads/{other}.tar.zst")));
    assert!(!allows(of_upload, "s3:PutObject", &format!("__uploads/{other}.tar.zst")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_may_read_the_deployment_in_production_and_is_told_of_it() {
    let lending = Lending::start().await;
    let before = lending.begin("https://host/blog").await;
    let ready = Ending {
        state: State::Ready,
        phase: None,
        files: Some(1),
        bytes: Some(2),
        failure: None,
        origin: Origin::default(),
    };
    let finished =
        lending.control.catalog().finish(&before.id, before.attempt, ready, Timestamp::now()).await.unwrap();
    assert_eq!(finished, Finished::Promoted);

    let after = lending.begin("https://host/blog").await;
    let of_other = lending.begin("https://host/docs").await;
    let answer = lending.claim(&after, SESSION).await;
    let claim: Claim = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(claim.variables.get("GITDEPLOY_PREVIOUS").map(String::as_str), Some(before.id.as_str()));
    let session = lending.aws.sessions().pop().unwrap();
    assert!(session.tags.contains(&("gitdeploy:previous".to_owned(), before.id.to_string())));
    assert!(lending.claim(&of_other, SESSION).await.status.is_success());
    let other = lending.aws.sessions().pop().unwrap();
    for key in [
        format!("__manifests/{}.json", before.id),
        format!("__outputs/{}/index.html", before.id),
        format!("__variants/{}/br/index.html", before.id),
    ] {
        assert!(allows(&session, "s3:GetObject", &key), "{key}");
        assert!(!allows(&session, "s3:PutObject", &key), "{key}");
        assert!(!allows(&other, "s3:GetObject", &key), "{key}");
    }
    assert!(!allows(&session, "s3:GetObject", &format!("__logs/{}.ndjson.zst", before.id)));
}
