//! What pages that are open still ask for: scripts, styles and images of the deployments that were in production
//! before.

use std::sync::Arc;

use gitdeploy_core::Route;
use jiff::{SignedDuration, Timestamp};

use crate::decide::is_asset;
use crate::fault::Fault;
use crate::file::File;
use crate::site::Published;
use crate::sites::Sites;

/// How long after a route has moved the files of its predecessors are still served.
const LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The file at `path`, decoded, of the latest deployment that had one. A page is no such file: it is shown as it is
/// now, or not at all.
pub(crate) async fn find(
    sites: &Sites,
    route: &Route,
    path: &str,
    now: Timestamp,
) -> Result<Option<(Arc<Published>, Arc<File>)>, Fault> {
    if !is_asset(path) || !lasts(route, now) {
        return Ok(None);
    }
    let Some(name) = path.strip_prefix('/') else { return Ok(None) };
    for id in &route.predecessors {
        // One that is no longer there has been cleaned up.
        let Some(published) = sites.deployment(id).await? else { continue };
        if let Some(file) = published.file(name) {
            return Ok(Some((published, file)));
        }
    }
    Ok(None)
}

fn lasts(route: &Route, now: Timestamp) -> bool {
    now.duration_since(route.moved) < LASTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_a_week_after_the_route_has_moved() {
        let moved: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let id = "01m9x2k4tb7f5q8r3w6z".parse().unwrap();
        let route = Route::new("blog".parse().unwrap(), id, moved);
        for (now, expected) in
            [("2026-01-01T00:00:00Z", true), ("2026-01-07T23:59:59Z", true), ("2026-01-08T00:00:00Z", false)]
        {
            assert_eq!(lasts(&route, now.parse().unwrap()), expected, "{now}");
        }
    }
}
