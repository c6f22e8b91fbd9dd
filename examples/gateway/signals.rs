//! What the system tells a gateway that runs.

use std::future::Future;
use std::io;
use std::path::Path;

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tower_bedrock::observe::JsonLines;

/// Ends with the next SIGTERM or SIGINT, counted from the call.
#[cfg(unix)]
pub(crate) fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
pub(crate) fn stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Has the file opened anew with every SIGHUP: whoever rotates it has given it another name.
#[cfg(unix)]
pub(crate) fn reopen_on_hangup(file: JsonLines, path: &Path) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let path = path.to_owned();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let file = file.clone();
            // It waits for what is still to be written.
            match tokio::task::spawn_blocking(move || file.reopen()).await {
                Ok(Ok(())) => tracing::info!(path = %path.display(), "reopened the log file"),
                Ok(Err(error)) => {
                    tracing::warn!(path = %path.display(), %error, "cannot reopen the log file: the old one is kept");
                }
                // The gateway stops.
                Err(_) => break,
            }
        }
    });
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn reopen_on_hangup(_: JsonLines, _: &Path) -> io::Result<()> {
    Ok(())
}
