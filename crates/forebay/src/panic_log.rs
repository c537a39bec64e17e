//! Panics as lines of the log, and their number.
//!
//! No part of a replica stays dead after a panic, so nothing but this tells
//! that there was one.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook};
use std::sync::atomic::{AtomicU64, Ordering};

/// Not the metric itself: whoever panics may hold the recorder's locks.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Panics of this process since [`install`].
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Has panics logged in the log's own format instead of being printed, and
/// counted. With a backtrace where `RUST_BACKTRACE` asks for it.
pub(crate) fn install() {
    set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("unknown");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => {
            tracing::error!(place, thread, %backtrace, "panic, a fault of Forebay: {message}");
        }
        _ => tracing::error!(place, thread, "panic, a fault of Forebay: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_counted() {
        install();
        let before = count();
        let ended = std::panic::catch_unwind(|| panic!("told to panic"));
        drop(std::panic::take_hook());
        assert!(ended.is_err());
        assert!(count() > before);
    }
}
