//! What cancels a build: a signal, or the end of the process that launched it.

use std::io::Read as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Launcher;

/// A token that is canceled by SIGINT, SIGTERM or, with [`Launcher::Pipe`], the end of standard input.
pub(crate) fn watch(launcher: Launcher) -> std::io::Result<CancellationToken> {
    let cancel = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn({
        let cancel = cancel.clone();
        async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                cancel.cancel();
            }
        }
    });
    if launcher == Launcher::Pipe {
        let cancel = cancel.clone();
        // A thread of its own: the runtime would wait for a read that never ends.
        std::thread::spawn(move || {
            wait_for_end_of_input();
            tracing::warn!("the launcher is gone");
            cancel.cancel();
        });
    }
    Ok(cancel)
}

fn wait_for_end_of_input() {
    let mut nothing = [0; 64];
    while std::io::stdin().read(&mut nothing).is_ok_and(|bytes| bytes > 0) {}
}
