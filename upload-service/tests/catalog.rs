//! The state machine of deployments under writers that race.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Attempt, DeploymentId, Failure, FailureCode, Phase, State};
use jiff::Timestamp;
use tokio::task::JoinSet;
use upload_service::Catalog;
use upload_service::catalog::{
    Cancellation, Deployment, Ending, Finished, NewDeployment, SourceKind, Target,
};

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_219_200_000 + milliseconds).unwrap()
}

fn new(project: &str, number: i64) -> NewDeployment {
    NewDeployment {
        id: DeploymentId::new(at(number), 0),
        project: project.parse().unwrap(),
        target: Target::Production,
        source: SourceKind::Git,
        origin: Origin { repository: Some("https://host/blog".to_owned()), ..Origin::default() },
        settings: BuildSettings::default(),
        created: at(number),
    }
}

fn ending(state: State) -> Ending {
    let failure = (state != State::Ready).then(|| Failure::new(FailureCode::BuilderLost, state.as_str()));
    Ending { state, phase: None, files: Some(1), bytes: Some(2), failure, origin: Origin::default() }
}

fn canceled() -> Failure {
    Failure::new(FailureCode::Canceled, "the deployment was canceled")
}

async fn claimed(catalog: &Catalog, project: &str, number: i64) -> Deployment {
    catalog.create(new(project, number)).await.unwrap();
    catalog.claim_oldest(at(number)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_deployment_is_read_as_it_was_written() {
    let catalog = Catalog::memory().unwrap();
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
    assert_eq!(catalog.get(&written.id).await.unwrap(), Some(read));
}

#[tokio::test]
async fn states_only_move_forward() {
    let catalog = Catalog::memory().unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_that_finish_one_deployment_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("catalog.sqlite3")).unwrap();
    for round in 0..5 {
        let deployment = claimed(&catalog, "blog", round).await;
        let finals = [State::Ready, State::Failed, State::Canceled, State::TimedOut, State::Lost];
        let mut tasks = JoinSet::new();
        for number in 0..64 {
            let (catalog, id, attempt) = (catalog.clone(), deployment.id.clone(), deployment.attempt);
            let state = finals[number % finals.len()];
            tasks.spawn(async move {
                if number % 4 == 3 {
                    catalog.cancel(&id, canceled(), at(round)).await.unwrap();
                    return None;
                }
                let finished = catalog.finish(&id, attempt, ending(state), at(round)).await.unwrap();
                (finished != Finished::Refused).then_some((state, finished))
            });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let [(state, finished)] = winners[..] else { panic!("one wins, not {winners:?}") };
        let deployment = catalog.get(&deployment.id).await.unwrap().unwrap();
        assert_eq!(deployment.state, state);
        assert_eq!(deployment.production, finished == Finished::Promoted);
        assert_eq!(
            deployment.failure.map(|failure| failure.cause),
            (state != State::Ready).then(|| state.to_string())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_that_become_ready_the_newest_is_in_production() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite3");
    let catalog = Catalog::open(&path).unwrap();
    let mut deployments = Vec::new();
    for number in 0..64 {
        catalog.create(new(&format!("p{number}"), number)).await.unwrap();
        let mut deployment = catalog.claim_oldest(at(number)).await.unwrap().unwrap();
        deployment.project = "blog".parse().unwrap();
        deployments.push(deployment);
    }
    // All of one project, which no claim would let run at the same time.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "insert into projects (id, created) values ('blog', 0); update deployments set project = 'blog'",
        )
        .unwrap();
    drop(connection);
    let newest = deployments[63].id.clone();
    // Neither in order nor in reverse: 29 has no divisor in common with 64.
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let (catalog, deployment) = (catalog.clone(), deployments[(number * 29 + 7) % 64].clone());
        tasks.spawn(async move {
            let finished =
                catalog.finish(&deployment.id, deployment.attempt, ending(State::Ready), at(100)).await;
            assert_ne!(finished.unwrap(), Finished::Refused);
            catalog.production(&deployment.project).await.unwrap().unwrap()
        });
    }
    for (seen, own) in tasks.join_all().await.into_iter().map(|seen| (seen, &newest)) {
        assert!(seen <= *own);
    }
    assert_eq!(catalog.production(&"blog".parse().unwrap()).await.unwrap(), Some(newest.clone()));
    let page =
        catalog.list(upload_service::catalog::Filter { limit: 100, ..Default::default() }).await.unwrap();
    let in_production: Vec<_> = page.items.iter().filter(|deployment| deployment.production).collect();
    assert_eq!(in_production.len(), 1);
    assert_eq!(in_production[0].id, newest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_that_claim_each_gets_another_deployment_and_one_of_a_project() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("catalog.sqlite3")).unwrap();
    for number in 0..40 {
        catalog.create(new(&format!("p{}", number % 20), number)).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let catalog = catalog.clone();
        tasks.spawn(async move { catalog.claim_oldest(at(100)).await.unwrap() });
    }
    let claimed: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let projects: std::collections::BTreeSet<_> =
        claimed.iter().map(|deployment| &deployment.project).collect();
    assert_eq!((claimed.len(), projects.len()), (20, 20));
    // The oldest of each: the first twenty.
    assert!(claimed.iter().all(|deployment| deployment.created < at(20)));
    assert_eq!(catalog.running().await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_canceled_deployment_is_not_claimed_and_a_running_one_is_told() {
    let catalog = Catalog::memory().unwrap();
    let waiting = catalog.create(new("blog", 1)).await.unwrap();
    assert_eq!(catalog.cancel(&waiting.id, canceled(), at(2)).await.unwrap(), Cancellation::Canceled);
    assert_eq!(catalog.claim_oldest(at(3)).await.unwrap(), None);
    let running = claimed(&catalog, "blog", 4).await;
    assert_eq!(catalog.cancel(&running.id, canceled(), at(5)).await.unwrap(), Cancellation::Requested);
    let running = catalog.get(&running.id).await.unwrap().unwrap();
    assert!(running.cancel_requested);
    assert_eq!(running.state, State::Starting);
}

#[tokio::test]
async fn an_older_deployment_never_replaces_a_newer_one() {
    let catalog = Catalog::memory().unwrap();
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

#[tokio::test]
async fn the_catalog_survives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite3");
    let catalog = Catalog::open(&path).unwrap();
    let deployment = claimed(&catalog, "blog", 1).await;
    catalog.finish(&deployment.id, deployment.attempt, ending(State::Failed), at(2)).await.unwrap();
    let before = catalog.get(&deployment.id).await.unwrap();
    drop(catalog);
    assert_eq!(Catalog::open(&path).unwrap().get(&deployment.id).await.unwrap(), before);
}
