//! Which deployment a host label leads to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{DeploymentId, ProjectId};
use crate::protection::Protection;

/// The version that this code writes. A reader passes over fields that it does not know.
pub const VERSION: u32 = 1;

/// How many predecessors a route remembers.
const PREDECESSORS: usize = 3;

/// Where a host label leads. Only the upload service writes it, and only to a complete deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The version of the format.
    pub version: u32,
    /// The project.
    pub project: ProjectId,
    /// The deployment that is served.
    pub deployment: DeploymentId,
    /// The deployments that were served before, the latest first.
    #[serde(default)]
    pub predecessors: Vec<DeploymentId>,
    /// Who may see the site.
    #[serde(default, skip_serializing_if = "Protection::is_open")]
    pub protection: Protection,
    /// When the route was moved; in milliseconds since 1970 on the wire.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub moved: Timestamp,
}

impl Route {
    /// The first route of a project.
    pub fn new(project: ProjectId, deployment: DeploymentId, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            project,
            deployment,
            predecessors: Vec::new(),
            protection: Protection::default(),
            moved: now,
        }
    }

    /// The route moved to `deployment`, with the old one as its first predecessor.
    #[must_use]
    pub fn moved_to(&self, deployment: DeploymentId, now: Timestamp) -> Self {
        let predecessors = std::iter::once(&self.deployment)
            .chain(&self.predecessors)
            .filter(|predecessor| **predecessor != deployment)
            .take(PREDECESSORS)
            .cloned()
            .collect();
        Self { deployment, predecessors, moved: now, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_remembers_its_last_three_predecessors() {
        let now = Timestamp::UNIX_EPOCH;
        let id = |number| DeploymentId::new(now, number);
        let mut route = Route::new("blog".parse().unwrap(), id(1), now);
        for number in 2..=5 {
            route = route.moved_to(id(number), now);
        }
        assert_eq!(route.deployment, id(5));
        assert_eq!(route.predecessors, [id(4), id(3), id(2)]);
        assert_eq!(route.moved_to(id(4), now).predecessors, [id(5), id(3), id(2)]);
    }
}
