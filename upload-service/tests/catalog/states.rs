use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Attempt, Phase, State};
use upload_service::catalog::{Cancellation, Deployment, Finished, NewDeployment, SourceKind, Target};
use upload_service::{Catalog, CatalogError};

use crate::support::{at, canceled, claimed, ending, new};

pub(crate) async fn a_deployment_is_read_as_it_was_written(catalog: Catalog) {
    let written = NewDeployment {
        target: Target::Preview,
        source: SourceKind::Source,
        origin: Origin {
            repository: Some("https://host/blog".to_owned()),
            reference: Some("main".to_owned()),
            commit: Some("abc".to_owned()),
            message: Some("It's \"new\"; drop table".to_owned()),
        },
        settings: BuildSettings {
            root: Some("a".to_owned()),
            install: Some("b".to_owned()),
            command: Some("c".to_owned()),
            node: Some("22".to_owned()),
            output: Some("d".to_owned()),
        },
        ..new("blog", 1)
    };
    let read = catalog.create(written.clone()).await.unwrap();
    assert_eq!(read.state, State::Queued);
    assert_eq!(read.attempt, Attempt(0));
    assert_eq!((read.target, read.source), (written.target, written.source));
    assert_eq!((&read.origin, &read.settings), (&written.origin, &written.settings));
    assert_eq!(read.created, written.created);
    assert_eq!((read.lease, &read.task, read.session), (None, &None, None));
    let again = catalog.create(written.clone()).await;
    assert!(matches!(again, Err(CatalogError::Exists(id)) if id == written.id));
    assert_eq!(catalog.get(&written.id).await.unwrap(), Some(read));
}

pub(crate) async fn states_only_move_forward(catalog: Catalog) {
    let deployment = claimed(&catalog, "blog", 1).await;
    let (id, attempt) = (&deployment.id, deployment.attempt);
    assert_eq!((deployment.state, attempt), (State::Starting, Attempt::FIRST));
    assert!(catalog.advance(id, attempt, Phase::Clone).await.unwrap());
    assert!(catalog.advance(id, attempt, Phase::Build).await.unwrap());
    assert!(catalog.advance(id, attempt, Phase::Upload).await.unwrap());
    assert!(!catalog.advance(id, attempt, Phase::Build).await.unwrap());
    assert!(!catalog.advance(id, Attempt(0), Phase::Upload).await.unwrap());
    assert_eq!(catalog.get(id).await.unwrap().unwrap().phase, Some(Phase::Upload));
    let refused = catalog.finish(id, Attempt(0), ending(State::Ready), at(2)).await.unwrap();
    assert_eq!(refused, Finished::Refused);
    assert_eq!(catalog.finish(id, attempt, ending(State::Ready), at(2)).await.unwrap(), Finished::Promoted);
    assert!(!catalog.advance(id, attempt, Phase::Upload).await.unwrap());
    let before = catalog.get(id).await.unwrap();
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        assert_eq!(catalog.finish(id, attempt, ending(state), at(3)).await.unwrap(), Finished::Refused);
    }
    assert_eq!(catalog.cancel(id, canceled(), at(3)).await.unwrap(), Cancellation::AlreadyFinal);
    assert_eq!(catalog.get(id).await.unwrap(), before);
}

pub(crate) async fn a_canceled_deployment_is_not_claimed_and_a_running_one_is_told(catalog: Catalog) {
    let waiting = catalog.create(new("blog", 1)).await.unwrap();
    assert_eq!(catalog.cancel(&waiting.id, canceled(), at(2)).await.unwrap(), Cancellation::Canceled);
    assert_eq!(catalog.claim_oldest(at(3), at(60_000)).await.unwrap(), None);
    let running = claimed(&catalog, "blog", 4).await;
    assert_eq!(catalog.cancel(&running.id, canceled(), at(5)).await.unwrap(), Cancellation::Requested);
    let running = catalog.get(&running.id).await.unwrap().unwrap();
    assert!(running.cancel_requested);
    assert_eq!(running.state, State::Starting);
}

pub(crate) async fn an_older_deployment_never_replaces_a_newer_one(catalog: Catalog) {
    let project = "blog".parse().unwrap();
    let older = claimed(&catalog, "blog", 1).await;
    // It hangs while a newer one overtakes it, as after an operator ended it by hand.
    let newer = catalog.create(new("blog", 2)).await.unwrap();
    let ready = async |deployment: &Deployment, attempt| {
        catalog.finish(&deployment.id, attempt, ending(State::Ready), at(9)).await.unwrap()
    };
    assert_eq!(ready(&newer, newer.attempt).await, Finished::Promoted);
    assert_eq!(ready(&older, older.attempt).await, Finished::Ended);
    assert_eq!(catalog.production(&project).await.unwrap(), Some(newer.id));
}

pub(crate) async fn a_text_of_a_builder_that_is_too_long_is_cut(catalog: Catalog) {
    let deployment = claimed(&catalog, "blog", 1).await;
    let (id, attempt) = (&deployment.id, deployment.attempt);
    catalog.learn_commit(id, attempt, "ü".repeat(1 << 20)).await.unwrap();
    let mut ending = ending(State::Failed);
    ending.origin.message = Some("m".repeat(1 << 20));
    ending.failure.as_mut().unwrap().cause = "c".repeat(1 << 20);
    assert_eq!(catalog.finish(id, attempt, ending, at(2)).await.unwrap(), Finished::Ended);
    let deployment = catalog.get(id).await.unwrap().unwrap();
    for text in [deployment.origin.commit.unwrap(), deployment.failure.unwrap().cause] {
        assert_eq!(text.len(), 8 * 1024);
    }
}
