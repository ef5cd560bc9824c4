use gitdeploy_core::{Attempt, State};
use tokio::task::JoinSet;
use upload_service::Catalog;
use upload_service::catalog::{Cancellation, Filter, Finished};

use crate::support::{at, canceled, claimed, ending, new};

pub(crate) async fn of_64_that_finish_one_deployment_one_wins(catalog: Catalog) {
    for round in 0..3 {
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

pub(crate) async fn of_64_that_become_ready_the_newest_is_in_production(catalog: Catalog) {
    let mut deployments = Vec::new();
    for number in 0..64 {
        // They wait: no claim would let builds of one project run at the same time.
        deployments.push(catalog.create(new("blog", number)).await.unwrap());
    }
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
    let page = catalog.list(Filter { limit: 100, ..Default::default() }).await.unwrap();
    let in_production: Vec<_> = page.items.iter().filter(|deployment| deployment.production).collect();
    assert_eq!(in_production.len(), 1);
    assert_eq!(in_production[0].id, newest);
}

pub(crate) async fn of_64_that_claim_each_gets_another_deployment_and_one_of_a_project(catalog: Catalog) {
    for number in 0..20 {
        catalog.create(new(&format!("p{}", number % 10), number)).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let catalog = catalog.clone();
        tasks.spawn(async move { catalog.claim_oldest(at(100), at(60_000)).await.unwrap() });
    }
    let claimed: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let projects: std::collections::BTreeSet<_> =
        claimed.iter().map(|deployment| &deployment.project).collect();
    assert_eq!((claimed.len(), projects.len()), (10, 10));
    // The oldest of each: the first ten.
    assert!(claimed.iter().all(|deployment| deployment.created < at(10)));
    assert_eq!(catalog.running().await.unwrap().len(), 10);
}

pub(crate) async fn of_64_that_take_over_one_wins(catalog: Catalog) {
    for round in 0..2 {
        let seen = claimed(&catalog, &format!("p{round}"), round).await;
        let mut tasks = JoinSet::new();
        for number in 0..64 {
            let (catalog, seen) = (catalog.clone(), seen.clone());
            tasks.spawn(async move {
                let lease = at(100_000 + number);
                catalog.take_over(&seen, at(60_000 + round), lease).await.unwrap()
            });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let [winner] = &winners[..] else { panic!("one wins, not {}", winners.len()) };
        assert_eq!(catalog.get(&seen.id).await.unwrap().as_ref(), Some(winner));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    Canceled(Cancellation),
    Finished(State, Finished),
    Renewed(bool),
    Restarted(bool),
}

pub(crate) async fn of_64_that_change_one_deployment_none_is_lost(catalog: Catalog) {
    for round in 0..3 {
        let project = format!("p{round}");
        let deployment = claimed(&catalog, &project, round).await;
        let mut tasks = JoinSet::new();
        for number in 0..64 {
            let (catalog, id, attempt) = (catalog.clone(), deployment.id.clone(), deployment.attempt);
            tasks.spawn(async move {
                match number % 4 {
                    0 => Did::Canceled(catalog.cancel(&id, canceled(), at(round)).await.unwrap()),
                    1 => {
                        let state = if number % 8 == 1 { State::Ready } else { State::Failed };
                        let finished = catalog.finish(&id, attempt, ending(state), at(round)).await;
                        Did::Finished(state, finished.unwrap())
                    }
                    2 => {
                        let renewed = catalog.renew(&id, attempt, at(number)).await.unwrap();
                        Did::Renewed(renewed.is_some())
                    }
                    _ => Did::Restarted(catalog.restart(&id, attempt).await.unwrap()),
                }
            });
        }
        let did = tasks.join_all().await;
        let after = catalog.get(&deployment.id).await.unwrap().unwrap();
        let ended: Vec<_> = did
            .iter()
            .filter_map(|did| match did {
                Did::Finished(state, finished) if *finished != Finished::Refused => Some((*state, *finished)),
                _ => None,
            })
            .collect();
        let restarted = did.contains(&Did::Restarted(true));
        let canceled = did.contains(&Did::Canceled(Cancellation::Canceled));
        // The attempt comes to its end once: by an ending, or because it is lost.
        assert_eq!(ended.len() + usize::from(restarted), 1, "{did:?}");
        let expected = match (&ended[..], canceled) {
            ([(state, _)], _) => *state,
            (_, true) => State::Canceled,
            (_, false) => State::Queued,
        };
        assert_eq!((after.state, after.attempt), (expected, Attempt::FIRST));
        let wished = did.contains(&Did::Canceled(Cancellation::Requested)) || canceled;
        assert_eq!(after.cancel_requested, wished, "{did:?}");
        let promoted = matches!(ended[..], [(_, Finished::Promoted)]);
        assert_eq!(after.production, promoted);
        assert_eq!(promoted, after.state == State::Ready);
        let production = catalog.production(&project.parse().unwrap()).await.unwrap();
        assert_eq!(production, promoted.then_some(deployment.id));
        assert!(catalog.running().await.unwrap().is_empty());
    }
}
