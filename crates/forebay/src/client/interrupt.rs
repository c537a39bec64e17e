//! Ctrl-C on plain threads.

use std::io;
use std::thread;

use actix_rt::signal::unix::{SignalKind, signal};

/// From now on SIGINT and SIGTERM do not end the process; `on_signal` is told
/// of each, on a thread that lives as long as the process.
///
/// # Errors
/// As the system has them.
pub(super) fn take_over(on_signal: impl Fn() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Before this returns: a signal right after it has to find the handlers.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let wait = async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => on_signal(),
                _ = terminate.recv() => on_signal(),
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(wait))
        .map(drop)
}
