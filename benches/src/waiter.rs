//! Waiting for sockets until a precise time.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Registry, Token};

/// Not a connection's token.
const TIMER: Token = Token(usize::MAX);

/// An event queue. On Linux `epoll_wait` counts in milliseconds, which would
/// make an open loop send in bursts: shorter waits use a timer beside it.
pub(crate) struct Waiter {
    poll: Poll,
    pub(crate) events: Events,
    #[cfg(target_os = "linux")]
    timer: std::os::fd::OwnedFd,
}

impl Waiter {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        #[cfg(target_os = "linux")]
        let timer = make_timer(poll.registry())?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            #[cfg(target_os = "linux")]
            timer,
        })
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits for events, at most for `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> io::Result<()> {
        let coarse = self.arm(limit)?;
        match self.poll.poll(&mut self.events, Some(coarse)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            result => result,
        }
    }

    /// Whether a token is a connection's.
    pub(crate) fn is_connection(token: Token) -> bool {
        token != TIMER
    }

    /// Returns what is left for the coarse limit.
    #[cfg(target_os = "linux")]
    fn arm(&self, limit: Duration) -> io::Result<Duration> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, timerfd_settime};
        const FINE: Duration = Duration::from_millis(20);
        if limit.is_zero() || limit > FINE {
            return Ok(limit);
        }
        let zero = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        // Only a net below: the timer ends the wait.
        Ok(FINE * 2)
    }

    #[cfg(not(target_os = "linux"))]
    fn arm(&self, limit: Duration) -> io::Result<Duration> {
        Ok(limit)
    }
}

#[cfg(target_os = "linux")]
fn make_timer(registry: &Registry) -> io::Result<std::os::fd::OwnedFd> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    use std::os::fd::AsRawFd as _;
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    registry.register(
        &mut mio::unix::SourceFd(&timer.as_raw_fd()),
        TIMER,
        mio::Interest::READABLE,
    )?;
    Ok(timer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn waits_end_again_and_again() {
        let mut waiter = Waiter::new().unwrap();
        for micros in [0, 1, 300, 300, 300, 1500, 25_000] {
            let limit = Duration::from_micros(micros);
            let start = Instant::now();
            waiter.wait(limit).unwrap();
            // The net below would end it too, after 40 ms; but early it never ends.
            assert!(start.elapsed() >= limit, "{micros}");
        }
    }
}
