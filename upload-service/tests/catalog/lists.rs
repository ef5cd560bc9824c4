use gitdeploy_core::{DeploymentId, State};
use upload_service::Catalog;
use upload_service::catalog::{Filter, Project};

use crate::support::{at, claimed, ending, new};

/// All parts of a list, with `between` done after each.
async fn all(catalog: &Catalog, filter: Filter, mut between: impl AsyncFnMut()) -> Vec<DeploymentId> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = catalog.list(Filter { after, ..filter.clone() }).await.unwrap();
        found.extend(page.items.into_iter().map(|deployment| deployment.id));
        if page.next.is_none() {
            return found;
        }
        after = page.next;
        between().await;
    }
}

pub(crate) async fn lists_are_complete_while_deployments_are_added(catalog: Catalog) {
    let mut before = Vec::new();
    for number in 0..14 {
        let project = if number % 2 == 0 { "blog" } else { "shop" };
        before.push(catalog.create(new(project, number)).await.unwrap().id);
    }
    before.reverse();
    let mut next = 100;
    let blog: Vec<_> = before.iter().skip(1).step_by(2).cloned().collect();
    for (project, expected) in [(None, before), (Some("blog"), blog)] {
        let filter = Filter {
            project: project.map(|project| project.parse().unwrap()),
            limit: 3,
            ..Filter::default()
        };
        let first = catalog.list(Filter { limit: 100, ..filter.clone() }).await.unwrap();
        let added = first.items.len() - expected.len();
        let found = all(&catalog, filter, async || {
            for project in ["blog", "shop"] {
                catalog.create(new(project, next)).await.unwrap();
                next += 1;
            }
        })
        .await;
        // What was added for the first list is a part of the second.
        assert_eq!(found[added..], expected);
        let mut once = found.clone();
        once.dedup();
        assert_eq!(once, found);
    }
}

pub(crate) async fn lists_are_filtered(catalog: Catalog) {
    let mut failed = Vec::new();
    for number in 0..12 {
        let project = if number % 2 == 0 { "blog" } else { "shop" };
        let deployment = claimed(&catalog, project, number).await;
        let state = if number % 3 == 0 { State::Failed } else { State::Ready };
        catalog.finish(&deployment.id, deployment.attempt, ending(state), at(50)).await.unwrap();
        if state == State::Failed {
            failed.insert(0, deployment.id);
        }
    }
    let filter = Filter { state: Some(State::Failed), limit: 1, ..Filter::default() };
    assert_eq!(all(&catalog, filter.clone(), async || ()).await, failed);
    let blog = Filter { project: Some("blog".parse().unwrap()), ..filter };
    assert_eq!(all(&catalog, blog, async || ()).await, [failed[1].clone(), failed[3].clone()]);

    let newest = |number| Some(DeploymentId::new(at(number), 0));
    let projects = [("blog", newest(10)), ("shop", newest(11))];
    let projects = projects.map(|(id, production)| Project { id: id.parse().unwrap(), production });
    assert_eq!(catalog.projects().await.unwrap(), projects);
    let page = catalog.list(Filter { limit: 100, ..Filter::default() }).await.unwrap();
    let production: Vec<_> = page.items.iter().filter(|deployment| deployment.production).collect();
    assert_eq!(production.len(), 2);
    for deployment in page.items {
        assert_eq!(catalog.get(&deployment.id).await.unwrap(), Some(deployment));
    }
}

pub(crate) async fn what_was_not_made_is_not_found(catalog: Catalog) {
    let nobody = DeploymentId::new(at(1), 1);
    assert_eq!(catalog.get(&nobody).await.unwrap(), None);
    assert_eq!(catalog.with_prefix("").await.unwrap(), []);
    assert_eq!(catalog.production(&"blog".parse().unwrap()).await.unwrap(), None);
    assert!(catalog.projects().await.unwrap().is_empty());
    assert!(!catalog.restart(&nobody, gitdeploy_core::Attempt::FIRST).await.unwrap());
    let page = catalog.list(Filter { limit: 5, ..Filter::default() }).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));

    let mut made = Vec::new();
    for number in 0..3 {
        made.push(catalog.create(new("blog", number)).await.unwrap());
    }
    assert_eq!(catalog.with_prefix("").await.unwrap(), made[..2]);
    assert_eq!(catalog.with_prefix(made[2].id.as_str()).await.unwrap(), made[2..]);
    assert_eq!(catalog.with_prefix("zzz").await.unwrap(), []);
}
