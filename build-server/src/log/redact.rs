//! What we say ourselves may repeat what is secret: a command, a message of a commit, the error of a server.

use std::sync::Arc;

use gitdeploy_core::{Body, End, Failure};

use crate::secrets::Secrets;

/// Replaces the secrets in all texts of an event.
pub(super) fn body(secrets: &Arc<Secrets>, body: &mut Body) {
    let text = |text: &mut String| secrets.redact(text);
    match body {
        Body::Phase(change) => change.summary.iter_mut().for_each(text),
        Body::Plan { decisions } => {
            for decision in decisions {
                [&mut decision.value, &mut decision.because]
                    .into_iter()
                    .chain(&mut decision.file)
                    .for_each(text);
            }
        }
        Body::Log(line) => text(&mut line.text),
        Body::Notice { text: notice } => text(notice),
        Body::End(end) => self::end(secrets, end),
        Body::Gap { .. } | Body::Progress { .. } => {}
    }
}

/// Replaces the secrets in what is said about the end of a build.
pub(super) fn end(secrets: &Arc<Secrets>, end: &mut End) {
    if let Some(Failure { cause, fix, hint, .. }) = &mut end.failure {
        [cause].into_iter().chain(fix).chain(hint).for_each(|text| secrets.redact(text));
    }
}
