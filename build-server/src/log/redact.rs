//! What we say ourselves may repeat what is secret: a command, a message of a commit, the error of a server.

use std::sync::Arc;

use gitdeploy_core::{Body, Failure};

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
        Body::End(end) => end.failure.iter_mut().for_each(|failure| self::failure(secrets, failure)),
        Body::Gap { .. } | Body::Progress { .. } => {}
    }
}

fn failure(secrets: &Arc<Secrets>, failure: &mut Failure) {
    let texts = [&mut failure.cause].into_iter().chain(&mut failure.fix).chain(&mut failure.hint);
    texts.for_each(|text| secrets.redact(text));
}
